//! Parameters of neighbour tables: how long an address counts as reachable, how often a lost one is
//! asked for.
//!
//! Every interface has parameters of its own, which it begins with as a copy of those that the
//! first network namespace of the machine has for new interfaces (net/core/neighbour.c,
//! `neigh_parms_alloc`).

use nix::errno::Errno;

use super::batch::Batch;
use super::connection::Netlink;
use super::encoding::{self, Attributes, Message};
use super::error::NetlinkError;
use super::link::Device;

/// A neighbour table of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NeighbourTable {
    /// IPv4: `arp(7)`.
    Arp,
    /// IPv6: neighbour discovery, RFC 4861.
    Ndisc,
}

/// Parameters of a neighbour table, for an interface. Times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourParameters {
    /// Time for which an answer counts, before it is multiplied by a random factor.
    pub base_reachable: u64,
    /// Time between two questions.
    pub retransmit: u64,
    /// Time after which an unused entry may be dropped.
    pub stale: u64,
    /// Time before the first question about an entry that is in use and may be out of date.
    pub delay_probe: u64,
    /// Greatest delay of an answer to a question to an anycast address.
    pub anycast_delay: u64,
    /// Greatest delay of an answer for somebody else.
    pub proxy_delay: u64,
    /// Time for which an entry that has just changed stays as it is.
    pub lock: u64,
    /// Number of questions to a program.
    pub application_probes: u32,
    /// Number of questions to the known address.
    pub unicast_probes: u32,
    /// Number of questions to everybody.
    pub multicast_probes: u32,
    /// Number of questions to everybody after those to the known address.
    pub multicast_reprobes: u32,
    /// Number of packets that wait for an answer for somebody else.
    pub proxy_queue: u32,
    /// Number of bytes that wait for the address of a neighbour.
    pub queue_bytes: u32,
}

// `linux/neighbour.h`.
const RTM_NEWNEIGHTBL: u16 = 64;
const RTM_GETNEIGHTBL: u16 = 66;
const RTM_SETNEIGHTBL: u16 = 67;
const NDTA_NAME: u16 = 1;
const NDTA_THRESH3: u16 = 4;
const NDTA_PARMS: u16 = 6;
const NDTA_STATS: u16 = 7;
const NDTPA_IFINDEX: u16 = 1;
const NDTPA_BASE_REACHABLE_TIME: u16 = 4;
const NDTPA_RETRANS_TIME: u16 = 5;
const NDTPA_GC_STALETIME: u16 = 6;
const NDTPA_DELAY_PROBE_TIME: u16 = 7;
const NDTPA_APP_PROBES: u16 = 9;
const NDTPA_UCAST_PROBES: u16 = 10;
const NDTPA_MCAST_PROBES: u16 = 11;
const NDTPA_ANYCAST_DELAY: u16 = 12;
const NDTPA_PROXY_DELAY: u16 = 13;
const NDTPA_PROXY_QLEN: u16 = 14;
const NDTPA_LOCKTIME: u16 = 15;
const NDTPA_QUEUE_LENBYTES: u16 = 16;
const NDTPA_MCAST_REPROBES: u16 = 17;

/// A neighbour table as all network namespaces of the host share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedTable {
    /// The table.
    pub table: NeighbourTable,
    /// Parameters that new interfaces of all namespaces begin with.
    pub defaults: NeighbourParameters,
    /// Number of entries that may be learned, `gc_thresh3`.
    pub most: u32,
    /// Number of entries for which there was no room, since the host was booted.
    pub refusals: u64,
}

/// Offset of `ndts_table_fulls` in `struct ndt_stats` (`linux/neighbour.h`), which consists of
/// eleven numbers of eight bytes.
const TABLE_FULLS: usize = 10 * 8;

impl NeighbourTable {
    /// Both tables.
    pub const ALL: [Self; 2] = [Self::Arp, Self::Ndisc];

    fn family(self) -> u8 {
        (match self {
            Self::Arp => libc::AF_INET,
            Self::Ndisc => libc::AF_INET6,
        }) as u8
    }

    fn name(self) -> &'static str {
        match self {
            Self::Arp => "arp_cache",
            Self::Ndisc => "ndisc_cache",
        }
    }

    /// Returns the kernel's own parameters (net/ipv4/arp.c, `arp_tbl`; net/ipv6/ndisc.c, `nd_tbl`).
    pub fn own_parameters(self) -> NeighbourParameters {
        NeighbourParameters {
            base_reachable: 30_000,
            retransmit: 1000,
            stale: 60_000,
            delay_probe: 5000,
            anycast_delay: 1000,
            proxy_delay: 800,
            lock: match self {
                Self::Arp => 1000,
                Self::Ndisc => 0,
            },
            application_probes: 0,
            unicast_probes: 3,
            multicast_probes: 3,
            multicast_reprobes: 0,
            proxy_queue: 64,
            // SK_WMEM_DEFAULT of include/net/sock.h, on machines of 64 bits.
            queue_bytes: 212_992,
        }
    }
}

impl Netlink {
    /// Returns the neighbour tables of the host.
    ///
    /// # Errors
    /// The kernel refused to tell.
    pub fn neighbour_tables(&mut self) -> Result<Vec<SharedTable>, NetlinkError> {
        self.dump(
            "list the neighbour tables of",
            RTM_GETNEIGHTBL,
            &[0; 4],
            |message| (message.kind == RTM_NEWNEIGHTBL).then(|| shared_table(message))?,
        )
    }
}

/// Reads what is said of a table; nothing where that is about a single interface.
fn shared_table(message: &Message<'_>) -> Option<SharedTable> {
    // `struct ndtmsg` has four bytes, the first of which is the family.
    let family = *message.payload.first()?;
    let table = NeighbourTable::ALL
        .into_iter()
        .find(|table| table.family() == family)?;
    let attributes = message.payload.get(4..)?;
    let parameters = encoding::find(attributes, NDTA_PARMS)?;
    if encoding::find(parameters, NDTPA_IFINDEX).is_some() {
        return None;
    }
    let number = |kind| encoding::u32_at(encoding::find(attributes, kind)?, 0);
    Some(SharedTable {
        table,
        defaults: defaults(parameters, table.own_parameters()),
        most: number(NDTA_THRESH3).unwrap_or_default(),
        refusals: encoding::find(attributes, NDTA_STATS)
            .and_then(|counters| encoding::u64_at(counters, TABLE_FULLS))
            .unwrap_or_default(),
    })
}

/// Reads parameters; the kernel's own ones stand for those that an old kernel does not know.
fn defaults(parameters: &[u8], own: NeighbourParameters) -> NeighbourParameters {
    let time = |kind, own| {
        let value = encoding::find(parameters, kind);
        value
            .and_then(|value| encoding::u64_at(value, 0))
            .unwrap_or(own)
    };
    let count = |kind, own| {
        let value = encoding::find(parameters, kind);
        value
            .and_then(|value| encoding::u32_at(value, 0))
            .unwrap_or(own)
    };
    NeighbourParameters {
        base_reachable: time(NDTPA_BASE_REACHABLE_TIME, own.base_reachable),
        retransmit: time(NDTPA_RETRANS_TIME, own.retransmit),
        stale: time(NDTPA_GC_STALETIME, own.stale),
        delay_probe: time(NDTPA_DELAY_PROBE_TIME, own.delay_probe),
        anycast_delay: time(NDTPA_ANYCAST_DELAY, own.anycast_delay),
        proxy_delay: time(NDTPA_PROXY_DELAY, own.proxy_delay),
        lock: time(NDTPA_LOCKTIME, own.lock),
        application_probes: count(NDTPA_APP_PROBES, own.application_probes),
        unicast_probes: count(NDTPA_UCAST_PROBES, own.unicast_probes),
        multicast_probes: count(NDTPA_MCAST_PROBES, own.multicast_probes),
        multicast_reprobes: count(NDTPA_MCAST_REPROBES, own.multicast_reprobes),
        proxy_queue: count(NDTPA_PROXY_QLEN, own.proxy_queue),
        queue_bytes: count(NDTPA_QUEUE_LENBYTES, own.queue_bytes),
    }
}

impl Batch {
    /// Gives an interface these parameters of a neighbour table.
    pub fn set_neighbour_parameters(
        &mut self,
        device: Device<'_>,
        table: NeighbourTable,
        parameters: &NeighbourParameters,
    ) {
        let NeighbourParameters {
            base_reachable,
            retransmit,
            stale,
            delay_probe,
            anycast_delay,
            proxy_delay,
            lock,
            application_probes,
            unicast_probes,
            multicast_probes,
            multicast_reprobes,
            proxy_queue,
            queue_bytes,
        } = parameters;
        let attributes = Attributes::new()
            .with(NDTPA_IFINDEX, &device.index.to_ne_bytes())
            .with(NDTPA_BASE_REACHABLE_TIME, &base_reachable.to_ne_bytes())
            .with(NDTPA_RETRANS_TIME, &retransmit.to_ne_bytes())
            .with(NDTPA_GC_STALETIME, &stale.to_ne_bytes())
            .with(NDTPA_DELAY_PROBE_TIME, &delay_probe.to_ne_bytes())
            .with(NDTPA_ANYCAST_DELAY, &anycast_delay.to_ne_bytes())
            .with(NDTPA_PROXY_DELAY, &proxy_delay.to_ne_bytes())
            .with(NDTPA_LOCKTIME, &lock.to_ne_bytes())
            .with(NDTPA_APP_PROBES, &application_probes.to_ne_bytes())
            .with(NDTPA_UCAST_PROBES, &unicast_probes.to_ne_bytes())
            .with(NDTPA_MCAST_PROBES, &multicast_probes.to_ne_bytes())
            .with(NDTPA_MCAST_REPROBES, &multicast_reprobes.to_ne_bytes())
            .with(NDTPA_PROXY_QLEN, &proxy_queue.to_ne_bytes())
            .with(NDTPA_QUEUE_LENBYTES, &queue_bytes.to_ne_bytes());
        let message = Attributes(vec![table.family(), 0, 0, 0])
            .text(NDTA_NAME, table.name())
            .nest(NDTA_PARMS, attributes);
        self.push(
            "set the parameters of neighbours on",
            device.name,
            RTM_SETNEIGHTBL,
            0,
            &message.0,
        );
        // An interface has no parameters for a family that it does not speak.
        self.tolerate(Errno::ENOENT);
    }
}
