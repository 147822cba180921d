//! Addresses, routes and neighbours, given by hand: nothing is guessed, detected or tentative.
//!
//! Left to itself, IPv6 checks an address for a second before the address can be used, and the
//! first packet to a neighbour waits for an answer on the link. Tests would wait for both.

use std::net::{IpAddr, Ipv4Addr};

use nix::errno::Errno;
use nix::libc;

use super::batch::Batch;
use super::encoding::{Attributes, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use super::link::Device;

/// A route that the kernel is asked to add or to delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteRequest<'a> {
    /// Address of the network; `0.0.0.0` or `::` with a prefix of 0 is the default route.
    pub destination: IpAddr,
    /// Number of the address's leading bits that name the network.
    pub prefix: u8,
    /// Address of the router; none if the network is on the link.
    pub via: Option<IpAddr>,
    /// Interface through which packets leave.
    pub device: Device<'a>,
    /// Number by which the kernel chooses between routes to the same network: the lowest wins, and
    /// without a number it is 0.
    pub metric: Option<u32>,
    /// Number of the table that is to have the route; none for the main table.
    pub table: Option<u32>,
}

/// The hardware address behind an address, known beforehand: nobody has to ask on the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourRequest<'a> {
    /// Address of the neighbour.
    pub address: IpAddr,
    /// Hardware address of the neighbour.
    pub mac: [u8; 6],
    /// Interface through which the neighbour is reached.
    pub device: Device<'a>,
}

impl Batch {
    /// Gives an interface an address that is usable at once, without duplicate address detection.
    pub fn add_address(&mut self, device: Device<'_>, address: IpAddr, prefix: u8) {
        let message = address_message(device, address, prefix);
        self.push(
            "add an address to",
            device.name,
            libc::RTM_NEWADDR,
            NLM_F_CREATE | NLM_F_EXCL,
            &message,
        );
    }

    /// Takes an address from an interface; an absent address is no error.
    pub fn delete_address(&mut self, device: Device<'_>, address: IpAddr, prefix: u8) {
        let message = address_message(device, address, prefix);
        self.push(
            "delete an address of",
            device.name,
            libc::RTM_DELADDR,
            0,
            &message,
        );
        self.tolerate(Errno::EADDRNOTAVAIL);
    }

    /// Adds a route to the main table; the interface must be up.
    pub fn add_route(&mut self, route: &RouteRequest<'_>) {
        self.push_route(route, Attributes::new());
    }

    /// Adds a route whose packets are at most this long, in bytes, though the interface takes
    /// longer ones. A host finds out that a path takes shorter ones still.
    pub fn add_route_with_mtu(&mut self, route: &RouteRequest<'_>, mtu: u32) {
        const RTAX_MTU: u16 = 2;
        let metrics = Attributes::new().number(RTAX_MTU, mtu);
        self.push_route(route, Attributes::new().nest(libc::RTA_METRICS, metrics));
    }

    fn push_route(&mut self, route: &RouteRequest<'_>, more: Attributes) {
        let message = [route_message(route), more.0].concat();
        self.push(
            "add a route through",
            route.device.name,
            libc::RTM_NEWROUTE,
            NLM_F_CREATE | NLM_F_EXCL,
            &message,
        );
    }

    /// Removes a route from the main table; an absent route is no error.
    pub fn delete_route(&mut self, route: &RouteRequest<'_>) {
        let message = route_message(route);
        self.push(
            "delete a route through",
            route.device.name,
            libc::RTM_DELROUTE,
            0,
            &message,
        );
        // The kernel has removed the routes of an interface that went down (fib_frontend.c,
        // fib_disable_ip; net/ipv6/route.c, rt6_disable_ip).
        self.tolerate(Errno::ESRCH);
    }

    /// Has packets to a network answered by "unreachable" where no longer prefix has a route.
    pub fn add_unreachable(&mut self, network: IpAddr, prefix: u8) {
        let message = unreachable_message(network, prefix);
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        let operation = "make unreachable";
        let subject = network.to_string();
        self.push(operation, &subject, libc::RTM_NEWROUTE, flags, &message);
    }

    /// Undoes [`add_unreachable`](Self::add_unreachable); an absent route is no error.
    pub fn delete_unreachable(&mut self, network: IpAddr, prefix: u8) {
        let message = unreachable_message(network, prefix);
        let operation = "delete what is unreachable";
        let subject = network.to_string();
        self.push(operation, &subject, libc::RTM_DELROUTE, 0, &message);
        self.tolerate(Errno::ESRCH);
    }

    /// Makes packets whose source begins with these bits look for their route in a table first.
    pub fn add_source_rule(&mut self, from: IpAddr, prefix: u8, table: u32) {
        let message = source_rule(from, prefix, table);
        let operation = "add a rule for routes from";
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        self.push(
            operation,
            &from.to_string(),
            libc::RTM_NEWRULE,
            flags,
            &message,
        );
    }

    /// Removes a rule that [`add_source_rule`](Self::add_source_rule) added; an absent rule is no
    /// error.
    pub fn delete_source_rule(&mut self, from: IpAddr, prefix: u8, table: u32) {
        let message = source_rule(from, prefix, table);
        let operation = "delete the rule for routes from";
        self.push(operation, &from.to_string(), libc::RTM_DELRULE, 0, &message);
        self.tolerate(Errno::ENOENT);
    }

    /// Makes packets to one of the host's own addresses, that arrive on certain interfaces and are
    /// of UDP, TCP or ICMP, look for their route in a table before they count as the host's.
    ///
    /// The kernel asks the table of its own addresses first, by a rule with priority 0, and a new
    /// rule with that priority stands behind the old ones (net/core/fib_rules.c, fib_nl_newrule).
    /// So the rule of that table gets another place. One that is there already is no error.
    pub fn divert(&mut self, address: Ipv4Addr, interfaces: &[String], table: u32) {
        let operation = "add a rule for packets to";
        let subject = address.to_string();
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        for message in diversions(address, interfaces, table) {
            self.push(operation, &subject, libc::RTM_NEWRULE, flags, &message);
            self.tolerate(Errno::EEXIST);
        }
        self.push(operation, &subject, libc::RTM_NEWRULE, flags, &own_rule(1));
        self.tolerate(Errno::EEXIST);
        self.push(operation, &subject, libc::RTM_DELRULE, 0, &own_rule(0));
        self.tolerate(Errno::ENOENT);
    }

    /// Undoes [`divert`](Self::divert) for an address; absent rules are no error.
    pub fn end_diversion(&mut self, address: Ipv4Addr, interfaces: &[String], table: u32) {
        let operation = "delete a rule for packets to";
        for message in diversions(address, interfaces, table) {
            let subject = address.to_string();
            self.push(operation, &subject, libc::RTM_DELRULE, 0, &message);
            self.tolerate(Errno::ENOENT);
        }
    }

    /// Makes IPv4 packets to groups and to everybody leave by an interface where the sender names
    /// none; the interface must be up. Any other route to the same groups goes first.
    pub fn add_group_routes(&mut self, device: Device<'_>) {
        for route in group_routes(device) {
            self.add_route(&route);
            self.tolerate(Errno::EEXIST);
        }
    }

    /// Undoes [`add_group_routes`](Self::add_group_routes).
    pub fn delete_group_routes(&mut self, device: Device<'_>) {
        group_routes(device)
            .iter()
            .for_each(|route| self.delete_route(route));
    }

    /// Enters a neighbour that is known beforehand, in place of the earlier entry.
    ///
    /// The entry changes only when the neighbour announces another hardware address, as a permanent
    /// one would not (net/core/neighbour.c, __neigh_update).
    pub fn add_neighbour(&mut self, neighbour: &NeighbourRequest<'_>) {
        let message = neighbour_message(neighbour);
        self.push(
            "add a neighbour to",
            neighbour.device.name,
            libc::RTM_NEWNEIGH,
            NLM_F_CREATE | NLM_F_REPLACE,
            &message,
        );
    }

    /// Makes the kernel take the neighbours of an interface for reachable until they say otherwise,
    /// and ask for none again.
    pub fn keep_neighbours_reachable(&mut self, device: Device<'_>) {
        const RTM_SETNEIGHTBL: u16 = 67;
        const NDTA_NAME: u16 = 1;
        const NDTA_PARMS: u16 = 6;
        const NDTPA_IFINDEX: u16 = 1;
        const NDTPA_BASE_REACHABLE_TIME: u16 = 4;
        /// Milliseconds: five days, which is longer than any test. The kernel takes up to one and a
        /// half times as long (net/core/neighbour.c, neigh_rand_reach_time).
        const EVER: u64 = 5 * 24 * 3_600_000;
        for (family, table) in [
            (libc::AF_INET, "arp_cache"),
            (libc::AF_INET6, "ndisc_cache"),
        ] {
            let parameters = Attributes::new()
                .with(NDTPA_IFINDEX, &device.index.to_ne_bytes())
                .with(NDTPA_BASE_REACHABLE_TIME, &EVER.to_ne_bytes());
            let table = Attributes::new()
                .text(NDTA_NAME, table)
                .nest(NDTA_PARMS, parameters);
            // `struct ndtmsg`: family and padding.
            let payload = [&[family as u8, 0, 0, 0], &table.0[..]].concat();
            self.push(
                "trust the neighbours of",
                device.name,
                RTM_SETNEIGHTBL,
                0,
                &payload,
            );
            // An interface without IPv6 has no such table.
            self.tolerate(Errno::ENOENT);
        }
    }

    /// Removes a neighbour; an unknown neighbour is no error.
    pub fn delete_neighbour(&mut self, neighbour: &NeighbourRequest<'_>) {
        let message = neighbour_message(neighbour);
        self.push(
            "delete a neighbour of",
            neighbour.device.name,
            libc::RTM_DELNEIGH,
            0,
            &message,
        );
        self.tolerate(Errno::ENOENT);
    }
}

/// Returns the routes to all groups (RFC 5771) and to the limited broadcast address (RFC 919).
fn group_routes(device: Device<'_>) -> [RouteRequest<'_>; 2] {
    let groups = (Ipv4Addr::new(224, 0, 0, 0), 4);
    [groups, (Ipv4Addr::BROADCAST, 32)].map(|(destination, prefix)| RouteRequest {
        destination: destination.into(),
        prefix,
        via: None,
        device,
        // Scripts add such a route of their own, and the kernel refuses a second one with the same
        // metric (net/ipv4/fib_trie.c, fib_table_insert).
        metric: Some(u32::MAX),
        table: None,
    })
}

fn family(address: IpAddr) -> u8 {
    let family = if address.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    family as u8
}

/// Returns a `struct ifaddrmsg` (family, prefix length, flags, scope, index) and its attributes.
fn address_message(device: Device<'_>, address: IpAddr, prefix: u8) -> Vec<u8> {
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    const IFA_BROADCAST: u16 = 4;
    const IFA_F_NODAD: u8 = 2;
    let scope = match address {
        // The kernel derives the scope of an IPv6 address by itself; that of an IPv4 address is
        // what we say.
        IpAddr::V6(v6) if v6.is_unicast_link_local() => libc::RT_SCOPE_LINK,
        IpAddr::V4(_) | IpAddr::V6(_) if address.is_loopback() => libc::RT_SCOPE_HOST,
        IpAddr::V4(_) | IpAddr::V6(_) => libc::RT_SCOPE_UNIVERSE,
    };
    // Duplicate address detection would keep an IPv6 address tentative for about a second
    // (RFC 4862, section 5.4). Labs give each address once, so there is nothing to detect.
    let flags = if address.is_ipv6() { IFA_F_NODAD } else { 0 };
    let mut attributes = Attributes::new().address(IFA_ADDRESS, address);
    if let IpAddr::V4(v4) = address {
        // For IPv4, `IFA_ADDRESS` is the other end of a point-to-point link, and `IFA_LOCAL` is the
        // interface's own address (rtnetlink(7)). Elsewhere both are the same.
        attributes = attributes.address(IFA_LOCAL, address);
        // Networks of two addresses or one have no broadcast address (RFC 3021).
        if prefix < 31 {
            let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
            let broadcast = Ipv4Addr::from_bits(v4.to_bits() | hosts);
            attributes = attributes.address(IFA_BROADCAST, broadcast.into());
        }
    }
    let mut message = vec![family(address), prefix, flags, scope];
    message.extend(device.index.to_ne_bytes());
    message.extend(attributes.0);
    message
}

/// Returns a `struct rtmsg` (family, two prefix lengths, TOS, table, protocol, scope, type, flags)
/// and its attributes.
fn route_message(route: &RouteRequest<'_>) -> Vec<u8> {
    // The kernel looks for an IPv4 gateway among routes of a narrower scope than its own
    // (net/ipv4/fib_semantics.c, fib_check_nh_v4_gw). So the route to the gateway's network
    // must have scope `link`. IPv6 has no scopes.
    let scope = if route.via.is_none() && route.destination.is_ipv4() {
        libc::RT_SCOPE_LINK
    } else {
        libc::RT_SCOPE_UNIVERSE
    };
    // The protocol is `static`: routing daemons in nodes leave such routes alone.
    let (protocol, kind) = (libc::RTPROT_STATIC, libc::RTN_UNICAST);
    // The header has one byte for the table; other numbers are in an attribute (rtnetlink(7)).
    let table = route
        .table
        .map_or(libc::RT_TABLE_MAIN, |_| libc::RT_TABLE_UNSPEC);
    let (family, prefix) = (family(route.destination), route.prefix);
    let mut message = vec![family, prefix, 0, 0, table, protocol, scope, kind];
    message.extend([0; 4]);
    // The default route has no destination attribute.
    let destination = (prefix > 0).then_some(route.destination);
    let attributes = Attributes::new()
        .maybe(destination, |all, it| all.address(libc::RTA_DST, it))
        .maybe(route.via, |all, via| all.address(libc::RTA_GATEWAY, via))
        .number(libc::RTA_OIF, route.device.index)
        .maybe(route.metric, |all, it| all.number(libc::RTA_PRIORITY, it))
        .maybe(route.table, |all, it| all.number(libc::RTA_TABLE, it));
    message.extend(attributes.0);
    message
}

/// Returns a `struct rtmsg` and its attributes for packets that are answered by "unreachable".
fn unreachable_message(network: IpAddr, prefix: u8) -> Vec<u8> {
    let (table, protocol) = (libc::RT_TABLE_MAIN, libc::RTPROT_STATIC);
    let (scope, kind) = (libc::RT_SCOPE_UNIVERSE, libc::RTN_UNREACHABLE);
    let mut message = vec![family(network), prefix, 0, 0, table, protocol, scope, kind];
    message.extend([0; 4]);
    message.extend(Attributes::new().address(libc::RTA_DST, network).0);
    message
}

/// Numbers of attributes (`linux/fib_rules.h`).
const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_PRIORITY: u16 = 6;
const FRA_TABLE: u16 = 15;
const FRA_IP_PROTO: u16 = 22;

/// Returns a rule that leads to a table: a `struct fib_rule_hdr` (family, lengths of the prefixes
/// of destination and source, TOS, table, two reserved bytes, action, flags) and its attributes.
fn rule_message(family: u8, [to, from]: [u8; 2], attributes: Attributes) -> Vec<u8> {
    const FR_ACT_TO_TBL: u8 = 1;
    let unspecified = libc::RT_TABLE_UNSPEC;
    let mut message = vec![family, to, from, 0, unspecified, 0, 0, FR_ACT_TO_TBL];
    message.extend([0; 4]);
    message.extend(attributes.0);
    message
}

/// Returns the rule for packets whose source begins with these bits.
fn source_rule(from: IpAddr, prefix: u8, table: u32) -> Vec<u8> {
    // Longer prefixes first, as in a table of routes, and all before the main table, whose rule has
    // 32,766 (ip-rule(8)).
    let priority = 10_000 + u32::from(128 - prefix);
    let attributes = Attributes::new()
        .address(FRA_SRC, from)
        .number(FRA_PRIORITY, priority)
        .number(FRA_TABLE, table);
    rule_message(family(from), [0, prefix], attributes)
}

/// Returns the rules for packets of UDP, TCP and ICMP to an address that arrive on certain
/// interfaces.
fn diversions(
    address: Ipv4Addr,
    interfaces: &[String],
    table: u32,
) -> impl Iterator<Item = Vec<u8>> + '_ {
    let protocols = [libc::IPPROTO_UDP, libc::IPPROTO_TCP, libc::IPPROTO_ICMP].map(|it| it as u8);
    let message = move |(name, protocol): (&String, u8)| {
        let attributes = Attributes::new()
            .address(FRA_DST, address.into())
            .text(FRA_IIFNAME, name)
            .number(FRA_PRIORITY, 0)
            .number(FRA_TABLE, table)
            .with(FRA_IP_PROTO, &[protocol]);
        rule_message(libc::AF_INET as u8, [32, 0], attributes)
    };
    // A rule names one interface and one protocol: each pair has a rule of its own.
    let pairs = interfaces
        .iter()
        .flat_map(move |name| protocols.map(|protocol| (name, protocol)));
    pairs.map(message)
}

/// Returns the rule for the table of the host's own addresses, with a priority.
fn own_rule(priority: u32) -> Vec<u8> {
    let attributes = Attributes::new()
        .number(FRA_PRIORITY, priority)
        .number(FRA_TABLE, libc::RT_TABLE_LOCAL.into());
    rule_message(libc::AF_INET as u8, [0; 2], attributes)
}

/// Returns a `struct ndmsg` (family, padding, index, state, flags, type) and its attributes.
fn neighbour_message(neighbour: &NeighbourRequest<'_>) -> Vec<u8> {
    let mut message = vec![family(neighbour.address), 0, 0, 0];
    message.extend(neighbour.device.index.to_ne_bytes());
    message.extend(libc::NUD_REACHABLE.to_ne_bytes());
    // Entries that were learned elsewhere do not count against `gc_thresh3`, which all
    // namespaces share (net/core/neighbour.c, neigh_add and neigh_alloc).
    const NTF_EXT_LEARNED: u8 = 0x10;
    message.extend([NTF_EXT_LEARNED, 0]);
    let attributes = Attributes::new()
        .address(libc::NDA_DST, neighbour.address)
        .with(libc::NDA_LLADDR, &neighbour.mac);
    message.extend(attributes.0);
    message
}
