//! A volume with faults as a test sees it.

use std::path::Path;
use std::sync::Arc;

use crate::lab::disk::DiskServer;
use crate::lab::error::{LabError, Result, Subject};
use crate::lab::faults::guard::FaultGuard;
use crate::lab::faults::on_nodes::break_disk;
use crate::lab::lab::Lab;
use crate::lab::node::node::Node;
use crate::lab::unfit::UnfitVolume;
use crate::model::disk::DiskFault;

/// A volume with faults of a running lab: see [`Lab::disk`].
#[derive(Debug)]
pub struct LabDisk<'l> {
    node: &'l Arc<Node>,
    server: &'l DiskServer,
}

/// The state of a disk at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSnapshot {
    volume: String,
    id: u64,
}

impl Lab {
    /// Returns a volume that was mounted [with
    /// faults](crate::topology::Volume::with_faults).
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// use snowglobe::fault::DiskFault;
    ///
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// let mut topology = Topology::new();
    /// let db = NodeSpec::new("db").volume("/tmp/data", Volume::named("data").with_faults());
    /// let db = topology.node(db);
    /// let lab = topology.start()?;
    /// let full = lab.disk("data")?.inject(DiskFault::full())?;
    /// let refused = lab[db].run(|| std::fs::write("/tmp/data/file", "text")).unwrap_err();
    /// assert_eq!(refused.kind(), std::io::ErrorKind::StorageFull);
    /// full.heal()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No node of the lab has mounted such a volume with faults.
    pub fn disk(&self, volume: &str) -> Result<LabDisk<'_>> {
        let node = self
            .all_nodes()
            .iter()
            .filter(|node| !node.is_removed())
            .find(|node| node.disks().iter().any(|disk| disk.volume() == volume))
            .ok_or_else(|| {
                let volume = volume.to_owned();
                LabError::unfit(Subject::Lab, UnfitVolume::NotInLab { volume })
            })?;
        let server = node.find_disk(Some(volume))?;
        Ok(LabDisk { node, server })
    }
}

impl LabDisk<'_> {
    /// Returns the directory where the test sees the files of the volume, as the node does.
    ///
    /// A crash of the node leaves another filesystem there, with what the crash has left.
    pub fn path(&self) -> &Path {
        self.server.path()
    }

    /// Breaks the disk until the guard is dropped.
    ///
    /// # Errors
    /// A value of the fault is wrong, or no file fits its pattern.
    pub fn inject(&self, fault: DiskFault) -> Result<FaultGuard> {
        break_disk(self.node, Some(self.server.volume()), fault)
    }

    /// Makes all that was written so far durable, as if everything had been synced.
    ///
    /// # Errors
    /// The server of the volume is gone.
    pub fn sync(&self) -> Result<()> {
        self.server.sync()
    }

    /// Keeps the present state of the disk: what programs have written by now, synced or not.
    ///
    /// # Errors
    /// The server of the volume is gone.
    pub fn snapshot(&self) -> Result<DiskSnapshot> {
        let id = self.server.snapshot()?;
        Ok(DiskSnapshot {
            volume: self.server.volume().to_owned(),
            id,
        })
    }

    /// Takes an earlier state of the disk back: a backup, or the image of a virtual machine. A disk
    /// does not change below a machine that runs, so the node must be down, by
    /// [`crash`](Node::crash) or [`kill_processes`](Node::kill_processes).
    ///
    /// # Errors
    /// The node runs, or the state is another volume's.
    pub fn restore(&self, snapshot: &DiskSnapshot) -> Result<()> {
        let unfit = |reason| LabError::unfit(self.node.subject(), reason);
        let volume = || self.server.volume().to_owned();
        if snapshot.volume != self.server.volume() {
            return Err(unfit(UnfitVolume::SnapshotOfAnother {
                volume: volume(),
                snapshot: snapshot.volume.clone(),
            }));
        }
        // Programs have pages of the files in their memory, which would not change with the disk.
        if self.node.is_running() {
            return Err(unfit(UnfitVolume::InUse { volume: volume() }));
        }
        self.server.restore(snapshot.id)
    }
}
