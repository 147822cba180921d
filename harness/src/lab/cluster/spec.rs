//! A cluster before its start.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::lab::cluster::running::RunningCluster;
use crate::lab::cluster::unready::Unready;
use crate::lab::error::Result;
use crate::lab::faults::view::LabView;
use crate::lab::node::node::Node;
use crate::topology::{LinkSpec, Neighbours, NodeId, NodeSpec, Topology};

/// Says whether a member is ready, or what is missing.
pub(crate) type ReadyCheck = Arc<dyn Fn(&Node) -> Result<(), Unready> + Send + Sync>;

type LeaderFinder = Box<dyn Fn(&LabView) -> Option<NodeId> + Send + Sync>;

/// Nodes on one switch that run a service together.
///
/// All members are started before any is waited for: a member of a quorum is ready when others are
/// there. What a command of a member says of its readiness (`ready_port`, `ready_log` and the like)
/// is looked at then, and after each restart.
///
/// ```no_run
/// use snowglobe::Cluster;
/// use snowglobe::prelude::*;
/// use snowglobe::topology::StartCommand;
///
/// #[snowglobe::test(fixtures("redis"))]
/// fn three_stores() -> TestResult {
///     let redis = Fixture::find("redis")?;
///     let cluster = Cluster::of(3, |i| {
///         let serve = StartCommand::new("redis-server").args(["--bind", "0.0.0.0"]);
///         NodeSpec::new(format!("store{i}")).rootfs(&redis).command(serve.ready_port(6379))
///     });
///     let cluster = cluster.client(NodeSpec::new("client").rootfs(&redis)).start()?;
///     cluster.member(0).kill_processes()?;
///     // … the others go on …
///     cluster.member(0).restart()?;
///     cluster.wait_ready()?;
///     Ok(())
/// }
/// ```
pub struct Cluster {
    members: Vec<NodeSpec>,
    clients: Vec<NodeSpec>,
    link: LinkSpec,
    neighbours: Neighbours,
    ready: Vec<ReadyCheck>,
    leader: Option<LeaderFinder>,
    patience: Duration,
}

impl Cluster {
    /// Makes a cluster of `number` members: the function makes each, from 0 on. Members may run
    /// different programs or versions.
    pub fn of<S: Into<NodeSpec>>(number: usize, member: impl FnMut(usize) -> S) -> Self {
        Self {
            members: (0..number).map(member).map(Into::into).collect(),
            clients: Vec::new(),
            link: LinkSpec::default(),
            neighbours: Neighbours::default(),
            ready: Vec::new(),
            leader: None,
            // Five members of etcd were ready after 0.4 to 1.3 s (measured 2026-11); a busy
            // machine takes many times as long.
            patience: Duration::from_secs(60),
        }
    }

    /// Adds a node on the same switch that is no member.
    #[must_use]
    pub fn client(mut self, node: impl Into<NodeSpec>) -> Self {
        self.clients.push(node.into());
        self
    }

    /// Sets what the link of each node to the switch is like.
    #[must_use]
    pub fn links(mut self, link: LinkSpec) -> Self {
        self.link = link;
        self
    }

    /// Sets the way in which the nodes learn one another's MAC addresses.
    ///
    /// A node that was restarted while it was parted from others asks for their addresses once a
    /// second (`retrans_time_ms`, see `arp(7)`), so that it may send nothing for a second after the
    /// heal. With [`Neighbours::Fixed`] it can send at once.
    #[must_use]
    pub fn neighbours(mut self, neighbours: Neighbours) -> Self {
        self.neighbours = neighbours;
        self
    }

    /// Takes a member for ready when the function says so, beside what its commands say.
    #[must_use]
    pub fn ready<E: fmt::Display>(
        mut self,
        check: impl Fn(&Node) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        // The error of the test may not be sent to another thread, but its text may.
        let check =
            move |node: &Node| check(node).map_err(|error| Unready::ByTest(error.to_string()));
        self.ready.push(Arc::new(check));
        self
    }

    /// Says who leads: a function that asks the members. Faults and schedules know the leader as
    /// the role `leader`.
    #[must_use]
    pub fn leader(
        mut self,
        find: impl Fn(&LabView) -> Option<NodeId> + Send + Sync + 'static,
    ) -> Self {
        self.leader = Some(Box::new(find));
        self
    }

    /// Sets the time within which all members have to be ready: 60 s unless set.
    #[must_use]
    pub fn patience(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    /// Starts all members, and returns when all are ready.
    ///
    /// # Errors
    /// A program of a member ends badly, or a member is not ready in time. The error has the last
    /// lines of each member.
    pub fn start(self) -> Result<RunningCluster> {
        let Self {
            members,
            clients,
            link,
            neighbours,
            ready,
            leader,
            patience,
        } = self;
        let mut topology = Topology::new();
        topology.neighbours(neighbours);
        let lan = topology.switch("lan");
        let number = members.len();
        for mut spec in members {
            // Looked at by the cluster: a node that waited for its own readiness would keep the
            // others, which it needs for that, from starting.
            // Readiness is told to the cluster all the same: its socket is there from the start.
            for command in spec.start_commands_mut() {
                command.is_waited_for_later = true;
            }
            let node = topology.node(spec);
            topology.link_with(node, lan, link.clone());
        }
        // Members were added before clients, so that the first nodes of the lab are the members.
        for spec in clients {
            let node = topology.node(spec);
            topology.link_with(node, lan, link.clone());
        }
        let lab = topology.start()?;
        let members = topology.nodes().take(number).collect();
        // A schedule may name the leader while the cluster is still getting ready.
        if let Some(find) = leader {
            lab.role("leader", move |view| find(view));
        }
        let cluster = RunningCluster::new(lab, members, ready, patience);
        cluster.wait_ready()?;
        Ok(cluster)
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("members", &self.members)
            .field("clients", &self.clients)
            .finish_non_exhaustive()
    }
}
