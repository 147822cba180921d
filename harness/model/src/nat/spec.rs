//! The behaviours of a NAT as one value.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use snowglobe_derive::{Deserialize, Serialize};

use super::engines::NatEngine;
use super::packet::NatProtocol;
use crate::impair::text::serde_duration;

/// Part of the remote end on which a mapping, or a filter, depends beside the address and port
/// inside (RFC 4787, sections 4.1 and 5).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Dependence {
    /// Nothing else: one mapping for all remote hosts; packets of any remote host are let in.
    #[default]
    EndpointIndependent,
    /// The remote address.
    AddressDependent,
    /// The remote address and port.
    AddressAndPortDependent,
}

/// The part of a remote address and port that counts where none does.
pub(super) const NOBODY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);

impl Dependence {
    /// All three, from the least to the most dependent.
    pub const ALL: [Dependence; 3] = [
        Dependence::EndpointIndependent,
        Dependence::AddressDependent,
        Dependence::AddressAndPortDependent,
    ];

    /// Returns the part of a remote address and port that counts; what does not count is zero.
    pub(super) fn part_of(self, remote: SocketAddrV4) -> SocketAddrV4 {
        match self {
            Dependence::EndpointIndependent => NOBODY,
            Dependence::AddressDependent => SocketAddrV4::new(*remote.ip(), 0),
            Dependence::AddressAndPortDependent => remote,
        }
    }
}

/// Way in which the external port of a new mapping is chosen (RFC 4787, section 4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortAssignment {
    /// The port inside, unless another mapping has it; then a random free one.
    #[default]
    Preserving,
    /// The port inside, which mappings share as long as their remote hosts tell them apart (RFC
    /// 4787 calls it port overloading). Linux does this.
    Overloading,
    /// The one after the last port that was given out.
    Sequential,
    /// A random free port, of the seed of the NAT.
    Random,
    /// Ports in blocks: each address inside has blocks of its own (RFC 7857, section 4, and RFC
    /// 6888, REQ-14: a carrier-grade NAT logs blocks instead of mappings).
    Blocks {
        /// Number of ports of a block, a power of two.
        size: u16,
        /// Most blocks of one address inside.
        per_subscriber: u16,
    },
}

/// Treatment of a packet for whose mapping no port is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exhausted {
    /// The packet is dropped, and its sender hears nothing.
    #[default]
    Drop,
    /// The packet is dropped, and its sender gets ICMP "administratively prohibited" (type 3, code
    /// 13), as RFC 6888, REQ-8 allows.
    IcmpError,
    /// The mapping that would have expired first makes room.
    EvictOldest,
}

/// Treatment of packets from inside to one of its own external addresses (RFC 4787, section 6).
///
/// Hairpinning works at all external addresses: that of the uplink, those of the pool, and one that
/// the NAT was rebound to. A packet to the address of the uplink for which there is no mapping
/// reaches the router itself, unless hairpinning is [`Off`](Hairpinning::Off). nftables hairpins
/// only forwarded ports and ports that a host has asked for. Where a host refuses a datagram that
/// came back, the sender gets the ICMP error (RFC 5508, REQ-7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hairpinning {
    /// The packet comes back with the external address and port as its source (REQ-9a).
    #[default]
    ExternalSource,
    /// The packet comes back with the source that it had. Some old routers do this; a host then
    /// gets answers from an address that it has not asked.
    InternalSource,
    /// The router itself gets the packet: a service of the router may answer, or its kernel
    /// refuses. Linux and pf, which translate at the uplink alone, do this.
    ToRouter,
    /// The packet is dropped silently, whatever the router itself serves there: hosts inside reach
    /// the router by its address inside.
    Off,
}

impl Hairpinning {
    /// Returns whether packets from inside to a mapping come back inside.
    pub fn is_on(self) -> bool {
        match self {
            Hairpinning::ExternalSource | Hairpinning::InternalSource => true,
            Hairpinning::ToRouter | Hairpinning::Off => false,
        }
    }
}

/// Choice of the external address of a new mapping, where there are several (RFC 4787, REQ-2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// All mappings of one address inside have the same external address.
    #[default]
    Paired,
    /// Any address.
    Arbitrary,
}

/// Treatment of a TCP segment from inside that opens no connection and belongs to none: its mapping
/// has expired, or was flushed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownFlow {
    /// The segment is dropped silently.
    #[default]
    Drop,
    /// The segment is dropped, and its sender gets a RST.
    Reset,
    /// The segment makes a mapping as a SYN would. Linux does this
    /// (`net.netfilter.nf_conntrack_tcp_loose`).
    Adopt,
}

/// Treatment of a packet from outside that belongs to no mapping, or that a filter refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsolicited {
    /// The packet is dropped silently, a ping as well.
    #[default]
    Drop,
    /// The packet is dropped; TCP gets a RST, UDP an ICMP "port unreachable". Two hosts that open
    /// a TCP connection at the same time fail by this (RFC 5382, section 4.3).
    Reject,
    /// The router itself gets the packet, if no mapping has the address and port: a service of the
    /// router may answer, or its kernel refuses.
    ToRouter,
    /// This host inside gets the packet, at the port that the packet is for, if no mapping has the
    /// address and port: an exposed host ("DMZ host"). A ping asks the router. See
    /// [`NatSpec::one_to_one`].
    ToHost(Ipv4Addr),
}

/// An external port that always leads to an address and port inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortForward {
    /// The protocol: UDP or TCP.
    pub protocol: NatProtocol,
    /// The port outside, at the first external address.
    pub port: u16,
    /// The address and port inside. The address is one of a network behind the router; whether a
    /// host has it is not checked, since a host may get it later: by DHCP, by VRRP, or by joining.
    pub to: SocketAddrV4,
}

/// The behaviours of a NAT of IPv4, each a field of its own.
///
/// The default is what RFC 4787 and its successors ask for: endpoint-independent mapping and
/// filtering, ports preserved, hairpinning, the RFCs' timeouts. [`preset`](super::preset) has the
/// behaviours of routers as they have been observed.
///
/// ```
/// use snowglobe_model::nat::{Dependence, NatSpec, PortAssignment};
///
/// let nat = NatSpec {
///     mapping: Dependence::EndpointIndependent,
///     filtering: Dependence::AddressDependent,
///     ports: PortAssignment::Random,
///     ..NatSpec::default()
/// };
/// nat.validate()?;
/// # Ok::<(), snowglobe_model::nat::NatProblem>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatSpec {
    /// The mechanism that carries the NAT.
    #[serde(skip_serializing_if = "NatEngine::is_auto")]
    pub engine: NatEngine,
    /// The remote part on which a mapping depends.
    pub mapping: Dependence,
    /// The remote hosts from which a mapping lets packets in.
    pub filtering: Dependence,
    /// The remote part on which a mapping of TCP depends, where TCP differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_mapping: Option<Dependence>,
    /// From whom a mapping of TCP lets connections in, where TCP differs: a *full cone* of TCP is
    /// endpoint-independent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_filtering: Option<Dependence>,
    /// The way in which external ports are chosen.
    pub ports: PortAssignment,
    /// Whether an even port gets an even one, and an odd port an odd one (RFC 4787, REQ-4).
    pub parity: bool,
    /// First and last external port.
    pub port_range: [u16; 2],
    /// External addresses beside that of the uplink, in its subnet. The NAT answers ARP for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pool: Vec<Ipv4Addr>,
    /// The choice of an external address where there are several.
    pub pooling: Pooling,
    /// The fate of packets when no port is left.
    pub exhausted: Exhausted,
    /// The fate of packets from inside to an external address.
    pub hairpinning: Hairpinning,
    /// Times after which mappings expire.
    pub timeouts: NatTimeouts,
    /// Whether packets from outside keep a mapping of UDP alive, too (RFC 4787, REQ-6).
    pub inbound_refresh: bool,
    /// The fate of TCP segments from inside without a mapping.
    pub unknown_flow: UnknownFlow,
    /// The fate of packets from outside without a mapping.
    pub unsolicited: Unsolicited,
    /// Whether ICMP errors about packets of a mapping pass, with the packet in them translated
    /// (RFC 5508).
    pub icmp_errors: bool,
    /// External ports that lead inside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forwards: Vec<PortForward>,
}

impl Default for NatSpec {
    fn default() -> Self {
        NatSpec {
            engine: NatEngine::Auto,
            mapping: Dependence::EndpointIndependent,
            filtering: Dependence::EndpointIndependent,
            tcp_mapping: None,
            tcp_filtering: None,
            ports: PortAssignment::Preserving,
            parity: false,
            // RFC 4787, REQ-3a keeps the well-known ports for the NAT's own services.
            port_range: [1024, u16::MAX],
            pool: Vec::new(),
            pooling: Pooling::Paired,
            exhausted: Exhausted::Drop,
            hairpinning: Hairpinning::ExternalSource,
            timeouts: NatTimeouts::default(),
            inbound_refresh: true,
            unknown_flow: UnknownFlow::Drop,
            unsolicited: Unsolicited::Drop,
            icmp_errors: true,
            forwards: Vec::new(),
        }
    }
}

impl NatSpec {
    /// Returns the default with this mapping and this filtering.
    pub fn new(mapping: Dependence, filtering: Dependence) -> NatSpec {
        NatSpec {
            mapping,
            filtering,
            ..NatSpec::default()
        }
    }

    /// Returns the NAT of a host that is reached at all ports of an external address, as machines
    /// in a cloud are: one to one. Other hosts behind the router get other ports. What a firewall
    /// of the router keeps out does not reach the host, unlike with forwarded ports.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use snowglobe_model::nat::NatSpec;
    ///
    /// let nat = NatSpec::one_to_one(Ipv4Addr::new(172, 31, 0, 10));
    /// nat.validate()?;
    /// # Ok::<(), snowglobe_model::nat::NatProblem>(())
    /// ```
    pub fn one_to_one(host: Ipv4Addr) -> NatSpec {
        NatSpec {
            // The host keeps its ports, the well-known ones among them.
            port_range: [1, u16::MAX],
            unsolicited: Unsolicited::ToHost(host),
            ..NatSpec::default()
        }
    }

    /// Adds an external port that leads inside.
    #[must_use]
    pub fn forward(mut self, protocol: NatProtocol, port: u16, to: SocketAddrV4) -> NatSpec {
        self.forwards.push(PortForward { protocol, port, to });
        self
    }

    /// Returns what mappings of a protocol depend on.
    pub(super) fn mapping_of(&self, protocol: NatProtocol) -> Dependence {
        match protocol {
            NatProtocol::Tcp => self.tcp_mapping.unwrap_or(self.mapping),
            // RFC 5508, REQ-1: a mapping of queries is endpoint-independent. The NATs that are
            // symmetric for UDP are seldom so for ICMP, and nothing depends on it.
            NatProtocol::Icmp => Dependence::EndpointIndependent,
            NatProtocol::Udp => self.mapping,
        }
    }

    /// Returns from whom mappings of a protocol let packets in.
    pub(super) fn filtering_of(&self, protocol: NatProtocol) -> Dependence {
        match protocol {
            NatProtocol::Tcp => self.tcp_filtering.unwrap_or(self.filtering),
            NatProtocol::Udp | NatProtocol::Icmp => self.filtering,
        }
    }

    /// Returns whether packets come in that a firewall which knows connections takes for unasked
    /// ones: those of hosts or ports to which nothing was sent, and those of hosts inside that come
    /// back with their own source.
    pub fn lets_strangers_in(&self) -> bool {
        let strict =
            |it: &NatProtocol| self.filtering_of(*it) == Dependence::AddressAndPortDependent;
        self.hairpinning == Hairpinning::InternalSource
            || self.exposed_host().is_some()
            || !NatProtocol::ALL.iter().all(strict)
    }

    /// Returns the host inside that gets what nobody asked for.
    pub fn exposed_host(&self) -> Option<Ipv4Addr> {
        match self.unsolicited {
            Unsolicited::ToHost(host) => Some(host),
            Unsolicited::Drop | Unsolicited::Reject | Unsolicited::ToRouter => None,
        }
    }

    /// Returns the external addresses of an uplink: its own, and those of the pool.
    pub(super) fn external_addresses(&self, uplink: &[Ipv4Addr]) -> Vec<Ipv4Addr> {
        let further = self.pool.iter().filter(|it| !uplink.contains(it));
        uplink.iter().chain(further).copied().collect()
    }

    /// Returns whether mappings share external ports.
    pub(super) fn shares_ports(&self) -> bool {
        self.ports == PortAssignment::Overloading
    }
}

/// Times without a packet after which a mapping expires. The defaults are those of the RFCs; many
/// routers have shorter ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatTimeouts {
    /// UDP: 5 minutes by RFC 4787, REQ-5, and not under 2.
    #[serde(with = "serde_duration")]
    pub udp: Duration,
    /// TCP connections that are being opened or closed: 4 minutes by RFC 5382, REQ-5.
    #[serde(with = "serde_duration")]
    pub tcp_transitory: Duration,
    /// TCP connections that are open: 2 hours and 4 minutes by RFC 5382, REQ-5.
    #[serde(with = "serde_duration")]
    pub tcp_established: Duration,
    /// ICMP queries: 60 seconds by RFC 5508, REQ-2.
    #[serde(with = "serde_duration")]
    pub icmp: Duration,
}

impl Default for NatTimeouts {
    fn default() -> Self {
        NatTimeouts {
            udp: Duration::from_secs(300),
            tcp_transitory: Duration::from_secs(240),
            tcp_established: Duration::from_secs(7440),
            icmp: Duration::from_secs(60),
        }
    }
}

impl NatTimeouts {
    /// Returns the time for a protocol in nanoseconds; `established` counts for TCP only.
    pub(super) fn nanoseconds(&self, protocol: NatProtocol, established: bool) -> u64 {
        let time = match (protocol, established) {
            (NatProtocol::Udp, _) => self.udp,
            (NatProtocol::Icmp, _) => self.icmp,
            (NatProtocol::Tcp, false) => self.tcp_transitory,
            (NatProtocol::Tcp, true) => self.tcp_established,
        };
        u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
    }
}
