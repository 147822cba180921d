//! A topology brought to life.
//!
//! ```no_run
//! use snowglobe::prelude::*;
//! use snowglobe::topology::Topology;
//!
//! #[snowglobe::test]
//! fn bob_answers_alice() -> TestResult {
//!     let mut topology = Topology::new();
//!     let (alice, bob) = (topology.node("alice"), topology.node("bob"));
//!     topology.link(alice, bob);
//!     let lab = topology.start()?; // ready: no sleep needed
//!
//!     let listener = lab[bob].run(|| TcpListener::bind("0.0.0.0:80"))?;
//!     let _client = lab[alice].run(|| TcpStream::connect("bob:80"))?;
//!     let (_, peer) = listener.accept()?;
//!     assert_eq!(peer.ip(), lab[alice].ip());
//!     Ok(())
//! }
//! ```
//!
//! # What a node is
//!
//! A host, with NET, MNT, UTS, IPC and PID namespaces of its own: its name is its hostname, all names of the lab resolve in
//! it, it has its own `/tmp`, `/run`, `/dev/shm`, `/proc` and `/sys`, and otherwise the files that the trial has, or
//! another root filesystem. Nothing runs in it but what the test runs there:
//!
//! - [`run`](Node::run) a closure in it, on a thread of the test process; what it makes (a socket, a file) can be used
//!   outside of it afterwards;
//! - `spawn` a future in it, on a runtime that lives there;
//! - run a program in it with [`command`](Node::command), as with [`std::process::Command`].
//!
//! Threads of the test process that are in a node see its network, files, hostname and IPC, but keep the trial's
//! process numbers, for a thread cannot change those; so use [`command`](Node::command) for programs.
//!
//! # The code
//!
//! `birth` asks the trial's init for processes (the other side is in `sandbox::factory`), `network`, `wires` and `addresses`
//! speak netlink, `place` keeps the files. `line` is a link's two ends, `middle` what is between them, `lay` makes that; `impaired`, `faults` and `rules`
//! change it while the lab runs. `node`, `link`, `command`, `process` are what a test holds; `live` is what changes while a lab runs, `change` carries it out;
//! `inspect` and `namespaces` look at it from outside.

mod barrier;
mod bring_up;
mod change;
mod error;
mod faults;
mod first_process;
mod inspect;
mod link;
mod node;
mod process;
mod shared;
mod stack;
mod wait;

use std::collections::BTreeSet;
use std::ops::Index;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::events::Events;
use crate::topology::{LinkId, NodeId, Plan, PodId, Topology};

pub use crate::model::carrier::Carrier;
pub use barrier::Barrier;
pub use error::{LabError, Result};
pub use faults::partition::{Cut, Flap, Partition};
pub use inspect::inspection::{
    AddressEntry, Inspection, InterfaceCounters, InterfaceEntry, MountEntry, NeighbourEntry,
    ProcessEntry, RouteEntry, SocketEntry,
};
pub use inspect::namespaces::Namespace;
pub use link::impair::Degraded;
pub use link::link::Link;
pub use node::command::{Command, OnDrop, Output, Stdio};
pub use node::node::Node;
#[cfg(feature = "tokio")]
pub use node::runtime::JoinHandle;
pub use process::log::{Line, Stream};
pub use process::process::Process;
pub use wait::{Condition, wait_until};

use node::node::Stack;
use shared::Shared;

/// A topology brought to life; dropping it takes everything away.
///
/// Nodes and links are found by the ids that the topology gave: `lab[bob]`, `lab[cable]`.
///
/// ```no_run
/// use snowglobe::topology::shape;
///
/// #[snowglobe::test]
/// fn ten_in_a_star() -> snowglobe::TestResult {
///     let lab = shape::star(10).start()?;
///     for node in lab.nodes() {
///         println!("{} is {}", node.name(), node.ip());
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Lab {
    topology: Topology,
    plan: Plan,
    nodes: Vec<Node>,
    links: Vec<Link>,
    /// By number of the stack.
    stacks: Vec<Arc<Stack>>,
    hub: Option<Arc<OwnedFd>>,
    /// Links to crowded switches whose nodes have queues of their own.
    relieved: BTreeSet<LinkId>,
    shared: Arc<Shared>,
}

impl Lab {
    /// The topology that it is made of.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// What was worked out for the topology: subnets, addresses, routes.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// All nodes that were not removed, containers included.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| !node.is_removed())
    }

    /// All links that were not removed.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(|link| !link.is_removed())
    }

    /// The node of this name; a container is found by `pod/container` too.
    pub fn node(&self, name: &str) -> Option<&Node> {
        let id = self.topology.find(name)?;
        Some(&self[id])
    }

    /// The containers of a pod.
    pub fn containers(&self, pod: PodId) -> impl Iterator<Item = &Node> {
        self.topology.containers(pod).map(|id| &self[id])
    }

    /// The directory of a volume, as the test sees it: what it writes there, nodes that mount the volume read.
    ///
    /// ```no_run
    /// # use snowglobe::topology::{NodeSpec, Topology, Volume};
    /// # #[snowglobe::test]
    /// # fn t() -> snowglobe::TestResult {
    /// let mut topology = Topology::new();
    /// topology.node(NodeSpec::new("web").volume("/srv", Volume::named("site")));
    /// let lab = topology.start()?;
    /// std::fs::write(lab.volume("site")?.join("index.html"), "hello")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn volume(&self, name: &str) -> Result<PathBuf> {
        self.shared.place.volume(name)
    }

    /// Sets how long `wait_for_port`, `wait_for_log`, `wait_until` and barriers wait before they fail: 10 s unless changed.
    pub fn set_patience(&self, limit: Duration) {
        self.shared.set_patience(limit);
    }

    /// Returns the events of this lab, from its start on: carriers that change, faults, programs that
    /// start, write and die, packets that rules decided on, notes. See [`events`](crate::events).
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// let lab = shape::pair().start()?;
    /// for event in lab.events().so_far() {
    ///     println!("{event}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self) -> Events {
        Events::new(&self.shared.journal, self.shared.patience())
    }

    /// A meeting point for `count` threads, in whichever nodes they are.
    pub fn barrier(&self, count: usize) -> Barrier {
        Barrier::new(count, self.shared.patience())
    }

    /// Waits until `condition` holds: a `bool`, an `Option` or a `Result`, looked at again and again. The error has what was seen last.
    pub fn wait_until<C: Condition>(&self, condition: impl FnMut() -> C) -> Result<C::Value> {
        wait_until(self.shared.patience(), condition)
    }
}

impl Index<NodeId> for Lab {
    type Output = Node;

    fn index(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }
}

impl Index<LinkId> for Lab {
    type Output = Link;

    fn index(&self, id: LinkId) -> &Link {
        &self.links[id.index()]
    }
}
