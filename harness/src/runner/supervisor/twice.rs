//! Two runs of a trial with one seed, as one trial to the report.

use snowglobe_text::counted;

use crate::model::twice::{Difference, RecordLine};
use crate::runner::report::FinishedTrial;
use crate::runner::result::TrialResult;

/// A run of a trial, with what the run has left in the record.
pub(crate) struct RecordedRun<'a> {
    pub(crate) finished: FinishedTrial<'a>,
    pub(crate) record: Vec<RecordLine>,
}

impl<'a> RecordedRun<'a> {
    /// Returns what the report shows of this run and of one more with the same seed. The trial
    /// fails if one of them failed, or if they differ.
    pub(crate) fn compared_with(self, second: Self) -> FinishedTrial<'a> {
        let difference = Difference::first(&self.record, &second.record);
        let said = match &difference {
            Some(difference) => format!("the first difference is {difference}"),
            None => "no address, schedule or event of a lab differs".to_owned(),
        };
        let (first, second) = (self.finished, second.finished);
        let has_passed = [&first, &second].map(|it| it.result == TrialResult::Passed);
        let (mut shown, sentence) = match has_passed {
            [true, true] if difference.is_none() => {
                let lines = counted(self.record.len(), "line");
                let note = format!("two runs with its seed left the same {lines}");
                let mut shown = first;
                shown.notes.push(note);
                return shown;
            }
            [true, true] => (first, "two runs with one seed differ"),
            [true, false] => (second, "of two runs with one seed, only the second failed"),
            [false, true] => (first, "of two runs with one seed, only the first failed"),
            [false, false] => {
                // The failure counts for more than a difference, which may come from it.
                // A failure tells more than a run without a verdict.
                let mut shown = match &first.result {
                    TrialResult::Failed(failure) if failure.is_inconclusive => second,
                    TrialResult::Failed(_) | TrialResult::Passed | TrialResult::Ignored(_) => first,
                };
                let note = format!("both runs with this seed failed; {said}");
                shown.notes.push(note);
                return shown;
            }
        };
        match &mut shown.result {
            TrialResult::Failed(_) => shown.notes.push(format!("{sentence}; {said}")),
            TrialResult::Passed | TrialResult::Ignored(_) => {
                shown.result = TrialResult::failed(format!("{sentence}: {said}"));
            }
        }
        shown
    }
}
