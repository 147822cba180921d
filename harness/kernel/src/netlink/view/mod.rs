//! A network namespace as plain values: interfaces, addresses, routes and neighbours.
//!
//! Tests ask about a node's network while it runs. The answers are read by netlink, and no program
//! of the host is needed: `ip` may be missing, and its output changes between versions.

mod parse;

use std::net::IpAddr;

use nix::libc;
use snowglobe_derive::Serialize;

use super::connection::{Netlink, Question};
use super::encoding::{self, Message};
use super::error::NetlinkError;
use super::ip_family::IpFamily;
use super::link::Device;

/// An interface of a network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InterfaceEntry {
    /// Index in the namespace of the interface.
    pub index: u32,
    /// Name of the interface.
    pub name: String,
    /// Alternative names.
    pub altnames: Vec<String>,
    /// `veth`, `bridge`, …; nothing for `lo`.
    pub kind: Option<String>,
    /// Hardware address, as `02:00:00:00:00:01`.
    pub mac: Option<String>,
    /// Largest packet, in bytes (MTU).
    pub mtu: u32,
    /// Whether the interface was brought up (`IFF_UP`).
    pub up: bool,
    /// Whether the other side is there and up (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// `up`, `down`, `lower-layer-down`, …: whether packets pass.
    pub state: String,
    /// Index of the bridge of which the interface is a port.
    pub master: Option<u32>,
    /// Index of the other end, in the namespace of that end.
    pub peer: Option<u32>,
    /// Packets and bytes since the interface was made.
    pub traffic: InterfaceCounters,
}

/// Counters of what passed an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InterfaceCounters {
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Received packets that were dropped.
    pub rx_dropped: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets that were dropped instead of sent.
    pub tx_dropped: u64,
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddressEntry {
    /// Index of the interface.
    pub interface: u32,
    /// Address.
    pub address: IpAddr,
    /// Number of leading bits that name the network.
    pub prefix: u8,
    /// `global`, `link`, `host`, …
    pub scope: String,
    /// Whether duplicate address detection has still to end.
    pub tentative: bool,
    /// Whether another host of the network has the address, as that detection has found.
    pub duplicate: bool,
    /// Whether the address never expires.
    pub permanent: bool,
    /// Whether new connections are no longer to be made from the address (RFC 4862, section
    /// 5.5.4).
    pub deprecated: bool,
}

/// A route, of any table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteEntry {
    /// Address of the network; nothing for the default route.
    pub destination: Option<IpAddr>,
    /// Number of leading bits that name the network.
    pub prefix: u8,
    /// Family of the destination.
    pub family: IpFamily,
    /// Address of the router.
    pub via: Option<IpAddr>,
    /// Index of the interface.
    pub interface: Option<u32>,
    /// Address that packets get as their source.
    pub source: Option<IpAddr>,
    /// Metric: of several routes to a network, the one with the smallest metric is used.
    pub metric: Option<u32>,
    /// Number of the table: 254 is the main table, 255 the local one.
    pub table: u32,
    /// `unicast`, `local`, `blackhole`, …
    pub kind: String,
    /// Origin of the route: `kernel`, `static`, `boot`, `ra`, …
    pub protocol: String,
}

/// A neighbour, as the kernel knows or seeks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NeighbourEntry {
    /// Index of the interface.
    pub interface: u32,
    /// Address.
    pub address: Option<IpAddr>,
    /// Hardware address, if the kernel knows one.
    pub mac: Option<String>,
    /// `reachable`, `stale`, `permanent`, `failed`, …
    pub state: String,
}

impl Netlink {
    /// Lists all interfaces, by index.
    ///
    /// # Errors
    /// The kernel refused the list, or the list cannot be read.
    pub fn interfaces(&mut self) -> Result<Vec<InterfaceEntry>, NetlinkError> {
        let mut found = self.view(
            "list the interfaces of",
            &parse::INTERFACE,
            parse::interface,
        )?;
        // Older kernels list interfaces by hash bucket, and a comparison of two inspections needs
        // one order.
        found.sort_by_key(|entry| entry.index);
        Ok(found)
    }

    /// Looks at one interface.
    ///
    /// # Errors
    /// There is no such interface, or the answer cannot be read.
    pub fn interface(&mut self, device: Device<'_>) -> Result<InterfaceEntry, NetlinkError> {
        const OPERATION: &str = "look at";
        // `struct ifinfomsg`: family and type, index, flags, mask of flags.
        let question = encoding::words(&[0, device.index, 0, 0]);
        let mut unreadable = "there is no interface in it".to_owned();
        let question = Question {
            operation: OPERATION,
            subject: device.name,
            kind: libc::RTM_GETLINK,
            flags: 0,
            payload: &question,
        };
        let found = self.get(&question, |message| {
            let split = parse::INTERFACE.split(message);
            let (header, attributes) = split.map_err(|reason| unreadable = reason).ok()??;
            parse::interface(header, attributes)
        })?;
        found.ok_or_else(|| NetlinkError::malformed(OPERATION, device.name, unreadable))
    }

    /// Lists all addresses, by interface.
    ///
    /// # Errors
    /// The kernel refused the list, or the list cannot be read.
    pub fn addresses(&mut self) -> Result<Vec<AddressEntry>, NetlinkError> {
        let mut found = self.view("list the addresses of", &parse::ADDRESS, parse::address)?;
        found.sort_by_key(|entry| (entry.interface, entry.address));
        Ok(found)
    }

    /// Lists the routes of all tables, IPv4 first.
    ///
    /// # Errors
    /// The kernel refused the list, or the list cannot be read.
    pub fn routes(&mut self) -> Result<Vec<RouteEntry>, NetlinkError> {
        let mut found = self.view("list the routes of", &parse::ROUTE, parse::route)?;
        found.sort_by_key(|entry| {
            (
                entry.family,
                entry.table,
                entry.destination,
                entry.prefix,
                entry.interface,
            )
        });
        Ok(found)
    }

    /// Lists all neighbours that were asked for or entered.
    ///
    /// # Errors
    /// The kernel refused the list, or the list cannot be read.
    pub fn neighbours(&mut self) -> Result<Vec<NeighbourEntry>, NetlinkError> {
        let mut found = self.view(
            "list the neighbours of",
            &parse::NEIGHBOUR,
            parse::neighbour,
        )?;
        found.sort_by_key(|entry| (entry.interface, entry.address));
        Ok(found)
    }

    fn view<T>(
        &mut self,
        operation: &'static str,
        kind: &EntryKind,
        parse: impl Fn(&[u8], &[u8]) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        let mut unreadable = None;
        let question = vec![0; kind.header];
        let found = self.dump(operation, kind.get, &question, |message| {
            // The rest of the dump is read all the same: the next request must not find it in the
            // queue.
            let split = kind.split(message);
            let (header, attributes) = split.map_err(|it| unreadable = Some(it)).ok()??;
            parse(header, attributes)
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

/// The fixed structure of an answer, and its attributes.
type Divided<'a> = (&'a [u8], &'a [u8]);

/// A kind of thing that the kernel lists.
#[derive(Debug)]
struct EntryKind {
    /// Type of the request.
    get: u16,
    /// Type of the answers.
    new: u16,
    /// Bytes of the fixed structure in front of the attributes.
    header: usize,
}

impl EntryKind {
    /// Divides an answer into its fixed structure and its attributes; answers of other kinds are
    /// left out.
    fn split<'a>(&self, message: &Message<'a>) -> Result<Option<Divided<'a>>, String> {
        if message.kind != self.new {
            return Ok(None);
        }
        let split = message.payload.split_at_checked(self.header).map(Some);
        split.ok_or_else(|| {
            let (there, of) = (message.payload.len(), self.header);
            format!("a message has {there} bytes of the {of} of its header")
        })
    }
}
