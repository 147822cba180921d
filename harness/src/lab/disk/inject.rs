//! Faults of a disk.

use std::sync::Arc;

use crate::events::EventKind;
use crate::lab::disk::server::DiskServer;
use crate::lab::error::{LabError, LabErrorKind, Result, Subject};
use crate::lab::faults::guard::{FaultGuard, Healing};
use crate::lab::node::node::Node;
use crate::model::disk::DiskFault;
use crate::model::fault::Fault;

/// Breaks the disk of a node until the guard is dropped.
pub(crate) fn inject(node: &Node, volume: Option<&str>, what: DiskFault) -> Result<FaultGuard> {
    let server = find(node, volume)?;
    what.validate().map_err(|wrong| {
        let why = format!("cannot have the disk fault `{what}`: {wrong}");
        LabError::invalid(Subject::Node(node.name().to_owned()), why).caused_by(wrong)
    })?;
    // The guard is made when the server has agreed, so that a refusal leaves nothing to heal.
    let id = server.begin(&what)?;
    let healing = Box::new(Broken {
        server: Arc::clone(server),
        id,
    });
    let fault = Fault::disk_of(node.name(), server.volume(), what);
    Ok(FaultGuard::begin(node.journal(), fault, healing))
}

/// Finds the volume with faults that is meant.
pub(crate) fn find<'n>(node: &'n Node, volume: Option<&str>) -> Result<&'n Arc<DiskServer>> {
    let disks = node.disks();
    let names = || {
        let names = disks.iter().map(|disk| format!("`{}`", disk.volume()));
        names.collect::<Vec<_>>().join(", ")
    };
    let subject = || Subject::Node(node.name().to_owned());
    match (volume, disks) {
        (_, []) => {
            let why = "has no volume with faults, and no other disk can have any; mount one by `Volume::named(…).with_faults()`";
            Err(LabError::not_supported(subject(), why))
        }
        // Most nodes have one such volume, which needs no name then.
        (None, [one]) => Ok(one),
        (None, _) => {
            let why = format!("has several volumes with faults, {}; name one", names());
            Err(LabError::invalid(subject(), why))
        }
        (Some(name), disks) => disks.iter().find(|it| it.volume() == name).ok_or_else(|| {
            let why = format!("has no volume `{name}` with faults; it has {}", names());
            LabError::unfit(LabErrorKind::NotFound, subject(), why)
        }),
    }
}

/// Cuts the power of the disks of a node.
pub(crate) fn cut_power(node: &Node) -> Result<()> {
    for disk in node.disks() {
        // The event has the numbers of what was lost, which are known afterwards.
        let loss = disk.cut_power()?;
        node.journal().record(EventKind::DiskLost {
            node: node.name().to_owned(),
            volume: disk.volume().to_owned(),
            loss,
        });
    }
    Ok(())
}

/// A fault of a disk, to be taken away.
struct Broken {
    server: Arc<DiskServer>,
    id: u64,
}

impl Healing for Broken {
    fn heal(self: Box<Self>) -> Result<()> {
        self.server.end(self.id)
    }
}
