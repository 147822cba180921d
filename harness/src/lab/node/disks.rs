//! The volumes with faults that a node has mounted.

use std::sync::Arc;

use crate::events::EventKind;
use crate::lab::disk::DiskServer;
use crate::lab::error::{LabError, LabErrorKind, Result, Subject};
use crate::lab::node::node::Node;

impl Node {
    /// Finds the volume with faults that has this name, or the only one if no name is given.
    pub(crate) fn find_disk(&self, volume: Option<&str>) -> Result<&Arc<DiskServer>> {
        let disks = self.disks();
        let names = || {
            let names = disks.iter().map(|disk| format!("`{}`", disk.volume()));
            names.collect::<Vec<_>>().join(", ")
        };
        let subject = || Subject::Node(self.name().to_owned());
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

    /// Cuts the power of the disks.
    pub(super) fn cut_disk_power(&self) -> Result<()> {
        for disk in self.disks() {
            // The event has the numbers of what was lost, which are known afterwards.
            let loss = disk.cut_power()?;
            self.journal().record(EventKind::DiskLost {
                node: self.name().to_owned(),
                volume: disk.volume().to_owned(),
                loss,
            });
        }
        Ok(())
    }
}
