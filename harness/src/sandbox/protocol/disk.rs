//! The messages between a lab and the process that serves one of its disks.

use super::codec::{Edge, EdgeMessage, codec_enum, codec_struct};
use crate::model::disk::{Loss, Unsynced};

/// From a lab to the server of a disk. The server answers each by a [`DiskReply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DiskCommand {
    /// Serve the mount whose device comes along, and no longer the one before.
    Serve,
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
}

codec_enum!(DiskCommand {
    1 => Serve,
    2 => CutPower { flushes, unsynced, seed },
    3 => Begin { id, seed, fault },
    4 => End { id },
    5 => Sync,
    6 => Snapshot { id },
    7 => Restore { id },
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

#[cfg(test)]
mod tests {
    use super::super::codec::testing::arrives;
    use super::*;

    #[test]
    fn commands_and_replies_arrive_as_they_were_sent() {
        let fault = r#"{"kind":"full"}"#.to_owned();
        for command in [
            DiskCommand::Serve,
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
        ] {
            arrives(&command);
        }
        let lost = DiskReply::Lost(Loss {
            blocks_lost: 1,
            blocks_kept: 2,
            changes_lost: 3,
        });
        for reply in [DiskReply::Done, lost, DiskReply::Refused("no".into())] {
            arrives(&reply);
        }
    }
}
