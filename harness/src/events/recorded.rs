//! What of an event two runs with one seed have in common.

use super::event::{EventKind, ProcessName};
use crate::kernel::process::exit_kind::ExitKind;
use crate::kernel::process::signal::Signal;
use crate::model::twice::{LineKind, RecordLine};
use crate::trial::record;

/// Adds an event to the record of the trial, if there is one.
pub(super) fn add(kind: &EventKind) {
    if record::is_kept()
        && let Some(line) = line(kind)
    {
        record::add(&line);
    }
}

/// Returns the event without its time and without what the machine decides: process ids, and how
/// busy it is. Each program is a source by itself, and so is each of its streams.
fn line(kind: &EventKind) -> Option<RecordLine> {
    let of = |process: &ProcessName| format!("`{}` on `{}`", process.program, process.node);
    let (line, source) = match kind {
        EventKind::HostStarved { .. }
        | EventKind::PartitionLate { .. }
        | EventKind::CaptureKept { .. }
        | EventKind::CaptureFailed { .. } => return None,
        // The end of a lab ends programs that would have ended by themselves a moment later.
        EventKind::ProcessDied {
            exit: ExitKind::Signal { number, .. },
            ..
        } if [Signal::SIGTERM as i32, Signal::SIGKILL as i32].contains(number) => return None,
        EventKind::ProcessDied { process, .. } => {
            (LineKind::OpenEnded, format!("the ends of {}", of(process)))
        }
        EventKind::ProcessSaid {
            process, stream, ..
        } => (LineKind::OpenEnded, format!("{stream} of {}", of(process))),
        EventKind::ProcessStarted { process } => (LineKind::Event, of(process)),
        EventKind::CarrierChanged { link, .. } => (LineKind::Event, format!("link `{link}`")),
        EventKind::PacketRuled {
            link, direction, ..
        } => {
            let source = format!("rules of link `{link}`, {direction}");
            (LineKind::OpenEnded, source)
        }
        EventKind::FaultBegan { .. } | EventKind::FaultEnded { .. } => {
            (LineKind::Event, "the faults".to_owned())
        }
        EventKind::Note(_) => (LineKind::Event, "the test".to_owned()),
        // The end of a run may cut off the last of these.
        EventKind::FaultSkipped { .. }
        | EventKind::FirewallDropped { .. }
        | EventKind::DiskLost { .. }
        | EventKind::FellBack { .. }
        | EventKind::ServiceFailed { .. }
        | EventKind::Leased { .. }
        | EventKind::LeasedV6 { .. }
        | EventKind::Delegated { .. } => (LineKind::OpenEnded, "the lab".to_owned()),
    };
    Some(RecordLine {
        kind: line,
        source,
        text: without_pid(kind),
    })
}

/// Returns the sentence of an event without the number of its process.
fn without_pid(kind: &EventKind) -> String {
    let text = kind.to_string();
    if let EventKind::ProcessStarted { process }
    | EventKind::ProcessSaid { process, .. }
    | EventKind::ProcessDied { process, .. } = kind
    {
        return text.replace(&format!(" (pid {})", process.pid), "");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Two runs with one seed may differ in how busy the machine was.
    #[test]
    fn how_busy_the_machine_was_is_no_part_of_the_record() {
        let within = Duration::from_millis(3);
        assert_eq!(line(&EventKind::PartitionLate { within }), None);
    }
}
