//! Runs of one trial in programs of their own, side by side.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use snowglobe_text::Tree;

use crate::kernel::process::signal::Signal;
use crate::kernel::process::{pidfd_kill, pidfd_open};
use crate::kernel::thread;
use crate::runner::args::{RERUN, TRIAL_PATH, settings};
use crate::runner::registry::definition_named;
use crate::runner::result::Failure;
use crate::trial::Trial;

/// Variables that would make a run something else than one run with one seed.
const OTHERS: [&str; 5] = [
    "SNOWGLOBE_RUNS",
    "SNOWGLOBE_STRESS",
    "SNOWGLOBE_TWICE",
    "SNOWGLOBE_SHRINK",
    "NEXTEST_EXECUTION_MODE",
];

/// The failure that runs are to have again.
#[derive(Clone, Debug)]
pub(super) struct SameFailure {
    location: String,
    /// First line of the reason, which counts where there is no place.
    reason: String,
}

impl SameFailure {
    pub(super) fn of(failure: &Failure) -> Self {
        Self {
            location: failure.location.clone(),
            reason: first_line(&failure.reason),
        }
    }

    /// Returns whether a report in JSON has this failure.
    fn is_in(&self, report: &str) -> bool {
        let events = report.lines().filter_map(|line| Tree::from_json(line).ok());
        let text = |event: &Tree, key: &str| {
            let text = event.get(key).and_then(|it| it.text("").ok());
            text.unwrap_or_default().to_owned()
        };
        let mut failed = events
            .filter(|event| text(event, "type") == "test" && text(event, "event") == "failed");
        failed.any(|event| {
            if self.location.is_empty() {
                first_line(&text(&event, "message")) == self.reason
            } else {
                text(&event, "location") == self.location
            }
        })
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The end of a run: its candidate, and whether the trial has failed as it did at first.
pub(super) type RunEnd = (usize, bool);

/// The runs of a trial that are under way.
pub(super) struct Reruns<'a> {
    trial: &'a Trial,
    run_seed: u64,
    wanted: SameFailure,
    /// Pidfds of the programs, with the candidates that they run.
    running: Vec<(usize, OwnedFd)>,
    /// Runs that were begun in all.
    begun: u64,
    /// The channel by which threads tell of the ends of runs.
    teller: Sender<RunEnd>,
    ends: Receiver<RunEnd>,
}

impl<'a> Reruns<'a> {
    pub(super) fn new(trial: &'a Trial, run_seed: u64, wanted: SameFailure) -> Self {
        let (teller, ends) = channel();
        Self {
            trial,
            run_seed,
            wanted,
            running: Vec::new(),
            begun: 0,
            teller,
            ends,
        }
    }

    /// Returns how many runs were begun.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    /// Returns how many runs are under way.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// Begins a run of a candidate, whose schedule is in this file.
    ///
    /// # Errors
    /// The program cannot be started.
    pub(super) fn begin(&mut self, candidate: usize, schedule: &Path) -> std::io::Result<()> {
        let child = self.command(schedule)?.spawn()?;
        let pidfd = pidfd_open(child.id().cast_signed())?;
        self.running.push((candidate, pidfd));
        self.begun += 1;
        let (sender, wanted) = (self.teller.clone(), self.wanted.clone());
        // A thread reads what a program writes, so that no program waits for its reader.
        thread::start("rerun", move || {
            let output = child.wait_with_output();
            let has_failed =
                output.is_ok_and(|output| wanted.is_in(&String::from_utf8_lossy(&output.stdout)));
            // The search may be over.
            let _ = sender.send((candidate, has_failed));
        })?;
        Ok(())
    }

    fn command(&self, schedule: &Path) -> std::io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        for variable in OTHERS {
            command.env_remove(variable);
        }
        command
            .env(crate::lab::SCHEDULE_VARIABLE, schedule)
            .env("SNOWGLOBE_SEED", self.run_seed.to_string())
            .envs(settings())
            .env(RERUN, "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        match definition_named(self.trial.name()) {
            // Under the standard harness too, whose command line is another.
            Some(definition) => {
                command.env(TRIAL_PATH, definition.path);
            }
            None => {
                command.args(["--exact", self.trial.name(), "--include-ignored"]);
                command.args(["--format", "json"]);
            }
        }
        Ok(command)
    }

    /// Waits for the end of a run, and returns its candidate and whether it has failed as the trial
    /// has. Looks now and then whether it `is_over`, and then returns `None`.
    pub(super) fn next_end(&mut self, is_over: &mut dyn FnMut() -> bool) -> Option<RunEnd> {
        /// Time after which a signal of the user is noticed.
        const MOMENT: std::time::Duration = std::time::Duration::from_millis(100);
        loop {
            if is_over() {
                return None;
            }
            if let Ok(end) = self.ends.recv_timeout(MOMENT) {
                let place = self.running.iter().position(|(it, _)| *it == end.0);
                if let Some(place) = place {
                    self.running.swap_remove(place);
                }
                return Some(end);
            }
        }
    }

    /// Ends the runs that are under way.
    pub(super) fn stop(&mut self) {
        for (_, program) in self.running.drain(..) {
            // A program that is gone needs no signal. The trial of a program ends with the program.
            let _ = pidfd_kill(&program, Signal::SIGKILL as i32);
        }
        // What those runs still say is about candidates of the past.
        (self.teller, self.ends) = channel();
    }
}
