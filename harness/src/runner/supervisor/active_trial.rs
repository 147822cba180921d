//! A trial that runs, as the supervisor sees it.
//!
//! A trial that hangs should say what hangs before the runner kills the trial, and a trial that is
//! interrupted should have time to clean up. So the end of a trial has phases, each with a time
//! limit of its own.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZero;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::captured_output::CapturedOutput;
use super::reports::{ReceivedReports, Stopped};
use super::zygote_pool::ZygoteChannel;
use crate::kernel::message_channel::MessageChannel;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::trial::{InitRequest, TrialReport};
use crate::trial::Trial;
use crate::trial::time_scale::stretched;

/// Time after which a running trial is named in the report, for the first time.
const SLOW: Duration = Duration::from_secs(10);
/// Time that a trial has for saying what hangs, on a machine with processors to spare. A debug
/// build of this project needs 0.4 s of a processor for the backtrace (2026-11).
const LAST_WORDS: Duration = Duration::from_secs(4);
/// Factor by which a busy machine may lengthen the time that a trial has for that.
const MOST_PATIENCE: u32 = 10;
/// Time that a trial has for ending after an interruption. nextest too waits 10 s between `SIGTERM`
/// and `SIGKILL` (nextest 0.9, `grace-period`).
const GRACE: Duration = Duration::from_secs(10);
/// Time until the supervisor looks again after a trial that was killed. The end of its channel
/// wakes the supervisor much earlier.
const NEVER: Duration = Duration::from_secs(3600);

/// The seeds of a trial that runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrialSeeds {
    /// Seed of the trial's own random choices.
    pub(crate) own: u64,
    /// Seed of a run in which the trial has the same seed of its own.
    pub(crate) run: u64,
}

/// A trial that runs.
pub(crate) struct ActiveTrial {
    index: usize,
    seeds: TrialSeeds,
    /// Time limit of the trial.
    limit: Duration,
    channel: MessageChannel,
    /// Pipe with the output, until the end of the output.
    output: Option<File>,
    captured: CapturedOutput,
    reports: ReceivedReports,
    started: Instant,
    /// Time that threads of this machine had waited for a processor by the start.
    waited_before: Option<Duration>,
    phase: Phase,
    /// Time at which the trial is named as slow, if it still runs.
    slow_at: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The trial runs until its time limit.
    Running(Instant),
    /// The time limit has passed, and the trial may say until then what it is doing.
    Describing(Instant),
    /// The trial was asked to end until then.
    Ending(Instant),
    /// The supervisor has asked the nursery to kill the trial.
    Killed,
}

/// Everything that remains of a trial when its last report has come.
pub(crate) struct EndedTrial {
    pub(crate) index: usize,
    pub(crate) seeds: TrialSeeds,
    pub(crate) duration: Duration,
    /// Time that threads of this machine had waited for a processor by the start.
    pub(crate) waited_before: Option<Duration>,
    pub(crate) output: CapturedOutput,
    pub(crate) reports: ReceivedReports,
    /// Zygote of the trial, if it can run another one.
    pub(crate) zygote: Option<ZygoteChannel>,
}

impl ActiveTrial {
    /// Makes the trial that `zygote` has just been ordered to run.
    pub(crate) fn new(
        index: usize,
        seeds: TrialSeeds,
        limit: Duration,
        waited_before: Option<Duration>,
        zygote: ZygoteChannel,
    ) -> Self {
        let started = Instant::now();
        let (channel, output) = zygote.into_parts();
        Self {
            index,
            seeds,
            limit,
            channel,
            output,
            captured: CapturedOutput::default(),
            reports: ReceivedReports::default(),
            started,
            waited_before,
            phase: Phase::Running(started + limit),
            slow_at: started + SLOW,
        }
    }

    /// Sets the trial whose reports are received.
    pub(crate) fn reporting_of(mut self, trial: &Trial) -> Self {
        self.reports = ReceivedReports::of(trial);
        self
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Returns the descriptor that is readable when the trial has reported something.
    pub(crate) fn channel(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }

    /// Returns the descriptor that is readable when the trial has written something.
    pub(crate) fn output(&self) -> Option<BorrowedFd<'_>> {
        self.output.as_ref().map(File::as_fd)
    }

    /// Returns the time at which [`Self::advance`] or [`Self::slowness`] has something to do.
    pub(crate) fn due(&self) -> Instant {
        match self.phase {
            Phase::Running(until) => until.min(self.slow_at),
            Phase::Describing(until) | Phase::Ending(until) => until,
            Phase::Killed => self.slow_at + NEVER,
        }
    }

    /// Returns how long the trial has been running, if it is time to name it as slow.
    pub(crate) fn slowness(&mut self, now: Instant) -> Option<Duration> {
        if now < self.slow_at || !matches!(self.phase, Phase::Running(_)) {
            return None;
        }
        let elapsed = self.started.elapsed();
        // Each interval is twice the one before, so that a long trial does not fill the report.
        self.slow_at = now + elapsed.max(SLOW);
        Some(elapsed)
    }

    /// Enters the next phase if the time of this one is over. Returns whether the trial is to be
    /// killed now.
    pub(crate) fn advance(&mut self, now: Instant) -> bool {
        match self.phase {
            Phase::Running(until) => {
                if now >= until {
                    self.reports.stop(Stopped::Timeout(self.limit));
                    self.request(InitRequest::Describe);
                    self.phase = Phase::Describing(now + time_for_last_words());
                }
                false
            }
            Phase::Describing(until) if now >= until || self.reports.is_described() => self.kill(),
            Phase::Ending(until) if now >= until => self.kill(),
            Phase::Describing(_) | Phase::Ending(_) | Phase::Killed => false,
        }
    }

    fn kill(&mut self) -> bool {
        self.phase = Phase::Killed;
        true
    }

    /// Ends the trial because `signal` has interrupted the run: passes the signal on, or asks what
    /// hangs instead.
    pub(crate) fn interrupt(&mut self, signal: i32, ask_what_hangs: bool) {
        let now = Instant::now();
        self.reports.stop(Stopped::Interrupted(signal));
        if ask_what_hangs {
            self.request(InitRequest::Describe);
            self.phase = Phase::Describing(now + time_for_last_words());
        } else {
            self.request(InitRequest::Signal(signal));
            self.phase = Phase::Ending(now + grace());
        }
    }

    /// Asks the trial's init for something. An init that is gone has no use for a request.
    pub(crate) fn request(&self, request: InitRequest) {
        let _ = self.channel.send(&request.encode());
    }

    /// Moves all times of the trial by a pause in which the trial stood still.
    pub(crate) fn postpone(&mut self, pause: Duration) {
        self.started += pause;
        self.slow_at += pause;
        self.phase = match self.phase {
            Phase::Running(until) => Phase::Running(until + pause),
            Phase::Describing(until) => Phase::Describing(until + pause),
            Phase::Ending(until) => Phase::Ending(until + pause),
            Phase::Killed => Phase::Killed,
        };
    }

    /// Reads the output that is there, at most `pieces` times a buffer full, and never waits.
    pub(crate) fn read_output(&mut self, pieces: usize, buffer: &mut [u8]) {
        for _ in 0..pieces {
            let Some(output) = &mut self.output else {
                return;
            };
            match output.read(buffer) {
                Ok(0) => self.output = None,
                Ok(length) => self.captured.push(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// Receives the reports that are there. Returns whether the last one was among them, or nobody
    /// is left to send one.
    pub(crate) fn receive_reports(&mut self, buffer: &mut [u8]) -> bool {
        loop {
            match self.channel.try_receive(buffer) {
                Ok(None) => return false,
                Ok(Some([])) | Err(_) => return true,
                Ok(Some(bytes)) => {
                    let report = TrialReport::decode(bytes);
                    if report.is_some_and(|report| self.reports.add(report)) {
                        return true;
                    }
                }
            }
        }
    }

    /// Takes the trial apart when its last report has come.
    pub(crate) fn into_ended(mut self, buffer: &mut [u8]) -> EndedTrial {
        // Whatever process of the trial still holds the pipe is about to be killed, so waiting for
        // the end of the output would gain nothing: what is in the pipe now is all.
        self.read_output(usize::MAX, buffer);
        // A zygote whose trial was killed, or whose channel ended without a last report, is dead
        // or about to die.
        let is_good = self.reports.is_complete() && self.phase != Phase::Killed;
        // A process that still holds the pipe could write into the output of the next trial.
        let output = self.output.filter(|_| self.reports.has_left_nothing());
        EndedTrial {
            index: self.index,
            seeds: self.seeds,
            duration: self.started.elapsed(),
            waited_before: self.waited_before,
            output: self.captured,
            reports: self.reports,
            zygote: is_good.then(|| ZygoteChannel::new(self.channel, output)),
        }
    }
}

/// Returns the time that a trial has for ending after an interruption.
pub(crate) fn grace() -> Duration {
    stretched(GRACE)
}

/// Returns how long a trial that hangs may take at present for saying what hangs.
pub(crate) fn time_for_last_words() -> Duration {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    stretched(LAST_WORDS) * waiting_for_each(&load, processors as u32).clamp(1, MOST_PATIENCE)
}

/// Returns the number of threads that want to run now, for each processor: the fourth field of
/// `/proc/loadavg` (`proc_loadavg(5)`).
fn waiting_for_each(load: &str, processors: u32) -> u32 {
    let threads = load.split(' ').nth(3).and_then(|it| it.split_once('/'));
    let running = threads.and_then(|(running, _all)| running.parse::<u32>().ok());
    running.map_or(1, |running| running.div_ceil(processors.max(1)))
}

#[cfg(test)]
mod tests {
    use super::waiting_for_each;

    #[test]
    fn a_busy_machine_makes_patient() {
        assert_eq!(waiting_for_each("0.20 0.18 0.12 1/80 11206\n", 2), 1);
        assert_eq!(waiting_for_each("9.20 0.18 0.12 50/80 11206\n", 2), 25);
        assert_eq!(waiting_for_each("", 2), 1);
    }
}
