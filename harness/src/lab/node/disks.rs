//! The volumes with faults that a node has mounted.

use std::sync::Arc;

use crate::events::EventKind;
use crate::lab::disk::DiskServer;
use crate::lab::error::{LabError, Result};
use crate::lab::node::node::Node;
use crate::lab::unfit::UnfitVolume;

impl Node {
    /// Finds the volume with faults that has this name, or the only one if no name is given.
    pub(crate) fn find_disk(&self, volume: Option<&str>) -> Result<&Arc<DiskServer>> {
        let disks = self.disks();
        let volumes = || disks.iter().map(|disk| disk.volume().to_owned()).collect();
        let unfit = |reason| LabError::unfit(self.subject(), reason);
        match (volume, disks) {
            (_, []) => Err(unfit(UnfitVolume::None)),
            // Most nodes have one such volume, which needs no name then.
            (None, [one]) => Ok(one),
            (None, _) => Err(unfit(UnfitVolume::Several { volumes: volumes() })),
            (Some(name), disks) => disks.iter().find(|it| it.volume() == name).ok_or_else(|| {
                unfit(UnfitVolume::Unknown {
                    volume: name.to_owned(),
                    volumes: volumes(),
                })
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
