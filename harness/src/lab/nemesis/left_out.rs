//! What is told of faults that a schedule has left out: a trial that fails without them may have
//! failed for another reason than its schedule says.

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

/// Returns one sentence for all of them. Notes are short, and others are to have room.
fn summary() -> Option<String> {
    let left_out = LEFT_OUT.lock();
    let faults = counted(left_out.len(), "fault");
    let were = if left_out.len() == 1 { "was" } else { "were" };
    let list = left_out.join("; ");
    Some(format!("{faults} of the schedule {were} left out: {list}"))
}
