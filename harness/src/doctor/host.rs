//! The kernel, the user, and the container or chroot around both.

use std::fs;
use std::os::fd::AsRawFd;

use snowglobe_text::counted;

use crate::kernel::namespace::{NamespaceKind, Task};
use crate::kernel::process::user::geteuid;

use super::files::read;
use super::finding::{Evidence, Finding};
use crate::kernel::id_map::own_ids;
use crate::kernel::procfs::sysctls;
use crate::sandbox::ids::{CAPABILITIES_FOR_A_RANGE, is_root_of_the_host};

/// The oldest kernel with all system calls of a sandbox: `mount_setattr(2)` came with 5.12.
const OLDEST: (u32, u32) = (5, 12);

/// Facts about the machine on which a fix depends.
#[derive(Debug, Default)]
pub(super) struct Machine {
    /// Release of the kernel, as `uname -r` prints it.
    pub(super) release: String,
    /// Effective user id of this process.
    pub(super) uid: u32,
    /// Whether this process is root of the host itself, as far as a process can tell.
    pub(super) root: bool,
    /// Kind of the container around this process, and the file that tells.
    pub(super) container: Option<(String, String)>,
    /// Whether the root directory is not that of the mount namespace, where that can be told.
    pub(super) chroot: bool,
    /// Whether the distribution is Ubuntu.
    pub(super) ubuntu: bool,
    /// Text of `/lib/modules/…/modules.dep`, or nothing.
    pub(super) modules: String,
    /// Kinds of namespaces of which too few are permitted.
    pub(super) scarce_namespaces: Vec<&'static str>,
}

impl Machine {
    pub(super) fn look() -> Machine {
        let release = sysctls::read("kernel/osrelease").unwrap_or_default();
        let os = read("/etc/os-release");
        let root = is_root_of_the_host();
        Machine {
            modules: read(&format!("/lib/modules/{release}/modules.dep")),
            uid: geteuid().as_raw(),
            root,
            container: container(),
            chroot: in_a_chroot(),
            ubuntu: os.lines().any(|line| line == "ID=ubuntu"),
            scarce_namespaces: super::limits::scarce(),
            release,
        }
    }

    pub(super) fn has_module(&self, name: &str) -> bool {
        let file = format!("/{name}.ko");
        self.modules.contains(&file)
    }
}

/// Returns the findings about the machine; `works` says whether a sandbox can be made.
pub(super) fn findings(machine: &Machine, works: bool) -> Vec<Finding> {
    vec![
        kernel(&machine.release),
        user(machine),
        capabilities(machine, &status("CapEff")),
        container_finding(machine, works),
        seccomp(&status("Seccomp"), works),
        chroot(machine, works),
    ]
}

fn kernel(release: &str) -> Finding {
    let evidence = Evidence::read("uname -r", release);
    let finding = match version(release) {
        Some(version) if version < OLDEST => Finding::missing("kernel", evidence)
            .lost("all: sandboxes are made with system calls of Linux 5.12")
            .fix("boot a kernel of 5.12 or later (Ubuntu 20.04: `sudo apt-get install linux-generic-hwe-20.04`)"),
        _ => Finding::ok("kernel", evidence),
    };
    finding.essential()
}

/// Returns the version of a kernel's release: `6.8.0-31-generic` is 6.8.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn user(machine: &Machine) -> Finding {
    let ids = own_ids().unwrap_or(0);
    let whose = match machine.root {
        true => "root of the host",
        false if machine.uid == 0 => "root of a user namespace",
        false => "an ordinary user",
    };
    let value = format!("{}, {whose}, {} from 0 on", machine.uid, counted(ids, "id"));
    Finding::ok("user", Evidence::read("uid", value))
}

fn capabilities(machine: &Machine, effective: &str) -> Finding {
    let evidence = Evidence::read("CapEff", effective);
    let set = u64::from_str_radix(effective, 16).unwrap_or(0);
    let lacking: Vec<&str> = CAPABILITIES_FOR_A_RANGE
        .iter()
        .filter(|(bit, _)| set & (1 << bit) == 0)
        .map(|(_, name)| *name)
        .collect();
    if !machine.root || lacking.is_empty() {
        return Finding::ok("capabilities", evidence);
    }
    Finding::degraded("capabilities", evidence)
        .lost(format!("what root does with {}", lacking.join(", ")))
        .fix("start the container with `--privileged`, or run the tests as an ordinary user")
}

fn container_finding(machine: &Machine, works: bool) -> Finding {
    let Some((kind, file)) = &machine.container else {
        return Finding::ok(
            "container",
            Evidence::read("/.dockerenv and its like", "none"),
        );
    };
    let evidence = Evidence::read(file, kind);
    if works {
        return Finding::ok("container", evidence);
    }
    Finding::degraded("container", evidence)
        .lost("the container may be what forbids namespaces")
        .fix("start the container with `--privileged` (GitHub Actions: `options: --privileged`)")
}

/// Returns the kind of the container around this process, and the file that tells.
fn container() -> Option<(String, String)> {
    let named = read("/run/systemd/container");
    if !named.is_empty() {
        return Some((named, "/run/systemd/container".to_owned()));
    }
    let files = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")];
    for (file, kind) in files {
        if fs::metadata(file).is_ok() {
            return Some((kind.to_owned(), file.to_owned()));
        }
    }
    let of_init = |file: &str| {
        let text = fs::read(file).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        kind_of_init(&text).map(|kind| (kind, file.to_owned()))
    };
    of_init("/proc/1/environ").or_else(|| of_init("/proc/1/cgroup"))
}

/// Returns the kind of container that the environment or the cgroup of the first process names.
fn kind_of_init(text: &str) -> Option<String> {
    let variable = text
        .split('\0')
        .find_map(|word| word.strip_prefix("container="));
    if let Some(kind) = variable.filter(|kind| !kind.is_empty()) {
        return Some(kind.to_owned());
    }
    ["docker", "kubepods", "libpod", "containerd", "lxc"]
        .into_iter()
        .find(|kind| text.contains(&format!("/{kind}")))
        .map(str::to_owned)
}

fn seccomp(mode: &str, works: bool) -> Finding {
    let name = match mode {
        "0" => "0, no filter",
        "1" => "1, strict",
        "2" => "2, filtered",
        _ => "unknown",
    };
    let evidence = Evidence::read("Seccomp of /proc/self/status", name);
    if works || mode != "2" {
        return Finding::ok("seccomp", evidence);
    }
    Finding::degraded("seccomp", evidence)
        .lost("the filter may be what forbids namespaces")
        .fix("start the container with `--security-opt seccomp=unconfined` or `--privileged`")
}

fn chroot(machine: &Machine, works: bool) -> Finding {
    let value = match machine.chroot {
        true => "not that of the first process",
        false => "that of the mount namespace",
    };
    let evidence = Evidence::read("the root directory", value);
    if works || !machine.chroot {
        return Finding::ok("chroot", evidence);
    }
    Finding::degraded("chroot", evidence)
        .lost("user namespaces, which the kernel forbids in a chroot")
        .fix("leave the chroot, and run the tests from outside of it")
}

/// Returns whether the first process, in the same mount namespace, has another root than this
/// process.
fn in_a_chroot() -> bool {
    let namespace = |task: Task| task.namespace_identity(NamespaceKind::Mnt).ok();
    let (ours, first) = (namespace(Task::Process), namespace(Task::Number(1)));
    if ours.is_none() || ours != first {
        return false;
    }
    match (mount_of("/"), mount_of("/proc/1/root")) {
        (Some(ours), Some(first)) => ours != first,
        _ => false,
    }
}

/// Returns the mount in which a directory lies, and the directory's inode.
fn mount_of(path: &str) -> Option<(String, u64)> {
    use std::os::unix::fs::MetadataExt;
    let file = fs::File::open(path).ok()?;
    let about = read(&format!("/proc/self/fdinfo/{}", file.as_raw_fd()));
    let mount = about.lines().find(|line| line.starts_with("mnt_id:"))?;
    Some((mount.to_owned(), file.metadata().ok()?.ino()))
}

/// Returns the value of a line of `/proc/self/status`.
fn status(key: &str) -> String {
    let text = read("/proc/self/status");
    let line = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name == key).then(|| value.trim().to_owned())
    });
    line.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn kernels_are_told_apart_by_their_version() {
        assert_eq!(version("6.8.0-31-generic"), Some((6, 8)));
        assert_eq!(version("5.12-rc1"), Some((5, 12)));
        assert_eq!(version(""), None);
        assert_eq!(kernel("5.11.22").exit_code(), 2);
        assert_eq!(kernel("6.1.0").state, State::Ok);
    }

    #[test]
    fn only_root_misses_capabilities() {
        let root = Machine {
            root: true,
            ..Machine::default()
        };
        let lacking = capabilities(&root, "00000000a80425fb");
        assert_eq!(lacking.state, State::Degraded);
        assert!(lacking.lost.unwrap().ends_with("CAP_SYS_ADMIN"));
        assert_eq!(capabilities(&root, "000001ffffffffff").state, State::Ok);
        let user = Machine::default();
        assert_eq!(capabilities(&user, "0000000000000000").state, State::Ok);
    }

    #[test]
    fn the_first_process_tells_of_its_container() {
        let kind = |text| kind_of_init(text);
        assert_eq!(kind("A=b\0container=lxc\0").as_deref(), Some("lxc"));
        assert_eq!(kind("0::/docker/abc").as_deref(), Some("docker"));
        assert_eq!(kind("0::/init.scope"), None);
        assert_eq!(kind(""), None);
    }
}
