//! Whatever is the same in all formats: the log file, stderr, the clock, and the flushing.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::formats::reporter;
use super::options::ReportOptions;
use super::outbox::Outbox;
use super::reporter::{FinishedTrial, Reporter, RunStart};
use crate::kernel::errno::Errno;
use crate::kernel::process::exit_kind::signal_name;
use crate::runner::conclusion::Conclusion;
use crate::runner::error::{RunError, unwritten, usage};
use crate::runner::result::{Shown, TrialResult};
use crate::sandbox::namespace_limits::wait_note;
use crate::sandbox::refused::Refused;
use crate::trial::Trial;

/// The file of `--logfile`.
struct LogFile {
    path: PathBuf,
    file: File,
    /// Error of the first write that failed. Nothing is written after that.
    failure: Option<io::Error>,
}

impl LogFile {
    /// Creates the file.
    ///
    /// # Errors
    /// The file cannot be created.
    fn create(path: &Path) -> Result<Self, RunError> {
        match File::create(path) {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                file,
                failure: None,
            }),
            Err(error) => Err(usage(format!(
                "--logfile: cannot create {}: {error}",
                path.display()
            ))),
        }
    }

    fn line(&mut self, line: &str) {
        if self.failure.is_none() {
            self.failure = writeln!(self.file, "{line}").err();
        }
    }
}

/// Prints a run as it goes.
pub(crate) struct Printer {
    out: Outbox,
    reporter: Box<dyn Reporter>,
    log: Option<LogFile>,
    /// Whether a program reads the report, which is of no use to that program unless it is whole.
    for_programs: bool,
    show_output: bool,
    /// Whether the run has one trial.
    is_of_one: bool,
    started: Instant,
}

impl Printer {
    /// Makes the printer that the user has asked for.
    ///
    /// # Errors
    /// Fails if the log file cannot be created.
    pub(crate) fn new(options: &ReportOptions) -> Result<Self, RunError> {
        let log = options.logfile.as_deref().map(LogFile::create);
        Ok(Self {
            out: Outbox::default(),
            reporter: reporter(options),
            log: log.transpose()?,
            for_programs: options.format.is_for_programs(),
            show_output: options.show_output,
            is_of_one: false,
            started: Instant::now(),
        })
    }

    /// Prints that the run begins. It is written with the first trial: each write under nextest
    /// wakes nextest up.
    pub(crate) fn run_started(&mut self, start: &RunStart) {
        self.is_of_one = start.trials == 1;
        self.reporter.run_started(&mut self.out, start);
    }

    /// Prints that a trial begins.
    pub(crate) fn trial_started(&mut self, trial: &Trial) {
        self.reporter.trial_started(&mut self.out, trial);
        // Flushed at once: whoever looks at a run that hangs wants to see in which trial.
        self.out.flush_some();
    }

    /// Prints that a trial has been running for long.
    pub(crate) fn trial_is_slow(&mut self, trial: &Trial, elapsed: Duration) {
        self.reporter.trial_is_slow(&mut self.out, trial, elapsed);
        self.out.flush_some();
    }

    /// Prints the result of a trial.
    pub(crate) fn trial_finished(&mut self, mut finished: FinishedTrial<'_>) {
        if let Some(log) = &mut self.log {
            let word = match finished.result {
                TrialResult::Passed => "ok",
                TrialResult::Failed(_) => "failed",
                TrialResult::Ignored(_) => "ignored",
            };
            log.line(&format!("{word} {}", finished.trial.name()));
        }
        if let (TrialResult::Failed(failure), false) = (&finished.result, finished.is_captured)
            && failure.shown == Shown::Nowhere
        {
            // nextest takes the description of a failure from a line on stderr that begins with
            // `Error: ` (nextest-runner 0.9). The test's own process could not write one.
            eprintln!("Error: {}", failure.whole_reason());
        }
        if finished.result == TrialResult::Passed && !self.show_output {
            finished.output.clear();
        }
        self.reporter.trial_finished(&mut self.out, &finished);
        // The end of the run follows at once where there is no other trial.
        if !self.is_of_one {
            self.out.flush_some();
        }
    }

    /// Prints on stderr that the run waits for namespaces, which the kernel has refused.
    pub(crate) fn waits_for(&mut self, refused: &Refused) {
        eprintln!("note: {}", wait_note(refused));
    }

    /// Prints on stderr what happens after an interruption.
    pub(crate) fn interrupted(&mut self, signal: i32, running: usize, grace: Duration) {
        if running > 0 {
            eprintln!(
                "\n{}: {running} running; they have {} s to end. Once more ends them at once.",
                signal_name(signal),
                grace.as_secs()
            );
        }
    }

    /// Prints the result of the run.
    ///
    /// # Errors
    /// Fails if a part of the report or of the log file could not be written.
    pub(crate) fn run_finished(&mut self, conclusion: &Conclusion) -> Result<(), RunError> {
        let elapsed = self.started.elapsed();
        self.reporter
            .run_finished(&mut self.out, conclusion, elapsed);
        self.out.flush_all();
        match self.out.failure() {
            // A person who has seen enough (`| head`) has got what they wanted.
            Some(Errno::EPIPE) if !self.for_programs => {}
            Some(errno) => return Err(unwritten("the report to stdout", &errno.into())),
            None => {}
        }
        match &self.log {
            Some(LogFile {
                path,
                file: _,
                failure: Some(error),
            }) => Err(unwritten(format!("the log file {}", path.display()), error)),
            Some(LogFile { failure: None, .. }) | None => Ok(()),
        }
    }

    /// Returns stdout if something is left to write to it.
    pub(crate) fn pending(&self) -> Option<BorrowedFd<'_>> {
        self.out.pending()
    }

    /// Returns the time of the next try to write to stdout, where a wait cannot tell it.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.out.due()
    }

    /// Writes as much as can be written without waiting.
    pub(crate) fn flush_some(&mut self) {
        self.out.flush_some();
    }

    /// Writes everything, unless the reader reads nothing for a moment.
    pub(crate) fn flush_for_a_reader(&mut self) {
        self.out.flush_for_a_reader();
    }

    /// Writes everything, however long the reader takes.
    pub(crate) fn flush_all(&mut self) {
        self.out.flush_all();
    }
}
