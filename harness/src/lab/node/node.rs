//! A node of a running lab.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::kernel::netns::Netns;
use crate::lab::error::{LabError, Result};
use crate::lab::first_process::Life;
use crate::lab::process::process::Running;
use crate::lab::shared::Shared;
use crate::lab::stack::listeners::{Ear, Ears};
use crate::observe::CapturedInterfaces;
use crate::sandbox::protocol::node::NodeRequest;
use crate::topology::plan::{NodePlan, StackId, StackPlan, Sysctl};
use crate::topology::{NodeId, Owner, Plan, StartCommand, Topology};

/// The network stack of a node, or the one that the containers of a pod share.
#[derive(Debug)]
pub(crate) struct Stack {
    owner: Owner,
    netns: OwnedFd,
    pod: Option<Life>,
    /// It changes when a cable is laid or moved.
    primary: RwLock<Vec<IpAddr>>,
    removed: AtomicBool,
    ears: Mutex<Ears>,
}

impl Stack {
    pub(crate) fn new(plan: &Plan, stack: StackId, netns: OwnedFd, pod: Option<Life>) -> Stack {
        Stack {
            owner: plan[stack].owner,
            netns,
            pod,
            primary: RwLock::new(plan[stack].primary().collect()),
            removed: AtomicBool::new(false),
            ears: Mutex::default(),
        }
    }

    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// The addresses that its name stands for.
    fn primary(&self) -> Vec<IpAddr> {
        let primary = self.primary.read().unwrap_or_else(PoisonError::into_inner);
        primary.clone()
    }

    /// Takes note of a plan that has changed.
    pub(crate) fn refresh(&self, plan: &StackPlan) {
        let mut primary = self.primary.write().unwrap_or_else(PoisonError::into_inner);
        *primary = plan.primary().collect();
    }

    /// Nothing if it was removed.
    pub(crate) fn netns(&self) -> Option<&OwnedFd> {
        (!self.removed.load(Ordering::Relaxed)).then_some(&self.netns)
    }

    /// Its network namespace; an error if it was removed.
    pub(crate) fn place(&self) -> Result<BorrowedFd<'_>> {
        let gone = || LabError::other("the node was removed");
        self.netns().map(AsFd::as_fd).ok_or_else(gone)
    }

    pub(crate) fn ears(&self) -> MutexGuard<'_, Ears> {
        self.ears.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a listener told of the frames of an interface; says by which number it can be forgotten.
    pub(crate) fn listen(&self, mut ear: Ear) -> Result<u64> {
        ear.look(self.place()?)?;
        Ok(self.ears().add(ear))
    }

    /// After an interface may have been made anew.
    pub(crate) fn look_again(&self, index: u32) -> Result<()> {
        let Some(netns) = self.netns() else {
            return Ok(());
        };
        let mut ears = self.ears();
        let mut concerned = ears.iter_mut().filter(|ear| ear.index == index);
        concerned.try_for_each(|ear| ear.look(netns.as_fd()))
    }

    /// The pod's first process.
    pub(crate) fn pidfd(&self) -> Option<&OwnedFd> {
        self.pod.as_ref().map(|pod| &pod.pidfd)
    }

    /// A connection with something unsent would keep the namespace for 107 s.
    fn be_impatient(&self) {
        let path = "/proc/sys/net/ipv4/tcp_orphan_retries";
        let _ = Netns::visit(self.netns.as_fd(), || std::fs::write(path, "1"));
    }

    pub(crate) fn remove(&self) {
        if !self.removed.swap(true, Ordering::Relaxed) {
            self.be_impatient();
        }
        *self.ears() = Ears::default();
        if let Some(pod) = &self.pod {
            pod.kill();
        }
    }
}

/// A host of a lab: see [`crate::lab`].
pub struct Node {
    id: NodeId,
    name: String,
    hostname: String,
    pub(crate) birth: NodeRequest,
    pub(crate) commands: Vec<StartCommand>,
    pub(crate) life: RwLock<Option<Life>>,
    stack: Arc<Stack>,
    pub(crate) running: Mutex<Vec<Arc<Running>>>,
    pub(crate) shared: Arc<Shared>,
    removed: AtomicBool,
    pub(crate) captured: CapturedInterfaces,
    /// The first process whose file of TLS keys is read.
    pub(crate) logs_keys_of: Mutex<Option<u32>>,
    #[cfg(feature = "tokio")]
    pub(crate) runtime: Mutex<Option<crate::lab::node::runtime::Runtime>>,
}

impl Node {
    pub(crate) fn new(
        topology: &Topology,
        plan: &NodePlan,
        birth: NodeRequest,
        life: Life,
        stack: Arc<Stack>,
        shared: &Arc<Shared>,
    ) -> Node {
        let hostname = topology
            .pod_of(plan.node)
            .map_or(topology[plan.node].name(), |pod| topology[pod].name());
        Node {
            id: plan.node,
            name: plan.name.clone(),
            hostname: hostname.to_owned(),
            birth,
            commands: plan.commands.clone(),
            life: RwLock::new(Some(life)),
            stack,
            running: Mutex::new(Vec::new()),
            shared: Arc::clone(shared),
            removed: AtomicBool::new(false),
            captured: CapturedInterfaces::default(),
            logs_keys_of: Mutex::default(),
            #[cfg(feature = "tokio")]
            runtime: Mutex::new(None),
        }
    }

    /// Its id in the topology.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Its name for people: `bob`, or `web/app` for a container.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `hostname` says in it: its name, or its pod's.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// The address that its name stands for: IPv4 if it has one.
    ///
    /// # Panics
    /// If it has no interface.
    pub fn ip(&self) -> IpAddr {
        *self
            .stack
            .primary()
            .first()
            .unwrap_or_else(|| panic!("node `{}` has no address: no link leads to it", self.name))
    }

    /// The IPv4 address that its name stands for.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        self.stack.primary().into_iter().find_map(|ip| match ip {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        })
    }

    /// The IPv6 address that its name stands for.
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        self.stack.primary().into_iter().find_map(|ip| match ip {
            IpAddr::V6(v6) => Some(v6),
            IpAddr::V4(_) => None,
        })
    }

    /// Whether its first process runs: not so after [`crash`](Node::crash) and before [`restart`](Node::restart).
    pub fn is_running(&self) -> bool {
        let life = self.life.read().unwrap_or_else(PoisonError::into_inner);
        let gone = |life: &Life| crate::kernel::poll::is_readable(life.pidfd.as_fd());
        life.as_ref().is_some_and(|life| !gone(life))
    }

    /// The number of its first process, as the trial numbers processes.
    pub fn pid(&self) -> Option<u32> {
        let life = self.life.read().unwrap_or_else(PoisonError::into_inner);
        life.as_ref().map(|life| life.pid.cast_unsigned())
    }

    pub(crate) fn stack(&self) -> &Arc<Stack> {
        &self.stack
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }

    pub(crate) fn mark_removed(&self) {
        self.removed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn running(&self) -> MutexGuard<'_, Vec<Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with its first process.
    pub(crate) fn with_life<T>(
        &self,
        what: &str,
        work: impl FnOnce(&Life) -> crate::kernel::Result<T>,
    ) -> Result<T> {
        let life = self.life.read().unwrap_or_else(PoisonError::into_inner);
        let explain = || format!("{what} `{}`", self.name);
        match life.as_ref() {
            Some(life) => work(life).map_err(|errno| match errno {
                crate::kernel::errno::Errno::EPIPE
                | crate::kernel::errno::Errno::ESRCH
                | crate::kernel::errno::Errno::ECONNRESET => LabError::other(format!(
                    "failed to {}: the node's first process is dead; restart the node",
                    explain()
                )),
                errno => LabError::refused(explain(), errno),
            }),
            None => Err(LabError::other(format!(
                "failed to {}: the node {}",
                explain(),
                if self.is_removed() {
                    "was removed"
                } else {
                    "has crashed; restart it first"
                }
            ))),
        }
    }

    pub(crate) fn set(&self, sysctl: &Sysctl) -> Result<()> {
        let what = format!("set sysctl `{}` to {} on", sysctl.path, sysctl.value);
        self.with_life(&what, |life| life.set(sysctl))
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.name)
            .field("ips", &self.stack.primary())
            .finish_non_exhaustive()
    }
}
