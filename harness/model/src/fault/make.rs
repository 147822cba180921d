//! Functions that make faults.

use std::time::Duration;

use super::fault::Fault;
use super::refs::{LinkRef, NodeRef};
use crate::clock::ClockFault;
use crate::direction::Direction;
use crate::disk::DiskFault;
use crate::dns::DnsFault;
use crate::impair::{Impairment, Percent, Reorder};

impl Fault {
    /// The shortest period of a link that [flaps](Fault::Flap). Under a shorter one, the thread
    /// that cuts and heals the link would take a processor for itself, and keep no time.
    pub const SHORTEST_FLAP: Duration = Duration::from_millis(1);

    /// The least share of the time for which a [slow](Fault::Slow) node can run: 50 µs of each
    /// 50 ms, which is as exact as signals are.
    pub const LEAST_SHARE: Percent = Percent(0.1);

    /// Returns whether a node can run for this share of the time, as [`Fault::Slow`] has it. A
    /// share of 100 % is one, and changes nothing.
    pub fn is_slow_share(share: Percent) -> bool {
        share.is_share() && share.0 >= Self::LEAST_SHARE.0
    }

    /// Cuts both directions of a link.
    pub fn cut(link: impl Into<LinkRef>) -> Self {
        Self::Cut {
            link: link.into(),
            direction: None,
        }
    }

    /// Cuts one direction of a link.
    pub fn cut_one_way(link: impl Into<LinkRef>, direction: Direction) -> Self {
        Self::Cut {
            link: link.into(),
            direction: Some(direction),
        }
    }

    /// Cuts and heals a link by turns.
    pub fn flap(link: impl Into<LinkRef>, period: Duration) -> Self {
        Self::Flap {
            link: link.into(),
            period,
        }
    }

    /// Makes both directions of a link worse.
    pub fn degrade(link: impl Into<LinkRef>, impairment: Impairment) -> Self {
        Self::Degrade {
            link: link.into(),
            impairment,
        }
    }

    /// Parts the nodes of two sides from each other.
    pub fn partition<L, R>(left: L, right: R) -> Self
    where
        L: IntoIterator<Item: Into<NodeRef>>,
        R: IntoIterator<Item: Into<NodeRef>>,
    {
        Self::Partition {
            left: refs(left),
            right: refs(right),
            one_way: false,
        }
    }

    /// Keeps what `from` sends from `to`.
    pub fn partition_one_way<F, T>(from: F, to: T) -> Self
    where
        F: IntoIterator<Item: Into<NodeRef>>,
        T: IntoIterator<Item: Into<NodeRef>>,
    {
        Self::Partition {
            left: refs(from),
            right: refs(to),
            one_way: true,
        }
    }

    /// Stops all processes of a node.
    pub fn pause(node: impl Into<NodeRef>) -> Self {
        Self::Pause { node: node.into() }
    }

    /// Kills all processes of a node, whose kernel goes on.
    pub fn kill_processes(node: impl Into<NodeRef>) -> Self {
        Self::KillProcesses { node: node.into() }
    }

    /// Cuts the power of a node.
    pub fn crash(node: impl Into<NodeRef>) -> Self {
        Self::Crash { node: node.into() }
    }

    /// Makes answers of a name server late, wrong or missing.
    pub fn dns(node: impl Into<NodeRef>, answers: DnsFault) -> Self {
        Self::Dns {
            node: node.into(),
            answers,
        }
    }

    /// Makes the time of day of a node wrong.
    pub fn clock(node: impl Into<NodeRef>, change: ClockFault) -> Self {
        let node = node.into();
        Self::Clock { node, change }
    }

    /// Breaks the only volume with faults of a node.
    pub fn disk(node: impl Into<NodeRef>, what: DiskFault) -> Self {
        Self::Disk {
            node: node.into(),
            volume: None,
            what,
        }
    }

    /// Breaks one volume with faults of a node, by name.
    pub fn disk_of(node: impl Into<NodeRef>, volume: impl Into<String>, what: DiskFault) -> Self {
        Self::Disk {
            node: node.into(),
            volume: Some(volume.into()),
            what,
        }
    }

    /// Parts two sides that hear nothing of each other. Whoever is on neither side hears both.
    pub fn bridge<L, R>(left: L, right: R) -> Self
    where
        L: IntoIterator<Item: Into<NodeRef>>,
        R: IntoIterator<Item: Into<NodeRef>>,
    {
        // A partition says nothing of the nodes on neither side.
        Self::partition(left, right)
    }

    /// Cuts a node off from all other nodes. Of a role that several nodes have, each is cut off
    /// from all nodes, and so from the others with the role too.
    pub fn primaries_only(node: impl Into<NodeRef>) -> Self {
        Self::Sever {
            pairs: vec![[node.into(), NodeRef::all()]],
        }
    }

    /// Parts a node, or all nodes with a role, from all other nodes.
    ///
    /// ```
    /// use snowglobe_model::fault::{Fault, NodeRef};
    ///
    /// let by_name = Fault::isolate("db-1");
    /// assert_eq!(by_name.to_string(), "partition of `db-1` from <rest>");
    /// let by_role = Fault::isolate(NodeRef::role("leader"));
    /// assert_eq!(by_role.to_string(), "partition of <leader> from <rest>");
    /// ```
    pub fn isolate(node: impl Into<NodeRef>) -> Self {
        Self::partition([node.into()], [NodeRef::rest()])
    }

    /// Makes a link send packets twice.
    pub fn duplicate(link: impl Into<LinkRef>, duplicate: Percent) -> Self {
        let worse = Impairment {
            duplicate,
            ..Impairment::NONE
        };
        Self::degrade(link, worse)
    }

    /// Has packets of a link overtake others, which take `delay`.
    pub fn reorder(link: impl Into<LinkRef>, share: Percent, delay: Duration) -> Self {
        let worse = Impairment {
            reorder: Reorder::independent(share),
            ..Impairment::delayed(delay)
        };
        Self::degrade(link, worse)
    }

    /// Flips a bit in packets of a link.
    pub fn corrupt(link: impl Into<LinkRef>, corrupt: Percent) -> Self {
        let worse = Impairment {
            corrupt,
            ..Impairment::NONE
        };
        Self::degrade(link, worse)
    }

    /// Starts a node again.
    pub fn restart(node: impl Into<NodeRef>) -> Self {
        Self::Restart { node: node.into() }
    }

    /// Kills programs of a node, by name. The heal starts them again.
    pub fn kill_program(node: impl Into<NodeRef>, program: impl Into<String>) -> Self {
        Self::KillProgram {
            node: node.into(),
            program: program.into(),
        }
    }

    /// Stops programs of a node where they are, by name.
    pub fn pause_program(node: impl Into<NodeRef>, program: impl Into<String>) -> Self {
        Self::PauseProgram {
            node: node.into(),
            program: program.into(),
        }
    }

    /// Lets the processes of a node run for a share of the time only.
    pub fn slow(node: impl Into<NodeRef>, share: Percent) -> Self {
        Self::Slow {
            node: node.into(),
            share,
        }
    }

    /// Lets the processes of a node open no more files than `limit`.
    pub fn descriptors(node: impl Into<NodeRef>, limit: u64) -> Self {
        Self::Descriptors {
            node: node.into(),
            limit,
        }
    }

    /// Gives the processes of a node no more memory than they have, and `spare_kb` each.
    pub fn memory(node: impl Into<NodeRef>, spare_kb: u64) -> Self {
        Self::Memory {
            node: node.into(),
            spare_kb,
        }
    }

    /// Does what the test has given a name.
    pub fn action(action: impl Into<String>) -> Self {
        Self::Action {
            action: action.into(),
            node: None,
        }
    }

    /// Does to a node what the test has given a name.
    pub fn action_on(node: impl Into<NodeRef>, action: impl Into<String>) -> Self {
        Self::Action {
            action: action.into(),
            node: Some(node.into()),
        }
    }
}

fn refs(nodes: impl IntoIterator<Item: Into<NodeRef>>) -> Vec<NodeRef> {
    nodes.into_iter().map(Into::into).collect()
}
