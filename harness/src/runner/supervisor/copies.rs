//! Copies of a trial: runs of one trial that are one trial to the report.
//!
//! A race that one run in a thousand loses shows itself in a thousand runs, and sooner beside
//! others that keep the machine busy. A mistake that takes a certain choice of the dice shows
//! itself with one seed of many. Copies run side by side until one of them fails, and the report
//! has the result of the first copy that failed.

use std::time::{Duration, Instant};

use snowglobe_text::counted;

use super::twice::RecordedRun;
use crate::model::failure_rate::FailureRate;
use crate::model::twice::RecordLine;
use crate::runner::args::{Arguments, Stress};
use crate::runner::report::FinishedTrial;
use crate::runner::result::TrialResult;
use crate::trial::Trial;
use crate::trial::record::RecordReader;

/// The runs that a trial has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounds {
    /// The trial runs with so many seeds, of which each is the one before plus one.
    Seeds(u64),
    /// The trial runs once although the run has many seeds, for its own seed is fixed.
    FixedSeed,
    /// The trial runs twice with one seed, and the two runs are compared.
    Twice,
    /// The trial runs until this length is reached, to find out how often the trial fails.
    Stress(Stress),
}

impl Rounds {
    /// Returns how often this trial runs.
    pub(crate) fn of(args: &Arguments, trial: &Trial) -> Self {
        let options = trial.options();
        if args.twice {
            return Self::Twice;
        }
        match (args.stress, args.runs, args.seed) {
            (Some(length), _, _) => Self::Stress(length),
            (None, Some(2..), _) if options.seed.is_some() => Self::FixedSeed,
            (None, Some(runs), _) => Self::Seeds(runs),
            (None, None, None) if options.seed.is_none() => Self::Seeds(options.seeds),
            // A seed that somebody asks for is the only one that is wanted.
            (None, None, _) => Self::Seeds(1),
        }
    }

    /// Returns the largest number of runs.
    pub(crate) fn most(self) -> usize {
        match self {
            Self::Seeds(runs) | Self::Stress(Stress::Runs(runs)) => {
                usize::try_from(runs).unwrap_or(usize::MAX)
            }
            // These copies run one after the other.
            Self::FixedSeed | Self::Twice => 1,
            Self::Stress(Stress::Time(_)) => usize::MAX,
        }
    }

    /// Returns whether the report has more to tell of the trial than of one that runs once.
    pub(crate) fn is_several(self) -> bool {
        self != Self::Seeds(1)
    }
}

/// A run of a trial that begins.
pub(crate) struct NewCopy {
    /// The report has no name of the trial yet.
    pub(crate) is_first: bool,
    /// Seed of a run in which the trial has the same seed of its own.
    pub(crate) run_seed: u64,
    /// Share of the process numbers, which no other copy that runs has.
    pub(crate) share: u32,
}

/// The copies of all trials of a run.
pub(crate) struct Copies<'a> {
    begin: Instant,
    /// Number of copies that have begun in all, with those that were taken back.
    begun: u32,
    record: RecordReader,
    trials: Vec<CopiesOfTrial<'a>>,
}

/// The copies of one trial.
struct CopiesOfTrial<'a> {
    rounds: Rounds,
    begun: u64,
    running: u64,
    /// Seeds of copies that began and got no sandbox.
    taken_back: Vec<u64>,
    /// The report has the name of the trial.
    is_announced: bool,
    rate: FailureRate,
    /// Number of runs without a verdict, which the rate does not count.
    inconclusive: u64,
    /// Seeds of the runs that failed.
    failed_seeds: Vec<u64>,
    /// The first of two runs that are compared.
    first: Option<RecordedRun<'a>>,
    /// Lines of the record that belong to the run under way.
    recorded: Vec<RecordLine>,
    /// The first copy that failed, or else the first one without a verdict, or else the last one
    /// that passed.
    shown: Option<FinishedTrial<'a>>,
    /// Time from the begin of the run to the end of the last copy.
    taken: Duration,
}

impl<'a> Copies<'a> {
    /// Makes the copies of trials of which none has begun.
    pub(crate) fn new(rounds: &[Rounds]) -> Self {
        Self {
            begin: Instant::now(),
            begun: 0,
            record: RecordReader::default(),
            trials: rounds.iter().copied().map(CopiesOfTrial::new).collect(),
        }
    }

    /// Returns whether one more copy of a trial is to begin.
    pub(crate) fn wants_more(&self, index: usize) -> bool {
        let copies = &self.trials[index];
        copies.rate.failures == 0
            && match copies.rounds {
                Rounds::Seeds(runs) => copies.begun < runs,
                Rounds::FixedSeed => copies.begun == 0,
                // Whether the two runs failed is known to the comparison, and not to the rate.
                Rounds::Twice => copies.running == 0 && copies.begun < 2,
                Rounds::Stress(length) => length.wants_more(copies.begun, self.begin),
            }
    }

    /// Notes that a copy of a trial begins in a run with this seed.
    pub(crate) fn begin(&mut self, index: usize, run_seed: u64) -> NewCopy {
        let copies = &mut self.trials[index];
        let (number, share) = match copies.rounds {
            // Both runs are to have the same of everything.
            Rounds::Twice => (0, index as u32),
            Rounds::Seeds(_) | Rounds::FixedSeed | Rounds::Stress(_) => (copies.begun, self.begun),
        };
        copies.begun += 1;
        copies.running += 1;
        self.begun = self.begun.wrapping_add(1);
        let next = || run_seed.wrapping_add(number);
        NewCopy {
            is_first: !std::mem::replace(&mut copies.is_announced, true),
            run_seed: copies.taken_back.pop().unwrap_or_else(next),
            share,
        }
    }

    /// Notes that the copy with this seed has got no sandbox, and so has not begun.
    pub(crate) fn take_back(&mut self, index: usize, run_seed: u64) {
        let copies = &mut self.trials[index];
        copies.begun -= 1;
        copies.running -= 1;
        copies.taken_back.push(run_seed);
    }

    /// Notes the end of a copy. Returns what is to be shown of the trial, if that was the last.
    pub(crate) fn ended(
        &mut self,
        index: usize,
        finished: FinishedTrial<'a>,
    ) -> Option<FinishedTrial<'a>> {
        let elapsed = self.begin.elapsed();
        let record = self.take_record(index);
        let copies = &mut self.trials[index];
        copies.running -= 1;
        if copies.rounds == Rounds::Twice {
            let run = RecordedRun { finished, record };
            return match copies.first.take() {
                Some(first) => Some(first.compared_with(run)),
                None => {
                    copies.first = Some(run);
                    None
                }
            };
        }
        copies.taken = elapsed;
        let is_to_show = match &finished.result {
            // A copy without a verdict says nothing about those that will have one.
            TrialResult::Failed(failure) if failure.is_inconclusive => {
                copies.inconclusive += 1;
                copies.rate.failures == 0 && copies.inconclusive == 1
            }
            TrialResult::Failed(_) => {
                copies.rate.runs += 1;
                copies.rate.failures += 1;
                copies.failed_seeds.push(finished.run_seed);
                copies.rate.failures == 1
            }
            TrialResult::Passed | TrialResult::Ignored(_) => {
                copies.rate.runs += 1;
                copies.rate.failures == 0 && copies.inconclusive == 0
            }
        };
        if is_to_show {
            copies.shown = Some(finished);
        }
        if copies.running > 0 || self.wants_more(index) {
            return None;
        }
        self.trials[index].summary()
    }

    /// Returns what the run of a trial that has just ended has left in the record.
    fn take_record(&mut self, index: usize) -> Vec<RecordLine> {
        for (trial, line) in self.record.new_lines() {
            if let Some(copies) = self.trials.get_mut(trial) {
                copies.recorded.push(line);
            }
        }
        std::mem::take(&mut self.trials[index].recorded)
    }

    /// Returns what is to be shown of trials whose copies were cut short.
    pub(crate) fn cut_short(&mut self) -> Vec<FinishedTrial<'a>> {
        let trials = self.trials.iter_mut();
        trials.filter_map(CopiesOfTrial::summary).collect()
    }
}

impl<'a> CopiesOfTrial<'a> {
    fn new(rounds: Rounds) -> Self {
        Self {
            rounds,
            begun: 0,
            running: 0,
            taken_back: Vec::new(),
            is_announced: false,
            rate: FailureRate::default(),
            inconclusive: 0,
            failed_seeds: Vec::new(),
            first: None,
            recorded: Vec::new(),
            shown: None,
            taken: Duration::ZERO,
        }
    }

    /// Takes out what is to be shown, with what all runs together say.
    fn summary(&mut self) -> Option<FinishedTrial<'a>> {
        let cut_short = self.first.take().map(|run| run.finished);
        let mut shown = self.shown.take().or(cut_short)?;
        if let Some(note) = self.note() {
            shown.notes.push(note);
        }
        if self.rate.failures == 0 && self.inconclusive == 0 {
            shown.duration = self.taken;
        }
        if self.rounds.is_several() {
            shown.failed_seeds = std::mem::take(&mut self.failed_seeds);
        }
        Some(shown)
    }

    /// Returns what the report says of all runs together.
    fn note(&self) -> Option<String> {
        let FailureRate { runs, failures } = self.rate;
        let seeds = counted(runs, "seed");
        match self.rounds {
            Rounds::Seeds(1) => None,
            Rounds::Seeds(_) | Rounds::Stress(_) if failures == 0 && self.inconclusive > 0 => {
                let all = counted(runs + self.inconclusive, "run");
                Some(format!(
                    "{} of {all} had no verdict, the others passed",
                    self.inconclusive
                ))
            }
            Rounds::Seeds(_) if failures == 0 => Some(format!("passed with {seeds}")),
            Rounds::Seeds(wanted) => Some(format!(
                "{failures} of {seeds} failed, of {wanted} that were to run"
            )),
            Rounds::Twice => Some("the second run did not come to its end".to_owned()),
            Rounds::FixedSeed => Some("its seed is fixed, so it ran once".to_owned()),
            Rounds::Stress(_) => Some(self.rate.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Trial;

    /// Returns what is shown of a trial whose copies have these results, one after the other.
    fn shown(results: Vec<TrialResult>) -> (TrialResult, Vec<String>) {
        let trial = Trial::test("it", || ());
        let mut copies = Copies::new(&[Rounds::Seeds(results.len() as u64)]);
        for (seed, result) in results.into_iter().enumerate() {
            assert!(copies.wants_more(0));
            copies.begin(0, seed as u64);
            let finished = FinishedTrial::not_run(&trial, result, seed as u64);
            if let Some(shown) = copies.ended(0, finished) {
                return (shown.result, shown.notes);
            }
        }
        panic!("nothing is shown")
    }

    #[test]
    fn a_copy_without_a_verdict_hides_no_failure() {
        let starved = || TrialResult::Passed.inconclusive("starved");
        let failed = || TrialResult::failed("boom");
        let passed = || TrialResult::Passed;
        let (result, _) = shown(vec![starved(), passed(), failed()]);
        assert_eq!(result, failed());
        let (result, notes) = shown(vec![passed(), starved(), passed()]);
        assert_eq!(result, starved());
        assert_eq!(notes, ["1 of 3 runs had no verdict, the others passed"]);
    }
}
