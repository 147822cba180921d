//! Who is where on a segment: what switches and neighbours are told, and what servers have given.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::AsFd;

use crate::kernel::fd::bind_to_interface;
use crate::kernel::frames::PortSocket;
use crate::kernel::netlink::{Batch, IpFamily, NeighbourEntry, NeighbourRequest, Netlink};
use crate::kernel::netns::Netns;
use crate::kernel::procfs::sysctls;
use crate::lab::attempt::NetworkAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::link::ends::LinkEnds;
use crate::lab::stack::power::NeighbourInterface;
use crate::lab::stack::settings::neighbour;
use crate::model::ndp::announcement::announcement;
use crate::model::side::Side;

impl LinkEnds {
    /// Sends a frame from each end in a stack, so that all switches learn behind which port the MAC
    /// address is now. A bridge remembers a port for 300 s otherwise (`ageing_time`, ip-link(8)).
    pub(crate) fn announce(&self) -> Result<()> {
        for side in Side::BOTH {
            // Only nodes are learnt by switches: two ports that are joined have no address of
            // interest.
            if let Some(interface) = self.interface(side)
                && let Some(netns) = self.stack(side).and_then(|stack| stack.netns())
                && !self.is_powered_off(side)
            {
                let name = interface.name.as_str();
                // A node may speak IPv6 only. Then a multicast to all nodes serves instead of a
                // broadcast. One that gets its addresses over the wire may have none of either.
                let speaks = |v4| interface.addresses.iter().any(|it| it.ip.is_ipv4() == v4);
                let family = match speaks(false) && !speaks(true) {
                    true => IpFamily::V6,
                    false => IpFamily::V4,
                };
                let index = self.device(side).index;
                Netns::visit(netns.as_fd(), || send_to_all(name, index, family))
                    .map_err(|errno| self.not_entered(side, errno))?
                    .map_err(|e| {
                        let whose = self.whose(side);
                        LabError::io(NetworkAttempt::SendFrom { whose }, &e).about(self.subject())
                    })?;
                // The end may be in another network now, and what it got in the old one is not its
                // own here. A client announces what it gets here.
                let planned = |ip| interface.addresses.iter().any(|it| it.ip == ip);
                self.announce_addresses_if(side, planned)?;
            }
        }
        Ok(())
    }

    /// Tells the neighbours of an end which MAC address has the addresses of the end, as programs
    /// that configure networks do (RFC 5227, section 3; RFC 4861, section 7.2.6). Neighbours that
    /// knew another one would go on to send to that one, over IPv4 for up to 50 s.
    ///
    /// The kernel announces addresses when an interface comes up (`arp_notify`), and none that is
    /// added later.
    pub(crate) fn announce_addresses(&self, side: Side) -> Result<()> {
        self.announce_addresses_if(side, |_| true)
    }

    /// Does as [`announce_addresses`](Self::announce_addresses), for addresses of which `is_told`
    /// is true.
    fn announce_addresses_if(&self, side: Side, is_told: impl Fn(IpAddr) -> bool) -> Result<()> {
        const FORWARDS: &str = "net/ipv6/conf/all/forwarding";
        if self.interface(side).is_none() || self.is_powered_off(side) {
            return Ok(());
        }
        let device = self.device(side);
        let mut netlink = self.open(side)?;
        let explain = |e| self.refused(side, e);
        // A program may have changed the MAC address.
        let Some(mac) = netlink.mac_of(device).map_err(explain)? else {
            return Ok(());
        };
        let mut addresses = netlink.addresses().map_err(explain)?;
        addresses.retain(|it| {
            let is_ready = it.interface == device.index && !it.tentative && !it.duplicate;
            is_ready && is_told(it.address)
        });
        let send = || -> crate::kernel::Result<()> {
            let is_router = sysctls::number(FORWARDS).is_some_and(|value| value != 0);
            let socket = PortSocket::open(device.index, DISCARD)?;
            for it in &addresses {
                // A frame that cannot be sent is lost, as on any wire.
                let _ = socket.send(&announcement(mac, it.address, is_router));
            }
            Ok(())
        };
        Netns::visit(self.require_netns(side)?, send)
            .and_then(|sent| sent)
            .map_err(|errno| {
                let whose = self.whose(side);
                LabError::refused(NetworkAttempt::SendFrom { whose }, errno).about(self.subject())
            })
    }

    /// Gives interfaces that were down with the link what servers have given them.
    pub(crate) fn give_back(&self) {
        // At a switch only the port was down.
        if self.only_port().is_some() {
            return;
        }
        for side in Side::BOTH {
            if let Some(stack) = self.stack(side).filter(|_| !self.is_powered_off(side)) {
                stack.give_back(self.device(side).index);
            }
        }
    }

    /// Takes an interface of a node down and up again. The kernel gives up all that it has made of
    /// the advertisements of routers, and looks for one again (net/ipv6/addrconf.c, addrconf_ifdown
    /// and addrconf_dad_completed).
    pub(crate) fn set_down_and_up(&self, side: Side) -> Result<()> {
        let mut batch = Batch::new();
        batch.set_down(self.device(side));
        self.execute(side, batch)?;
        self.raise(side)?;
        self.await_up(&[side])
    }

    /// Enters the planned neighbours of an end that have one of these interfaces, and deletes the
    /// entries of those for which the kernel has asked in vain, so that the kernel asks anew.
    pub(crate) fn add_neighbours(
        &self,
        side: Side,
        interfaces: &[NeighbourInterface],
    ) -> Result<()> {
        let Some(interface) = self.interface(side).filter(|_| !self.is_powered_off(side)) else {
            return Ok(());
        };
        let mut netlink = self.open(side)?;
        // An entry without a MAC address is one that nobody has answered for yet (ip-neighbour(8)).
        let in_vain = |entry: &NeighbourEntry, it: &NeighbourInterface| {
            entry.mac.is_none() && entry.address.is_some_and(|ip| it.ips.contains(&ip))
        };
        let mut batch = self.removal(&mut netlink, side, interfaces, in_vain)?;
        for planned in &interface.neighbours {
            if interfaces.iter().any(|it| it.mac == planned.mac) {
                batch.add_neighbour(&neighbour(self.device(side), planned));
            }
        }
        netlink.execute(batch).map_err(|e| self.refused(side, e))
    }

    /// Makes the kernel at an end forget the neighbours that have one of these interfaces: it asks
    /// for them before it sends anything to them.
    pub(crate) fn remove_neighbours(
        &self,
        side: Side,
        interfaces: &[NeighbourInterface],
    ) -> Result<()> {
        if self.interface(side).is_none() || self.is_powered_off(side) {
            return Ok(());
        }
        let mut netlink = self.open(side)?;
        let known = |entry: &NeighbourEntry, it: &NeighbourInterface| {
            entry.mac.as_ref() == Some(&mac_text(it.mac))
        };
        let batch = self.removal(&mut netlink, side, interfaces, known)?;
        netlink.execute(batch).map_err(|e| self.refused(side, e))
    }

    /// Makes the kernel at an end forget the neighbours that it has learnt: the end is in another
    /// network now, where another host may have the same address. The kernel does so where a
    /// carrier is lost, and keeps permanent entries (net/core/neighbour.c, neigh_carrier_down).
    pub(crate) fn forget_neighbours(&self, side: Side) -> Result<()> {
        let Some(interface) = self.interface(side).filter(|_| !self.is_powered_off(side)) else {
            return Ok(());
        };
        let device = self.device(side);
        let mut netlink = self.open(side)?;
        let mut batch = Batch::new();
        for entry in netlink.neighbours().map_err(|e| self.refused(side, e))? {
            if entry.interface == device.index
                && entry.state != "permanent"
                && let Some(address) = entry.address
                && interface.neighbours.iter().all(|it| it.ip != address)
            {
                // The kernel finds the entry by its address alone (net/core/neighbour.c,
                // neigh_delete).
                let mac = [0; 6];
                batch.delete_neighbour(&NeighbourRequest {
                    address,
                    mac,
                    device,
                });
            }
        }
        netlink.execute(batch).map_err(|e| self.refused(side, e))
    }

    /// Returns requests that delete the entries of neighbours at an end for which `of` is true with
    /// one of these interfaces.
    fn removal(
        &self,
        netlink: &mut Netlink,
        side: Side,
        interfaces: &[NeighbourInterface],
        of: impl Fn(&NeighbourEntry, &NeighbourInterface) -> bool,
    ) -> Result<Batch> {
        let device = self.device(side);
        let mut batch = Batch::new();
        for entry in netlink.neighbours().map_err(|e| self.refused(side, e))? {
            if entry.interface == device.index
                && let Some(address) = entry.address
                && let Some(interface) = interfaces.iter().find(|it| of(&entry, it))
            {
                batch.delete_neighbour(&NeighbourRequest {
                    address,
                    mac: interface.mac,
                    device,
                });
            }
        }
        Ok(batch)
    }
}

/// Writes a hardware address as `NeighbourEntry` does.
fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}

/// The port of the service that drops what it gets (RFC 863).
const DISCARD: u16 = 9;

/// Sends a datagram that every host on the segment hears and no program takes: to port 9, discard.
fn send_to_all(interface: &str, index: u32, family: IpFamily) -> std::io::Result<()> {
    let (from, to): (SocketAddr, SocketAddr) = match family {
        IpFamily::V4 => (
            (Ipv4Addr::UNSPECIFIED, 0).into(),
            (Ipv4Addr::BROADCAST, DISCARD).into(),
        ),
        IpFamily::V6 => {
            let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
            (
                (Ipv6Addr::UNSPECIFIED, 0).into(),
                SocketAddrV6::new(all_nodes, DISCARD, 0, index).into(),
            )
        }
    };
    let socket = UdpSocket::bind(from)?;
    // Without this, the broadcast of a node with several interfaces would leave by one of them.
    bind_to_interface(&socket, interface)?;
    if family == IpFamily::V4 {
        socket.set_broadcast(true)?;
    }
    socket.send_to(b"", to).map(drop)
}
