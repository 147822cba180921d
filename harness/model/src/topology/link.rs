//! Specifications of links and switches.
//!
//! Addresses, subnets and MAC addresses may be given as text or as typed values. Texts are read
//! when the topology is validated, so that no call that builds a topology can fail.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use snowglobe_derive::{Deserialize, Serialize};

use crate::impair::{Asymmetric, Direction, Impairment};

/// The families of the automatic addresses on a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Families {
    /// IPv4 and IPv6.
    #[default]
    Both,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// No automatic addresses.
    None,
    /// IPv6 with link-local addresses alone, by which neighbours reach each other (RFC 4291,
    /// section 2.5.6). Names do not stand for these: they need an interface, as in `fe80::1%eth0`.
    LinkLocal,
}

impl Families {
    pub(crate) fn has_v4(self) -> bool {
        matches!(self, Families::Both | Families::V4)
    }

    pub(crate) fn has_v6(self) -> bool {
        matches!(self, Families::Both | Families::V6)
    }
}

/// The specification of a link, built by chained calls.
///
/// ```
/// use snowglobe_model::topology::{EndSpec, LinkSpec, Topology};
///
/// let mut topology = Topology::new();
/// let (alice, bob) = (topology.node("alice"), topology.node("bob"));
/// let jumbo = LinkSpec::new().mtu(9000).addresses("192.168.7.1/24", "192.168.7.2");
/// topology.link_with(alice, bob, jumbo);
/// let uplink = EndSpec::new().name("uplink").mac("02:00:00:00:00:01");
/// topology.link_with(alice, bob, LinkSpec::new().a(uplink));
/// topology.validate()?;
/// # Ok::<(), snowglobe_model::topology::TopologyError>(())
/// ```
///
/// An [`Impairment`] converts into a `LinkSpec` that has it in both directions. An [`Asymmetric`]
/// preset converts into the specification of a link whose first end is the subscriber, and whose
/// second end is the network from which the subscriber downloads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkSpec {
    pub(crate) name: Option<String>,
    pub(crate) mtu: Option<u32>,
    pub(crate) subnets: Vec<String>,
    pub(crate) families: Option<Families>,
    pub(crate) ends: [EndSpec; 2],
    /// The impairments, by [`Direction::index`].
    pub(crate) impairments: [Impairment; 2],
    pub(crate) engine: Engine,
    /// Whether the default route of the first end leads over the link.
    pub(crate) uplink: bool,
    /// The metric of default routes over the link.
    pub(crate) metric: Option<u32>,
    /// Length that the link adds to a path.
    pub(crate) cost: Option<u32>,
}

/// The engine that carries the packets of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// The library's choice. The kernel alone carries a link without an impairment. The kernel's
    /// netem carries one that netem can impair as asked. The userspace wire carries all others.
    #[default]
    Auto,
    /// The kernel's netem. Starting fails if the kernel has no netem, or netem cannot do all that
    /// is asked.
    Netem,
    /// The userspace wire: the same packets meet the same fate in every run, and packet rules need
    /// no change of carrier. The wire uses TAP devices if the machine has them, and packet sockets
    /// otherwise. Between two nodes, a link that is not impaired at the start gets packet sockets:
    /// until the first impairment, cut, rule or capture the kernel carries its packets past the
    /// wire, nearly as fast as those of a plain link.
    Wire,
    /// The userspace wire over TAP devices. Starting fails if the machine has none.
    Tap,
    /// The userspace wire over packet sockets.
    PacketSocket,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Auto => "any engine",
            Engine::Netem => "netem",
            Engine::Wire => "a userspace wire",
            Engine::Tap => "a userspace wire over TAP",
            Engine::PacketSocket => "a userspace wire over packet sockets",
        })
    }
}

impl LinkSpec {
    /// Returns the specification of a plain link.
    pub fn new() -> Self {
        LinkSpec::default()
    }

    /// Sets the name, for lookups and reports. Without one, a link is called after its ends:
    /// `alice–bob`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the MTU of both ends, in bytes: 68 to 65,535, and at least 1,280 where IPv6 is spoken.
    pub fn mtu(mut self, bytes: u32) -> Self {
        self.mtu = Some(bytes);
        self
    }

    /// Adds a subnet to take automatic addresses from, such as `192.168.7.0/24`. One of each family
    /// may be given.
    pub fn subnet(mut self, subnet: impl ToString) -> Self {
        self.subnets.push(subnet.to_string());
        self
    }

    /// Sets the families of automatic addresses here, instead of those of the topology.
    pub fn families(mut self, families: Families) -> Self {
        self.families = Some(families);
        self
    }

    /// Sets the impairment of both directions.
    ///
    /// In TOML a link has `preset = "lte"`, or `impair = { delay = "25ms", loss = "5%" }`, or
    /// `a_to_b` and `b_to_a`; and `engine = "wire"`.
    ///
    /// ```
    /// use snowglobe_model::impair::{Direction, Impairment, Percent, preset};
    /// use snowglobe_model::topology::{LinkSpec, Topology};
    ///
    /// let mut topology = Topology::new();
    /// let (phone, server) = (topology.node("phone"), topology.node("server"));
    /// topology.link_with(phone, server, preset::lte());
    /// let lossy = Impairment { loss: Percent(5.0), ..Impairment::NONE };
    /// let wifi = LinkSpec::from(preset::wifi()).impair_one_way(Direction::AToB, lossy);
    /// topology.link_with(phone, server, wifi);
    /// topology.validate()?;
    /// # Ok::<(), snowglobe_model::topology::TopologyError>(())
    /// ```
    pub fn impair(mut self, impairment: Impairment) -> Self {
        self.impairments = [impairment.clone(), impairment];
        self
    }

    /// Sets the impairment of one direction.
    pub fn impair_one_way(mut self, direction: Direction, impairment: Impairment) -> Self {
        self.impairments[direction.index()] = impairment;
        self
    }

    /// Sets the engine that carries the packets.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// Makes the link an uplink of its first end, whose default route leads over it.
    pub fn uplink(mut self) -> Self {
        self.uplink = true;
        self
    }

    /// Sets the metric of the default routes over the link. Of several default routes, a node uses
    /// the one with the lowest metric. Without a metric, the first has 100, the second 200, and so
    /// on.
    pub fn metric(mut self, metric: u32) -> Self {
        self.metric = Some(metric);
        self
    }

    /// Sets what the link adds to the length of a path; 1 by default. Routes lead along the
    /// shortest paths.
    pub fn cost(mut self, cost: u32) -> Self {
        self.cost = Some(cost);
        self
    }

    /// Sets the specification of the first end.
    pub fn a(mut self, end: EndSpec) -> Self {
        self.ends[0] = end;
        self
    }

    /// Sets the specification of the second end.
    pub fn b(mut self, end: EndSpec) -> Self {
        self.ends[1] = end;
        self
    }

    /// Adds an address at each end, as [`EndSpec::address`] does.
    pub fn addresses(mut self, a: impl ToString, b: impl ToString) -> Self {
        self.ends[0].addresses.push(a.to_string());
        self.ends[1].addresses.push(b.to_string());
        self
    }

    /// Sets the name of the interface at each end, as [`EndSpec::name`] does.
    pub fn names(mut self, a: impl Into<String>, b: impl Into<String>) -> Self {
        self.ends[0].name = Some(a.into());
        self.ends[1].name = Some(b.into());
        self
    }

    /// Returns whether the kernel alone carries the link: nothing is impaired, and no engine is
    /// asked for.
    pub(crate) fn is_plain(&self) -> bool {
        self.engine == Engine::Auto && self.impairments.iter().all(Impairment::is_none)
    }
}

impl From<Impairment> for LinkSpec {
    fn from(impairment: Impairment) -> Self {
        LinkSpec::new().impair(impairment)
    }
}

impl From<Asymmetric> for LinkSpec {
    fn from(access: Asymmetric) -> Self {
        LinkSpec {
            impairments: [access.up, access.down],
            ..LinkSpec::new()
        }
    }
}

/// The specification of an end of a link that is in a node: of its interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mac: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) addresses: Vec<String>,
}

impl EndSpec {
    /// Returns the specification of a plain interface.
    pub fn new() -> Self {
        EndSpec::default()
    }

    /// Sets the name of the interface. A name of up to 15 bytes replaces `eth0`, `eth1`, …. A
    /// longer one, of up to 127 bytes, is an alternative name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the MAC address: a [`Mac`], or text such as `02:00:00:00:00:01`.
    pub fn mac(mut self, mac: impl ToString) -> Self {
        self.mac = Some(mac.to_string());
        self
    }

    /// Adds an address, such as `10.9.0.1/24`, or `10.9.0.1` where the link or switch has a subnet.
    /// An interface with such an address gets no automatic one of the same family.
    pub fn address(mut self, address: impl ToString) -> Self {
        self.addresses.push(address.to_string());
        self
    }
}

/// The specification of a switch. A `&str` is a `SwitchSpec`.
///
/// ```
/// use snowglobe_model::topology::{SwitchSpec, Topology};
///
/// let mut topology = Topology::new();
/// let lan = topology.switch(SwitchSpec::new("lan").subnet("192.168.1.0/24"));
/// for name in ["alice", "bob", "carol"] {
///     let node = topology.node(name);
///     topology.plug(node, lan);
/// }
/// topology.validate()?;
/// # Ok::<(), snowglobe_model::topology::TopologyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchSpec {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mtu: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) subnets: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) families: Option<Families>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) snooping: Option<bool>,
}

impl SwitchSpec {
    /// Returns the specification of a switch with this name.
    pub fn new(name: impl Into<String>) -> Self {
        SwitchSpec {
            name: name.into(),
            ..SwitchSpec::default()
        }
    }

    /// Sets the MTU of the switch, in bytes, and of all links into it that have none of their own.
    pub fn mtu(mut self, bytes: u32) -> Self {
        self.mtu = Some(bytes);
        self
    }

    /// Adds a subnet to take automatic addresses from, such as `192.168.7.0/24`. One of each family
    /// may be given.
    pub fn subnet(mut self, subnet: impl ToString) -> Self {
        self.subnets.push(subnet.to_string());
        self
    }

    /// Sets the families of automatic addresses here, instead of those of the topology.
    pub fn families(mut self, families: Families) -> Self {
        self.families = Some(families);
        self
    }

    /// Sets whether the switch sends multicast frames only to ports behind which a node has joined
    /// the group (RFC 4541). The switch then asks the nodes by queries of IGMPv3 and MLDv2, and a
    /// node that joins a group is known when its report has arrived.
    ///
    /// A simple switch sends multicast frames to all ports, and so does this one by default. Above
    /// 250 ports, and above 100 ports with links that are impaired from the start, the default is
    /// to snoop, and the queries are of MLDv1: what nodes say about their groups when they start
    /// would keep such a network busy for seconds.
    ///
    /// ```
    /// use snowglobe_model::topology::{SwitchSpec, Topology};
    ///
    /// let mut topology = Topology::new();
    /// let studio = topology.switch(SwitchSpec::new("studio").snooping(true));
    /// ```
    pub fn snooping(mut self, yes: bool) -> Self {
        self.snooping = Some(yes);
        self
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl From<&str> for SwitchSpec {
    fn from(name: &str) -> Self {
        SwitchSpec::new(name)
    }
}

impl From<String> for SwitchSpec {
    fn from(name: String) -> Self {
        SwitchSpec::new(name)
    }
}

/// An Ethernet address.
///
/// ```
/// use snowglobe_model::topology::Mac;
///
/// let mac: Mac = "02:00:5e:10:00:01".parse()?;
/// assert_eq!(mac, Mac([2, 0, 0x5e, 0x10, 0, 1]));
/// # Ok::<(), snowglobe_model::topology::MacError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// The reason why a text is no [`Mac`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MacError {
    /// The text is not written as a MAC address is.
    Malformed(String),
    /// The text has the address of a group of interfaces, or that of no interface.
    Group(String),
}

impl fmt::Display for MacError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(text) => write!(
                f,
                "`{}` is not a MAC address; write it like `02:00:00:00:00:01`",
                text.escape_debug()
            ),
            Self::Group(text) => write!(
                f,
                "`{text}` is not the address of one interface; its first byte must be even, like `02`"
            ),
        }
    }
}

impl Error for MacError {}

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let bad = || MacError::Malformed(text.to_owned());
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts
                .next()
                .filter(|part| part.len() == 2)
                .ok_or_else(bad)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| bad())?;
        }
        if parts.next().is_some() || text.contains('+') {
            return Err(bad());
        }
        if bytes[0] & 1 == 1 || bytes == [0; 6] {
            return Err(MacError::Group(text.to_owned()));
        }
        Ok(Mac(bytes))
    }
}
