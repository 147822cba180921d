//! Checks of one node or pod: mounts, sysctls, packet filters, commands, lines of hosts files.

use std::collections::HashMap;
use std::path::{Component, Path};

use super::firewall::wrong_firewall;
use crate::topology::command::StartCommand;
use crate::topology::error::{Problems, Site};
use crate::topology::name;
use crate::topology::node::{PacketFilter, StackSpec};
use crate::topology::problem::{
    CommandProblem, FilesMistake, FilesProblem, NamedPart, StackProblem, SysctlMistake,
};
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
    part: &dyn Fn() -> NamedPart,
    problems: &mut Problems,
) {
    let at = |field| Site {
        field: Some(field),
        ..site
    };
    for (address, host) in &network.hosts {
        if address.parse::<std::net::IpAddr>().is_err() {
            problems.add(at("hosts"), || StackProblem::HostAddress {
                part: part(),
                address: address.clone(),
            });
        }
        if let Some(mistake) = name::wrong_hostname(host) {
            problems.add(at("hosts"), || StackProblem::HostName {
                part: part(),
                name: host.clone(),
                mistake,
            });
        }
    }
    check_filter(&network.drop_inbound, at("drop_inbound"), part, problems);
    if let Some(mistake) = network.firewall.as_ref().and_then(wrong_firewall) {
        let part = part();
        problems.add(at("firewall"), || StackProblem::Firewall { part, mistake });
    }
    if let Some(Dscp::Set(point)) = network.router.as_ref().map(|router| router.dscp)
        && point > LAST_DSCP
    {
        problems.add(at("dscp"), || StackProblem::CodePoint {
            part: part(),
            point,
            last: LAST_DSCP,
        });
    }
    for (key, value) in &network.sysctls {
        if let Some(mistake) = wrong_sysctl(key, value) {
            problems.add(at("sysctls"), || StackProblem::Sysctl {
                part: part(),
                key: key.clone(),
                mistake,
            });
        }
    }
}

/// The most ports of a packet filter. The kernel compares each packet with one port after the
/// other.
const FILTERED: usize = 1000;

fn check_filter(
    filter: &PacketFilter,
    site: Site,
    part: &dyn Fn() -> NamedPart,
    problems: &mut Problems,
) {
    let PacketFilter { tcp, udp } = filter;
    let ports = tcp.len() + udp.len();
    if tcp.contains(&0) || udp.contains(&0) {
        problems.add(site, || StackProblem::FilterOfPortZero { part: part() });
    } else if ports > FILTERED {
        problems.add(site, || StackProblem::FilterTooLong {
            part: part(),
            ports,
            most: FILTERED,
        });
    }
}

fn wrong_sysctl(key: &str, value: &str) -> Option<SysctlMistake> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    if !key.chars().all(plain) || key.split(['.', '/']).any(str::is_empty) {
        return Some(SysctlMistake::NotAKey);
    }
    if !SYSCTLS
        .iter()
        .any(|prefix| key.replace('/', ".").starts_with(prefix))
    {
        return Some(SysctlMistake::MachineWide);
    }
    (value.is_empty() || value.contains('\0')).then_some(SysctlMistake::NoValue)
}

fn wrong_volume_name(name: &str) -> Option<FilesMistake> {
    name::wrong_volume(name).map(|mistake| FilesMistake::VolumeName {
        name: name.to_owned(),
        mistake,
    })
}

fn wrong_mounted_volume(volume: &Volume) -> Option<FilesMistake> {
    match volume {
        Volume::Named(name) => wrong_volume_name(name),
        Volume::Clone { of, name } => {
            let wrong_name = name.as_deref().and_then(wrong_volume_name);
            wrong_name.or_else(|| wrong_tree(of))
        }
        Volume::Tmpfs(size) => (size.as_bytes() == 0).then_some(FilesMistake::EmptyTmpfs),
        Volume::Faulty { of, .. } if of.name().is_none() => Some(FilesMistake::FaultyWithoutName),
        Volume::Faulty { of, .. } => wrong_mounted_volume(of),
    }
}

pub(crate) fn check_mounts(
    mounts: &[Mount],
    site: Site,
    part: &dyn Fn() -> NamedPart,
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
            before.map(|()| FilesMistake::MountedTwice)
        });
        if let Some(mistake) = wrong {
            problems.add(site, || FilesProblem::Mount {
                part: part(),
                at: at.clone(),
                mistake,
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
            problems.add(site, || FilesProblem::FirstFilesDiffer {
                volume: name.clone(),
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
        problems.add(site, || FilesProblem::SharedFaulty {
            volume: name.to_owned(),
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

fn wrong_mount_point(at: &str) -> Option<FilesMistake> {
    let path = normal(at);
    if !at.starts_with('/') || at.contains('\0') || at.split('/').any(|part| part == "..") {
        return Some(FilesMistake::NotAbsolute);
    }
    if path.is_empty() {
        return Some(FilesMistake::MountedRoot);
    }
    let mut own = OWN.iter();
    let own = own.find(|own| path == **own || path.starts_with(&format!("{own}/")));
    own.copied().map(FilesMistake::NodeDirectory)
}

/// Returns the mistake of a tree of files that a node is given.
pub(crate) fn wrong_tree(tree: &Rootfs) -> Option<FilesMistake> {
    match tree {
        Rootfs::Fixture(name) if name.is_empty() => Some(FilesMistake::FixtureWithoutName),
        Rootfs::Path(path) => wrong_workspace_path(path),
        Rootfs::Fixture(_) => None,
    }
}

/// Returns the mistake of a path of the workspace.
pub(crate) fn wrong_workspace_path(path: &Path) -> Option<FilesMistake> {
    let text = path.to_string_lossy();
    if text.is_empty() || text.contains('\0') {
        return Some(FilesMistake::WrongPath);
    }
    let up = path.components().any(|part| part == Component::ParentDir);
    up.then(|| FilesMistake::LeadsUpwards(text.into_owned()))
}

pub(crate) fn check_commands(
    commands: &[StartCommand],
    site: Site,
    part: &dyn Fn() -> NamedPart,
    problems: &mut Problems,
) {
    for command in commands {
        let named = || (part(), command.program.clone());
        if command.program.is_empty() {
            problems.add(site, || CommandProblem::NoProgram { part: part() });
        }
        let env = command.env.iter().flat_map(|(key, value)| [key, value]);
        if [&command.program]
            .into_iter()
            .chain(&command.args)
            .chain(env)
            .any(|word| word.contains('\0'))
        {
            problems.add(site, || {
                let (part, program) = named();
                CommandProblem::NulByte { part, program }
            });
        }
        if command
            .env
            .keys()
            .any(|key| key.is_empty() || key.contains('='))
        {
            problems.add(site, || {
                let (part, program) = named();
                CommandProblem::VariableName { part, program }
            });
        }
        if [command.ready_port, command.ready_udp_port].contains(&Some(0)) {
            problems.add(site, || {
                let (part, program) = named();
                CommandProblem::ReadyOnPortZero { part, program }
            });
        }
    }
}
