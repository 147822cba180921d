//! Copies what stood on an interface of a stack to the interface that replaces it.
//!
//! rtnetlink knows most of it: see `kernel::netlink::CarriedSettings`. Sysctls and multicast
//! memberships are told by procfs alone, and offloads by ethtool's ioctl.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::kernel::fd::{anycast_member_of, member_of};
use crate::kernel::netlink::{Batch, CarriedSettings, Device, Features, Netlink, NetlinkError};
use crate::kernel::netns::Netns;
use crate::kernel::procfs::sysctls;
use crate::lab::attempt::NetworkAttempt;
use crate::lab::error::{LabError, Result};

/// Everything that stands on an interface, as it was when somebody looked.
#[derive(Debug)]
pub(crate) struct InterfaceState {
    settings: CarriedSettings,
    /// Values by file.
    sysctls: BTreeMap<String, String>,
    groups: BTreeSet<IpAddr>,
    /// Addresses of IPv6 that are anycast (RFC 4291, section 2.6).
    anycast: BTreeSet<IpAddr>,
    /// Groups of the link layer that programs have added.
    link_groups: BTreeSet<[u8; 6]>,
    features: Option<Features>,
}

/// Sockets that keep the multicast memberships of an interface that was made anew, and settings
/// that the interface lacks.
#[derive(Debug)]
pub(crate) struct Restored {
    /// Sockets that are members of the groups in which sockets of the node are.
    ///
    /// The kernel takes the memberships of sockets from an interface that is deleted, and the
    /// sockets know nothing of it. A group that another socket joins is there for all of them
    /// again; and when a socket of the node leaves, the group goes (net/ipv4/igmp.c,
    /// ip_mc_dec_group).
    pub(crate) members: Vec<OwnedFd>,
    /// Settings that the kernel refused to give again.
    pub(crate) refused: Vec<NetlinkError>,
}

impl InterfaceState {
    /// Reads what stands on an interface.
    pub(crate) fn of(
        netns: BorrowedFd<'_>,
        device: Device<'_>,
        explain: impl Fn(NetlinkError) -> LabError,
    ) -> Result<Self> {
        let mut netlink = Netlink::open_in(netns).map_err(&explain)?;
        let settings = netlink.settings_of(device).map_err(&explain)?;
        let name = settings.name().to_owned();
        // A program may have given it another name than that of the plan.
        let name_now = Device {
            name: &name,
            ..device
        };
        let features = netlink.features(name_now);
        let read = || {
            let sysctls = sysctls::of_interface(&name);
            let link_groups = link_groups(&table("dev_mcast"), device.index);
            let (groups, anycast) = (groups(device.index), anycast(device.index));
            (sysctls, groups, anycast, link_groups)
        };
        let (sysctls, groups, anycast, link_groups) =
            Netns::visit(netns, read).map_err(enter_error)?;
        Ok(Self {
            settings,
            sysctls,
            groups,
            anycast,
            link_groups,
            features,
        })
    }

    /// Returns the name of the interface, which a program may have changed.
    pub(crate) fn name(&self) -> &str {
        self.settings.name()
    }

    pub(crate) fn altnames(&self) -> &[String] {
        self.settings.altnames()
    }

    /// Gives an interface that has the index and the name of the other one what stood on that.
    pub(crate) fn give_to(
        &self,
        netns: BorrowedFd<'_>,
        index: u32,
        explain: impl Fn(NetlinkError) -> LabError,
    ) -> Result<Restored> {
        let device = Device {
            index,
            name: self.name(),
        };
        // Sysctls first: some of them decide what becomes of addresses.
        self.write(netns, |path| {
            !is_mtu(path) && !is_secret(path) && !is_by_netlink(path)
        })?;
        let mut netlink = Netlink::open_in(netns).map_err(&explain)?;
        let features = match &self.features {
            Some(features) => netlink.set_features(device, features),
            None => Ok(()),
        };
        let mut refused = netlink
            .give_carried(device, &self.settings)
            .map_err(&explain)?;
        refused.extend(features.err());
        let given = |group: &[u8; 6]| netlink.add_link_group(device, *group).err();
        refused.extend(self.link_groups.iter().filter_map(given));
        // The interface has joined some groups by itself: those of all hosts and of its addresses.
        let join = || {
            let there = groups(index);
            let missing = self.groups.difference(&there);
            // The kernel joins the group of an address in a work item of its own
            // (net/ipv6/addrconf.c, addrconf_dad_work), which may be yet to come.
            let missing = missing.filter(|it| !self.settings.comes_with_an_address(**it));
            let members = missing.filter_map(|group| member_of(*group, index).ok());
            let there = anycast(index);
            let missing = self.anycast.difference(&there);
            let anycast = missing.filter_map(|it| anycast_member_of(*it, index).ok());
            members.chain(anycast).collect()
        };
        let members = Netns::visit(netns, join).map_err(enter_error)?;
        Ok(Restored { members, refused })
    }

    /// Adds requests that take from the interface, while it is there, what it would keep beyond its
    /// end.
    pub(crate) fn leave_groups(&self, batch: &mut Batch, device: Device<'_>) {
        self.settings.leave_groups(batch, device);
    }

    /// Gives the interface what the kernel sets, or acts upon, when the interface gets its carrier.
    /// It has a carrier and addresses by now. Returns what the kernel refused.
    pub(crate) fn finish(
        &self,
        netns: BorrowedFd<'_>,
        index: u32,
        explain: impl Fn(NetlinkError) -> LabError,
    ) -> Result<Vec<NetlinkError>> {
        let device = Device {
            index,
            name: self.name(),
        };
        // A secret changes how addresses are made, and the next request says how in the end.
        self.write(netns, is_secret)?;
        let mut netlink = Netlink::open_in(netns).map_err(explain)?;
        let generation = netlink.give_generation(device, &self.settings);
        // That request waits for the kernel's own work on the carrier, which sets the MTU of IPv6
        // (net/core/link_watch.c holds the lock of rtnetlink).
        self.write(netns, is_mtu)?;
        // A bridge refuses groups of a port that has no carrier (net/bridge/br_mdb.c).
        let mut refused = netlink.give_port(device, &self.settings);
        refused.extend(generation.err());
        Ok(refused)
    }

    /// Writes the sysctls that are due and have other values.
    fn write(&self, netns: BorrowedFd<'_>, is_due: fn(&str) -> bool) -> Result<()> {
        let due = self.sysctls.iter().filter(move |(path, _)| is_due(path));
        Netns::visit(netns, || write_changed(due)).map_err(enter_error)
    }
}

fn enter_error(errno: crate::kernel::errno::Errno) -> LabError {
    let whose = "a node".to_owned();
    LabError::refused(NetworkAttempt::Enter { whose }, errno)
}

/// Tells whether a sysctl is the MTU of IPv6, which the kernel sets when the interface gets its
/// carrier (net/ipv6/addrconf.c, addrconf_notify).
fn is_mtu(path: &str) -> bool {
    path.starts_with(V6) && path.ends_with("/mtu")
}

/// Tells whether a sysctl is the secret of which the kernel makes addresses when the interface gets
/// its carrier.
fn is_secret(path: &str) -> bool {
    path.starts_with(V6) && path.ends_with("/stable_secret")
}

/// Tells whether a sysctl says how addresses are made. The kernel makes some at once when it is
/// written (addrconf_sysctl_addr_gen_mode there).
fn is_by_netlink(path: &str) -> bool {
    path.starts_with(V6) && path.ends_with("/addr_gen_mode")
}

/// Settings of IPv6, below `/proc/sys`.
const V6: &str = "net/ipv6/conf/";

/// Writes the sysctls that have other values.
fn write_changed<'a>(changed_from: impl Iterator<Item = (&'a String, &'a String)>) {
    for (path, value) in changed_from {
        // A secret that nobody has set cannot be read (net/ipv6/addrconf.c,
        // addrconf_sysctl_stable_secret).
        if sysctls::read(path).ok().as_ref() != Some(value) {
            // Some are for the kernel to set.
            let _ = sysctls::write(path, value);
        }
    }
}

/// Reads a table of the thread's network namespace.
fn table(name: &str) -> String {
    std::fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default()
}

/// Returns the multicast groups of which an interface of the thread's namespace is a member.
fn groups(index: u32) -> BTreeSet<IpAddr> {
    let mut groups = v4_groups(&table("igmp"), index);
    groups.extend(v6_groups(&table("igmp6"), index));
    groups
}

/// Returns the anycast addresses of an interface of the thread's namespace.
fn anycast(index: u32) -> BTreeSet<IpAddr> {
    // This table has the same columns as that of the groups (net/ipv6/anycast.c, ac6_seq_show).
    v6_groups(&table("anycast6"), index)
}

/// Reads the groups of the link layer that programs have added to an interface (`ip maddr add`):
/// index, name, number of users, number of additions by programs, and address on each line
/// (net/core/net-procfs.c, dev_mc_seq_show).
fn link_groups(table: &str, index: u32) -> BTreeSet<[u8; 6]> {
    let group = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [of, _, _, added, address] = fields[..] else {
            return None;
        };
        let is_added = of.parse() == Ok(index) && added != "0";
        let address = u64::from_str_radix(address, 16).ok()?.to_be_bytes();
        is_added.then(|| address.last_chunk().copied()).flatten()
    };
    table.lines().filter_map(group).collect()
}

/// Reads a table of IPv4 groups: a line for each interface, and an indented one for each group.
fn v4_groups(table: &str, index: u32) -> BTreeSet<IpAddr> {
    let mut groups = BTreeSet::new();
    let mut is_there = false;
    for line in table.lines().skip(1) {
        let first = line.split_whitespace().next().unwrap_or_default();
        if !line.starts_with(char::is_whitespace) {
            is_there = first.parse() == Ok(index);
        } else if is_there && let Ok(group) = u32::from_str_radix(first, 16) {
            // A number in the byte order of the machine, of an address in that of the network.
            groups.insert(IpAddr::V4(Ipv4Addr::from(group.to_ne_bytes())));
        }
    }
    groups
}

/// Reads a table of IPv6 groups: index, name and group on each line.
fn v6_groups(table: &str, index: u32) -> BTreeSet<IpAddr> {
    let group = |line: &str| {
        let mut fields = line.split_whitespace();
        let is_there = fields.next()?.parse() == Ok(index);
        let group = u128::from_str_radix(fields.nth(1)?, 16).ok()?;
        is_there.then_some(IpAddr::V6(Ipv6Addr::from(group)))
    };
    table.lines().filter_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_of_the_interface_that_is_asked_for() {
        let v4 = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
                  1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n\
                  2\teth0      :     2      V3\n\t\t\t\t4D0000E0     1 0:00000000\t\t0\n\
                  \t\t\t\t010000E0     1 0:00000000\t\t0\n";
        let expected: BTreeSet<IpAddr> = ["224.0.0.77", "224.0.0.1"]
            .map(|group| group.parse().unwrap())
            .into();
        // The table is one of a machine with the byte order of x86.
        if cfg!(target_endian = "little") {
            assert_eq!(v4_groups(v4, 2), expected);
        }
        let v6 = "1    lo              ff020000000000000000000000000001     1 0000000C 0\n\
                  2    eth0            ff0200000000000000000000000000fb     1 00000004 0\n";
        let expected: BTreeSet<IpAddr> = ["ff02::fb".parse().unwrap()].into();
        assert_eq!(v6_groups(v6, 2), expected);
        assert!(v6_groups(v6, 3).is_empty());
        let link = "2    eth0            1     0     333300000001\n\
                    2    eth0            1     1     01005e010203\n\
                    3    eth1            1     1     01005e010204\n";
        let expected = [[0x01, 0, 0x5e, 1, 2, 3]].into();
        assert_eq!(link_groups(link, 2), expected);
    }
}
