//! Specifications of nodes and pods.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use snowglobe_derive::{Deserialize, Serialize};

use crate::dhcp::{AddressSource, DhcpSpec};
use crate::dhcp6::Dhcp6Spec;
use crate::dns::DnsSpec;
use crate::ndp::AdvertiseSpec;
use crate::topology::command::StartCommand;
use crate::topology::router::{Firewall, RouteSpec, RouterSettings};
use crate::topology::storage::{Mount, MountSource, Rootfs, Volume};
use crate::v6::ClatSpec;

/// The mapping of the user and group ids of a node to those of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Users {
    /// The mapping of the trial's own ids.
    #[default]
    Trial,
    /// One id: root inside is the invoking user outside. This is always possible.
    One,
    /// This number of ids from 0 on, from `/etc/subuid`, or because the tests were started as root.
    Range(u32),
}

/// The specification of a node, built by chained calls. A name alone is enough, and a `&str` is a
/// `NodeSpec`.
///
/// ```
/// use snowglobe_model::topology::{NodeSpec, Topology, Users, Volume};
///
/// let mut topology = Topology::new();
/// let client = topology.node("client");
/// let web = topology.node(
///     NodeSpec::new("web")
///         .rootfs("images/nginx")
///         .volume("/data", Volume::named("site"))
///         .bind("/logs", "logs")
///         .users(Users::Range(65_536))
///         .alias("www.example.org"),
/// );
/// topology.link(client, web);
/// topology.validate()?;
/// # Ok::<(), snowglobe_model::topology::TopologyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    pub(crate) name: String,
    /// The pod's name, in TOML only. In memory, the topology knows the pods of nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pod: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rootfs: Option<Rootfs>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) users: Users,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) faulty_clock: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) mounts: Vec<Mount>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) commands: Vec<StartCommand>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dns: Option<DnsSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dhcp: Option<DhcpSpec>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) addresses: AddressSource,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dhcp6: Option<Dhcp6Spec>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) addresses_v6: AddressSource,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) advertise: Option<AdvertiseSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clat: Option<ClatSpec>,
    /// Whether IPv6 addresses come from router advertisements, and not from the plan.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) autoconfigure: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) network: StackSpec,
}

/// The specification of a pod: containers that share NET, UTS and IPC. A `&str` is a `PodSpec`.
///
/// ```
/// use snowglobe_model::topology::{PodSpec, Topology};
///
/// let mut topology = Topology::new();
/// let pod = topology.pod(PodSpec::new("web").share_pid());
/// let app = topology.container(pod, "app");
/// let sidecar = topology.container(pod, "sidecar");
/// assert_eq!(topology.containers(pod).collect::<Vec<_>>(), [app, sidecar]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PodSpec {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) share_pid: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) network: StackSpec,
}

/// The specification of a network stack, of a node or of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StackSpec {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) aliases: Vec<String>,
    /// Lines for its own hosts file: address and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) hosts: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) forward: Option<bool>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) sysctls: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) drop_inbound: PacketFilter,
    /// Routes by hand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) routes: Vec<RouteSpec>,
    /// The firewall before the stack, or at the uplinks of a router.
    #[serde(
        default,
        deserialize_with = "crate::topology::text::firewall::name_or_firewall",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) firewall: Option<Firewall>,
    /// The settings of the router, if the stack is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) router: Option<RouterSettings>,
}

/// Ports at which a network stack drops packets from outside. In TOML: `{ tcp = [22, 80], udp =
/// [53] }`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PacketFilter {
    /// The TCP ports.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tcp: BTreeSet<u16>,
    /// The UDP ports.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub udp: BTreeSet<u16>,
}

impl PacketFilter {
    /// Returns whether nothing is dropped.
    pub fn is_empty(&self) -> bool {
        let Self { tcp, udp } = self;
        tcp.is_empty() && udp.is_empty()
    }
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

macro_rules! network_methods {
    () => {
        /// Adds another name, which all nodes of the lab resolve.
        pub fn alias(mut self, name: impl Into<String>) -> Self {
            self.network.aliases.push(name.into());
            self
        }

        /// Adds a line to its own hosts file, which no other node sees.
        pub fn host(mut self, address: impl ToString, name: impl Into<String>) -> Self {
            self.network.hosts.push((address.to_string(), name.into()));
            self
        }

        /// Sets a sysctl of its own namespaces, such as `net.ipv4.tcp_syncookies`.
        pub fn sysctl(mut self, key: impl Into<String>, value: impl ToString) -> Self {
            self.network.sysctls.insert(key.into(), value.to_string());
            self
        }

        /// Drops packets from outside to these TCP ports of its own, silently, as a firewall does.
        ///
        /// ```
        /// use snowglobe_model::topology::NodeSpec;
        ///
        /// let server = NodeSpec::new("server").drop_inbound_tcp([22, 8080]);
        /// let silent = server.drop_inbound_udp([161]);
        /// # drop(silent);
        /// ```
        pub fn drop_inbound_tcp(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
            self.network.drop_inbound.tcp.extend(ports);
            self
        }

        /// Drops packets from outside to these UDP ports of its own, silently, as a firewall does.
        pub fn drop_inbound_udp(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
            self.network.drop_inbound.udp.extend(ports);
            self
        }

        /// Adds a route by hand.
        pub fn route(mut self, route: RouteSpec) -> Self {
            self.network.routes.push(route);
            self
        }

        /// Sets the firewall that stands before it: what may come in, and what may go out.
        pub fn firewall(mut self, firewall: Firewall) -> Self {
            self.network.firewall = Some(firewall);
            self
        }

        /// Sets whether it forwards packets between its interfaces. By default it does if it has
        /// interfaces on two segments or more and [`Routing::Shortest`](super::Routing::Shortest)
        /// is in force.
        pub fn forward(mut self, yes: bool) -> Self {
            self.network.forward = Some(yes);
            self
        }
    };
}

impl NodeSpec {
    /// Returns the specification of a node with this name, which will be its hostname.
    pub fn new(name: impl Into<String>) -> Self {
        NodeSpec {
            name: name.into(),
            ..NodeSpec::default()
        }
    }

    /// Sets the root filesystem, instead of the trial's: a fixture, or a directory of the
    /// workspace.
    pub fn rootfs(mut self, rootfs: impl Into<Rootfs>) -> Self {
        self.rootfs = Some(rootfs.into());
        self
    }

    /// Sets the mapping of its ids to those of the machine.
    pub fn users(mut self, users: Users) -> Self {
        self.users = users;
        self
    }

    /// Lets faults change the time of day of the node:
    /// [`Fault::Clock`](crate::fault::Fault::Clock).
    ///
    /// The programs of the node, and all that they start, are traced for that (`ptrace(2)`), so
    /// that no debugger can trace them as well.
    pub fn faulty_clock(mut self) -> Self {
        self.faulty_clock = true;
        self
    }

    /// Mounts a volume at this absolute path, which is made if it is not there (see [`Volume`]).
    pub fn volume(self, at: impl Into<String>, volume: Volume) -> Self {
        self.mount(Mount {
            at: at.into(),
            source: MountSource::Volume(volume),
            read_only: false,
        })
    }

    /// Mounts a directory or file of the workspace, which the node can write to.
    pub fn bind(self, at: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.mount(Mount {
            at: at.into(),
            source: MountSource::Bind(path.into()),
            read_only: false,
        })
    }

    /// Mounts a directory or file of the workspace, which the node can only read.
    pub fn bind_read_only(self, at: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.mount(Mount {
            at: at.into(),
            source: MountSource::Bind(path.into()),
            read_only: true,
        })
    }

    /// Adds a mount of any kind.
    pub fn mount(mut self, mount: Mount) -> Self {
        self.mounts.push(mount);
        self
    }

    /// Adds a program that runs when the node starts, and again when it restarts.
    pub fn command(mut self, command: impl Into<StartCommand>) -> Self {
        self.commands.push(command.into());
        self
    }

    /// Returns the commands that run at the start.
    pub fn start_commands(&self) -> &[StartCommand] {
        &self.commands
    }

    /// Returns the commands that run at the start, to be changed.
    pub fn start_commands_mut(&mut self) -> &mut Vec<StartCommand> {
        &mut self.commands
    }

    network_methods!();

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl PodSpec {
    /// Returns the specification of a pod with this name, which will be the hostname of all its
    /// containers.
    pub fn new(name: impl Into<String>) -> Self {
        PodSpec {
            name: name.into(),
            ..PodSpec::default()
        }
    }

    /// Lets its containers see one another's processes.
    pub fn share_pid(mut self) -> Self {
        self.share_pid = true;
        self
    }

    network_methods!();

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl From<&str> for NodeSpec {
    fn from(name: &str) -> Self {
        NodeSpec::new(name)
    }
}

impl From<String> for NodeSpec {
    fn from(name: String) -> Self {
        NodeSpec::new(name)
    }
}

impl From<&str> for PodSpec {
    fn from(name: &str) -> Self {
        PodSpec::new(name)
    }
}

impl From<String> for PodSpec {
    fn from(name: String) -> Self {
        PodSpec::new(name)
    }
}
