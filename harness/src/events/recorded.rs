//! What of an event two runs with one seed have in common.

use super::event::EventKind;
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
    let is_of_the_machine = matches!(
        kind,
        EventKind::HostStarved { .. }
            | EventKind::CaptureKept { .. }
            | EventKind::CaptureFailed { .. }
    );
    if is_of_the_machine {
        return None;
    }
    let text = kind.to_string();
    let record = |kind, source: String, text| RecordLine { kind, source, text };
    if let EventKind::ProcessStarted { process }
    | EventKind::ProcessSaid { process, .. }
    | EventKind::ProcessDied { process, .. } = kind
    {
        let text = text.replace(&format!(" (pid {})", process.pid), "");
        let whose = format!("`{}` on `{}`", process.program, process.node);
        return Some(match kind {
            EventKind::ProcessSaid { stream, .. } => {
                record(LineKind::OpenEnded, format!("{stream} of {whose}"), text)
            }
            // The end of a lab ends programs that would have ended by themselves a moment later.
            EventKind::ProcessDied {
                exit: ExitKind::Signal { number, .. },
                ..
            } if [Signal::SIGTERM as i32, Signal::SIGKILL as i32].contains(number) => return None,
            EventKind::ProcessDied { .. } => {
                record(LineKind::OpenEnded, format!("the ends of {whose}"), text)
            }
            _ => record(LineKind::Event, whose, text),
        });
    }
    Some(match kind {
        EventKind::CarrierChanged { link, .. } => {
            record(LineKind::Event, format!("link `{link}`"), text)
        }
        EventKind::PacketRuled {
            link, direction, ..
        } => {
            let source = format!("rules of link `{link}`, {direction}");
            record(LineKind::OpenEnded, source, text)
        }
        EventKind::FaultBegan { .. } | EventKind::FaultEnded { .. } => {
            record(LineKind::Event, "the faults".to_owned(), text)
        }
        EventKind::Note(_) => record(LineKind::Event, "the test".to_owned(), text),
        // Others come in whatever order the kernel tells of them.
        _ => record(LineKind::OpenEnded, "the lab".to_owned(), text),
    })
}
