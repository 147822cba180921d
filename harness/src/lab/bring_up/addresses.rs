//! The addresses of a lab, for the record of a trial that runs twice.

use crate::model::plan::Plan;
use crate::model::twice::{LineKind, RecordLine};
use crate::trial::record;

/// Adds the addresses of all interfaces to the record of the trial, if there is one.
pub(crate) fn record_addresses(plan: &Plan) {
    if !record::is_kept() {
        return;
    }
    for stack in &plan.stacks {
        for interface in &stack.interfaces {
            let addresses = interface.addresses.iter();
            let addresses = addresses.map(|it| format!("{}/{}", it.ip, it.prefix));
            let mac = interface.mac.map(|byte| format!("{byte:02x}")).join(":");
            record::add(&RecordLine {
                kind: LineKind::Address,
                source: format!("`{}` of `{}`", interface.name, stack.hostname),
                text: format!("{mac} {}", addresses.collect::<Vec<_>>().join(" ")),
            });
        }
    }
}
