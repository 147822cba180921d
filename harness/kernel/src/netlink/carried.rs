//! What stands on an interface, to be given to another interface that takes its place.
//!
//! A program may have given an interface anything: addresses with labels, routes of its own tables,
//! queueing disciplines. Few of these have a meaning here. So the kernel's own messages are kept as
//! they are, without what only the kernel may say, and sent back.

mod amount;
mod bridge_port;
mod filters;
mod generation;
mod groups;
mod htb;
mod neighbours;
mod next_hops;
mod routes;
mod upper;

use bridge_port::PortRequest;
use filters::{is_made_with_its_filter, take_back_state};
use htb::take_back_version;
use neighbours::neighbour;
use next_hops::{NHA_RES_GROUP, bucket_request, is_group_of, next_hop, next_hop_id};
use routes::{expiry, route};

use super::batch::Batch;
use super::connection::{Netlink, Question};
use super::encoding::{self, Attributes, NLM_F_CREATE, NLM_F_REPLACE, numbered, set_u32};
use super::error::NetlinkError;
use super::link::Device;

/// Settings of an interface and all that leads over it, as the kernel told of them.
#[derive(Debug, Default)]
pub struct CarriedSettings {
    /// Name at the time.
    name: String,
    /// Attributes of the link, and its flags.
    link: Attributes,
    /// Largest batches of packets. The new interface may have smaller ones for its carrier.
    batches: Attributes,
    /// Requests for what the bridge of the interface keeps of its port.
    port: Vec<PortRequest>,
    /// Mode and token of IPv6 address generation: attributes of AF_INET6 within IFLA_AF_SPEC.
    generation: Attributes,
    flags: u32,
    altnames: Vec<String>,
    /// Requests in the order in which they are best sent.
    requests: Vec<CarriedRequest>,
}

#[derive(Clone, Debug)]
struct CarriedRequest {
    what: &'static str,
    kind: u16,
    payload: Vec<u8>,
}

/// A kind of thing that the kernel lists: how it is asked for, and how it is given.
struct CarriedKind {
    what: &'static str,
    get: u16,
    new: u16,
    /// Bytes of the fixed header, in front of the attributes.
    header: usize,
    /// Attributes that are sent back.
    attributes: &'static [u16],
}

const ADDRESS: CarriedKind = CarriedKind {
    what: "restore an address of",
    get: 22,
    new: 20,
    header: 8,
    // IFA_ADDRESS, LOCAL, LABEL, BROADCAST, ANYCAST, CACHEINFO, FLAGS, RT_PRIORITY, PROTO
    // (linux/if_addr.h).
    attributes: &[1, 2, 3, 4, 5, 6, 8, 9, 11],
};
const NEIGHBOUR: CarriedKind = CarriedKind {
    what: "restore a neighbour of",
    get: 30,
    new: 28,
    header: 12,
    // NDA_DST, LLADDR, VLAN, PORT, VNI, PROTOCOL, FLAGS_EXT (linux/neighbour.h).
    attributes: &[1, 2, 5, 6, 7, 12, 15],
};
const ROUTE: CarriedKind = CarriedKind {
    what: "restore a route over",
    get: 26,
    new: 24,
    header: 12,
    // RTA_DST, SRC, IIF, OIF, GATEWAY, PRIORITY, PREFSRC, METRICS, MULTIPATH, FLOW, TABLE, MARK,
    // VIA, NEWDST, PREF, ENCAP_TYPE, ENCAP, TTL_PROPAGATE (linux/rtnetlink.h).
    attributes: &[
        1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 15, 16, 18, 19, 20, 21, 22, 26,
    ],
};
const NEXT_HOP: CarriedKind = CarriedKind {
    what: "restore a next hop over",
    get: 106,
    new: 104,
    header: 8,
    // NHA_ID, GROUP, GROUP_TYPE, BLACKHOLE, OIF, GATEWAY, ENCAP_TYPE, ENCAP, RES_GROUP
    // (linux/nexthop.h).
    attributes: &[1, 2, 3, 4, 5, 6, 7, 8, NHA_RES_GROUP],
};
const QDISC: CarriedKind = CarriedKind {
    what: "restore a queueing discipline of",
    get: 38,
    new: 36,
    header: 20,
    // TCA_KIND, OPTIONS, INGRESS_BLOCK, EGRESS_BLOCK (linux/rtnetlink.h).
    attributes: &[1, 2, 13, 14],
};
const CLASS: CarriedKind = CarriedKind {
    what: "restore a traffic class of",
    get: 42,
    new: 40,
    attributes: &[1, 2],
    ..QDISC
};
const FILTER: CarriedKind = CarriedKind {
    what: "restore a traffic filter of",
    get: 46,
    new: 44,
    // TCA_KIND, OPTIONS, CHAIN.
    attributes: &[1, 2, 11],
    ..QDISC
};

/// IFLA_GSO_MAX_SEGS, GSO_MAX_SIZE, GRO_MAX_SIZE, GSO_IPV4_MAX_SIZE, GRO_IPV4_MAX_SIZE
/// (linux/if_link.h).
const BATCHES: [u16; 5] = [40, 41, 58, 63, 64];

const RTM_GETLINK: u16 = 18;
const RTM_NEWLINK: u16 = 16;

impl Netlink {
    /// Reads everything that stands on an interface or leads over it.
    ///
    /// # Errors
    /// There is no such interface, or the kernel refused a list.
    pub fn settings_of(&mut self, device: Device<'_>) -> Result<CarriedSettings, NetlinkError> {
        let mut settings = self.link_settings(device)?;
        let all = &mut settings.requests;
        self.list(&ADDRESS, &[0; 8], all, |it| address(it, device.index))?;
        let sources = routes::sources(all.iter().map(|it| it.payload.as_slice()));
        self.neighbours_of(device, all)?;
        // Kernels before 5.3 know no next hops. A group of them has no interface, and goes with the
        // last of its members (net/ipv4/nexthop.c, remove_nexthop_from_groups).
        let mut own = Vec::new();
        let _ = self.list(&NEXT_HOP, &[0; 8], all, |it| {
            let leads = next_hop(it, device.index);
            own.extend(leads.then(|| next_hop_id(it)).flatten());
            leads
        });
        if !own.is_empty() {
            let _ = self.list(&NEXT_HOP, &[0; 8], all, |it| is_group_of(it, &own));
        }
        for family in [libc::AF_INET as u8, libc::AF_INET6 as u8] {
            let mut question = [0; 12];
            question[0] = family;
            self.list(&ROUTE, &question, all, |it| {
                route(it, device.index, &sources)
            })?;
        }
        self.traffic_control_of(device, all)?;
        let is_port = !settings.port.is_empty();
        let tables = self.tables_of(device.index, &settings.link, is_port)?;
        settings.port.extend(tables);
        Ok(settings)
    }

    fn link_settings(&mut self, device: Device<'_>) -> Result<CarriedSettings, NetlinkError> {
        // `struct ifinfomsg`: family and type, index, flags, mask of flags.
        let question = encoding::words(&[0, device.index, 0, 0]);
        let question = Question {
            operation: "look at",
            subject: device.name,
            kind: RTM_GETLINK,
            flags: 0,
            payload: &question,
        };
        let found = self.get(&question, |message| {
            let attributes = message.payload.get(16..)?;
            let mut settings = CarriedSettings {
                flags: encoding::u32_at(message.payload, 8)?,
                name: encoding::find(attributes, 3).map(encoding::text)?,
                ..CarriedSettings::default()
            };
            // IFLA_ADDRESS, BROADCAST, MTU, MASTER, TXQLEN, IFALIAS, GROUP (linux/if_link.h).
            for kind in [1, 2, 4, 10, 13, 20, 27] {
                if let Some(value) = encoding::find(attributes, kind) {
                    settings.link = std::mem::take(&mut settings.link).with(kind, value);
                }
            }
            for kind in BATCHES {
                if let Some(value) = encoding::find(attributes, kind) {
                    let so_far = std::mem::take(&mut settings.batches);
                    settings.batches = so_far.with(kind, value);
                }
            }
            const IFLA_PROP_LIST: u16 = 52;
            let properties = numbered(attributes).find(|(kind, _)| *kind == IFLA_PROP_LIST);
            if let Some((_, list)) = properties {
                settings.altnames = encoding::each(list).map(encoding::text).collect();
            }
            settings.generation = generation::told(attributes);
            settings.port = bridge_port::settings(device.index, attributes)
                .into_iter()
                .collect();
            Some(settings)
        })?;
        let missing = || NetlinkError::malformed("look at", device.name, "no interface".to_owned());
        found.ok_or_else(missing)
    }

    fn neighbours_of(
        &mut self,
        device: Device<'_>,
        all: &mut Vec<CarriedRequest>,
    ) -> Result<(), NetlinkError> {
        const NTF_PROXY: u8 = 8;
        for flags in [0, NTF_PROXY] {
            let mut question = [0; 12];
            question[10] = flags;
            self.list(&NEIGHBOUR, &question, all, |it| neighbour(it, device.index))?;
        }
        Ok(())
    }

    fn traffic_control_of(
        &mut self,
        device: Device<'_>,
        all: &mut Vec<CarriedRequest>,
    ) -> Result<(), NetlinkError> {
        let of = |parent: u32| encoding::words(&[0, device.index, 0, parent, 0]);
        let mut parents = Vec::new();
        self.list(&QDISC, &of(0), all, |it| {
            let kept = traffic_control(it, device.index);
            // This is `tcm_handle`: filters hang below a discipline.
            parents.extend(kept.then(|| encoding::u32_at(it, 8)).flatten());
            kept
        })?;
        if parents.is_empty() {
            return Ok(());
        }
        self.list(&CLASS, &of(0), all, |it| {
            traffic_control(it, device.index) && is_made_by_programs(it)
        })?;
        // TC_H_CLSACT with its two sides: filters of an ingress discipline name these as parents
        // (linux/pkt_sched.h).
        const INGRESS: u32 = 0xffff_0000;
        if parents.contains(&INGRESS) {
            parents.extend([0xffff_fff2, 0xffff_fff3]);
        }
        for parent in parents {
            // A discipline that takes no filters has none.
            let _ = self.list(&FILTER, &of(parent), all, |it| {
                take_back_state(it);
                traffic_control(it, device.index) && !is_made_with_its_filter(it)
            });
        }
        Ok(())
    }

    /// Lists what there is of a kind, and keeps what `keep` takes. `keep` may change the header.
    fn list(
        &mut self,
        kind: &CarriedKind,
        question: &[u8],
        all: &mut Vec<CarriedRequest>,
        mut keep: impl FnMut(&mut [u8]) -> bool,
    ) -> Result<(), NetlinkError> {
        let found = self.dump("list the settings of", kind.get, question, |message| {
            let mut whole = message.payload.to_vec();
            if whole.len() < kind.header || !keep(&mut whole) {
                return None;
            }
            Some(CarriedRequest {
                what: kind.what,
                kind: kind.new,
                payload: stripped(kind, &whole),
            })
        })?;
        all.extend(found);
        Ok(())
    }

    /// Gives an interface that has taken the place of another one what stood on that.
    /// Returns what the kernel refused.
    ///
    /// # Errors
    /// The kernel refused the settings of the link itself.
    pub fn give_carried(
        &mut self,
        device: Device<'_>,
        settings: &CarriedSettings,
    ) -> Result<Vec<NetlinkError>, NetlinkError> {
        let own = self.link_settings(device)?.batches;
        let mut batch = Batch::new();
        batch.disable_address_generation(device);
        let mut link = encoding::words(&[0, device.index, 0, 0]);
        link.extend(&settings.link.0);
        link.extend(smaller_batches(&settings.batches, &own).0);
        batch.push("restore", device.name, RTM_NEWLINK, 0, &link);
        for name in &settings.altnames {
            batch.add_altname(device, name);
        }
        // IFF_UP, NOARP, PROMISC, ALLMULTI, MULTICAST, DYNAMIC (linux/if.h).
        const MASK: u32 = 0x1 | 0x80 | 0x100 | 0x200 | 0x1000 | 0x8000;
        let flags = encoding::words(&[0, device.index, settings.flags & MASK, MASK]);
        batch.push("restore the flags of", device.name, RTM_NEWLINK, 0, &flags);
        self.execute(batch)?;
        Ok(self.send_in_rounds(device, settings.requests.iter().collect()))
    }

    /// Sets the mode and the token of IPv6 address generation to those of the old interface. The
    /// new interface has to be up and to have all its addresses.
    ///
    /// # Errors
    /// The kernel refused the mode or the token.
    pub fn give_generation(
        &mut self,
        device: Device<'_>,
        settings: &CarriedSettings,
    ) -> Result<(), NetlinkError> {
        if settings.generation.0.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        let operation = "restore IPv6 address generation of";
        let payload = generation::request(device, settings.generation.clone());
        batch.push(operation, device.name, RTM_NEWLINK, 0, &payload);
        self.execute(batch)
    }

    /// Sends requests again and again as long as one more of them succeeds: a route may lead to a
    /// gateway that is behind another route, and a class belongs to a discipline.
    fn send_in_rounds(
        &mut self,
        device: Device<'_>,
        mut waiting: Vec<&CarriedRequest>,
    ) -> Vec<NetlinkError> {
        loop {
            let before = waiting.len();
            let mut refusals = Vec::new();
            waiting.retain(|request| {
                let mut batch = Batch::new();
                let flags = NLM_F_CREATE | NLM_F_REPLACE;
                let CarriedRequest {
                    what,
                    kind,
                    payload,
                } = *request;
                batch.push(what, device.name, *kind, flags, payload);
                match self.execute(batch) {
                    Ok(()) => false,
                    Err(refusal) => {
                        refusals.push(refusal);
                        true
                    }
                }
            });
            if waiting.is_empty() || waiting.len() == before {
                return refusals;
            }
        }
    }
}

impl CarriedSettings {
    /// Returns the name that the interface had.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the alternative names that the interface had.
    pub fn altnames(&self) -> &[String] {
        &self.altnames
    }
}

/// Returns the limits of batches that are smaller than those which an interface has by itself, as
/// one has that a wire or netem carries.
fn smaller_batches(wanted: &Attributes, own: &Attributes) -> Attributes {
    let number = |all: &Attributes, kind| {
        encoding::find(&all.0, kind).and_then(|value| encoding::u32_at(value, 0))
    };
    let smaller = |kind| {
        let (wanted, own) = (number(wanted, kind)?, number(own, kind)?);
        (wanted < own).then_some((kind, wanted))
    };
    let found = BATCHES.into_iter().filter_map(smaller);
    found.fold(Attributes::new(), |all, (kind, most)| {
        all.number(kind, most)
    })
}

/// Returns a message without the attributes that only the kernel may give.
fn stripped(kind: &CarriedKind, whole: &[u8]) -> Vec<u8> {
    let (header, attributes) = whole.split_at(kind.header);
    use next_hops::RTA_NH_ID;
    // A route over a next hop names nothing else of the way (net/ipv4/fib_frontend.c,
    // rtm_to_fib_config), though the kernel tells all of it.
    let by_next_hop =
        kind.get == ROUTE.get && numbered(attributes).any(|(number, _)| number == RTA_NH_ID);
    let keep = |number: u16| match by_next_hop {
        // RTA_DST, PRIORITY, PREFSRC, METRICS, TABLE.
        true => [1, 6, 7, 8, 15, RTA_NH_ID].contains(&number),
        false => kind.attributes.contains(&number),
    };
    let mut kept = header.to_vec();
    for (number, value) in numbered(attributes).filter(|(number, _)| keep(*number)) {
        match (kind.get == NEXT_HOP.get, number) {
            (true, NHA_RES_GROUP) => {
                let (kind, asked) = bucket_request(value);
                encoding::attribute(&mut kept, kind, &asked.0);
            }
            _ => encoding::attribute(&mut kept, number, value),
        }
    }
    if kind.get == ROUTE.get
        && let Some(seconds) = expiry(attributes)
    {
        encoding::attribute(&mut kept, routes::RTA_EXPIRES, &seconds.to_ne_bytes());
    }
    kept
}

/// Returns whether an address is one of the interface, and sets the flag that spares another
/// detection of duplicates. The message is a `struct ifaddrmsg`: family, prefix length, flags,
/// scope, index.
fn address(whole: &mut [u8], index: u32) -> bool {
    const IFA_F_NODAD: u32 = 0x02;
    const IFA_FLAGS: u16 = 8;
    if encoding::u32_at(whole, 4) != Some(index) {
        return false;
    }
    // The address was tried already; until it were again, nothing could be sent from it. The
    // attribute has the same place in every message of the kernel: it is looked up.
    if whole[0] == libc::AF_INET6 as u8 {
        whole[2] |= IFA_F_NODAD as u8;
        let mut at = 8;
        while let (Some(length), Some(kind)) =
            (encoding::u16_at(whole, at), encoding::u16_at(whole, at + 2))
        {
            if kind == IFA_FLAGS
                && let Some(flags) = encoding::u32_at(whole, at + 4)
            {
                set_u32(whole, at + 4, flags | IFA_F_NODAD);
            }
            at += encoding::align(usize::from(length).max(4));
        }
    }
    true
}

/// Returns whether a queueing discipline, class or filter has a handle and is one of the interface.
/// The message is a `struct tcmsg`: index at 4, handle at 8, parent at 12, info at 16.
fn traffic_control(whole: &mut [u8], index: u32) -> bool {
    take_back_version(whole);
    // The discipline that every interface has by default has no handle.
    let is_there = encoding::u32_at(whole, 4) == Some(index);
    is_there && encoding::u32_at(whole, 8).is_some_and(|handle| handle != 0)
}

/// Tells whether a class is one that somebody has to make. Others come with their discipline.
fn is_made_by_programs(whole: &[u8]) -> bool {
    const TCA_KIND: u16 = 1;
    let kind = encoding::find(&whole[20..], TCA_KIND).map(encoding::text);
    let makeable = ["htb", "hfsc", "drr", "qfq", "cbq"];
    kind.is_some_and(|kind| makeable.contains(&kind.as_str()))
}
