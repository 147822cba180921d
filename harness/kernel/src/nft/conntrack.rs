//! Connections that the kernel tracks, and with them the mappings of its NAT (ctnetlink,
//! `linux/netfilter/nfnetlink_conntrack.h`).
//!
//! A flow has two tuples: the packets of the side that began, and those that answer. Where the
//! kernel translates, the second is not the first one turned round.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use crate::netlink::connection::Question;
use crate::netlink::encoding::{self, Attributes, NLM_F_CREATE, NLM_F_EXCL};
use crate::netlink::{Netlink, NetlinkError};

/// The packets of one direction of a flow. An identifier of ICMP is in the place of both ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowTuple {
    /// The source.
    pub source: SocketAddrV4,
    /// The destination.
    pub destination: SocketAddrV4,
}

/// A flow of IPv4 that the kernel tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackedFlow {
    /// The number of the transport protocol.
    pub protocol: u8,
    /// The packets of the side that began, as they come to the router.
    pub original: FlowTuple,
    /// The packets that answer, as they come to the router.
    pub reply: FlowTuple,
    /// The time until the kernel forgets the flow, if no packet comes.
    pub left: Duration,
    status: u32,
    /// Type and code of an ICMP query.
    icmp: Option<[u8; 2]>,
}

/// Types of messages, below the subsystem in the upper byte.
const NEW: u16 = 0;
const GET: u16 = 1;
const DELETE: u16 = 2;

const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_STATUS: u16 = 3;
const CTA_NAT_SRC: u16 = 6;
const CTA_TIMEOUT: u16 = 7;
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_SRC_PORT: u16 = 2;
const CTA_PROTO_DST_PORT: u16 = 3;
const CTA_PROTO_ICMP_ID: u16 = 4;
const CTA_PROTO_ICMP_TYPE: u16 = 5;
const CTA_PROTO_ICMP_CODE: u16 = 6;
const CTA_NAT_V4_MINIP: u16 = 1;
const NESTED: u16 = 1 << 15;

/// States of a flow (`linux/netfilter/nf_conntrack_common.h`).
const CONFIRMED: u32 = 1 << 3;
const SRC_NAT: u32 = 1 << 4;
const DST_NAT: u32 = 1 << 5;
/// Packets do not put off the end of the flow.
const FIXED_TIMEOUT: u32 = 1 << 10;

const SUBJECT: &str = "the network namespace";

impl TrackedFlow {
    /// Returns whether the kernel translates the source of the flow.
    pub fn source_is_translated(&self) -> bool {
        self.status & SRC_NAT != 0
    }

    /// Returns whether the kernel translates the destination of the flow.
    pub fn destination_is_translated(&self) -> bool {
        self.status & DST_NAT != 0
    }
}

/// Returns the flows of IPv4 that a network namespace tracks.
///
/// # Errors
/// The kernel has no ctnetlink, or refused the list.
pub fn tracked_flows(netns: BorrowedFd<'_>) -> Result<Vec<TrackedFlow>, NetlinkError> {
    let mut netlink = open(netns)?;
    let operation = "list the connections of";
    netlink.dump(operation, kind(GET), &header(), |message| {
        flow(message.payload.get(HEADER..)?)
    })
}

/// Returns the flow to which packets of a transport protocol belong, whichever side sends the
/// packets. Packets of ICMP are echoes of type `icmp`, with the identifier as the source port.
///
/// The kernel finds a flow by its hash, so the search does not slow down with the number of flows.
///
/// # Errors
/// The kernel has no ctnetlink, or refused.
pub fn find_flow(
    netns: BorrowedFd<'_>,
    protocol: u8,
    packets: &FlowTuple,
    icmp: Option<u8>,
) -> Result<Option<TrackedFlow>, NetlinkError> {
    // Both tuples of a flow are in the same table of hashes, so this attribute stands for either
    // (nf_conntrack_netlink.c, ctnetlink_get_conntrack).
    let tuple = tuple(packets, protocol, icmp.map(|kind| [kind, 0]));
    let attributes = Attributes::new().nest(CTA_TUPLE_ORIG | NESTED, tuple);
    let payload = [header(), attributes.0].concat();
    let question = Question {
        operation: "find a connection of",
        subject: SUBJECT,
        kind: kind(GET),
        flags: 0,
        payload: &payload,
    };
    let read = |message: &encoding::Message<'_>| flow(message.payload.get(HEADER..)?);
    match open(netns)?.get(&question, read) {
        Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(None),
        found => found,
    }
}

/// Makes a network namespace forget all flows of IPv4.
///
/// # Errors
/// The kernel has no ctnetlink, or refused.
pub fn forget_all_flows(netns: BorrowedFd<'_>) -> Result<(), NetlinkError> {
    let mut question = header();
    // The kernel heeds the family of such a message in version 1 alone (nf_conntrack_netlink.c,
    // ctnetlink_del_conntrack).
    question[1] = 1;
    request(netns, "forget the connections of", DELETE, 0, &question)
}

/// Makes a network namespace forget a flow. One that is gone is no error.
///
/// # Errors
/// The kernel has no ctnetlink, or refused.
pub fn forget_flow(netns: BorrowedFd<'_>, flow: &TrackedFlow) -> Result<(), NetlinkError> {
    let question = [header(), original(flow).0].concat();
    match request(netns, "forget a connection of", DELETE, 0, &question) {
        // A flow may end by itself between the list and this request.
        Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(()),
        done => done,
    }
}

/// Keeps a flow for exactly this time, whatever packets come.
///
/// # Errors
/// The flow is gone, or the kernel refused.
pub fn hold_flow(
    netns: BorrowedFd<'_>,
    flow: &TrackedFlow,
    time: Duration,
) -> Result<(), NetlinkError> {
    // The kernel refuses a state in which something is missing that the flow has
    // (nf_conntrack_core.c, nf_ct_change_status_common).
    let status = flow.status | FIXED_TIMEOUT;
    let attributes = original(flow)
        .with(CTA_STATUS, &status.to_be_bytes())
        .with(CTA_TIMEOUT, &seconds(time).to_be_bytes());
    let question = [header(), attributes.0].concat();
    request(netns, "keep a connection of", NEW, 0, &question)
}

/// Makes a flow of UDP or TCP that no packet has begun yet, for exactly this time. Its source
/// becomes `outside`, and keeps its port if that is free.
///
/// # Errors
/// There is such a flow, or the kernel refused.
pub fn begin_flow(
    netns: BorrowedFd<'_>,
    protocol: u8,
    [inside, remote]: [SocketAddrV4; 2],
    outside: Ipv4Addr,
    time: Duration,
) -> Result<(), NetlinkError> {
    let back = FlowTuple {
        source: remote,
        destination: inside,
    };
    let forth = FlowTuple {
        source: inside,
        destination: remote,
    };
    // Without a range of ports, the kernel keeps the port inside if the flow is told apart by it
    // (nf_nat_core.c, get_unique_tuple).
    let nat = Attributes::new().with(CTA_NAT_V4_MINIP, &outside.octets());
    // The kernel has confirmed the flow by then, and refuses a state that takes that back with
    // EBUSY (net/netfilter/nf_conntrack_core.c, nf_ct_change_status_common).
    let status = CONFIRMED | FIXED_TIMEOUT;
    let attributes = Attributes::new()
        .nest(CTA_TUPLE_ORIG | NESTED, tuple(&forth, protocol, None))
        .nest(CTA_TUPLE_REPLY | NESTED, tuple(&back, protocol, None))
        .with(CTA_STATUS, &status.to_be_bytes())
        .with(CTA_TIMEOUT, &seconds(time).to_be_bytes())
        .nest(CTA_NAT_SRC | NESTED, nat);
    let question = [header(), attributes.0].concat();
    // A flow that a packet has begun meanwhile has another port, perhaps.
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    request(netns, "add a connection to", NEW, flags, &question)
}

fn open(netns: BorrowedFd<'_>) -> Result<Netlink, NetlinkError> {
    Netlink::of_packet_filter(netns)
        .map_err(|errno| NetlinkError::refused("list the connections of", SUBJECT, errno, None))
}

/// Makes the kernel carry out a request that has no answer.
fn request(
    netns: BorrowedFd<'_>,
    operation: &'static str,
    of_kind: u16,
    flags: u16,
    question: &[u8],
) -> Result<(), NetlinkError> {
    let no_answer = |_: &encoding::Message<'_>| None::<()>;
    let mut netlink = open(netns)?;
    let question = Question {
        operation,
        subject: SUBJECT,
        kind: kind(of_kind),
        flags,
        payload: question,
    };
    netlink.get(&question, no_answer).map(drop)
}

/// Bytes of a `struct nfgenmsg`.
const HEADER: usize = 4;

/// Returns a `struct nfgenmsg`: family, version, and a resource number that means nothing here.
fn header() -> Vec<u8> {
    vec![libc::AF_INET as u8, 0, 0, 0]
}

fn kind(kind: u16) -> u16 {
    (libc::NFNL_SUBSYS_CTNETLINK as u16) << 8 | kind
}

/// Rounds up: a time of 0 would end the flow at once.
fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}

/// Returns the attributes by which the kernel finds a flow.
fn original(flow: &TrackedFlow) -> Attributes {
    let tuple = tuple(&flow.original, flow.protocol, flow.icmp);
    Attributes::new().nest(CTA_TUPLE_ORIG | NESTED, tuple)
}

fn tuple(of: &FlowTuple, protocol: u8, icmp: Option<[u8; 2]>) -> Attributes {
    let FlowTuple {
        source,
        destination,
    } = of;
    let ip = Attributes::new()
        .with(CTA_IP_V4_SRC, &source.ip().octets())
        .with(CTA_IP_V4_DST, &destination.ip().octets());
    let number = Attributes::new().with(CTA_PROTO_NUM, &[protocol]);
    // The kernel tells queries of ICMP apart by identifier, type and code
    // (nf_conntrack_proto_icmp.c).
    let ends = match icmp {
        Some([kind, code]) => number
            .with(CTA_PROTO_ICMP_ID, &source.port().to_be_bytes())
            .with(CTA_PROTO_ICMP_TYPE, &[kind])
            .with(CTA_PROTO_ICMP_CODE, &[code]),
        None => number
            .with(CTA_PROTO_SRC_PORT, &source.port().to_be_bytes())
            .with(CTA_PROTO_DST_PORT, &destination.port().to_be_bytes()),
    };
    Attributes::new()
        .nest(CTA_TUPLE_IP | NESTED, ip)
        .nest(CTA_TUPLE_PROTO | NESTED, ends)
}

/// Reads a flow from its attributes.
fn flow(attributes: &[u8]) -> Option<TrackedFlow> {
    // Nested attributes have a flag beside their number here (NLA_F_NESTED).
    let find = |kind| encoding::find_numbered(attributes, kind);
    let number = |kind| Some(u32::from_be_bytes(find(kind)?.try_into().ok()?));
    let (protocol, original, icmp) = read_tuple(find(CTA_TUPLE_ORIG)?)?;
    let (_, reply, _) = read_tuple(find(CTA_TUPLE_REPLY)?)?;
    Some(TrackedFlow {
        protocol,
        original,
        reply,
        // A flow that was just ended has no time any more.
        left: Duration::from_secs(number(CTA_TIMEOUT).unwrap_or(0).into()),
        status: number(CTA_STATUS)?,
        icmp,
    })
}

fn read_tuple(attributes: &[u8]) -> Option<(u8, FlowTuple, Option<[u8; 2]>)> {
    let ip = encoding::find_numbered(attributes, CTA_TUPLE_IP)?;
    let ends = encoding::find_numbered(attributes, CTA_TUPLE_PROTO)?;
    let address = |kind| {
        let octets: [u8; 4] = encoding::find_numbered(ip, kind)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets))
    };
    let byte = |kind| encoding::find_numbered(ends, kind)?.first().copied();
    let word = |kind| {
        let bytes = encoding::find_numbered(ends, kind)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    };
    // Protocols without ports have neither.
    let id = word(CTA_PROTO_ICMP_ID);
    let port = |kind| word(kind).or(id).unwrap_or(0);
    let tuple = FlowTuple {
        source: SocketAddrV4::new(address(CTA_IP_V4_SRC)?, port(CTA_PROTO_SRC_PORT)),
        destination: SocketAddrV4::new(address(CTA_IP_V4_DST)?, port(CTA_PROTO_DST_PORT)),
    };
    let icmp = byte(CTA_PROTO_ICMP_TYPE).zip(byte(CTA_PROTO_ICMP_CODE));
    Some((
        byte(CTA_PROTO_NUM)?,
        tuple,
        icmp.map(|(kind, code)| [kind, code]),
    ))
}
