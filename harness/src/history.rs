//! What clients do in a lab, recorded and checked: the feature `history`.
//!
//! ```no_run
//! use snowglobe::fault::Fault;
//! use snowglobe::history::models::{Map, On, Register, RegisterOp, RegisterRet};
//! use snowglobe::history::{linearizability, recorder};
//! use snowglobe::prelude::*;
//!
//! # fn main() {}
//! # fn read(_: &std::net::TcpStream) -> std::io::Result<u64> { Ok(0) }
//! #[snowglobe::test]
//! fn reads_are_never_stale() -> TestResult {
//!     let lab = shape::star(3).start()?;
//!     lab.forbid_in_logs(snowglobe::lab::ALARMING);
//!     // … a server runs on each node …
//!     let recorder = recorder();
//!     std::thread::scope(|scope| {
//!         for node in lab.nodes() {
//!             let client = recorder.client(node.name());
//!             scope.spawn(move || {
//!                 client.call(On::new("x", RegisterOp::Read), || -> TestResult<_> {
//!                     // `try_run`, and not `run`: a fault may have crashed the node.
//!                     let server = node.try_run(|| TcpStream::connect((node.ip(), 80)))??;
//!                     Ok(RegisterRet::Value(read(&server)?)) // An error: the outcome is unknown.
//!                 });
//!             });
//!         }
//!     });
//!     linearizability(&Map::new(Register::new(0)), &recorder.history())
//!         .during(lab.fault_intervals()) // A violation is shown together with the faults.
//!         .into_result()?;
//!     Ok(())
//! }
//! ```
//!
//! Times are by the clock of the trial, as those of [`events`](crate::events) are. The checks and
//! models are those of the crate `snowglobe-history`, which this module passes on.

use std::collections::BTreeMap;

use crate::events::{EventKind, since_start};
use crate::lab::Lab;

#[doc(inline)]
pub use snowglobe_history::*;

/// Makes a recorder whose times are those of the trial's events.
pub fn recorder<O, R>() -> Recorder<O, R> {
    Recorder::new(since_start)
}

impl Lab {
    /// Returns the faults of the lab, each from its beginning to its heal, for the timelines of
    /// [`CheckReport::during`]. Faults are read from the events of the lab, of which the last ten
    /// thousand are kept.
    pub fn fault_intervals(&self) -> Vec<Interval> {
        let mut faults = BTreeMap::new();
        for event in self.events().so_far() {
            match &event.kind {
                EventKind::FaultBegan { id, fault } => {
                    let label = format!("{id}: {fault}");
                    faults.insert(*id, Interval::new(label, event.time, None));
                }
                EventKind::FaultEnded { id, error, .. } => {
                    // A fault that could not be healed lasts on.
                    if let (Some(fault), None) = (faults.get_mut(id), error) {
                        fault.to = Some(event.time);
                    }
                }
                EventKind::CarrierChanged { .. }
                | EventKind::FaultSkipped { .. }
                | EventKind::ProcessStarted { .. }
                | EventKind::ProcessSaid { .. }
                | EventKind::ProcessDied { .. }
                | EventKind::PacketRuled { .. }
                | EventKind::FirewallDropped { .. }
                | EventKind::HostStarved { .. }
                | EventKind::DiskLost { .. }
                | EventKind::PartitionLate { .. }
                | EventKind::FellBack { .. }
                | EventKind::ServiceFailed { .. }
                | EventKind::Leased { .. }
                | EventKind::LeasedV6 { .. }
                | EventKind::Delegated { .. }
                | EventKind::CaptureKept { .. }
                | EventKind::CaptureFailed { .. }
                | EventKind::Note(_) => {}
            }
        }
        faults.into_values().collect()
    }
}
