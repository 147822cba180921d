//! The messages to and from the process that serves a disk of a lab: of the lab, and of programs
//! that make disks durable.

use super::codec::{Edge, EdgeMessage, codec_enum, codec_struct};
use crate::model::disk::{Loss, Unsynced};

/// From a lab to the server of a disk. The server answers each by a [`DiskReply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DiskCommand {
    /// Serve the mount whose device comes along, and no longer the one before.
    Serve {
        /// Major and minor number by which the kernel knows the mount.
        device: (u32, u32),
    },
    /// Cut the power: the mount answers nothing but errors from now on.
    CutPower {
        /// Whether the kernel writes first what it has in its cache.
        flushes: bool,
        /// Fate of writes that were not synced.
        unsynced: Unsynced,
        /// Seed of what is lost.
        seed: u64,
    },
    /// Put a fault in force.
    Begin {
        /// Number by which the fault ends.
        id: u64,
        /// Seed of its chances.
        seed: u64,
        /// The fault, as JSON.
        fault: String,
    },
    /// End a fault.
    End {
        /// Number of the fault.
        id: u64,
    },
    /// Make everything durable.
    Sync,
    /// Keep the present state under a number.
    Snapshot {
        /// Number of the state.
        id: u64,
    },
    /// Take back the state with a number. The mount answers nothing but errors from now on.
    Restore {
        /// Number of the state.
        id: u64,
    },
    /// The disk is that of the machine with the network namespace that comes along.
    BelongToNetwork,
}

codec_enum!(DiskCommand {
    1 => Serve { device },
    2 => CutPower { flushes, unsynced, seed },
    3 => Begin { id, seed, fault },
    4 => End { id },
    5 => Sync,
    6 => Snapshot { id },
    7 => Restore { id },
    8 => BelongToNetwork,
});

codec_enum!(Unsynced {
    1 => Lost,
    2 => PartLost,
    3 => Kept,
});

impl EdgeMessage for DiskCommand {
    const EDGE: Edge = Edge::ToDisk;
}

/// From the server of a disk to its lab: the answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DiskReply {
    /// The command was obeyed.
    Done,
    /// The power was cut, and so much was lost.
    Lost(Loss),
    /// The command makes no sense: a sentence that goes on from the name of the volume.
    Refused(String),
}

codec_enum!(DiskReply {
    1 => Done,
    2 => Lost(loss),
    3 => Refused(why),
});

codec_struct!(Loss {
    blocks_lost,
    blocks_kept,
    changes_lost
});

impl EdgeMessage for DiskReply {
    const EDGE: Edge = Edge::FromDisk;
}

/// To the server of a disk: a program makes something durable. The answer goes to the channel that
/// comes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskSync {
    /// All disks of the machine with this network namespace (`sync(2)`).
    Machine {
        /// Numbers of the device and the inode of the namespace.
        network: (u64, u64),
    },
    /// The disk that is mounted as this device (`syncfs(2)`).
    Filesystem {
        /// Major and minor number of the device.
        device: (u32, u32),
    },
}

codec_enum!(DiskSync {
    1 => Machine { network },
    2 => Filesystem { device },
});

impl EdgeMessage for DiskSync {
    const EDGE: Edge = Edge::ToSyncedDisk;
}

/// The answer to a [`DiskSync`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskSynced {
    /// What the disk had is durable, or another disk was meant.
    Done,
    /// The disk has failed.
    Failed,
}

codec_enum!(DiskSynced {
    1 => Done,
    2 => Failed,
});

impl EdgeMessage for DiskSynced {
    const EDGE: Edge = Edge::FromSyncedDisk;
}

#[cfg(test)]
mod tests {
    use super::super::codec::testing::arrives;
    use super::*;

    #[test]
    fn commands_and_replies_arrive_as_they_were_sent() {
        let fault = r#"{"kind":"full"}"#.to_owned();
        for command in [
            DiskCommand::Serve { device: (0, 45) },
            DiskCommand::CutPower {
                flushes: true,
                unsynced: Unsynced::PartLost,
                seed: 1,
            },
            DiskCommand::Begin {
                id: 1,
                seed: 2,
                fault,
            },
            DiskCommand::End { id: 1 },
            DiskCommand::Sync,
            DiskCommand::Snapshot { id: 2 },
            DiskCommand::Restore { id: 2 },
            DiskCommand::BelongToNetwork,
        ] {
            arrives(&command);
        }
        let lost = DiskReply::Lost(Loss {
            blocks_lost: 1,
            blocks_kept: 2,
            changes_lost: 3,
        });
        let network = (4, 5);
        arrives(&DiskSync::Machine { network });
        arrives(&DiskSync::Filesystem { device: (0, 45) });
        arrives(&DiskSynced::Done);
        arrives(&DiskSynced::Failed);
        for reply in [DiskReply::Done, lost, DiskReply::Refused("no".into())] {
            arrives(&reply);
        }
    }
}
