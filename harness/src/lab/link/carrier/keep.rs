//! Puts a carrier into a running cable between two nodes, and keeps the interface of one of them.
//!
//! Each end of such a cable is the interface of a node, so that nothing of it can be taken without
//! a touch to a node. One end moves to the wire namespace and becomes the inner end of the other
//! node's interface, which loses its carrier for a moment and nothing else. The node whose end has
//! moved gets another interface with the same name and index, and all that stood on the old one:
//!
//! ```text
//!   eth0 ═══════════════════════════════════════ eth0        before
//!   eth0 ═ m3a ─┬─ netem or packet sockets ─┬─ m3b ═ eth0    after
//!   kept   moved                              made     again
//! ```
//!
//! A cable with a middle from the start would spare all of this. But it is two veth pairs and a
//! bridge instead of one pair: see the figures in `carrier/mod.rs`.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use crate::kernel::frames::PortSocket;
use crate::kernel::netlink::{Batch, CarriedSettings, Device, VethEnd};
use crate::kernel::netns::Netns;
use crate::kernel::procfs::sysctls;
use crate::lab::attempt::NetworkAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::link::carrier::attach::{LargestBatch, PendingCarrier, inner_veth};
use crate::lab::link::carrier::wire_interface::{WireInterface, execute};
use crate::lab::link::ends::LinkEnds;
use crate::lab::stack::carried::{InterfaceState, Restored};
use crate::lab::unfit::UnfitLink;
use crate::model::carrier::Carrier;
use crate::model::side::Side;

/// Returns the side of a cable between two nodes whose interface is kept; nothing for another
/// cable.
///
/// # Errors
/// On both interfaces stands what would be lost with the interface.
pub(crate) fn side_to_keep(ends: &LinkEnds) -> Result<Option<Side>> {
    if Side::BOTH.into_iter().any(|side| ends.is_port(side)) {
        return Ok(None);
    }
    let [on_a, on_b] = [
        find_immovable(ends, Side::A)?,
        find_immovable(ends, Side::B)?,
    ];
    match (on_a.is_empty(), on_b.is_empty()) {
        // Not everything can be carried over: what nobody has touched is made anew.
        (true, true) => Ok(Some(
            match LostAtRemaking::of(ends, Side::B)? > LostAtRemaking::of(ends, Side::A)? {
                true => Side::B,
                false => Side::A,
            },
        )),
        (false, true) => Ok(Some(Side::A)),
        (true, false) => Ok(Some(Side::B)),
        (false, false) => {
            let reason = UnfitLink::InUse { on: [on_a, on_b] };
            Err(LabError::unfit(ends.subject(), reason))
        }
    }
}

/// Returns what stands on the interface of an end and cannot be given to another interface, in
/// words: interfaces of programs, and packet sockets.
fn find_immovable(ends: &LinkEnds, side: Side) -> Result<Vec<String>> {
    let index = ends.device(side).index;
    let explain = |e| ends.refused(side, e);
    let mut netlink = ends.open(side)?;
    let interfaces = netlink.interfaces().map_err(explain)?;
    let whose = ends.whose(side);
    // A veth names its other end in the same attribute, and that end is in another namespace
    // (drivers/net/veth.c, veth_get_iflink).
    let stands_on_it = interfaces
        .iter()
        .filter(|it| it.peer == Some(index) && it.kind.as_deref() != Some("veth"));
    let tunnels = netlink.tunnels_over(index).map_err(explain)?;
    let netns = ends.require_netns(side)?;
    let elsewhere = netlink.interfaces_in_other_namespaces_over(netns, index);
    let elsewhere = elsewhere
        .map_err(explain)?
        .into_iter()
        .map(|name| format!("interface `{name}` of another namespace on {whose}"));
    let mut immovable: Vec<String> = stands_on_it
        .map(|it| &it.name)
        .chain(&tunnels)
        .map(|name| format!("interface `{name}` on {whose}"))
        .chain(elsewhere)
        .collect();
    if is_routing_groups(ends, side)? {
        immovable.push(format!(
            "multicast routing, as of mrouted or smcroute, on {whose}"
        ));
    }
    // Sockets of the lab's own services are bound again.
    let mut sockets = packet_sockets(ends, side)?.into_iter();
    if sockets.any(|it| it.bound == i64::from(index) && !PortSocket::has_inode(it.inode)) {
        immovable.push(format!("a packet socket, as of tcpdump, on {whose}"));
    }
    Ok(immovable)
}

/// Tells whether a program routes multicast packets over the interface of an end. The kernel takes
/// the interface from the program's list (net/ipv4/ipmr.c, ipmr_device_event), and only the program
/// knows how to enter it again.
fn is_routing_groups(ends: &LinkEnds, side: Side) -> Result<bool> {
    let name = ends.name_now(side)?;
    let tables = Netns::visit(ends.require_netns(side)?, || {
        ["ip_mr_vif", "ip6_mr_vif"].map(|table| {
            // A kernel without multicast routing has no such table.
            std::fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default()
        })
    })
    .map_err(|errno| ends.not_entered(side, errno))?;
    // Each line has a number and the name of an interface (ipmr_vif_seq_show there).
    let mut lines = tables.iter().flat_map(|it| it.lines());
    Ok(lines.any(|line| line.split_whitespace().nth(1) == Some(name.as_str())))
}

/// A packet socket, as `/proc/net/packet` has it.
struct PacketSocketLine {
    /// The index of the interface to which the socket is bound; -1 if that is gone.
    bound: i64,
    inode: u64,
}

/// Returns the packet sockets in the network namespace of an end.
fn packet_sockets(ends: &LinkEnds, side: Side) -> Result<Vec<PacketSocketLine>> {
    let table = Netns::visit(ends.require_netns(side)?, || {
        std::fs::read_to_string("/proc/thread-self/net/packet").unwrap_or_default()
    })
    .map_err(|errno| ends.not_entered(side, errno))?;
    Ok(table.lines().filter_map(PacketSocketLine::of).collect())
}

/// Binds the packet sockets of the lab's own services to an interface that was made anew.
pub(crate) fn bind_services_again(ends: &LinkEnds, side: Side) -> Result<()> {
    let index = ends.device(side).index;
    let inodes = packet_sockets(ends, side)?.into_iter().map(|it| it.inode);
    let inodes: Vec<u64> = inodes.collect();
    PortSocket::bind_again(index, &inodes).map_err(|errno| {
        let whose = ends.whose(side);
        LabError::refused(NetworkAttempt::BindAgain { whose }, errno).about(ends.subject())
    })
}

/// What would be lost, or become something else, if the interface of an end were made anew. The
/// fields are compared in their order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct LostAtRemaking {
    /// Number of temporary addresses, which the kernel alone makes.
    temporary: usize,
    connections: FollowedConnections,
    /// Whether the interface is a port of something that a program has made: a bridge tells what it
    /// keeps of a port, and others (bond, batman-adv) do not.
    is_port: bool,
    /// Number of things that stand on the interface beyond what the plan has given it.
    additions: usize,
}

/// The connections that the kernel of an end follows.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum FollowedConnections {
    None,
    /// They may be translated to the address of some interface.
    Some,
    /// They may be translated to the address of this interface, at which the link is the uplink.
    /// Both ends may follow connections, as where a home is behind a carrier's router.
    OfUplink,
}

impl LostAtRemaking {
    fn of(ends: &LinkEnds, side: Side) -> Result<Self> {
        let Some(plan) = ends.interface(side) else {
            return Ok(Self {
                temporary: 0,
                connections: FollowedConnections::None,
                is_port: false,
                additions: 0,
            });
        };
        let settings = settings(ends, side)?;
        let planned = plan.addresses.len() + plan.routes.len() + plan.altnames.len();
        let changed = [
            settings.mtu() != Some(ends.cable().mtu),
            settings.mac() != Some(plan.mac),
            settings.name() != plan.name,
        ];
        let changed = changed.into_iter().filter(|is| *is).count();
        // Connections that are translated to the address of an interface are forgotten when it goes
        // down (net/netfilter/nf_nat_masquerade.c, masq_device_event). The kernel does not tell how
        // each is translated, and follows connections in nodes alone that have rules for that.
        const FOLLOWED: &str = "net/netfilter/nf_conntrack_count";
        let followed = Netns::visit(ends.require_netns(side)?, || sysctls::number(FOLLOWED));
        let followed = followed.ok().flatten().is_some_and(|count| count > 0);
        Ok(Self {
            temporary: settings.temporary_addresses(),
            connections: match (followed, plan.uplink) {
                (true, true) => FollowedConnections::OfUplink,
                (true, false) => FollowedConnections::Some,
                (false, _) => FollowedConnections::None,
            },
            is_port: settings.is_port(),
            additions: changed + settings.amount().saturating_sub(planned),
        })
    }
}

/// Reads what rtnetlink knows of the interface of an end, which is enough where the interface
/// stays: its sysctls and memberships stay as well.
fn settings(ends: &LinkEnds, side: Side) -> Result<CarriedSettings> {
    let settings = ends.open(side)?.settings_of(ends.device(side));
    settings.map_err(|e| ends.refused(side, e))
}

impl PacketSocketLine {
    /// Reads a line, which has an address, references, a type, a protocol, the index, whether the
    /// socket runs, memory, a user and the inode (net/packet/af_packet.c, packet_seq_show). The
    /// first line of the table has no numbers.
    fn of(line: &str) -> Option<Self> {
        let mut fields = line.split_whitespace();
        let bound = fields.nth(4)?.parse().ok()?;
        let inode = fields.nth(3)?.parse().ok()?;
        Some(Self { bound, inode })
    }
}

/// What is read of the two interfaces of a cable before one of them is made anew.
pub(crate) struct KeptSide {
    /// Side whose interface stays.
    pub(crate) side: Side,
    /// Settings of the interface that stays.
    settings: CarriedSettings,
    /// Settings, sysctls and memberships of the other interface.
    other: InterfaceState,
}

impl KeptSide {
    pub(crate) fn read(ends: &LinkEnds, side: Side) -> Result<Self> {
        let other = side.other();
        let explain = |e| ends.refused(other, e);
        Ok(Self {
            side,
            settings: settings(ends, side)?,
            other: InterfaceState::of(ends.require_netns(other)?, ends.device(other), explain)?,
        })
    }
}

/// Makes the ends of a carrier for a link that was plain, and joins nothing yet.
pub(crate) fn keep_one(
    ends: &LinkEnds,
    namespace: Arc<OwnedFd>,
    kept: KeptSide,
    carrier: Carrier,
) -> Result<(PendingCarrier, Restored)> {
    let KeptSide {
        side: kept,
        settings,
        other: state,
    } = kept;
    let largest = LargestBatch::of(carrier);
    let anew = kept.other();
    let explain = |e| ends.refused(anew, e);
    // 1. The kernel forgets the neighbours of an interface that loses its carrier, but for the
    //    permanent ones (net/core/neighbour.c, neigh_carrier_down).
    let neighbours = KeptNeighbours::of(ends, kept)?;
    // 2. One end moves, and the other node sees its carrier go and come.
    move_inside(ends, &namespace, kept, &state)?;
    // The interface that stays was made for a veth pair, and hands over whole batches until now.
    let mut batch = Batch::new();
    largest.limit(&mut batch, ends.device(kept));
    ends.execute(kept, batch)?;
    // 3. The other interface is made anew.
    let device = Device {
        index: ends.device(anew).index,
        name: state.name(),
    };
    inner_veth(ends, anew, device, &namespace, largest)?;
    let mut restored = state.give_to(ends.require_netns(anew)?, device.index, explain)?;
    // 4. An interface that a program has taken down has no carrier to wait for.
    for side in Side::BOTH {
        ends.await_if_up(side)?;
    }
    let refused = state.finish(ends.require_netns(anew)?, device.index, explain)?;
    restored.refused.extend(refused);
    drop(neighbours);
    // The kernel has removed the next hops of the kept interface as its carrier was away.
    let index = ends.device(kept).index;
    let refused = ends.open(kept)?.give_next_hops_back(index, &settings);
    restored.refused.extend(refused);
    Ok((
        PendingCarrier::between_inner_ends(carrier, namespace),
        restored,
    ))
}

/// Moves an end to the wire namespace, as the inner end of the interface that is kept.
fn move_inside(
    ends: &LinkEnds,
    namespace: &OwnedFd,
    kept: Side,
    state: &InterfaceState,
) -> Result<()> {
    let anew = kept.other();
    let inner = WireInterface::inner_end(ends, kept);
    let device = ends.device(anew);
    let mut batch = Batch::new();
    // These names would come along, and are given to the interface that takes the place.
    for name in state.altnames() {
        batch.delete_altname(device, name);
    }
    state.leave_groups(&mut batch, device);
    // A bridge keeps frames for itself that have the address of one of its ports
    // (net/bridge/br_fdb.c), so the inner end must not have that of the node.
    let mut mac = ends.cable().ends[anew].mac;
    mac[0] ^= 0x10;
    batch.relocate(
        device,
        &VethEnd {
            mac: Some(mac),
            netns: Some(namespace.as_fd()),
            ..VethEnd::new(inner.device())
        },
    );
    ends.execute(anew, batch)?;
    let mut batch = Batch::new();
    batch.disable_address_generation(inner.device());
    batch.set_up(inner.device());
    execute(ends, namespace, batch)
}

/// Neighbours of an interface that the kernel keeps although the interface loses its carrier.
///
/// Kernels before 5.16 have no such setting, and ask for the neighbours again.
struct KeptNeighbours<'e> {
    ends: &'e LinkEnds,
    side: Side,
    /// Paths with their values before.
    sysctls: Vec<(String, String)>,
}

impl<'e> KeptNeighbours<'e> {
    fn of(ends: &'e LinkEnds, side: Side) -> Result<Self> {
        let name = ends.name_now(side)?;
        let mut kept = Self {
            ends,
            side,
            sysctls: Vec::new(),
        };
        let set = || {
            for path in [
                format!("net/ipv4/conf/{name}/arp_evict_nocarrier"),
                format!("net/ipv6/conf/{name}/ndisc_evict_nocarrier"),
            ] {
                if let Ok(before) = sysctls::read(&path)
                    && sysctls::write(&path, "0").is_ok()
                {
                    kept.sysctls.push((path, before));
                }
            }
        };
        Netns::visit(ends.require_netns(side)?, set)
            .map_err(|errno| ends.not_entered(side, errno))?;
        Ok(kept)
    }
}

impl Drop for KeptNeighbours<'_> {
    fn drop(&mut self) {
        let restore = || {
            for (path, value) in &self.sysctls {
                // `Self::of` wrote to this file, so a refusal means that the interface is gone.
                let _ = sysctls::write(path, value);
            }
        };
        if let Some(netns) = self.ends.netns(self.side) {
            let _ = Netns::visit(netns, restore);
        }
    }
}
