//! What a bridge keeps of one of its ports: settings, entries of its forwarding table (FDB), groups
//! (MDB) and VLANs. The kernel forgets all of it with the port (net/bridge/br_if.c, del_nbp).

use super::CarriedSettings;
use crate::netlink::batch::Batch;
use crate::netlink::connection::Netlink;
use crate::netlink::encoding::{
    self, Attributes, NLM_F_CREATE, NLM_F_REPLACE, find, numbered, words,
};
use crate::netlink::error::NetlinkError;
use crate::netlink::link::Device;

/// A request by which a port gets again what its bridge kept of it.
#[derive(Clone, Debug)]
pub(super) struct PortRequest {
    what: &'static str,
    kind: u16,
    flags: u16,
    payload: Vec<u8>,
}

const AF_BRIDGE: u8 = libc::AF_BRIDGE as u8;
const IFLA_AF_SPEC: u16 = 26;

/// Returns the request for the settings of a port, by the attributes of its interface; nothing for
/// an interface that is no port of a bridge.
pub(super) fn settings(index: u32, attributes: &[u8]) -> Option<PortRequest> {
    const IFLA_LINKINFO: u16 = 18;
    const IFLA_INFO_SLAVE_KIND: u16 = 4;
    const IFLA_INFO_SLAVE_DATA: u16 = 5;
    // IFLA_BRPORT_PRIORITY, COST, MODE, GUARD, PROTECT, FAST_LEAVE, LEARNING, UNICAST_FLOOD,
    // PROXYARP, LEARNING_SYNC, PROXYARP_WIFI, MULTICAST_ROUTER, MCAST_FLOOD, MCAST_TO_UCAST,
    // VLAN_TUNNEL, BCAST_FLOOD, GROUP_FWD_MASK, NEIGH_SUPPRESS, ISOLATED, BACKUP_PORT,
    // MCAST_EHT_HOSTS_LIMIT, LOCKED, MAB, MCAST_MAX_GROUPS, NEIGH_VLAN_SUPPRESS, BACKUP_NHID
    // (linux/if_link.h). The others are for the kernel to say.
    const GIVEN: [u16; 26] = [
        2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 25, 27, 28, 29, 30, 31, 32, 33, 34, 37, 39, 40, 42, 43,
        44,
    ];
    let info = encoding::find_numbered(attributes, IFLA_LINKINFO)?;
    let kind = find(info, IFLA_INFO_SLAVE_KIND).map(encoding::text)?;
    if kind != "bridge" {
        return None;
    }
    let told = encoding::find_numbered(info, IFLA_INFO_SLAVE_DATA)?;
    let kept = numbered(told).filter(|(number, _)| GIVEN.contains(number));
    let kept = kept.fold(Attributes::new(), |all, (number, value)| {
        all.with(number, value)
    });
    let info = Attributes::new()
        .text(IFLA_INFO_SLAVE_KIND, &kind)
        .nest(IFLA_INFO_SLAVE_DATA, kept);
    let mut payload = words(&[0, index, 0, 0]);
    payload.extend(Attributes::new().nest(IFLA_LINKINFO, info).0);
    Some(PortRequest {
        what: "restore the port of",
        kind: libc::RTM_NEWLINK,
        // The kernel refuses flags for an interface that is there (net/core/rtnetlink.c,
        // rtnl_newlink).
        flags: 0,
        payload,
    })
}

impl Netlink {
    /// Reads what the bridge of a port keeps in tables, and the hardware addresses that programs
    /// have added to the interface.
    pub(super) fn tables_of(&mut self, index: u32) -> Result<Vec<PortRequest>, NetlinkError> {
        let mut question = [0; 12];
        question[0] = AF_BRIDGE;
        let what = "list the forwarding table of";
        let mut all = self.dump(what, libc::RTM_GETNEIGH, &question, |message| {
            table_entry(message.payload, index)
        })?;
        // A kernel without snooping of groups has no such table.
        let mut question = [0; 8];
        question[0] = AF_BRIDGE;
        let groups = self.dump("list the groups of", RTM_GETMDB, &question, |message| {
            Some(groups(message.payload, index))
        });
        all.extend(groups.unwrap_or_default().into_iter().flatten());
        all.extend(self.vlans(index).unwrap_or_default());
        Ok(all)
    }

    fn vlans(&mut self, index: u32) -> Result<Vec<PortRequest>, NetlinkError> {
        const IFLA_EXT_MASK: u16 = 29;
        const RTEXT_FILTER_BRVLAN: u32 = 2;
        let mut question = words(&[AF_BRIDGE.into(), 0, 0, 0]);
        question.extend(
            Attributes::new()
                .number(IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN)
                .0,
        );
        let what = "list the VLANs of";
        let found = self.dump(what, libc::RTM_GETLINK, &question, |message| {
            let attributes = message.payload.get(16..)?;
            let is_it = encoding::u32_at(message.payload, 4) == Some(index);
            let told = encoding::find_numbered(attributes, IFLA_AF_SPEC)?;
            is_it.then(|| vlan_requests(index, told))
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Gives an interface what the bridge of the old one kept of it. The interface is a port of the
    /// bridge by now, and has its carrier. Returns what the kernel refused.
    pub fn give_port(
        &mut self,
        device: Device<'_>,
        settings: &CarriedSettings,
    ) -> Vec<NetlinkError> {
        let give = |request: &PortRequest| {
            let mut batch = Batch::new();
            let PortRequest {
                what,
                kind,
                flags,
                payload,
            } = request;
            batch.push(what, device.name, *kind, *flags, payload);
            self.execute(batch).err()
        };
        settings.port.iter().filter_map(give).collect()
    }
}

/// Returns the request for an entry that a program has made in the forwarding table of a bridge or
/// in the list of addresses that the interface receives. The message is a `struct ndmsg`: index at
/// 4, state at 8, flags at 10.
fn table_entry(whole: &[u8], index: u32) -> Option<PortRequest> {
    const NDA_LLADDR: u16 = 2;
    const NDA_VLAN: u16 = 5;
    const NDA_MASTER: u16 = 9;
    const NTF_SELF: u8 = 2;
    const NTF_MASTER: u8 = 4;
    // NUD_NOARP, as a static entry is, and NUD_PERMANENT, as one of the bridge itself is.
    const KEPT: u16 = 0x40 | 0x80;
    let (header, attributes) = whole.split_at_checked(12)?;
    let state = encoding::u16_at(header, 8)?;
    let address = find(attributes, NDA_LLADDR)?;
    if encoding::u32_at(header, 4) != Some(index) || state & KEPT == 0 {
        return None;
    }
    let flag = match find(attributes, NDA_MASTER) {
        Some(_) => NTF_MASTER,
        // The groups of the interface are in its list as well, and come with their members.
        None if header[10] & NTF_SELF != 0 && address.first()? & 1 == 0 => NTF_SELF,
        None => return None,
    };
    let mut payload = header.to_vec();
    payload[10] |= flag;
    for (number, value) in numbered(attributes) {
        if [NDA_LLADDR, NDA_VLAN].contains(&number) {
            encoding::attribute(&mut payload, number, value);
        }
    }
    Some(PortRequest {
        what: "restore an entry of the forwarding table of",
        kind: libc::RTM_NEWNEIGH,
        flags: NLM_F_CREATE | NLM_F_REPLACE,
        payload,
    })
}

const RTM_NEWMDB: u16 = 84;
const RTM_GETMDB: u16 = 86;

/// Returns the requests for the groups that a program has given a port for good. The message is a
/// `struct br_port_msg`: family, and the index of the bridge at 4.
fn groups(whole: &[u8], index: u32) -> Vec<PortRequest> {
    /// Bytes of `struct br_mdb_entry`: the index of the port, the state at 4, flags, VLAN, group.
    const ENTRY: usize = 28;
    const MDBA_MDB: u16 = 1;
    const MDBA_SET_ENTRY: u16 = 1;
    const MDB_PERMANENT: u8 = 1;
    let Some((header, attributes)) = whole.split_at_checked(8) else {
        return Vec::new();
    };
    let lists = encoding::find_numbered(attributes, MDBA_MDB).unwrap_or_default();
    let entries = encoding::each(lists).flat_map(encoding::each);
    let kept = entries.filter_map(|entry| {
        // Attributes follow the structure.
        let entry = entry.get(..ENTRY)?;
        let is_kept = encoding::u32_at(entry, 0) == Some(index) && entry[4] == MDB_PERMANENT;
        let mut payload = header.to_vec();
        // A list tells no family, and the kernel takes requests of this family alone.
        payload[0] = AF_BRIDGE;
        payload.extend(Attributes::new().with(MDBA_SET_ENTRY, entry).0);
        is_kept.then_some(PortRequest {
            what: "restore a group of the port of",
            kind: RTM_NEWMDB,
            // The kernel replaces groups with lists of sources only (net/bridge/br_mdb.c,
            // br_mdb_add_group).
            flags: NLM_F_CREATE,
            payload,
        })
    });
    kept.collect()
}

/// Returns the requests for the VLANs of a port. A new port has the VLAN 1 by itself
/// (`default_pvid`, ip-link(8)), which a program may have taken away.
fn vlan_requests(index: u32, told: &[u8]) -> Vec<PortRequest> {
    const IFLA_BRIDGE_VLAN_INFO: u16 = 2;
    const USUAL: u16 = 1;
    let vlans = numbered(told).filter(|(kind, _)| *kind == IFLA_BRIDGE_VLAN_INFO);
    let vlans: Vec<&[u8]> = vlans.map(|(_, info)| info).collect();
    // `struct bridge_vlan_info`: flags, VLAN.
    let has_usual = vlans
        .iter()
        .any(|info| encoding::u16_at(info, 2) == Some(USUAL));
    let request = |kind, infos: &[&[u8]]| {
        let list = infos.iter().fold(Attributes::new(), |all, info| {
            all.with(IFLA_BRIDGE_VLAN_INFO, info)
        });
        let mut payload = words(&[AF_BRIDGE.into(), index, 0, 0]);
        payload.extend(Attributes::new().nest(IFLA_AF_SPEC, list).0);
        PortRequest {
            what: "restore the VLANs of the port of",
            kind,
            flags: 0,
            payload,
        }
    };
    let mut requests = Vec::new();
    if !vlans.is_empty() {
        if !has_usual {
            let usual = [[0, 0], USUAL.to_ne_bytes()].concat();
            requests.push(request(libc::RTM_DELLINK, &[&usual]));
        }
        requests.push(request(libc::RTM_SETLINK, &vlans));
    }
    requests
}
