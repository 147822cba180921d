//! The files that a node finds: a recipe, on top of the one for a trial's own sandbox.
//!
//! A node may have another root filesystem, volumes, and an `/etc/hosts` of its own. All of these
//! come from paths that the trial sees and the node will not: what is mounted first may hide what
//! is mounted next. So everything is taken in hand before anything is mounted.

use std::ffi::CString;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::kernel::errno::Errno;
use crate::kernel::fd;

use crate::kernel::errno::errno;
use crate::kernel::mount;
use crate::kernel::mount::MountAttributes;
use crate::kernel::procfs::ping_groups;
use crate::kernel::procfs::sysctls;
use crate::sandbox::copy_tree;
use crate::sandbox::node::mount_points::{MountPointKind, make_point, make_point_anywhere};
use crate::sandbox::private_mounts::{RUN, TMPFS};
use crate::sandbox::protocol::node::{
    Joins, MountContent, NodeEtc, NodeMount, NodeRequest, NodeRoot,
};
use crate::sandbox::refused::{Doing, Refused, SetupStep};
use crate::sandbox::trial::mounts::SandboxSpec;

/// Content of a mount, in hand: its path may be out of sight when the mount is made.
enum TakenMount {
    Tree(OwnedFd),
    Tmpfs(u64),
}

/// Makes of the calling process' namespaces what `request` says, on top of the sandbox `spec`.
/// `note` is told of detours.
pub(super) fn make(
    request: &NodeRequest,
    spec: &SandboxSpec<'_>,
    note: &dyn Fn(&str),
) -> Result<(), Refused> {
    let etc = match &request.etc {
        Some(etc) => Some([hold_hosts(etc)?, hold(&etc.resolver)?, hold(&etc.services)?]),
        None => None,
    };
    let held = request
        .mounts
        .iter()
        .map(in_hand)
        .collect::<Result<Vec<TakenMount>, Refused>>()?;
    let root = request.root.as_ref().map(RootDirs::open).transpose()?;
    spec.make()?;
    if let Some(root) = &root {
        change_root(root, note)?;
    }
    for (mount, held) in request.mounts.iter().zip(&held) {
        place(mount, held)?;
    }
    // These come after the root and the volumes, any of which may have an /etc.
    if let Some([hosts, resolver, services]) = etc {
        lay_over("/etc/hosts", hosts.as_fd()).doing(SetupStep::mount("/etc/hosts"))?;
        lay_over("/etc/resolv.conf", resolver.as_fd())
            .doing(SetupStep::mount("/etc/resolv.conf"))?;
        const SERVICES: &str = "/etc/nsswitch.conf";
        // A root filesystem of packages has no such file, for an installation makes it; glibc then
        // asks name servers last. A host without the file has another C library, which reads none.
        match request.root {
            Some(_) => lay_over(SERVICES, services.as_fd()),
            None => match mount::attach(services.as_fd(), Path::new(SERVICES)) {
                Err(Errno::ENOENT) => Ok(()),
                done => done,
            },
        }
        .doing(SetupStep::mount(SERVICES))?;
    }
    // Settings are written before there is an interface: IPv6 settings of `default` are copied to
    // each new one (net/ipv6/addrconf.c, ipv6_add_dev).
    if matches!(request.joins, Joins::Nothing | Joins::Owner) {
        // Distributions permit ICMP sockets to every group (systemd's 50-default.conf), and a new
        // network namespace to none. Where this is refused, root still has raw sockets.
        let _ = ping_groups::permit_all();
        for (name, value) in ANNOUNCED {
            // Linux before 5.16 does not know the second, and forgets neighbours then. Without IPv6
            // there is neither.
            let _ = sysctls::write(name, value);
        }
    }
    for (name, value) in &request.sysctls {
        write_sysctl(name, value)
            .doing_with(|| SetupStep::SetSysctl(name.clone(), value.clone()))?;
    }
    Ok(())
}

/// Settings of IPv6 by which neighbours learn of a MAC address that changes: a node announces its
/// own, and what it knows of others it keeps while a cable is out. Those of IPv4 go with its
/// interfaces.
const ANNOUNCED: [(&str, &str); 2] = [
    ("net/ipv6/conf/all/ndisc_notify", "1"),
    ("net/ipv6/conf/all/ndisc_evict_nocarrier", "0"),
];

fn write_sysctl(name: &str, value: &str) -> crate::kernel::Result<()> {
    match sysctls::write(name, value) {
        // The usual range of all groups names some that are not mapped where a node has few ids.
        // Nobody can be in such a group, so that the setting means the same without them.
        Err(Errno::EINVAL) if name == "net/ipv4/ping_group_range" => {
            ping_groups::permit(value).map_err(|_| Errno::EINVAL)
        }
        done => done,
    }
}

fn mount_point(at: &Path) -> SetupStep {
    SetupStep::MakeMountPoint(at.to_string_lossy().into_owned())
}

/// Returns a detached copy of what is mounted at `path`, with all that is mounted below.
fn hold(path: &Path) -> Result<OwnedFd, Refused> {
    mount::detach_copy(path, mount::MountsBelow::Copied).doing("copy a mount")
}

/// Returns the node's `/etc/hosts` as a mount. A file that nodes share is made read-only.
fn hold_hosts(etc: &NodeEtc) -> Result<OwnedFd, Refused> {
    let tree = hold(&etc.hosts)?;
    if etc.hosts_read_only {
        mount::set_attributes(tree.as_fd(), &READ_ONLY).doing("make /etc/hosts read-only")?;
    }
    Ok(tree)
}

/// Read-only, with all mounts below: a volume may have others in it.
const READ_ONLY: MountAttributes<'static> = MountAttributes {
    set: mount::READ_ONLY,
    clear: 0,
    idmap: None,
    recursive: true,
    private: false,
};

/// Takes the content of a mount in hand.
fn in_hand(mount: &NodeMount) -> Result<TakenMount, Refused> {
    Ok(match &mount.content {
        MountContent::Path(path) => TakenMount::Tree(
            mount::detach_copy(path, mount::MountsBelow::Copied)
                .doing("find what is to be mounted")?,
        ),
        MountContent::Tmpfs(size) => TakenMount::Tmpfs(*size),
    })
}

/// Mounts at its place what was taken in hand.
fn place(mount: &NodeMount, held: &TakenMount) -> Result<(), Refused> {
    let at = &mount.at;
    match held {
        TakenMount::Tmpfs(size) => {
            make_point_anywhere(at, MountPointKind::Directory).doing_with(|| mount_point(at))?;
            // Everybody may write to it, as to /tmp.
            let data = CString::new(format!("mode=1777,size={size}"))
                .map_err(|_| Errno::EINVAL)
                .doing("mount a tmpfs")?;
            mount::fresh(c"tmpfs", at, Some(&data)).doing("mount a tmpfs")?;
        }
        TakenMount::Tree(tree) => {
            let kind = MountPointKind::of(tree);
            make_point_anywhere(at, kind).doing_with(|| mount_point(at))?;
            mount::attach(tree.as_fd(), at).doing("mount")?;
        }
    }
    if mount.read_only {
        mount::set_attributes_at(at, &READ_ONLY).doing("make a mount read-only")?;
    }
    Ok(())
}

/// Mounts a file over one in a directory that cannot be written to.
///
/// The path may be a link to nothing in `/run`, as `/etc/resolv.conf` often is. Then the target of
/// the link is made, for `/run` is the node's own.
fn lay_over(path: &str, tree: std::os::fd::BorrowedFd<'_>) -> crate::kernel::Result<()> {
    let path = Path::new(path);
    match mount::attach(tree, path) {
        Err(Errno::ENOENT) => {}
        done => return done,
    }
    if make_point(&follow(path), MountPointKind::File).is_err() {
        // There is no such file, and none can be made: the directory is laid under an overlay that
        // takes it. What is written lies in the node's own /run.
        let (etc, disk) = (Path::new("/etc"), Path::new("/run/.etc"));
        for dir in ["upper", "work"] {
            fs::create_dir_all(disk.join(dir)).map_err(|e| errno(&e))?;
        }
        mount::overlay(&[etc.to_owned()], disk, etc)?;
        make_point(path, MountPointKind::File).map_err(|e| errno(&e))?;
    }
    mount::attach(tree, path)
}

/// Returns the path to which a chain of links leads, even if nothing is there.
fn follow(path: &Path) -> PathBuf {
    let mut at = path.to_owned();
    // Fewer than the kernel follows (40, path_resolution(7)), and no endless loop.
    for _ in 0..16 {
        match fs::read_link(&at) {
            Ok(target) => at = at.parent().unwrap_or(Path::new("/")).join(target),
            Err(_) => break,
        }
    }
    at
}

/// The directories of another root filesystem, by names that stay valid whatever is mounted over
/// the directories.
struct RootDirs {
    _held: Vec<OwnedFd>,
    layers: Vec<PathBuf>,
    disk: PathBuf,
    upgrades: u32,
}

impl RootDirs {
    fn open(root: &NodeRoot) -> Result<RootDirs, Refused> {
        let mut held = Vec::new();
        let mut names = Vec::new();
        for dir in root.layers.iter().chain([&root.disk]) {
            let fd = fd::open_directory(dir).doing("open a root filesystem")?;
            // An overlay takes its layers by name. A name in /proc/self/fd leads to the directory
            // that the descriptor stands for (proc_pid_fd(5)).
            names.push(PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd())));
            held.push(fd);
        }
        let disk = names.pop().unwrap_or_default();
        Ok(RootDirs {
            _held: held,
            layers: names,
            disk,
            upgrades: root.upgrades,
        })
    }
}

/// Changes to another root, with the `/proc`, `/sys` and `/dev` that are there by now.
fn change_root(root: &RootDirs, note: &dyn Fn(&str)) -> Result<(), Refused> {
    // Any directory will do for a stage: nothing of this mount namespace remains.
    let stage = Path::new("/run");
    // Copies keep what the node's own first mounts have shown: a procfs of its PID namespace, a
    // sysfs of its network namespace, harmless devices.
    let kept: Vec<(&str, OwnedFd)> = ["/proc", "/sys", "/dev"]
        .into_iter()
        .map(|path| Ok((path, hold(Path::new(path))?)))
        .collect::<Result<_, Refused>>()?;
    for dir in ["upper", "work"] {
        make_point(&root.disk.join(dir), MountPointKind::Directory)
            .doing("furnish the node's disk")?;
    }
    // Overlays in user namespaces are permitted from Linux 5.11 on (user_namespaces(7)), and not
    // every filesystem can be their writable layer (Documentation/filesystems/overlayfs.rst).
    if let Err(refused) = mount::overlay(&root.layers, &root.disk, stage) {
        note(&format!(
            "overlayfs is refused here ({refused}): its root filesystem is a copy"
        ));
        let copy = copy_tree::merge_over(&root.layers, &root.disk, root.upgrades);
        let copy = copy.doing("copy a root filesystem")?;
        let copy = hold(&copy)?;
        mount::attach(copy.as_fd(), stage).doing("mount a root filesystem")?;
    }
    for (path, tree) in &kept {
        let place = stage.join(path.trim_start_matches('/'));
        make_point(&place, MountPointKind::Directory).doing("make a mount point")?;
        mount::attach(tree.as_fd(), &place).doing("mount /proc, /sys and /dev")?;
    }
    for (path, data) in [("tmp", TMPFS), ("run", RUN)] {
        let place = stage.join(path);
        make_point(&place, MountPointKind::Directory).doing("make a mount point")?;
        mount::fresh(c"tmpfs", &place, Some(data)).doing("mount /tmp and /run")?;
    }
    // The old root is left behind, so that nothing of it can be reached (pivot_root(2)).
    mount::pivot(stage).doing(SetupStep::ChangeRoot)
}
