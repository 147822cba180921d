//! What is asked of links and switches.
//!
//! Addresses, subnets and MACs may be given as text or as typed values; they are read, and complained about with the name of
//! the place, when the topology is validated. So no call that builds a topology can fail.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::impair::{Asymmetric, Direction, Impairment};

/// The address families that a segment gets addresses of.
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
    /// No address but those given by hand.
    None,
}

impl Families {
    pub(crate) fn has_v4(self) -> bool {
        matches!(self, Families::Both | Families::V4)
    }

    pub(crate) fn has_v6(self) -> bool {
        matches!(self, Families::Both | Families::V6)
    }
}

/// What is asked of a link, built by chained calls.
///
/// ```
/// use snowglobe_model::topology::{EndSpec, LinkSpec, Topology};
///
/// let mut topology = Topology::new();
/// let (alice, bob) = (topology.node("alice"), topology.node("bob"));
/// topology.link_with(alice, bob, LinkSpec::new().mtu(9000).addresses("192.168.7.1/24", "192.168.7.2"));
/// topology.link_with(alice, bob, LinkSpec::new().a(EndSpec::new().name("uplink").mac("02:00:00:00:00:01")));
/// topology.validate()?;
/// # Ok::<(), snowglobe_model::topology::TopologyError>(())
/// ```
///
/// An [`Impairment`] is a `LinkSpec` that asks for it in both directions; an [`Asymmetric`] preset is one for a link whose first end has
/// the access, so that it downloads from the second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkSpec {
    pub(crate) name: Option<String>,
    pub(crate) mtu: Option<u32>,
    pub(crate) subnets: Vec<String>,
    pub(crate) families: Option<Families>,
    pub(crate) ends: [EndSpec; 2],
    /// By [`Direction::index`].
    pub(crate) impairments: [Impairment; 2],
    pub(crate) engine: Engine,
}

/// Who carries the packets of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// The kernel alone for a link without an impairment; its netem where it has that and it can do all that is asked of the
    /// link; else the userspace wire.
    #[default]
    Auto,
    /// The kernel's netem. An error where the kernel has none, or it cannot do all that is asked.
    Netem,
    /// The userspace wire: the same fate for the same packets in every run, and packet rules without a change of carrier. Over TAP
    /// devices where they can be had, else over packet sockets.
    Wire,
    /// The userspace wire over TAP devices. An error where there are none.
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
    /// A link about which nothing special is asked.
    pub fn new() -> Self {
        LinkSpec::default()
    }

    /// A name to find it by and to see in reports; without one it is called after its ends, `alice–bob`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The largest packet, in bytes, for both ends: 68 to 65,535, and at least 1,280 where IPv6 is spoken.
    pub fn mtu(mut self, bytes: u32) -> Self {
        self.mtu = Some(bytes);
        self
    }

    /// A subnet to take addresses from, such as `192.168.7.0/24`; one of each family may be given.
    pub fn subnet(mut self, subnet: impl ToString) -> Self {
        self.subnets.push(subnet.to_string());
        self
    }

    /// Which families get addresses here, where that is not the topology's choice.
    pub fn families(mut self, families: Families) -> Self {
        self.families = Some(families);
        self
    }

    /// What it does to packets, in both directions.
    ///
    /// In TOML a link has `preset = "lte"`, or `impair = { delay = "25ms", loss = "5%" }`, or `a_to_b` and `b_to_a`; and `engine = "wire"`.
    ///
    /// ```
    /// use snowglobe_model::impair::{Direction, Impairment, Percent, preset};
    /// use snowglobe_model::topology::{LinkSpec, Topology};
    ///
    /// let mut topology = Topology::new();
    /// let (phone, server) = (topology.node("phone"), topology.node("server"));
    /// topology.link_with(phone, server, preset::lte());
    /// let lossy = Impairment { loss: Percent(5.0), ..Impairment::NONE };
    /// topology.link_with(phone, server, LinkSpec::from(preset::wifi()).impair_one_way(Direction::AToB, lossy));
    /// topology.validate()?;
    /// # Ok::<(), snowglobe_model::topology::TopologyError>(())
    /// ```
    pub fn impair(mut self, impairment: Impairment) -> Self {
        self.impairments = [impairment.clone(), impairment];
        self
    }

    /// What it does to packets in one direction.
    pub fn impair_one_way(mut self, direction: Direction, impairment: Impairment) -> Self {
        self.impairments[direction.index()] = impairment;
        self
    }

    /// Who carries its packets, where that is not the library's choice.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// What is asked of the first end.
    pub fn a(mut self, end: EndSpec) -> Self {
        self.ends[0] = end;
        self
    }

    /// What is asked of the second end.
    pub fn b(mut self, end: EndSpec) -> Self {
        self.ends[1] = end;
        self
    }

    /// An address for each end, as [`EndSpec::address`].
    pub fn addresses(mut self, a: impl ToString, b: impl ToString) -> Self {
        self.ends[0].addresses.push(a.to_string());
        self.ends[1].addresses.push(b.to_string());
        self
    }

    /// A name for the interface at each end, as [`EndSpec::name`].
    pub fn names(mut self, a: impl Into<String>, b: impl Into<String>) -> Self {
        self.ends[0].name = Some(a.into());
        self.ends[1].name = Some(b.into());
        self
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

/// What is asked of an end of a link that is in a node: its interface.
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
    /// An interface about which nothing special is asked.
    pub fn new() -> Self {
        EndSpec::default()
    }

    /// A name for the interface. One of up to 15 bytes takes the place of `eth0`, `eth1`, …; a longer one, up to 127, is an
    /// alternative name beside it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A MAC address: a [`Mac`], or text such as `02:00:00:00:00:01`.
    pub fn mac(mut self, mac: impl ToString) -> Self {
        self.mac = Some(mac.to_string());
        self
    }

    /// An address, such as `10.9.0.1/24`, or `10.9.0.1` where the link or switch has a subnet. An interface with an address of
    /// a family gets no automatic one of that family.
    pub fn address(mut self, address: impl ToString) -> Self {
        self.addresses.push(address.to_string());
        self
    }
}

/// What is asked of a switch. A `&str` is a `SwitchSpec`.
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
}

impl SwitchSpec {
    /// A switch of this name.
    pub fn new(name: impl Into<String>) -> Self {
        SwitchSpec {
            name: name.into(),
            ..SwitchSpec::default()
        }
    }

    /// The largest packet, in bytes, for the switch and all that is plugged into it without an MTU of its own.
    pub fn mtu(mut self, bytes: u32) -> Self {
        self.mtu = Some(bytes);
        self
    }

    /// A subnet to take addresses from, such as `192.168.1.0/24`; one of each family may be given.
    pub fn subnet(mut self, subnet: impl ToString) -> Self {
        self.subnets.push(subnet.to_string());
        self
    }

    /// Which families get addresses here, where that is not the topology's choice.
    pub fn families(mut self, families: Families) -> Self {
        self.families = Some(families);
        self
    }

    /// Its name.
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
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "`{}` is not a MAC address; write it like `02:00:00:00:00:01`",
                text.escape_debug()
            )
        };
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
            return Err(format!(
                "`{text}` is not the address of one interface; its first byte must be even, like `02`"
            ));
        }
        Ok(Mac(bytes))
    }
}
