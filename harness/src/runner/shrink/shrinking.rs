//! The search for a smaller schedule with which a trial still fails.

use std::fs;
use std::path::{Path, PathBuf};

use snowglobe_text::counted;

use super::reruns::{Reruns, RunEnd, SameFailure};
use crate::lab::{SCHEDULE_VARIABLE, schedule_file, write_schedule};
use crate::model::fault::{Schedule, ScheduledFault};
use crate::model::shrink::{CandidateRuns, Confidence, shrink, simpler};
use crate::observe::ObserveError;
use crate::runner::result::Failure;
use crate::trial::Trial;

/// Number of runs after which the search takes what it has found.
const MOST_RUNS: u64 = 2000;

/// Number of times that the runs without any fault are repeated where the trial fails seldom.
const REPEATS_WITHOUT_FAULTS: u32 = 3;

/// The search for one trial that has failed.
pub(crate) struct Shrinking<'a> {
    reruns: Reruns<'a>,
    /// File of the schedule that the search begins with.
    original: PathBuf,
    /// Number of runs at a time.
    together: usize,
    /// Says whether the user has had enough.
    is_interrupted: &'a mut dyn FnMut() -> bool,
    was_interrupted: bool,
    /// Reason why a run could not be begun.
    broken: Option<String>,
}

/// A run of a trial that has failed.
pub(crate) struct FailedRun<'a> {
    pub(crate) trial: &'a Trial,
    pub(crate) run_seed: u64,
    pub(crate) failure: &'a Failure,
}

impl<'a> Shrinking<'a> {
    /// Returns the file with the schedule of a trial that has run with a seed, if it had one.
    ///
    /// # Errors
    /// There is no place where schedules are kept.
    pub(crate) fn schedule_of(trial: &Trial, seed: u64) -> Result<Option<PathBuf>, ObserveError> {
        let given = std::env::var_os(SCHEDULE_VARIABLE).filter(|path| !path.is_empty());
        let file = match given {
            Some(path) => PathBuf::from(path),
            None => schedule_file(trial.name(), seed)?,
        };
        Ok(Some(file).filter(|it| it.is_file()))
    }

    /// Makes the search; `original` is what [`schedule_of`](Self::schedule_of) has returned.
    pub(crate) fn new(
        failed: FailedRun<'a>,
        original: PathBuf,
        together: usize,
        is_interrupted: &'a mut dyn FnMut() -> bool,
    ) -> Self {
        let FailedRun {
            trial,
            run_seed,
            failure,
        } = failed;
        Self {
            reruns: Reruns::new(trial, run_seed, SameFailure::of(failure)),
            original,
            together,
            is_interrupted,
            was_interrupted: false,
            broken: None,
        }
    }

    /// Searches, and returns what the report says; `again` is the line that runs the trial again.
    pub(crate) fn run(mut self, again: &str) -> String {
        let original = match Schedule::from_toml_file(&self.original) {
            Ok(schedule) => schedule,
            Err(error) => return format!("not shrunk: {error}\n"),
        };
        let entries = original.faults().to_vec();
        // How often the trial fails with the whole schedule.
        let mut whole = CandidateRuns::of_one();
        self.try_all(&[&entries], &mut whole);
        let (failures, runs) = whole.counts(0);
        if let Some(why) = self.why_not() {
            return format!("not shrunk: {why}\n");
        }
        let Some(confidence) = Confidence::after(failures) else {
            return format!(
                "not shrunk: with its schedule, the trial did not fail again in {}\n",
                counted(runs, "run")
            );
        };
        let mut seen: Vec<Vec<ScheduledFault>> = Vec::new();
        let mut last = (failures, runs);
        let found = shrink(entries.clone(), simpler, |candidates| {
            let new: Vec<usize> = (0..candidates.len())
                .filter(|it| !seen.contains(&candidates[*it]))
                .collect();
            let schedules: Vec<&[ScheduledFault]> =
                new.iter().map(|it| &candidates[*it][..]).collect();
            let mut runs = CandidateRuns::new(confidence, schedules.len());
            self.try_all(&schedules, &mut runs);
            match runs.found() {
                Some(place) => {
                    last = runs.counts(place);
                    Some(new[place])
                }
                None => {
                    seen.extend(schedules.iter().map(|it| it.to_vec()));
                    None
                }
            }
        });
        let remark = match found.is_empty() {
            true => String::new(),
            false => self.remark_without_faults(confidence),
        };
        self.told(&entries, found, confidence, last, again) + &remark
    }

    /// Runs the trial without any fault where the search has asked for few failures, and returns
    /// what the report says of a trial that fails then too.
    ///
    /// The search itself has tried the empty schedule, but a trial that fails in 1 of 10 runs
    /// whatever its faults passes 10 runs in 35 of 100 cases. Faults would then be blamed that were
    /// left by chance.
    fn remark_without_faults(&mut self, confidence: Confidence) -> String {
        if confidence.is_strict() {
            return String::new();
        }
        let (mut failures, mut runs) = (0, 0);
        for _ in 0..REPEATS_WITHOUT_FAULTS {
            if self.why_not().is_some() {
                break;
            }
            let mut without = CandidateRuns::of_one();
            self.try_all(&[&[]], &mut without);
            let (failed, all) = without.counts(0);
            (failures, runs) = (failures + failed, runs + all);
        }
        match failures {
            0 => String::new(),
            failures => format!(
                "the trial failed without any fault too, in {failures} of {}: the faults that are left may not be the cause\n",
                counted(runs, "run")
            ),
        }
    }

    /// Runs the trial with schedules, until one of them is found or `runs` asks for no more.
    fn try_all(&mut self, schedules: &[&[ScheduledFault]], runs: &mut CandidateRuns) {
        let files: Vec<PathBuf> = (0..schedules.len())
            .map(|place| self.candidate_file(place))
            .collect();
        for (file, entries) in files.iter().zip(schedules) {
            let schedule: Schedule = entries.iter().cloned().collect();
            if let Err(why) = write_schedule(file, &schedule) {
                self.broken = Some(why.to_string());
            }
        }
        while runs.found().is_none() {
            while self.reruns.running() < self.together
                && let Some(candidate) = runs.begin()
            {
                if !self.begin(candidate, &files[candidate]) {
                    break;
                }
            }
            let Some((candidate, has_failed)) = self.next_end() else {
                break;
            };
            runs.ended(candidate, has_failed);
        }
        self.reruns.stop();
        // A file that stays is overwritten by the next search.
        for file in files {
            let _ = fs::remove_file(file);
        }
    }

    /// Begins a run, and returns whether that was possible.
    fn begin(&mut self, candidate: usize, file: &Path) -> bool {
        self.was_interrupted |= (self.is_interrupted)();
        if self.why_not().is_some() || self.reruns.begun() >= MOST_RUNS {
            return false;
        }
        if let Err(error) = self.reruns.begin(candidate, file) {
            self.broken = Some(format!("this program cannot be started once more: {error}"));
        }
        self.broken.is_none()
    }

    fn next_end(&mut self) -> Option<RunEnd> {
        if self.reruns.running() == 0 {
            return None;
        }
        let end = self.reruns.next_end(self.is_interrupted);
        self.was_interrupted |= end.is_none();
        end
    }

    /// Returns the reason why no further run begins.
    fn why_not(&self) -> Option<String> {
        let interrupted = || self.was_interrupted.then(|| "interrupted".to_owned());
        self.broken.clone().or_else(interrupted)
    }

    /// Returns a file for a schedule that is tried, beside the kept ones: trials can read it there.
    fn candidate_file(&self, number: usize) -> PathBuf {
        let extension = format!("try-{}-{number}.toml", std::process::id());
        self.shrunk_file().with_extension(extension)
    }

    fn shrunk_file(&self) -> PathBuf {
        self.original.with_extension("shrunk.toml")
    }

    /// Returns what the report says of the search.
    fn told(
        &self,
        before: &[ScheduledFault],
        found: Vec<ScheduledFault>,
        confidence: Confidence,
        (failures, runs): (u32, u32),
        again: &str,
    ) -> String {
        let begun = counted(self.reruns.begun(), "run");
        let runs = counted(runs, "run");
        let all = before.len();
        let cut_short = self.why_not().map(|why| format!(", cut short: {why}"));
        let cut_short = cut_short.unwrap_or_default();
        if found.is_empty() {
            return format!(
                "shrunk in {begun}{cut_short}: the trial fails without any of its {}, in {failures} of {runs}\n",
                counted(all, "fault")
            );
        }
        let schedule: Schedule = found.into_iter().collect();
        let path = self.shrunk_file();
        let text = schedule.to_toml().unwrap_or_else(|error| error.to_string());
        let faults = schedule.faults();
        let kept = match write_schedule(&path, &schedule) {
            Ok(()) => format!(
                "run it again with this schedule: {SCHEDULE_VARIABLE}='{}' {again}\n",
                path.display()
            ),
            Err(why) => format!("the schedule cannot be kept: {why}\n"),
        };
        format!(
            "shrunk in {begun}{cut_short}: of {}, {} left; the trial failed in {failures} of {runs} with {} (asked for: {confidence})\n{schedule}as TOML, for `Schedule::from_toml` in a regression test:\n{text}{kept}",
            counted(all, "fault"),
            match faults.len() {
                1 => "1 is".to_owned(),
                count => format!("{count} are"),
            },
            if faults.len() == 1 { "it" } else { "them" }
        )
    }
}
