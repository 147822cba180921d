//! Notes about faults that a schedule has left out. The schedule alone would mislead a reader: a
//! trial that fails has failed without these faults.

use snowglobe_text::counted;

use crate::kernel::sync::Lock;
use crate::model::fault::ScheduledFault;
use crate::trial::running;

/// The faults that the schedules of this trial have left out, each with the reason.
static LEFT_OUT: Lock<Vec<String>> = Lock::new(Vec::new());

/// Tells in the output of the trial, and in its report if it fails, that a fault was left out.
pub(crate) fn tell(scheduled: &ScheduledFault, why: &str) {
    let sentence = format!("{scheduled} ({why})");
    eprintln!("schedule: left out: {sentence}");
    LEFT_OUT.lock().push(sentence);
    running::suspect(summary);
}

/// Returns one sentence for all faults that were left out. The room for notes of a trial is small,
/// and other notes need some of it.
fn summary() -> Option<String> {
    let left_out = LEFT_OUT.lock();
    let faults = counted(left_out.len(), "fault");
    let were = if left_out.len() == 1 { "was" } else { "were" };
    let list = left_out.join("; ");
    Some(format!("{faults} of the schedule {were} left out: {list}"))
}
