//! Settings of a node's network that are not those with which the networks of a trial begin.

use std::os::fd::BorrowedFd;

use snowglobe_derive::Serialize;

use crate::kernel;
use crate::kernel::netns::Netns;
use crate::kernel::procfs::sysctls::SysctlReader;
use crate::model::baseline::{self, Heritage};
use crate::topology::plan::Sysctl;

/// A setting of a network whose value is not that of the baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingEntry {
    /// The name, as `sysctl(8)` knows it: `net.ipv4.conf.all.forwarding`.
    pub name: String,
    /// The value at present.
    pub value: String,
    /// The value with which networks of a trial begin: the kernel's own default.
    pub baseline: String,
}

/// Compares the settings of a network namespace, and of these interfaces, with the baseline.
pub(crate) fn differing<'a>(
    netns: BorrowedFd<'_>,
    interfaces: impl Iterator<Item = &'a str>,
) -> kernel::Result<Vec<SettingEntry>> {
    let of_namespace = baseline::settings()
        // The paths of the others (`Heritage::Boot`) are among those of the devices.
        .filter(|setting| setting.heritage != Heritage::Boot)
        .map(|setting| setting.sysctl);
    // `lo` differs from other interfaces by nature.
    let of_interfaces = interfaces
        .filter(|name| *name != "lo")
        .flat_map(baseline::settings_of_interface);
    let settings: Vec<_> = of_namespace.chain(of_interfaces).collect();
    // /proc/sys/net shows the namespace of the thread that looks: network_namespaces(7).
    Netns::visit(netns, || {
        let mut reader = SysctlReader::default();
        let settings = settings.into_iter();
        settings
            .filter_map(|sysctl| entry(&mut reader, sysctl))
            .collect()
    })
}

/// Endings of paths, and the values that the lab gives to each node; nothing stands for a value
/// that differs from node to node. A MAC address that changes is announced, and neighbours are kept
/// while a cable is out.
const GIVEN_BY_THE_LAB: [(&str, Option<&str>); 6] = [
    ("/mtu", None),
    ("/addr_gen_mode", None),
    ("/arp_notify", Some("1")),
    ("/arp_evict_nocarrier", Some("0")),
    ("/all/ndisc_notify", Some("1")),
    ("/all/ndisc_evict_nocarrier", Some("0")),
];

fn is_given_by_the_lab(path: &str, value: &str) -> bool {
    let mut given = GIVEN_BY_THE_LAB.iter();
    given.any(|(ending, given)| path.ends_with(ending) && given.is_none_or(|given| given == value))
}

fn entry(reader: &mut SysctlReader, sysctl: Sysctl) -> Option<SettingEntry> {
    let Sysctl { path, value } = sysctl;
    // An older kernel lacks some of the files.
    let now = reader.read(&path)?;
    (now != value && !is_given_by_the_lab(&path, &now)).then(|| SettingEntry {
        name: name_of(&path),
        value: now,
        baseline: value,
    })
}

/// Returns the name of a setting: dots for slashes, and slashes for the dots of an interface's name
/// (sysctl(8)).
fn name_of(path: &str) -> String {
    let swapped = path.chars().map(|c| match c {
        '/' => '.',
        '.' => '/',
        other => other,
    });
    swapped.collect()
}
