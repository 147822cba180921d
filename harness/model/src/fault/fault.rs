//! The faults.

use std::time::Duration;

use snowglobe_derive::{Deserialize, Serialize};

use super::refs::{LinkRef, NodeRef};
use crate::clock::ClockFault;
use crate::direction::Direction;
use crate::disk::DiskFault;
use crate::dns::DnsFault;
use crate::impair::{Impairment, Percent};

/// A temporary change for the worse.
///
/// Links and nodes are named by id or, where the fault comes from a file, by name.
///
/// ```
/// use snowglobe_model::fault::Fault;
///
/// let text = r#"
///     fault = "partition"
///     left = ["db-1"]
///     right = ["db-2", "db-3"]
/// "#;
/// # #[cfg(feature = "toml")] {
/// let fault: Fault = toml::from_str(text)?;
/// assert_eq!(fault, Fault::partition(["db-1"], ["db-2", "db-3"]));
/// assert_eq!(fault.to_string(), "partition of `db-1` from `db-2`, `db-3`");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Packets of a link vanish, those under way included. No interface goes down.
    Cut {
        /// The link that is cut.
        link: LinkRef,
        /// The direction that is cut, in TOML `a-to-b` or `b-to-a`; both directions if there is
        /// none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        direction: Option<Direction>,
    },
    /// A link is cut and healed by turns.
    Flap {
        /// The link that flaps.
        link: LinkRef,
        /// Time from one cut to the next. The link is cut for the first half of each period.
        #[serde(with = "crate::impair::text::serde_duration")]
        period: Duration,
    },
    /// A link gets worse: delays and losses add up, and the lower rate holds.
    Degrade {
        /// The link that gets worse.
        link: LinkRef,
        /// The impairment that is added in both directions.
        impairment: Impairment,
    },
    /// Nodes of one side hear nothing from nodes of the other side, whatever way packets take.
    Partition {
        /// The nodes of one side.
        left: Vec<NodeRef>,
        /// The nodes of the other side.
        right: Vec<NodeRef>,
        /// Whether only the right side gets no packets: those that it sends reach the left side.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        one_way: bool,
    },
    /// All processes of a node stop where they are. The node's kernel goes on. Of several faults at
    /// once that stop a process, of this kind or of another, the last heal lets it go on.
    Pause {
        /// The node that is paused.
        node: NodeRef,
    },
    /// All processes of a node are killed at once, and the node's kernel goes on: peers hear that
    /// connections end. The heal starts the node again, as that of a [`Crash`](Self::Crash) does.
    KillProcesses {
        /// The node whose processes are killed.
        node: NodeRef,
    },
    /// A node loses its power: from one moment to the next it says nothing more. The heal starts
    /// the node again, with the network of the plan; of several such faults at once, the last heal.
    /// A node that the test itself had stopped before stays down.
    Crash {
        /// The node that crashes.
        node: NodeRef,
    },
    /// Answers of a name server of the lab are late, wrong or missing.
    Dns {
        /// The node of the name server.
        node: NodeRef,
        /// The change of the answers.
        answers: DnsFault,
    },
    /// The time of day of a node is wrong, for the programs that its first process has started. The
    /// node has asked for that: `NodeSpec::faulty_clock`.
    Clock {
        /// The node whose clock is wrong.
        node: NodeRef,
        /// The way in which it is wrong.
        change: ClockFault,
    },
    /// A disk of a node is full, slow or broken. Ends of programs are excused as under
    /// [`Memory`](Self::Memory).
    Disk {
        /// The node that has the disk.
        node: NodeRef,
        /// Name of the volume, where the node has several with faults.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        volume: Option<String>,
        /// The fault of the disk.
        what: DiskFault,
    },
    /// The two nodes of each pair do not hear each other, whatever way packets take. A role may
    /// stand for several nodes: then each of one side and each of the other are such a pair.
    Sever {
        /// The pairs.
        pairs: Vec<[NodeRef; 2]>,
    },
    /// A node is started again, its programs asked to end first. There is nothing to heal.
    Restart {
        /// The node that is started again.
        node: NodeRef,
    },
    /// Programs of a node are killed, and the others of the node go on. The heal starts the
    /// programs again, with the same arguments.
    KillProgram {
        /// The node that runs the program.
        node: NodeRef,
        /// The name of the program, as `etcd` or `/usr/sbin/nginx`.
        program: String,
    },
    /// Programs of a node stop where they are, and the others of the node go on.
    PauseProgram {
        /// The node that runs the program.
        node: NodeRef,
        /// The name of the program, as `etcd` or `/usr/sbin/nginx`.
        program: String,
    },
    /// The processes of a node run for this share of the time, and are stopped for the rest of it,
    /// many times in a second.
    Slow {
        /// The node that is slow.
        node: NodeRef,
        /// The share of the time, above 0 % and below 100 %.
        share: Percent,
    },
    /// The processes of a node may not open more files than this: `EMFILE`. Of several such faults
    /// at once the lowest limit holds. Ends of programs are excused as under
    /// [`Memory`](Self::Memory).
    Descriptors {
        /// The node.
        node: NodeRef,
        /// The soft limit of open files, RLIMIT_NOFILE of getrlimit(2).
        limit: u64,
    },
    /// Each process of a node gets no more memory than it has, plus this much: `ENOMEM`. Programs
    /// that the lab has started there may end because of that. Such an end does not fail the trial,
    /// and the heal starts the programs again, as a supervisor does after the out-of-memory killer.
    /// A program may take a while to end, as redis does, which writes a report of its crash and
    /// tests the memory first. An end after the heal is one that nobody waited for.
    Memory {
        /// The node.
        node: NodeRef,
        /// The memory that each process still gets, in kB.
        #[serde(default, skip_serializing_if = "is_zero")]
        spare_kb: u64,
    },
    /// Something that the test has given a name (`Lab::action`), as a change of members.
    Action {
        /// The name of what is done.
        action: String,
        /// The node to which it is done, if it is done to a node.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<NodeRef>,
    },
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
