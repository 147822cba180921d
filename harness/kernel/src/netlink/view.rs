//! What a network namespace looks like, as plain values.

use std::net::IpAddr;

use netlink_packet_core::NetlinkDeserializable;
use netlink_packet_core::NetlinkHeader;
use netlink_packet_route::RouteNetlinkMessage;
use serde::Serialize;

use super::connection::Netlink;
use super::encoding::{self, Message};
use super::error::NetlinkError;
use super::link::Device;
use super::view_parse;

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InterfaceEntry {
    /// Its number in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its other names.
    pub altnames: Vec<String>,
    /// `veth`, `bridge`, …; nothing for `lo`.
    pub kind: Option<String>,
    /// Its hardware address, as `02:00:00:00:00:01`.
    pub mac: Option<String>,
    /// The largest packet.
    pub mtu: u32,
    /// Whether it was brought up.
    pub up: bool,
    /// Whether the other side is there.
    pub carrier: bool,
    /// `up`, `down`, `lower-layer-down`, …: whether packets pass.
    pub state: String,
    /// The bridge that it is a port of.
    pub master: Option<u32>,
    /// The index of its other end, in that end's namespace.
    pub peer: Option<u32>,
    /// Packets and bytes since it was made.
    pub traffic: InterfaceCounters,
}

/// What passed an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InterfaceCounters {
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Received packets thrown away.
    pub rx_dropped: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets thrown away instead of being sent.
    pub tx_dropped: u64,
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddressEntry {
    /// The interface.
    pub interface: u32,
    /// The address.
    pub address: IpAddr,
    /// How many of its bits name the network.
    pub prefix: u8,
    /// `global`, `link`, `host`, …
    pub scope: String,
    /// Whether duplicate address detection has still to end.
    pub tentative: bool,
    /// Whether it never expires.
    pub permanent: bool,
}

/// A route, of any table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteEntry {
    /// The network; nothing for the default route.
    pub destination: Option<IpAddr>,
    /// How many bits of it count.
    pub prefix: u8,
    /// Whether it is a route of IPv6.
    pub v6: bool,
    /// The router.
    pub via: Option<IpAddr>,
    /// The interface.
    pub interface: Option<u32>,
    /// The address that packets get as their source.
    pub source: Option<IpAddr>,
    /// Smaller wins.
    pub metric: Option<u32>,
    /// 254 is the main table, 255 the local one.
    pub table: u32,
    /// `unicast`, `local`, `blackhole`, …
    pub kind: String,
    /// Who made it: `kernel`, `static`, `boot`, `ra`, …
    pub protocol: String,
}

/// A neighbour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NeighbourEntry {
    /// The interface.
    pub interface: u32,
    /// The address.
    pub address: Option<IpAddr>,
    /// The hardware address, if it is known.
    pub mac: Option<String>,
    /// `reachable`, `stale`, `permanent`, `failed`, …
    pub state: String,
}

const RTM_GETLINK: u16 = 18;
const RTM_GETADDR: u16 = 22;
const RTM_GETROUTE: u16 = 26;
const RTM_GETNEIGH: u16 = 30;

impl Netlink {
    /// All interfaces, by index.
    pub fn interfaces(&mut self) -> Result<Vec<InterfaceEntry>, NetlinkError> {
        let mut found = self.view(
            "list the interfaces of",
            RTM_GETLINK,
            &[0; 16],
            view_parse::interface,
        )?;
        found.sort_by_key(|entry| entry.index);
        Ok(found)
    }

    /// One interface.
    pub fn interface(&mut self, device: Device<'_>) -> Result<InterfaceEntry, NetlinkError> {
        const OPERATION: &str = "look at";
        let question = encoding::words(&[0, device.index, 0, 0]);
        let mut unreadable = "there is no interface in it".to_owned();
        let found = self.get(
            OPERATION,
            device.name,
            RTM_GETLINK,
            0,
            &question,
            |message| {
                let decoded = decode(message).map_err(|reason| unreadable = reason).ok()?;
                view_parse::interface(decoded)
            },
        )?;
        found.ok_or_else(|| NetlinkError::malformed(OPERATION, device.name, unreadable))
    }

    /// All addresses, by interface.
    pub fn addresses(&mut self) -> Result<Vec<AddressEntry>, NetlinkError> {
        let mut found = self.view(
            "list the addresses of",
            RTM_GETADDR,
            &[0; 8],
            view_parse::address,
        )?;
        found.sort_by_key(|entry| (entry.interface, entry.address));
        Ok(found)
    }

    /// All routes of all tables, IPv4 first.
    pub fn routes(&mut self) -> Result<Vec<RouteEntry>, NetlinkError> {
        let mut found = self.view(
            "list the routes of",
            RTM_GETROUTE,
            &[0; 12],
            view_parse::route,
        )?;
        found.sort_by_key(|entry| {
            (
                entry.v6,
                entry.table,
                entry.destination,
                entry.prefix,
                entry.interface,
            )
        });
        Ok(found)
    }

    /// All neighbours that were asked for or entered.
    pub fn neighbours(&mut self) -> Result<Vec<NeighbourEntry>, NetlinkError> {
        let mut found = self.view(
            "list the neighbours of",
            RTM_GETNEIGH,
            &[0; 12],
            view_parse::neighbour,
        )?;
        found.sort_by_key(|entry| (entry.interface, entry.address));
        Ok(found)
    }

    fn view<T>(
        &mut self,
        operation: &'static str,
        kind: u16,
        payload: &[u8],
        parse: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        let mut unreadable = None;
        let found = self.dump(operation, kind, payload, |message| match decode(message) {
            Ok(message) => parse(message),
            Err(reason) => {
                unreadable = Some(reason);
                None
            }
        })?;
        match unreadable {
            Some(reason) => Err(NetlinkError::malformed(
                operation,
                "the network namespace",
                reason,
            )),
            None => Ok(found),
        }
    }
}

fn decode(message: &Message<'_>) -> Result<RouteNetlinkMessage, String> {
    let mut header = NetlinkHeader::default();
    header.message_type = message.kind;
    RouteNetlinkMessage::deserialize(&header, message.payload).map_err(|error| error.to_string())
}
