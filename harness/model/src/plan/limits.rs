//! Limits of a topology, checked before anything starts.

use crate::topology::error::{Site, TopologyError};
use crate::topology::id::Endpoint;
use crate::topology::link::LinkSpec;
pub use crate::topology::problem::RAISE_OPEN_FILES;
use crate::topology::problem::{MachineLimit, SizeProblem};
use crate::topology::value::Topology;

/// The most nodes of a lab: their namespaces alone take 3 GB of kernel memory.
pub(crate) const NODES: usize = 10_000;
/// The most links of a lab.
pub(crate) const LINKS: usize = 50_000;
/// The most switches of a lab.
pub(crate) const SWITCHES: usize = 10_000;
/// The most static routes and fixed neighbours of a lab, all nodes together.
pub(crate) const ENTRIES: usize = 500_000;

/// The most ports that the kernel gives a bridge (`BR_MAX_PORTS - 1`, net/bridge/br_private.h).
pub const BRIDGE_PORTS: usize = 1023;
/// Ports of a switch's first bridge that are for nodes; the rest is for trunks.
pub(crate) const FIRST_BRIDGE: usize = 1000;
/// Ports of each further bridge that are for nodes; one is for its trunk.
pub(crate) const OTHER_BRIDGES: usize = BRIDGE_PORTS - 1;
/// The most bridges of a switch.
pub(crate) const BRIDGES: usize = 1 + BRIDGE_PORTS - FIRST_BRIDGE;
/// The most ports of a switch.
const PORTS: usize = FIRST_BRIDGE + (BRIDGE_PORTS - FIRST_BRIDGE) * OTHER_BRIDGES;

/// The most neighbours that the nodes of a lab learn by themselves, of either family. The kernel
/// learns no more than 1,024 at a time for all namespaces of the host together (`gc_thresh3`, see
/// `arp(7)`), and 64 trials may run at a time on a host of 16 cores.
const LEARNED: usize = 1024 / 64;
/// The most interfaces on a switch all of which are told of each other. The number of entries grows
/// with the square, and so does the time that they take when a lab starts.
const TOLD: usize = 32;

/// The neighbours on a segment that are known from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nobody knows anybody.
    None,
    /// All know the first interface, and the first knows all.
    First,
    /// All know each other.
    All,
}

/// Returns who knows whom on a switch with this number of interfaces, in a lab whose nodes could
/// learn `learnable` neighbours.
pub(crate) fn known_on_a_switch(interfaces: usize, learnable: usize) -> Known {
    if learnable > LEARNED && interfaces <= TOLD {
        Known::All
    } else {
        Known::None
    }
}

/// The limits of this machine, as far as the caller has found them out.
///
/// ```
/// use snowglobe_model::plan::Limits;
/// use snowglobe_model::topology::shape;
///
/// let limits = Limits { net_namespaces: Some(100), ..Limits::default() };
/// let error = shape::star(200).check_limits(&limits).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "200 nodes need 201 network namespaces, but this machine allows 100 more \
///      (`user.max_net_namespaces`); use fewer nodes, or raise the limit: \
///      `sudo sysctl -w user.max_net_namespaces=15000`"
/// );
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The number of network namespaces that may still be made (`user.max_net_namespaces`).
    pub net_namespaces: Option<u64>,
    /// The number of PID namespaces that may still be made (`user.max_pid_namespaces`).
    pub pid_namespaces: Option<u64>,
    /// The number of mount namespaces that may still be made (`user.max_mnt_namespaces`).
    pub mount_namespaces: Option<u64>,
    /// The number of processes that may still be started (`RLIMIT_NPROC`, `kernel.pid_max`).
    pub processes: Option<u64>,
    /// The number of descriptors that the test process may still open (`RLIMIT_NOFILE`, the hard
    /// limit).
    pub descriptors: Option<u64>,
}

/// The number of descriptors that the test process holds for a node.
const DESCRIPTORS: u64 = 3;

impl Topology {
    /// Checks that this machine allows a topology of this size.
    ///
    /// # Errors
    /// The machine allows less. The error names the limit.
    pub fn check_limits(&self, limits: &Limits) -> Result<(), TopologyError> {
        let nodes = self.nodes.len() as u64;
        let stacks = self.nodes.iter().filter(|node| node.pod.is_none()).count() + self.pods.len();
        let needs = [
            (
                stacks as u64 + 1,
                limits.net_namespaces,
                MachineLimit::NetNamespaces,
            ),
            (nodes, limits.pid_namespaces, MachineLimit::PidNamespaces),
            (
                nodes,
                limits.mount_namespaces,
                MachineLimit::MountNamespaces,
            ),
            (nodes, limits.processes, MachineLimit::Processes),
            (
                nodes * DESCRIPTORS,
                limits.descriptors,
                MachineLimit::Descriptors,
            ),
        ];
        for (need, left, limit) in needs {
            if let Some(left) = left.filter(|left| *left < need) {
                let problem = SizeProblem::Machine {
                    nodes,
                    need,
                    left,
                    limit,
                };
                return Err(TopologyError::one(Site::TOPOLOGY, problem));
            }
        }
        Ok(())
    }

    /// Refuses a topology that no lab could be, before anything looks at it more closely.
    pub(crate) fn check_size(&self) -> Result<(), TopologyError> {
        let refuse = |problem| Err(TopologyError::one(Site::TOPOLOGY, problem));
        if self.nodes.is_empty() {
            return refuse(SizeProblem::NoNodes);
        }
        let sizes = [
            (self.nodes.len(), NODES, "node"),
            (self.pods.len(), NODES, "pod"),
            (self.links.len(), LINKS, "link"),
            (self.switches.len(), SWITCHES, "switch"),
        ];
        for (count, most, noun) in sizes {
            if count > most {
                return refuse(SizeProblem::TooManyParts { count, most, noun });
            }
        }
        let mut ports = self.switches().zip(ports(self, |_| true));
        if let Some((id, count)) = ports.find(|(_, count)| *count > PORTS) {
            return refuse(SizeProblem::TooManyPorts {
                switch: self[id].name().to_owned(),
                count,
                most: PORTS,
            });
        }
        Ok(())
    }
}

/// Returns the number of ports in use of each switch, by links that are counted.
pub(crate) fn ports(topology: &Topology, is_counted: impl Fn(&LinkSpec) -> bool) -> Vec<usize> {
    let mut ports = vec![0; topology.switches.len()];
    let links = topology.links.iter().filter(|link| is_counted(&link.spec));
    for end in links.flat_map(|link| link.ends) {
        if let Endpoint::Switch(id) = end
            && let Some(count) = ports.get_mut(id.index())
        {
            *count += 1;
        }
    }
    ports
}
