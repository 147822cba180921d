//! A node of a running lab, as a test sees it: names, addresses, captures.
//!
//! The other files of the folder hold what a node does: `life` stops and starts its processes,
//! `visit` takes threads of the test into it, `futures` does so with futures, `command` runs
//! programs, `waits` has the waits.

use std::ffi::CString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::events::Journal;
use crate::impair::Direction;
use crate::kernel::errno::Errno;
use crate::kernel::netlink::{if_indextoname, if_nametoindex};
use crate::kernel::netns::Netns;
use crate::kernel::sync::{Lock, SharedLock};
use crate::lab::attempt::NodeAttempt;
use crate::lab::disk::DiskServer;
use crate::lab::error::{LabError, NodeState, Result, Subject};
use crate::lab::first_process::FirstProcessHandle;
use crate::lab::node::keys::NodeKeyLog;
use crate::lab::node::root::NextRoot;
#[cfg(feature = "tokio")]
use crate::lab::node::runtime::Runtime;
use crate::lab::node::services::NodeServices;
use crate::lab::process::output_reader::OutputReader;
use crate::lab::process::programs::Programs;
use crate::lab::services::dhcp::dhcp::Dhcp;
use crate::lab::services::dhcp6::dhcp6::Dhcp6;
use crate::lab::services::dns::dns::Dns;
use crate::lab::services::ndp::advertiser::Advertiser;
use crate::lab::services::own::OwnServices;
use crate::lab::services::service::NodeServiceThreads;
use crate::lab::services::translation::translation::Translation;
use crate::lab::stack::monitors::Monitor;
use crate::lab::stack::stack::Stack;
use crate::model::clock::ClockFault;
use crate::model::fault::NodeRef;
use crate::observe::{CaptureGuard, CapturedInterfaces, InterfaceLabels};
use crate::sandbox::protocol::node::NodeRequest;
use crate::topology::plan::{NodePlan, Sysctl};
use crate::topology::{NodeId, StartCommand, Subnet, Topology};
use crate::trial::patience::Patience;

/// A host of a lab: see [`crate::lab`].
pub struct Node {
    id: NodeId,
    name: String,
    hostname: String,
    /// The request by which the node was made, and is made again when it restarts.
    request: SharedLock<Arc<NodeRequest>>,
    next_root: Lock<NextRoot>,
    /// The directory that takes what the node writes to a root filesystem of its own.
    root_disk: PathBuf,
    /// The programs that run from the next start on.
    start_commands: Lock<Vec<StartCommand>>,
    /// The programs that the last start runs.
    started_commands: Lock<Vec<StartCommand>>,
    /// Nothing between a crash and a restart.
    first_process: SharedLock<Option<FirstProcessHandle>>,
    stack: Arc<Stack>,
    programs: Programs,
    services: NodeServices,
    own: OwnServices,
    service_threads: NodeServiceThreads,
    removed: AtomicBool,
    /// Faults of the clock that are in force, in the order in which they began.
    clock_faults: Lock<Vec<ClockFaultInForce>>,
    /// Number of faults in force that have killed the node's processes, or cut its power. The heal
    /// of the last one starts the node again.
    down_count: Lock<usize>,
    /// Number of restarts that are under way.
    restarts: AtomicUsize,
    /// Locked by a restart from its beginning to its end.
    restarting: Lock<()>,
    life: Lock<RestartProgress>,
    captured: CapturedInterfaces,
    key_log: NodeKeyLog,
    #[cfg(feature = "tokio")]
    runtime: Lock<Option<Runtime>>,
    /// Number of threads of the runtime; 0 for the one thread on which the runtime lives.
    #[cfg(feature = "tokio")]
    runtime_threads: AtomicUsize,
}

/// A fault of the clock of a node that is in force.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockFaultInForce {
    /// Number by which the guard of the fault knows it.
    pub(crate) number: u64,
    /// Time of the machine at which the fault began, in nanoseconds since 1970.
    pub(crate) began: i64,
    /// The fault.
    pub(crate) fault: ClockFault,
}

/// Whether a restart is about to make the node's processes.
#[derive(Debug, Default)]
pub(crate) struct RestartProgress {
    /// Whether a restart is under way that has not made the new processes yet.
    pub(crate) is_coming_back: bool,
}

/// Parts of which a node is put together.
pub(crate) struct NodeParts {
    /// The request by which the node was made, and is made again.
    pub(crate) request: NodeRequest,
    /// The directory that takes what the node writes to a root filesystem of its own.
    pub(crate) root_disk: PathBuf,
    pub(crate) first_process: FirstProcessHandle,
    pub(crate) stack: Arc<Stack>,
    /// Services that all nodes of a lab share.
    pub(crate) services: NodeServices,
    /// Services that run in the node.
    pub(crate) own: OwnServices,
}

impl Node {
    pub(crate) fn new(topology: &Topology, plan: &NodePlan, parts: NodeParts) -> Self {
        let NodeParts {
            request,
            root_disk,
            first_process,
            stack,
            services,
            own,
        } = parts;
        let service_threads = NodeServiceThreads::new(own.all());
        // A container has the hostname of its pod, whose UTS namespace it shares.
        let hostname = topology
            .pod_of(plan.node)
            .map_or(topology[plan.node].name(), |pod| topology[pod].name());
        Self {
            id: plan.node,
            name: plan.name.clone(),
            hostname: hostname.to_owned(),
            request: SharedLock::new(Arc::new(request)),
            next_root: Lock::default(),
            root_disk,
            start_commands: Lock::new(plan.commands.clone()),
            started_commands: Lock::new(plan.commands.clone()),
            first_process: SharedLock::new(Some(first_process)),
            stack,
            programs: Programs::default(),
            services,
            own,
            service_threads,
            removed: AtomicBool::new(false),
            clock_faults: Lock::default(),
            down_count: Lock::default(),
            restarts: AtomicUsize::new(0),
            restarting: Lock::default(),
            life: Lock::default(),
            captured: CapturedInterfaces::default(),
            key_log: NodeKeyLog::default(),
            #[cfg(feature = "tokio")]
            runtime: Lock::new(None),
            #[cfg(feature = "tokio")]
            runtime_threads: AtomicUsize::new(0),
        }
    }

    /// Returns the id of the node in the topology.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Returns the name of the node: `bob`, or `web/app` for a container.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the node as the subject of an error.
    pub(crate) fn subject(&self) -> Subject {
        Subject::Node(self.name().to_owned())
    }

    /// Returns what `hostname` says in the node: the name of the node, or of its pod.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// Returns the address for which the name stands: IPv4 if the node has one. The address is that
    /// of the first link that exists; if all links are removed, it is the last address, at which
    /// nobody answers.
    ///
    /// # Panics
    /// The node has no interface.
    pub fn ip(&self) -> IpAddr {
        *self
            .addresses()
            .first()
            .unwrap_or_else(|| panic!("node `{}` has no address: no link leads to it", self.name))
    }

    /// Returns the IPv4 address for which the name stands. Where addresses are the
    /// [business of a program](crate::dhcp::AddressSource::Program), it is the one that the kernel
    /// of the node has now.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        self.addresses().into_iter().find_map(|ip| match ip {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        })
    }

    /// Returns the IPv6 address for which the name stands.
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        self.stack.primary().into_iter().find_map(|ip| match ip {
            IpAddr::V6(v6) => Some(v6),
            IpAddr::V4(_) => None,
        })
    }

    /// Returns the addresses for which the name stands: of each family, the first counts.
    fn addresses(&self) -> Vec<IpAddr> {
        let by_program = self.own.v4_by_program.then(|| self.stack.v4_of_program());
        let by_program = by_program.flatten().into_iter();
        by_program.chain(self.stack.primary()).collect()
    }

    /// Returns whether the first process runs. It does not between [`crash`](Node::crash) and
    /// [`restart`](Node::restart).
    pub fn is_running(&self) -> bool {
        let first = self.first_process.read();
        first.as_ref().is_some_and(|first| !first.is_dead())
    }

    /// Returns the process id of the first process, in the PID namespace of the trial.
    pub fn pid(&self) -> Option<u32> {
        let first = self.first_process.read();
        first.as_ref().map(FirstProcessHandle::pid)
    }

    /// Captures what leaves and arrives by an interface of the node, such as `eth0` or `lo`; see
    /// [`CaptureGuard`].
    ///
    /// # Errors
    /// There is no such interface, there is no trial, or the kernel refuses the capture.
    pub fn capture(&self, interface: &str) -> Result<CaptureGuard> {
        let mut guard = CaptureGuard::begin()?;
        let (index, interface) = self.find_interface(interface)?;
        let name = format!("{}/{interface}", self.name());
        let labels = InterfaceLabels {
            name: &name,
            description: &format!("interface {interface} of node {}", self.name()),
            outbound: Direction::AToB,
        };
        guard.add(&self.captured, &labels, |listener| {
            self.stack().listen(Monitor::new(&name, index, listener))
        })?;
        Ok(guard)
    }

    /// Returns the index of an interface, and the name that the kernel has for it: `name` may be an
    /// alternative name.
    fn find_interface(&self, name: &str) -> Result<(u32, String)> {
        let netns = self.stack().require_netns();
        // A stack may be that of a pod, so that its error names no node.
        let netns = netns.map_err(|error| error.about(self.subject()))?;
        let found = Netns::visit(netns, || {
            let index = if_nametoindex(name)?;
            // The label of a capture is the kernel's name, so that two captures of an interface are
            // one.
            let canonical = if_indextoname(index)?;
            Ok::<(u32, CString), Errno>((index, canonical))
        });
        let failed = |errno| {
            let name = name.to_owned();
            let what = NodeAttempt::FindInterface { name }.with(self.name());
            LabError::refused(what, errno).about(self.subject())
        };
        let (index, canonical) = found.and_then(|found| found).map_err(failed)?;
        Ok((index, canonical.to_string_lossy().into_owned()))
    }

    /// Returns the name server that runs in the node, if the topology asked for one.
    pub fn dns(&self) -> Option<&Dns> {
        self.own.dns.as_deref()
    }

    /// Returns the DHCP server that runs in the node, if the topology asked for one.
    pub fn dhcp(&self) -> Option<&Dhcp> {
        self.own.dhcp.as_deref()
    }

    /// Returns the DHCPv6 server that runs in the node, if the topology asked for one.
    pub fn dhcp6(&self) -> Option<&Dhcp6> {
        self.own.dhcp6.as_deref()
    }

    /// Returns the prefix that the node, a router, is delegated now: see
    /// [`AdvertiseSpec::delegated`](crate::ndp::AdvertiseSpec::delegated).
    pub fn delegated_prefix(&self) -> Option<Subnet> {
        self.own.clients6.as_ref()?.delegated_prefix()
    }

    /// Returns the router advertisements of the node, if the topology asked for some.
    pub fn advertiser(&self) -> Option<&Advertiser> {
        self.own.advertiser.as_deref()
    }

    /// Returns the node's services.
    pub(crate) fn own_services(&self) -> &OwnServices {
        &self.own
    }

    /// Returns the NAT64 of the node, if it has one.
    pub(crate) fn nat64_translation(&self) -> Option<&Translation> {
        self.own.nat64.as_deref()
    }

    /// Returns the threads of the node's services.
    pub(crate) fn service_threads(&self) -> &NodeServiceThreads {
        &self.service_threads
    }

    /// Returns the volumes of the node that can have faults.
    pub(crate) fn disks(&self) -> &[Arc<DiskServer>] {
        &self.own.disks
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

    pub(crate) fn clock_faults(&self) -> &Lock<Vec<ClockFaultInForce>> {
        &self.clock_faults
    }

    pub(crate) fn down_count(&self) -> &Lock<usize> {
        &self.down_count
    }

    pub(crate) fn restarts(&self) -> &AtomicUsize {
        &self.restarts
    }

    pub(crate) fn restarting(&self) -> &Lock<()> {
        &self.restarting
    }

    /// Returns what is locked while the processes of the node come or go.
    pub(crate) fn life(&self) -> &Lock<RestartProgress> {
        &self.life
    }

    pub(crate) fn request(&self) -> Arc<NodeRequest> {
        Arc::clone(&self.request.read())
    }

    /// Sets the request by which the node is made again, and returns it.
    pub(crate) fn replace_request(&self, with: NodeRequest) -> Arc<NodeRequest> {
        let with = Arc::new(with);
        *self.request.write() = Arc::clone(&with);
        with
    }

    pub(crate) fn next_root(&self) -> &Lock<NextRoot> {
        &self.next_root
    }

    pub(crate) fn root_disk(&self) -> &Path {
        &self.root_disk
    }

    /// Makes the programs that were set those of the start that begins.
    pub(crate) fn begin_commands(&self) {
        let commands = self.start_commands.lock().clone();
        *self.started_commands.lock() = commands;
    }

    /// Returns the programs that the last start of the node runs.
    pub(crate) fn started_commands(&self) -> Vec<StartCommand> {
        self.started_commands.lock().clone()
    }

    /// Sets the programs that the node runs from its next [`restart`](Node::restart) on, in the
    /// place of those of its [`NodeSpec`](crate::topology::NodeSpec::command): another version, or
    /// other arguments.
    pub fn set_commands(&self, commands: impl IntoIterator<Item = StartCommand>) {
        *self.start_commands.lock() = commands.into_iter().collect();
    }

    /// Returns the last lines that each program of the node has written, as an error shows them.
    pub fn last_lines(&self) -> String {
        self.programs.last_lines()
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    pub(crate) fn services(&self) -> &NodeServices {
        &self.services
    }

    pub(crate) fn patience(&self) -> &Patience {
        self.services.patience()
    }

    pub(crate) fn journal(&self) -> &Arc<Journal> {
        self.services.journal()
    }

    pub(crate) fn output_reader(&self) -> &OutputReader {
        self.services.output_reader()
    }

    pub(crate) fn key_log(&self) -> &NodeKeyLog {
        &self.key_log
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn runtime(&self) -> &Lock<Option<Runtime>> {
        &self.runtime
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn runtime_threads(&self) -> &AtomicUsize {
        &self.runtime_threads
    }

    /// Replaces the first process, and returns the one before.
    pub(crate) fn replace_first_process(
        &self,
        with: Option<FirstProcessHandle>,
    ) -> Option<FirstProcessHandle> {
        std::mem::replace(&mut *self.first_process.write(), with)
    }

    /// Does something with the first process; `what` is the verb of an error, without the node's
    /// name.
    pub(crate) fn with_first_process<T>(
        &self,
        what: NodeAttempt,
        work: impl FnOnce(&FirstProcessHandle) -> crate::kernel::Result<T>,
    ) -> Result<T> {
        // The lock is held while `work` talks to the process: a restart must not replace it
        // meanwhile.
        let first = self.first_process.read();
        let explain = || what.clone().with(&self.name);
        match first.as_ref() {
            Some(first) => work(first).map_err(|errno| {
                // The process holds the only other end of the channel.
                if matches!(errno, Errno::EPIPE | Errno::ESRCH | Errno::ECONNRESET) {
                    return LabError::crashed(explain(), &self.name, NodeState::Dead);
                }
                LabError::refused(explain(), errno).about_node(&self.name)
            }),
            None if self.is_removed() => Err(LabError::removed_before(explain(), &self.name)),
            None => Err(LabError::crashed(explain(), &self.name, NodeState::Crashed)),
        }
    }

    pub(crate) fn set(&self, sysctl: &Sysctl) -> Result<()> {
        let Sysctl { path, value } = sysctl.clone();
        self.with_first_process(NodeAttempt::SetSysctl { path, value }, |first| {
            first.set(sysctl)
        })
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.name)
            .field("ips", &self.addresses())
            .finish_non_exhaustive()
    }
}

/// A node as the target of a fault.
impl From<&Node> for NodeRef {
    fn from(node: &Node) -> Self {
        Self::Id(node.id())
    }
}
