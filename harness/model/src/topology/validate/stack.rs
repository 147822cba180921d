//! Checks of one node or pod: mounts, sysctls, packet filters, commands, lines of hosts files.

use std::collections::HashMap;
use std::path::{Component, Path};

use super::firewall::wrong_firewall;
use crate::topology::error::{Problems, Site, TopologyErrorKind as Kind};
use crate::topology::name::{self, show};
use crate::topology::node::{PacketFilter, StackSpec, StartCommand};
use crate::topology::router::{Dscp, LAST_DSCP};
use crate::topology::storage::{Mount, MountSource, Rootfs, Volume};

/// Directories that every node gets of its own.
const OWN: [&str; 3] = ["/proc", "/sys", "/dev"];

/// The sysctls that belong to a namespace; the others are the machine's.
const SYSCTLS: [&str; 6] = [
    "net.",
    "fs.mqueue.",
    "kernel.shm",
    "kernel.msg",
    "kernel.sem",
    "kernel.domainname",
];

pub(crate) fn check_stack(
    network: &StackSpec,
    site: Site,
    place: &dyn Fn() -> String,
    problems: &mut Problems,
) {
    let at = |field| Site {
        field: Some(field),
        ..site
    };
    for (address, host) in &network.hosts {
        if address.parse::<std::net::IpAddr>().is_err() {
            problems.add(Kind::Invalid, at("hosts"), || {
                format!("hosts of {}: {} is not an address", place(), show(address))
            });
        }
        if let Some(wrong) = name::wrong_hostname(host) {
            problems.add(Kind::Invalid, at("hosts"), || {
                format!("hosts of {}: name {} {wrong}", place(), show(host))
            });
        }
    }
    if let Some(wrong) = wrong_filter(&network.drop_inbound) {
        problems.add(Kind::Invalid, at("drop_inbound"), || {
            format!("the packet filter of {} {wrong}", place())
        });
    }
    if let Some(wrong) = network.firewall.as_ref().and_then(wrong_firewall) {
        problems.add(Kind::Invalid, at("firewall"), || {
            format!("the firewall of {} {wrong}", place())
        });
    }
    if let Some(Dscp::Set(point)) = network.router.as_ref().map(|router| router.dscp)
        && point > LAST_DSCP
    {
        problems.add(Kind::Invalid, at("dscp"), || {
            format!(
                "{} sets the code point {point} of differentiated services, which is none; code points are 0 to {LAST_DSCP}",
                place()
            )
        });
    }
    for (key, value) in &network.sysctls {
        if let Some(wrong) = wrong_sysctl(key, value) {
            problems.add(Kind::Invalid, at("sysctls"), || {
                format!("sysctl {} of {} {wrong}", show(key), place())
            });
        }
    }
}

/// The most ports of a packet filter. The kernel compares each packet with one port after the
/// other.
const FILTERED: usize = 1000;

fn wrong_filter(filter: &PacketFilter) -> Option<String> {
    let PacketFilter { tcp, udp } = filter;
    if tcp.contains(&0) || udp.contains(&0) {
        return Some("has port 0, which no packet can be sent to; ports are 1 to 65535".into());
    }
    let count = tcp.len() + udp.len();
    (count > FILTERED).then(|| format!("has {count} ports; a node can drop at most {FILTERED}"))
}

fn wrong_sysctl(key: &str, value: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    if !key.chars().all(plain) || key.split(['.', '/']).any(str::is_empty) {
        return Some("is not a key; write it like `net.ipv4.ip_forward`".into());
    }
    if !SYSCTLS
        .iter()
        .any(|prefix| key.replace('/', ".").starts_with(prefix))
    {
        return Some("is the whole machine's, which tests cannot change; only those of a namespace, such as `net.…`, can be set".into());
    }
    (value.is_empty() || value.contains('\0')).then(|| "has no value".into())
}

fn wrong_mounted_volume(volume: &Volume) -> Option<String> {
    match volume {
        Volume::Named(name) => {
            name::wrong_volume(name).map(|w| format!("volume name {} {w}", show(name)))
        }
        Volume::Clone { of, name } => {
            let wrong_name = name.as_ref().and_then(|name| {
                name::wrong_volume(name).map(|w| format!("volume name {} {w}", show(name)))
            });
            wrong_name.or_else(|| wrong_tree(of))
        }
        Volume::Tmpfs(size) => (size.as_bytes() == 0).then(|| "a tmpfs of no size".into()),
        Volume::Faulty { of, .. } if of.name().is_none() => Some(
            "a volume with faults needs a name; use `Volume::named` or `Volume::named_clone`"
                .into(),
        ),
        Volume::Faulty { of, .. } => wrong_mounted_volume(of),
    }
}

pub(crate) fn check_mounts(
    mounts: &[Mount],
    site: Site,
    place: &dyn Fn() -> String,
    problems: &mut Problems,
) {
    let mut taken = HashMap::new();
    for Mount { at, source, .. } in mounts {
        let wrong = match source {
            MountSource::Bind(path) => wrong_workspace_path(path),
            MountSource::Volume(volume) => wrong_mounted_volume(volume),
        };
        let wrong = wrong.or_else(|| wrong_mount_point(at)).or_else(|| {
            let before = taken.insert(normal(at), ());
            before.map(|()| "something is mounted there already".into())
        });
        if let Some(wrong) = wrong {
            problems.add(Kind::Invalid, site, || {
                format!("mount {} of {}: {wrong}", show(at), place())
            });
        }
    }
}

/// Checks that volumes which share a name begin with the same files.
pub(crate) fn check_beginnings<'a>(
    mounts: impl Iterator<Item = (Site, &'a Mount)>,
    problems: &mut Problems,
) {
    let mut beginnings: HashMap<&str, Option<&Rootfs>> = HashMap::new();
    // The names that are taken: by a volume with faults, or by others, which nodes can share.
    let mut owners = HashMap::new();
    for (site, mount) in mounts {
        let (name, beginning) = match &mount.source {
            MountSource::Volume(Volume::Named(name)) => (name, None),
            MountSource::Volume(Volume::Clone {
                of,
                name: Some(name),
            }) => (name, Some(of)),
            MountSource::Volume(volume @ Volume::Faulty { .. }) => {
                check_one_owner(volume, site, &mut owners, problems);
                continue;
            }
            MountSource::Volume(Volume::Clone { name: None, .. } | Volume::Tmpfs(_))
            | MountSource::Bind(_) => continue,
        };
        owners.entry(name).or_insert(None);
        if *beginnings.entry(name).or_insert(beginning) != beginning {
            problems.add(Kind::Conflict, site, || {
                format!(
                    "volume {} begins with other files where it was mounted before; give every mount of the name the same clone, or the volumes different names",
                    show(name)
                )
            });
        }
    }
}

/// Checks that a volume with faults is the disk of one node, mounted once.
fn check_one_owner<'a>(
    volume: &'a Volume,
    site: Site,
    owners: &mut HashMap<&'a str, Option<Site>>,
    problems: &mut Problems,
) {
    let Some(name) = volume.name() else {
        return;
    };
    if owners.insert(name, Some(site)).is_some() {
        problems.add(Kind::Conflict, site, || {
            format!(
                "volume {} has faults, and is mounted more than once; a disk with faults is one machine's, so give each node a volume of its own",
                show(name)
            )
        });
    }
}

/// Returns a mount point without doubled and trailing slashes, so that equal mount points have
/// equal texts.
pub(crate) fn normal(at: &str) -> String {
    at.split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .fold(String::new(), |path, part| path + "/" + part)
}

fn wrong_mount_point(at: &str) -> Option<String> {
    let path = normal(at);
    if !at.starts_with('/') || at.contains('\0') || at.split('/').any(|part| part == "..") {
        return Some("a mount point is an absolute path without `..`".into());
    }
    if path.is_empty() {
        return Some(
            "the root is not a mount point; ask for a root filesystem with `rootfs`".into(),
        );
    }
    let own = OWN
        .iter()
        .find(|own| path == **own || path.starts_with(&format!("{own}/")));
    own.map(|own| format!("every node has a `{own}` of its own"))
}

/// Returns the fault of a tree of files that a node is given.
pub(crate) fn wrong_tree(tree: &Rootfs) -> Option<String> {
    match tree {
        Rootfs::Fixture(name) if name.is_empty() => Some("a fixture without a name".into()),
        Rootfs::Path(path) => wrong_workspace_path(path),
        Rootfs::Fixture(_) => None,
    }
}

/// Returns the fault of a path of the workspace.
pub(crate) fn wrong_workspace_path(path: &Path) -> Option<String> {
    let text = path.to_string_lossy();
    if text.is_empty() || text.contains('\0') {
        return Some("the path to it is empty or has a NUL in it".into());
    }
    let up = path.components().any(|part| part == Component::ParentDir);
    up.then(|| {
        format!(
            "{} leads upwards; only what is in the workspace can be mounted",
            show(&text)
        )
    })
}

pub(crate) fn check_commands(
    commands: &[StartCommand],
    site: Site,
    place: &dyn Fn() -> String,
    problems: &mut Problems,
) {
    for command in commands {
        if command.program.is_empty() {
            problems.add(Kind::Invalid, site, || {
                format!("a command of {} has no program", place())
            });
        }
        let env = command.env.iter().flat_map(|(key, value)| [key, value]);
        if [&command.program]
            .into_iter()
            .chain(&command.args)
            .chain(env)
            .any(|word| word.contains('\0'))
        {
            problems.add(Kind::Invalid, site, || {
                format!(
                    "command {} of {} has a NUL in it",
                    show(&command.program),
                    place()
                )
            });
        }
        if command
            .env
            .keys()
            .any(|key| key.is_empty() || key.contains('='))
        {
            problems.add(Kind::Invalid, site, || {
                format!(
                    "command {} of {}: a variable has an odd name",
                    show(&command.program),
                    place()
                )
            });
        }
        if [command.ready_port, command.ready_udp_port].contains(&Some(0)) {
            problems.add(Kind::Invalid, site, || {
                format!(
                    "command {} of {} cannot be ready on port 0",
                    show(&command.program),
                    place()
                )
            });
        }
    }
}
