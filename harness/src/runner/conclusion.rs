//! The counts of a run, and its exit code.

use std::process::ExitCode;

use super::result::TrialResult;

/// Exit code of a run without a failure but with an inconclusive trial: to run it again may help
/// (EX_TEMPFAIL of sysexits.h).
const INCONCLUSIVE: u8 = 75;

/// Numbers of trials that passed, failed and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a run that failed must end the program with its exit code: see `Conclusion::exit`"]
pub struct Conclusion {
    /// Number of trials that the filters left out.
    pub num_filtered_out: u64,
    /// Number of trials that passed.
    pub num_passed: u64,
    /// Number of trials that failed.
    pub num_failed: u64,
    /// Number of trials that are inconclusive, which neither passed nor failed: such trials ask
    /// for no verdict on a machine that is starved.
    pub num_inconclusive: u64,
    /// Number of trials that were ignored.
    pub num_ignored: u64,
    /// Number of benchmarks: always 0, since no test is a benchmark.
    pub num_measured: u64,
    /// Number of the signal that ended the run early.
    pub interrupted_by: Option<i32>,
}

impl Conclusion {
    /// Returns whether the run is not green: a trial failed or is inconclusive, or the run was cut
    /// short.
    pub fn has_failed(&self) -> bool {
        self.code() != 0
    }

    /// Returns 128 and the number of the signal that ended the run, or else 101 if a trial failed,
    /// or else 75 if a trial is inconclusive, or else 0.
    ///
    /// libtest too exits with 101, the code of a panic. 128 and a signal is what a shell reports.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// Ends the program with [`Conclusion::exit_code`].
    pub fn exit(&self) -> ! {
        std::process::exit(i32::from(self.code()))
    }

    pub(crate) fn code(&self) -> u8 {
        match self.interrupted_by {
            Some(signal) => 128 + signal as u8,
            None if self.num_failed > 0 => 101,
            None if self.num_inconclusive > 0 => INCONCLUSIVE,
            None => 0,
        }
    }

    pub(crate) fn count(&mut self, result: &TrialResult) {
        match result {
            TrialResult::Passed => self.num_passed += 1,
            TrialResult::Failed(failure) if failure.is_inconclusive => self.num_inconclusive += 1,
            TrialResult::Failed(_) => self.num_failed += 1,
            TrialResult::Ignored(_) => self.num_ignored += 1,
        }
    }
}
