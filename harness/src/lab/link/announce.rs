//! Who is where on a segment: what switches and neighbours are told.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::AsFd;

use crate::kernel::fd::bind_to_interface;
use crate::kernel::netlink::{Batch, NeighbourRequest};
use crate::kernel::netns::Netns;
use crate::lab::error::{LabError, Result};
use crate::lab::link::ends::LinkEnds;
use crate::lab::stack::settings::neighbour;
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
                && !self.is_dark(side)
            {
                let name = interface.name.as_str();
                // A node may speak IPv6 only. Then a multicast to all nodes serves instead of a
                // broadcast.
                let v4 = interface.addresses.iter().any(|it| it.ip.is_ipv4());
                let index = self.device(side).index;
                Netns::visit(netns.as_fd(), || call_out(name, index, v4))
                    .map_err(|e| LabError::refused(format!("enter {}", self.whose(side)), e))?
                    .map_err(|e| LabError::io(format!("send from {}", self.whose(side)), &e))?;
            }
        }
        Ok(())
    }

    /// Enters the planned neighbours of an end that have one of these hardware addresses.
    pub(crate) fn know(&self, side: Side, macs: &[[u8; 6]]) -> Result<()> {
        let Some(interface) = self.interface(side).filter(|_| !self.is_dark(side)) else {
            return Ok(());
        };
        let mut batch = Batch::new();
        for planned in interface.neighbours.iter() {
            if macs.contains(&planned.mac) {
                batch.add_neighbour(&neighbour(self.device(side), planned));
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.execute(side, batch)
    }

    /// Makes the kernel at an end ask for the neighbours that have one of these hardware addresses
    /// before it relies on them again.
    pub(crate) fn doubt(&self, side: Side, macs: &[[u8; 6]]) -> Result<()> {
        if self.interface(side).is_none() || self.is_dark(side) {
            return Ok(());
        }
        let explain = |e| self.refused(side, e);
        let mut netlink = self.open(side)?;
        let neighbours = netlink.neighbours().map_err(explain)?;
        let mut batch = Batch::new();
        let device = self.device(side);
        for entry in neighbours.iter().filter(|it| it.interface == device.index) {
            let is_known = |mac: &&[u8; 6]| entry.mac.as_ref() == Some(&mac_text(mac));
            if let (Some(address), Some(mac)) = (entry.address, macs.iter().find(is_known)) {
                batch.doubt_neighbour(&NeighbourRequest {
                    address,
                    mac: *mac,
                    device,
                });
            }
        }
        netlink.execute(batch).map_err(explain)
    }
}

/// Writes a hardware address as `NeighbourEntry` does.
fn mac_text(mac: &[u8; 6]) -> String {
    let octets = mac.map(|octet| format!("{octet:02x}"));
    octets.join(":")
}

/// Sends a datagram that every host on the segment hears and no program takes: to port 9, discard.
fn call_out(interface: &str, index: u32, v4: bool) -> std::io::Result<()> {
    const DISCARD: u16 = 9;
    let (from, to): (SocketAddr, SocketAddr) = if v4 {
        (
            (Ipv4Addr::UNSPECIFIED, 0).into(),
            (Ipv4Addr::BROADCAST, DISCARD).into(),
        )
    } else {
        let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
        (
            (Ipv6Addr::UNSPECIFIED, 0).into(),
            SocketAddrV6::new(all_nodes, DISCARD, 0, index).into(),
        )
    };
    let socket = UdpSocket::bind(from)?;
    // Without this, the broadcast of a node with several interfaces would leave by one of them.
    bind_to_interface(&socket, interface)?;
    if v4 {
        socket.set_broadcast(true)?;
    }
    socket.send_to(b"", to).map(drop)
}
