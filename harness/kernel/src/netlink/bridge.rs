//! Ethernet segments that stay quiet.
//!
//! A plain bridge floods every multicast frame to every port, as a simple switch does. IPv6 sends
//! several per address when a link comes up (listener reports, router solicitations): with N ports
//! that is N² deliveries. With hundreds of ports these are seconds of work *after* a network is
//! ready, and queues so full that the first neighbour solicitation is lost for a second. So the
//! bridge may snoop ([`Querier`]). A querier of MLDv1 makes reports and solicitations end at the
//! bridge, and a solicitation of a neighbour reaches the port that it is for. As reports arrive
//! late, the memberships of the addresses that we give are entered by hand
//! ([`Batch::add_membership`]); what a node joins later is learned from its reports.
//!
//! The order matters as well. Each port that a *running* bridge enables makes it walk over all the
//! others, so:
//! 1. [`Batch::add_bridge`], down; the ports, up; the nodes' ends, up, with their addresses;
//! 2. [`Batch::start_bridge`], when all ports are there;
//! 3. [`Batch::add_membership`] for each port and address; [`super::Netlink::wait_until_ports_up`].

use std::net::Ipv6Addr;

use nix::errno::Errno;
use nix::libc;

use super::batch::Batch;
use super::connection::Netlink;
use super::encoding::{self, Attributes, NLM_F_CREATE, NLM_F_REPLACE};
use super::error::NetlinkError;
use super::link::{Device, LinkRequest, information};

const RTM_NEWMDB: u16 = 84;
// Settings of bridges (`linux/if_link.h`). Those of an interval are in hundredths of a second.
const IFLA_BR_AGEING_TIME: u16 = 4;
const IFLA_BR_GROUP_FWD_MASK: u16 = 9;
const IFLA_BR_MCAST_SNOOPING: u16 = 23;
const IFLA_BR_MCAST_QUERIER: u16 = 25;
const IFLA_BR_MCAST_STARTUP_QUERY_CNT: u16 = 29;
const IFLA_BR_MCAST_MEMBERSHIP_INTVL: u16 = 31;
const IFLA_BR_MCAST_QUERIER_INTVL: u16 = 32;
const IFLA_BR_MCAST_QUERY_INTVL: u16 = 33;
const IFLA_BR_MCAST_QUERY_RESPONSE_INTVL: u16 = 34;
const IFLA_BR_MCAST_IGMP_VERSION: u16 = 43;
const IFLA_BR_MCAST_MLD_VERSION: u16 = 44;
/// A number of `linux/if_link.h`: the routers behind a port.
const IFLA_BRPORT_MULTICAST_ROUTER: u16 = 25;

/// An Ethernet segment.
#[derive(Clone, Copy, Debug)]
pub struct BridgeRequest<'a> {
    /// Interface of the bridge itself.
    pub device: Device<'a>,
    /// Hardware address of the bridge. Without one, the bridge takes the lowest of its ports, which
    /// changes with the ports.
    pub mac: [u8; 6],
    /// Way in which the bridge learns the groups that are joined behind its ports. Without it,
    /// frames to groups go to all ports.
    pub querier: Option<Querier>,
}

/// Way in which a bridge asks for the groups that hosts have joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Querier {
    /// The bridge asks by IGMPv3 and MLDv2, with a tenth of a second for the answers. Until then,
    /// frames to groups go to all ports.
    Current,
    /// The bridge asks by IGMPv3 and MLDv1, with no time for the answers. Hosts answer a query of
    /// MLDv1 by reports of MLDv1, which a bridge keeps from all other hosts; those of MLDv2 it
    /// passes to all (net/bridge/br_multicast.c, br_multicast_ipv6_rcv).
    Quiet,
}

impl Querier {
    /// Returns the version of IGMP.
    ///
    /// A query of an earlier version makes a host forget the report that the host was about to send
    /// (net/ipv4/igmp.c, igmp_heard_query), so that a group joined a moment before is known seconds
    /// later.
    fn igmp(self) -> u8 {
        match self {
            Self::Current | Self::Quiet => 3,
        }
    }

    /// Returns the version of MLD.
    fn mld(self) -> u8 {
        match self {
            Self::Current => 2,
            Self::Quiet => 1,
        }
    }

    /// Returns the time in which hosts are to answer, in hundredths of a second. A bridge takes
    /// itself for a querier only after this time (net/bridge/br_multicast.c,
    /// br_multicast_set_querier).
    fn response_interval(self) -> u64 {
        match self {
            Self::Current => 10,
            Self::Quiet => 0,
        }
    }
}

impl BridgeRequest<'_> {
    /// Returns the link-local address of the bridge, made of the hardware address (RFC 4291,
    /// appendix A). Queries of IPv6 need one as their source (RFC 3810, section 5.1.14).
    fn link_local(&self) -> Ipv6Addr {
        let [a, b, c, d, e, f] = self.mac;
        Ipv6Addr::from([
            0xfe,
            0x80,
            0,
            0,
            0,
            0,
            0,
            0,
            a ^ 2,
            b,
            c,
            0xff,
            0xfe,
            d,
            e,
            f,
        ])
    }
}

impl Batch {
    /// Makes a bridge that is down and does not listen for memberships yet.
    ///
    /// The bridge has no spanning tree and no timers that matter.
    pub fn add_bridge(&mut self, bridge: &BridgeRequest<'_>) {
        /// Hundredths of a second: eleven days, which is longer than any test.
        const NEVER: u64 = 100_000_000;
        let mut data = Attributes::new().with(IFLA_BR_MCAST_SNOOPING, &[0]);
        if let Some(querier) = bridge.querier {
            let long = |all: Attributes, kind, value: u64| all.with(kind, &value.to_ne_bytes());
            data = data
                .with(IFLA_BR_MCAST_IGMP_VERSION, &[querier.igmp()])
                .with(IFLA_BR_MCAST_MLD_VERSION, &[querier.mld()])
                // One query when the bridge starts is enough: what nodes join later they report.
                .number(IFLA_BR_MCAST_STARTUP_QUERY_CNT, 0);
            data = long(data, IFLA_BR_MCAST_MEMBERSHIP_INTVL, NEVER);
            data = long(data, IFLA_BR_MCAST_QUERIER_INTVL, NEVER);
            data = long(data, IFLA_BR_MCAST_QUERY_INTVL, NEVER);
            let interval = querier.response_interval();
            data = long(data, IFLA_BR_MCAST_QUERY_RESPONSE_INTVL, interval);
        }
        let mut message = LinkRequest::named(bridge.device);
        message.attributes = message.attributes.with(libc::IFLA_ADDRESS, &bridge.mac);
        message.kind("bridge", data);
        self.create("create the bridge", bridge.device, &message);
        // This is asked before the bridge is up: afterwards the kernel has already made an address.
        self.disable_address_generation(bridge.device);
        self.add_address(bridge.device, bridge.link_local().into(), 64);
    }

    /// Makes a bridge for two ports that passes every frame of one port to the other.
    ///
    /// The bridge is down. Neither does it learn addresses nor send frames of its own.
    pub fn add_repeater(&mut self, device: Device<'_>) {
        /// Link-local groups 01-80-c2-00-00-03 to -0f, which a bridge else keeps to itself. The
        /// kernel does not forward the first three (`net/bridge/br_private.h`,
        /// `BR_GROUPFWD_RESTRICTED`).
        const LINK_LOCAL: u16 = 0xfff8;
        let data = Attributes::new()
            .with(IFLA_BR_MCAST_SNOOPING, &[0])
            // With an ageing time of 0 a bridge learns nothing (net/bridge/br_fdb.c,
            // br_fdb_update), so that every frame goes to the other port.
            .number(IFLA_BR_AGEING_TIME, 0)
            .with(IFLA_BR_GROUP_FWD_MASK, &LINK_LOCAL.to_ne_bytes());
        let mut message = LinkRequest::named(device);
        message.kind("bridge", data);
        self.create("create the repeater", device, &message);
        self.disable_address_generation(device);
    }

    /// Brings a bridge up and, with a querier, makes it listen for memberships. Its ports must
    /// exist by then.
    pub fn start_bridge(&mut self, bridge: &BridgeRequest<'_>) {
        // The bridge comes up before snooping starts: a querier needs the link-local address to be
        // usable, which it is when the bridge is up.
        self.set_up(bridge.device);
        if bridge.querier.is_none() {
            return;
        }
        let data = Attributes::new()
            // Without a querier on the segment, a bridge that snoops forwards groups to everybody
            // (net/bridge/br_multicast.c).
            .with(IFLA_BR_MCAST_QUERIER, &[1])
            .with(IFLA_BR_MCAST_SNOOPING, &[1]);
        let operation = "start multicast snooping on";
        self.change(operation, bridge.device, information("bridge", data));
    }

    /// Enters that `address` is behind `port`, so that the bridge passes neighbour discovery on.
    ///
    /// The bridge must listen already.
    pub fn add_membership(&mut self, bridge: Device<'_>, port: Device<'_>, address: Ipv6Addr) {
        let payload = membership(bridge, port, solicited_node(address));
        self.push(
            "add a multicast membership to",
            port.name,
            RTM_NEWMDB,
            NLM_F_CREATE | NLM_F_REPLACE,
            &payload,
        );
        // The bridge may have learned the membership from a report. Linux before 6.3 refuses to
        // replace such an entry, which serves as well.
        self.tolerate(Errno::EEXIST);
    }

    /// Makes `port` a port to which the bridge sends every multicast frame.
    ///
    /// Behind such a port are receivers that the bridge does not know: nodes on another bridge.
    pub fn set_multicast_router(&mut self, port: Device<'_>) {
        /// `MDB_RTR_TYPE_PERM` of `linux/if_bridge.h`: with or without queries from that port.
        const PERMANENT: u8 = 2;
        const NESTED: u16 = libc::NLA_F_NESTED as u16;
        // `struct ifinfomsg`: family and padding, index, flags, mask of flags. In the family of
        // bridges the kernel reads the attributes of the port (net/core/rtnetlink.c,
        // rtnl_bridge_setlink).
        let family = u32::from_ne_bytes([libc::AF_BRIDGE as u8, 0, 0, 0]);
        let mut payload = encoding::words(&[family, port.index, 0, 0]);
        let port_attributes = Attributes::new().with(IFLA_BRPORT_MULTICAST_ROUTER, &[PERMANENT]);
        encoding::attribute(
            &mut payload,
            libc::IFLA_PROTINFO | NESTED,
            &port_attributes.0,
        );
        self.push(
            "let all multicast through",
            port.name,
            libc::RTM_SETLINK,
            0,
            &payload,
        );
    }
}

/// Returns the group to which neighbours send their questions about `address` (RFC 4291, section
/// 2.7.1).
fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let octets = address.octets();
    Ipv6Addr::from([
        0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, octets[13], octets[14], octets[15],
    ])
}

/// A multicast group that a bridge has learnt to be behind a port: a `struct br_mdb_entry` without
/// the port's index.
#[derive(Clone, Debug)]
pub struct LearntGroup(Vec<u8>);

impl Netlink {
    /// Lists the groups that a bridge knows to be behind a port.
    ///
    /// # Errors
    /// The kernel refused the list.
    pub fn groups_behind(&mut self, port: Device<'_>) -> Result<Vec<LearntGroup>, NetlinkError> {
        const RTM_GETMDB: u16 = 86;
        const MDBA_MDB: u16 = 1;
        /// Bytes of a `struct br_mdb_entry`.
        const ENTRY: usize = 28;
        let question = encoding::words(&[u32::from(libc::AF_BRIDGE as u8), 0]);
        let of_bridges = self.dump("list the groups of", RTM_GETMDB, &question, |message| {
            // A `struct br_port_msg`; then an entry for each group, and in it one for each port.
            let groups = encoding::find_numbered(message.payload.get(8..)?, MDBA_MDB)?;
            let ports = encoding::each(groups).flat_map(encoding::each);
            let entries = ports.filter_map(|info| info.get(..ENTRY));
            let of_port = entries.filter(|it| encoding::u32_at(it, 0) == Some(port.index));
            Some(
                of_port
                    .map(|it| LearntGroup(it[4..].to_vec()))
                    .collect::<Vec<_>>(),
            )
        })?;
        Ok(of_bridges.into_iter().flatten().collect())
    }
}

impl Batch {
    /// Enters that a group is behind a port which passes frames.
    pub fn restore_group(&mut self, bridge: Device<'_>, port: Device<'_>, group: &LearntGroup) {
        let mut payload = encoding::words(&[u32::from(libc::AF_BRIDGE as u8), bridge.index]);
        let mut entry = port.index.to_ne_bytes().to_vec();
        entry.extend(&group.0);
        // `flags`: whether hardware knows the group, and the like, is for the kernel to say.
        entry[5] = 0;
        encoding::attribute(&mut payload, MDBA_SET_ENTRY, &entry);
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        let what = "add a multicast membership to";
        self.push(what, port.name, RTM_NEWMDB, flags, &payload);
        // Reported again meanwhile.
        self.tolerate(Errno::EEXIST);
    }
}

const MDBA_SET_ENTRY: u16 = 1;

/// Returns a `struct br_port_msg` and one `struct br_mdb_entry`, permanent.
fn membership(bridge: Device<'_>, port: Device<'_>, group: Ipv6Addr) -> Vec<u8> {
    const MDB_PERMANENT: u8 = 1;
    const ETH_P_IPV6: [u8; 2] = [0x86, 0xdd];
    let mut payload = vec![libc::AF_BRIDGE as u8, 0, 0, 0];
    payload.extend(bridge.index.to_ne_bytes());
    let mut entry = port.index.to_ne_bytes().to_vec();
    entry.extend([MDB_PERMANENT, 0, 0, 0]);
    entry.extend(group.octets());
    entry.extend(ETH_P_IPV6);
    entry.extend([0, 0]);
    encoding::attribute(&mut payload, MDBA_SET_ENTRY, &entry);
    payload
}
