//! What a bridge keeps of one of its ports: settings, entries of its forwarding table (FDB), groups
//! (MDB) and VLANs. The kernel forgets all of it with the port (net/bridge/br_if.c, del_nbp).

use nix::errno::Errno;

use super::CarriedSettings;
use crate::netlink::batch::Batch;
use crate::netlink::connection::{Netlink, Question};
use crate::netlink::encoding::{
    self, Attributes, NLM_F_CREATE, NLM_F_REPLACE, find, numbered, words,
};
use crate::netlink::error::NetlinkError;
use crate::netlink::link::Device;

/// A request by which a port gets again what its bridge kept of it.
#[derive(Clone, Debug)]
pub(super) struct PortRequest {
    what: &'static str,
    /// The VLAN of an entry or a group; 0 for none.
    vlan: u16,
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
        vlan: 0,
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
    pub(super) fn tables_of(
        &mut self,
        index: u32,
        link: &Attributes,
        is_port: bool,
    ) -> Result<Vec<PortRequest>, NetlinkError> {
        const IFLA_ADDRESS: u16 = 1;
        const IFLA_MASTER: u16 = 10;
        let bridge = find(&link.0, IFLA_MASTER).and_then(|it| encoding::u32_at(it, 0));
        let own = find(&link.0, IFLA_ADDRESS).unwrap_or_default();
        let mut question = [0; 12];
        question[0] = AF_BRIDGE;
        let what = "list the forwarding table of";
        let mut all = self.dump(what, libc::RTM_GETNEIGH, &question, |message| {
            table_entry(message.payload, index, own)
        })?;
        // A kernel without snooping of groups has no such table.
        let mut question = [0; 8];
        question[0] = AF_BRIDGE;
        let groups = self.dump("list the groups of", RTM_GETMDB, &question, |message| {
            Some(groups(message.payload, index))
        });
        let mut groups: Vec<PortGroup> = groups.unwrap_or_default().into_iter().flatten().collect();
        // With a group that has a list of sources, the kernel makes an entry for each of them
        // (net/bridge/br_mdb.c, br_mdb_add_group_srcs), and refuses to where one is there.
        groups.sort_by_key(|it| it.of_source);
        all.extend(groups.into_iter().map(|it| it.request));
        if let Some(bridge) = bridge.filter(|_| is_port)
            && let Some(usual) = self.usual_vlan(bridge)
            && let Ok(vlans) = self.vlans(index)
        {
            return Ok(with_vlans(index, usual, &vlans, all));
        }
        Ok(all)
    }

    /// Returns the VLAN that new ports of a bridge have by themselves (`vlan_default_pvid`,
    /// ip-link(8)): 0 for none. Returns nothing where the kernel has no VLANs of bridges.
    fn usual_vlan(&mut self, bridge: u32) -> Option<u16> {
        const IFLA_LINKINFO: u16 = 18;
        const IFLA_INFO_DATA: u16 = 2;
        const IFLA_BR_VLAN_DEFAULT_PVID: u16 = 39;
        let question = Question {
            operation: "look at",
            subject: "a bridge",
            kind: libc::RTM_GETLINK,
            flags: 0,
            payload: &words(&[0, bridge, 0, 0]),
        };
        let found = self.get(&question, |message| {
            let info = encoding::find_numbered(message.payload.get(16..)?, IFLA_LINKINFO)?;
            let data = encoding::find_numbered(info, IFLA_INFO_DATA)?;
            encoding::u16_at(find(data, IFLA_BR_VLAN_DEFAULT_PVID)?, 0)
        });
        found.ok().flatten()
    }

    fn vlans(&mut self, index: u32) -> Result<Vec<Vec<u8>>, NetlinkError> {
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
            is_it.then(|| told_vlans(attributes))
        })?;
        Ok(found.concat())
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
                vlan: _,
            } = request;
            batch.push(what, device.name, *kind, *flags, payload);
            if *kind == RTM_NEWMDB {
                // The kernel has made it with the list of sources of another one.
                batch.tolerate(Errno::EEXIST);
            }
            self.execute(batch).err()
        };
        settings.port.iter().filter_map(give).collect()
    }
}

/// Returns the request for an entry that a program has made in the forwarding table of a bridge or
/// in the list of addresses that the interface receives. The message is a `struct ndmsg`: index at
/// 4, state at 8, flags at 10.
///
/// The bridge itself makes the entries for the port's own address. If they were given again, it
/// would keep them when the address changes (net/bridge/br_fdb.c, br_fdb_changeaddr).
fn table_entry(whole: &[u8], index: u32, own: &[u8]) -> Option<PortRequest> {
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
    let is_it = encoding::u32_at(header, 4) == Some(index) && address != own;
    if !is_it || state & KEPT == 0 {
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
        vlan: find(attributes, NDA_VLAN)
            .and_then(|it| encoding::u16_at(it, 0))
            .unwrap_or(0),
        kind: libc::RTM_NEWNEIGH,
        flags: NLM_F_CREATE | NLM_F_REPLACE,
        payload,
    })
}

const RTM_NEWMDB: u16 = 84;
const RTM_GETMDB: u16 = 86;

/// A group that a program has given a port for good.
struct PortGroup {
    /// Whether it is for packets of one source only.
    of_source: bool,
    request: PortRequest,
}

/// Returns the groups that a program has given a port for good. The message is a
/// `struct br_port_msg`: family, and the index of the bridge at 4.
fn groups(whole: &[u8], index: u32) -> Vec<PortGroup> {
    const MDBA_MDB: u16 = 1;
    let Some((header, attributes)) = whole.split_at_checked(8) else {
        return Vec::new();
    };
    let lists = encoding::find_numbered(attributes, MDBA_MDB).unwrap_or_default();
    let entries = encoding::each(lists).flat_map(encoding::each);
    let kept = entries.filter_map(|entry| group(header, entry, index));
    kept.collect()
}

fn group(header: &[u8], entry: &[u8], index: u32) -> Option<PortGroup> {
    /// Bytes of `struct br_mdb_entry`: the index of the port, the state at 4, flags at 5, VLAN,
    /// group. Attributes follow it.
    const ENTRY: usize = 28;
    const MDBA_SET_ENTRY: u16 = 1;
    const MDBA_SET_ENTRY_ATTRS: u16 = 2;
    const MDB_PERMANENT: u8 = 1;
    /// The kernel has made it for a group of another port.
    const MDB_FLAGS_STAR_EXCL: u8 = 4;
    let (entry, told) = entry.split_at_checked(ENTRY)?;
    let is_kept = encoding::u32_at(entry, 0) == Some(index)
        && entry[4] == MDB_PERMANENT
        && entry[5] & MDB_FLAGS_STAR_EXCL == 0;
    if !is_kept {
        return None;
    }
    let mut payload = header.to_vec();
    // A list tells no family, and the kernel takes requests of this family alone.
    payload[0] = AF_BRIDGE;
    encoding::attribute(&mut payload, MDBA_SET_ENTRY, entry);
    let wanted = group_attributes(told);
    // Kernels before 5.10 know no such list.
    if !wanted.0.is_empty() {
        encoding::attribute(&mut payload, MDBA_SET_ENTRY_ATTRS | NESTED, &wanted.0);
    }
    Some(PortGroup {
        of_source: find(told, MDBA_MDB_EATTR_SOURCE).is_some(),
        request: PortRequest {
            what: "restore a group of the port of",
            vlan: encoding::u16_at(entry, 6)?,
            kind: RTM_NEWMDB,
            // The kernel replaces groups with lists of sources only (net/bridge/br_mdb.c,
            // br_mdb_add_group).
            flags: NLM_F_CREATE,
            payload,
        },
    })
}

const NESTED: u16 = 0x8000;
const MDBA_MDB_EATTR_SOURCE: u16 = 4;

/// Returns the attributes that make a group what the kernel has told of it, without those that a
/// group has by itself: older kernels refuse what they do not know (linux/if_bridge.h).
fn group_attributes(told: &[u8]) -> Attributes {
    const MDBA_MDB_EATTR_SRC_LIST: u16 = 2;
    const MDBA_MDB_EATTR_GROUP_MODE: u16 = 3;
    const MDBA_MDB_EATTR_RTPROT: u16 = 5;
    const MDBA_MDB_SRCATTR_ADDRESS: u16 = 1;
    const MDBE_ATTR_SOURCE: u16 = 1;
    const MDBE_ATTR_SRC_LIST: u16 = 2;
    const MDBE_ATTR_GROUP_MODE: u16 = 3;
    const MDBE_ATTR_RTPROT: u16 = 4;
    const MDBE_SRC_LIST_ENTRY: u16 = 1;
    const MDBE_SRCATTR_ADDRESS: u16 = 1;
    const RTPROT_STATIC: u8 = 4;
    let mut all = Attributes::new();
    let source = find(told, MDBA_MDB_EATTR_SOURCE);
    // A group of one source has no mode that anybody may set.
    if source.is_none() {
        let list = encoding::find_numbered(told, MDBA_MDB_EATTR_SRC_LIST).unwrap_or_default();
        let sources = encoding::each(list).filter_map(|it| find(it, MDBA_MDB_SRCATTR_ADDRESS));
        let sources: Vec<&[u8]> = sources.collect();
        // The kernel tells the newest first.
        let sources = sources
            .into_iter()
            .rev()
            .fold(Attributes::new(), |all, address| {
                let source = Attributes::new().with(MDBE_SRCATTR_ADDRESS, address);
                all.nest(MDBE_SRC_LIST_ENTRY | NESTED, source)
            });
        if !sources.0.is_empty()
            && let Some(mode) = find(told, MDBA_MDB_EATTR_GROUP_MODE)
        {
            all = all.with(MDBE_ATTR_GROUP_MODE, mode);
            all = all.nest(MDBE_ATTR_SRC_LIST | NESTED, sources);
        }
    }
    let protocol = find(told, MDBA_MDB_EATTR_RTPROT).filter(|it| **it > [RTPROT_STATIC][..]);
    all.maybe(source, |all, address| all.with(MDBE_ATTR_SOURCE, address))
        .maybe(protocol, |all, it| all.with(MDBE_ATTR_RTPROT, it))
}

const IFLA_BRIDGE_VLAN_INFO: u16 = 2;

/// Returns the VLANs among the attributes of a port, each a `struct bridge_vlan_info`: flags, VLAN.
/// The kernel tells no list of a port that has none.
fn told_vlans(attributes: &[u8]) -> Vec<Vec<u8>> {
    let told = encoding::find_numbered(attributes, IFLA_AF_SPEC).unwrap_or_default();
    let vlans = numbered(told).filter(|(kind, _)| *kind == IFLA_BRIDGE_VLAN_INFO);
    vlans.map(|(_, info)| info.to_vec()).collect()
}

/// Returns the requests for entries and groups of a port, and for its VLANs, in an order that the
/// kernel takes.
///
/// An entry without a VLAN comes before all VLANs: the kernel would make one for each VLAN of the
/// port as well. One of a VLAN needs that VLAN at the port, and stays when the VLAN goes
/// (net/bridge/br_fdb.c, br_fdb_add and br_fdb_delete_by_port). A new port has the usual VLAN by
/// itself.
fn with_vlans(
    index: u32,
    usual: u16,
    vlans: &[Vec<u8>],
    all: Vec<PortRequest>,
) -> Vec<PortRequest> {
    let request = |kind, infos: &[Vec<u8>]| {
        let list = infos.iter().fold(Attributes::new(), |all, info| {
            all.with(IFLA_BRIDGE_VLAN_INFO, info)
        });
        let mut payload = words(&[AF_BRIDGE.into(), index, 0, 0]);
        payload.extend(Attributes::new().nest(IFLA_AF_SPEC, list).0);
        PortRequest {
            what: "restore the VLANs of the port of",
            vlan: 0,
            kind,
            flags: 0,
            payload,
        }
    };
    let info = |vlan: u16| [[0, 0], vlan.to_ne_bytes()].concat();
    let has = |vlan| {
        let mut numbers = vlans.iter().map(|info| encoding::u16_at(info, 2));
        numbers.any(|it| it == Some(vlan))
    };
    let (of_vlans, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.vlan != 0);
    // A VLAN that has gone since left its entries: the port has it for a moment.
    let mut passing: Vec<u16> = of_vlans.iter().map(|it| it.vlan).collect();
    passing.retain(|it| !has(*it));
    passing.sort_unstable();
    passing.dedup();
    let passing: Vec<Vec<u8>> = passing.into_iter().map(info).collect();
    let mut requests = Vec::new();
    // Entries without a VLAN come while the port has none.
    if usual != 0 && (!has(usual) || !others.is_empty()) {
        requests.push(request(libc::RTM_DELLINK, &[info(usual)]));
    }
    requests.extend(others);
    let wanted = [vlans, &passing].concat();
    if !wanted.is_empty() {
        requests.push(request(libc::RTM_SETLINK, &wanted));
    }
    requests.extend(of_vlans);
    // The entries stay: the kernel deletes only what it has learnt (br_fdb_delete_by_port).
    if !passing.is_empty() {
        requests.push(request(libc::RTM_DELLINK, &passing));
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(vlan: u16) -> Vec<u8> {
        [[0, 0], vlan.to_ne_bytes()].concat()
    }

    fn kinds(usual: u16, vlans: &[u16], entries: &[u16]) -> Vec<u16> {
        let vlans: Vec<Vec<u8>> = vlans.iter().map(|it| info(*it)).collect();
        let entry = |vlan: &u16| PortRequest {
            what: "",
            vlan: *vlan,
            kind: libc::RTM_NEWNEIGH,
            flags: 0,
            payload: Vec::new(),
        };
        let requests = with_vlans(9, usual, &vlans, entries.iter().map(entry).collect());
        requests.iter().map(|it| it.kind).collect()
    }

    #[test]
    fn the_usual_vlan_is_deleted_where_the_port_had_it_not() {
        let (delete, set, entry) = (libc::RTM_DELLINK, libc::RTM_SETLINK, libc::RTM_NEWNEIGH);
        assert_eq!(kinds(1, &[], &[]), [delete]);
        assert_eq!(kinds(1, &[7], &[]), [delete, set]);
        assert_eq!(kinds(1, &[1, 7], &[]), [set]);
        assert_eq!(kinds(5, &[1], &[]), [delete, set]);
        assert_eq!(kinds(5, &[5], &[5]), [set, entry]);
        assert_eq!(kinds(0, &[], &[]), []);
        assert_eq!(kinds(1, &[1], &[1, 0]), [delete, entry, set, entry]);
        assert_eq!(kinds(1, &[7], &[1]), [delete, set, entry, delete]);
        assert_eq!(told_vlans(&[]), Vec::<Vec<u8>>::new());
    }
}
