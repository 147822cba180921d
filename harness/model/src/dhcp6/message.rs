//! Messages of DHCPv6, as values (RFC 8415, sections 7 and 21).

use std::net::{IpAddr, Ipv6Addr};

use crate::packet::ip::IpVersion;
use crate::topology::Subnet;

/// The UDP port of clients.
pub const CLIENT_PORT: u16 = 546;
/// The UDP port of servers.
pub const SERVER_PORT: u16 = 547;
/// The group of all servers and relays on a link, to which clients send.
pub const ALL_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

/// The kind of a message (section 7.3). Relays are not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dhcp6Kind {
    /// A client looks for servers.
    Solicit,
    /// A server offers.
    Advertise,
    /// A client asks for what was offered.
    Request,
    /// A client asks whether its addresses fit the link.
    Confirm,
    /// A client asks its server for more time.
    Renew,
    /// A client asks any server for more time.
    Rebind,
    /// A server answers.
    Reply,
    /// A client gives back what it has.
    Release,
    /// A client has found that another has an address.
    Decline,
    /// A server tells a client to ask anew.
    Reconfigure,
    /// A client wants to know the rest.
    InformationRequest,
}

impl Dhcp6Kind {
    const ALL: [Self; 11] = [
        Self::Solicit,
        Self::Advertise,
        Self::Request,
        Self::Confirm,
        Self::Renew,
        Self::Rebind,
        Self::Reply,
        Self::Release,
        Self::Decline,
        Self::Reconfigure,
        Self::InformationRequest,
    ];

    /// Returns the number on the wire.
    pub fn number(self) -> u8 {
        // The numbers go from 1 in this order.
        self as u8 + 1
    }

    pub(super) fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }
}

/// A code that says what became of a request (section 21.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dhcp6Status {
    /// All is well.
    Success,
    /// The request failed, for a reason without a code.
    UnspecFail,
    /// The server has no address to give.
    NoAddrsAvail,
    /// The server knows of no such lease.
    NoBinding,
    /// The addresses are of another link.
    NotOnLink,
    /// The client is to ask by the group, and not the server alone.
    UseMulticast,
    /// The server has no prefix to delegate.
    NoPrefixAvail,
    /// A code of another standard.
    Other(u16),
}

impl Dhcp6Status {
    const ALL: [Self; 7] = [
        Self::Success,
        Self::UnspecFail,
        Self::NoAddrsAvail,
        Self::NoBinding,
        Self::NotOnLink,
        Self::UseMulticast,
        Self::NoPrefixAvail,
    ];

    pub(super) fn number(self) -> u16 {
        let known = Self::ALL.iter().position(|it| *it == self);
        match (self, known) {
            (Self::Other(number), _) => number,
            (_, known) => known.unwrap_or_default() as u16,
        }
    }

    pub(super) fn of(number: u16) -> Self {
        let known = Self::ALL.get(usize::from(number)).copied();
        known.unwrap_or(Self::Other(number))
    }
}

/// Kind of thing that a client asks for: addresses of their own, or prefixes for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AssociationKind {
    /// Addresses (IA_NA, section 21.4).
    Addresses,
    /// Prefixes (IA_PD, section 21.21).
    Prefixes,
}

/// An identity association: what a client has or asks for under one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Association {
    /// The kind.
    pub kind: AssociationKind,
    /// The number that the client has given it (IAID).
    pub id: u32,
    /// Seconds until the client asks its server for more time, and until it asks any server (T1 and
    /// T2); 0 where the client decides.
    pub times: [u32; 2],
    /// The addresses or prefixes.
    pub leased: Vec<LeasedRange>,
    /// Result of the request; success if there is no code.
    pub status: Option<Dhcp6Status>,
}

/// An address, as a prefix with all bits, or a prefix, for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeasedRange {
    /// The address or prefix.
    pub range: Subnet,
    /// Seconds for which it is preferred.
    pub preferred: u32,
    /// Seconds for which it is valid.
    pub valid: u32,
}

impl Association {
    /// Returns an association without content.
    pub fn new(kind: AssociationKind, id: u32) -> Self {
        Self {
            kind,
            id,
            times: [0; 2],
            leased: Vec::new(),
            status: None,
        }
    }
}

/// A message between a client and a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dhcp6Message {
    /// The kind.
    pub kind: Dhcp6Kind,
    /// The number by which a client knows the answers to its question, of 24 bits.
    pub xid: u32,
    /// The name of the client (DUID).
    pub client: Option<Vec<u8>>,
    /// The name of the server (DUID).
    pub server: Option<Vec<u8>>,
    /// The associations.
    pub associations: Vec<Association>,
    /// The numbers under which a client asks for temporary addresses (IA_TA, section 21.5).
    pub temporary: Vec<u32>,
    /// The code that says what became of the message as a whole.
    pub status: Option<Dhcp6Status>,
    /// Whether two messages are to do instead of four.
    pub rapid_commit: bool,
    /// Hundredths of seconds since the client began.
    pub elapsed: Option<u16>,
    /// The numbers of the options that the client wants to know.
    pub wanted: Vec<u16>,
    /// The name servers (RFC 3646).
    pub dns: Vec<Ipv6Addr>,
    /// The domains to search (RFC 3646).
    pub domains: Vec<String>,
}

impl Dhcp6Message {
    /// Returns a message without content.
    pub fn new(kind: Dhcp6Kind, xid: u32) -> Self {
        Self {
            kind,
            xid,
            client: None,
            server: None,
            associations: Vec::new(),
            temporary: Vec::new(),
            status: None,
            rapid_commit: false,
            elapsed: None,
            wanted: Vec::new(),
            dns: Vec::new(),
            domains: Vec::new(),
        }
    }
}

/// Returns the name of a host that it has by a MAC address (DUID-LL, section 11.4).
pub fn duid(mac: [u8; 6]) -> Vec<u8> {
    [&[0, 3, 0, 1], &mac[..]].concat()
}

/// Returns an address as a range.
pub fn single(address: Ipv6Addr) -> Subnet {
    Subnet::from_bits(IpVersion::V6, address.to_bits(), 128)
}

/// Returns the first address of a range of IPv6.
pub fn first(range: Subnet) -> Ipv6Addr {
    match range.network() {
        IpAddr::V6(address) => address,
        // No range of a message is of IPv4.
        IpAddr::V4(address) => address.to_ipv6_mapped(),
    }
}
