//! What a node finds: a recipe, on top of the one for a trial's own sandbox.

use std::ffi::CString;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::kernel::errno::errno;
use crate::kernel::mount;
use crate::kernel::mount::Attributes;
use crate::sandbox::protocol::node::{Birth, Etc, Placed, Root, Source};
use crate::sandbox::trial::mounts::{RUN, Refused, TMPFS, World};

/// Something to be mounted, in hand: what it was may be out of sight by then.
enum Held {
    Tree(OwnedFd),
    Tmpfs(u64),
}

/// Makes the calling process' namespaces what `birth` says; `note` is told of detours.
pub(super) fn furnish(
    birth: &Birth,
    world: &World<'_>,
    note: &dyn Fn(&str),
) -> Result<(), Refused> {
    let etc = match &birth.etc {
        Some(etc) => Some([hold_hosts(etc)?, hold(&etc.resolver)?]),
        None => None,
    };
    let held = birth
        .mounts
        .iter()
        .map(in_hand)
        .collect::<Result<Vec<Held>, Refused>>()?;
    let root = birth.root.as_ref().map(RootDirs::open).transpose()?;
    world.furnish()?;
    if let Some(root) = &root {
        change_root(root, note)?;
    }
    for (placed, held) in birth.mounts.iter().zip(&held) {
        place(placed, held)?;
    }
    if let Some([hosts, resolver]) = etc {
        lay_over("/etc/hosts", hosts.as_fd()).map_err(|e| ("mount /etc/hosts", e))?;
        lay_over("/etc/resolv.conf", resolver.as_fd())
            .map_err(|e| ("mount /etc/resolv.conf", e))?;
    }
    for (path, value) in &birth.sysctls {
        fs::write(Path::new("/proc/sys").join(path), value)
            .map_err(|e| (with("set sysctl", path, &format!(" to {value}")), errno(&e)))?;
    }
    Ok(())
}

/// What was done to what: steps are our own words, and a process that was refused ends with the one that it leaks.
fn with(step: &str, object: &str, how: &str) -> &'static str {
    Box::leak(format!("{step} `{object}`{how}").into_boxed_str())
}

fn point(at: &Path) -> &'static str {
    with("make mount point", &at.to_string_lossy(), "")
}

fn hold(path: &Path) -> Result<OwnedFd, Refused> {
    mount::detach_copy(path, true).map_err(|e| ("copy a mount", e))
}

fn hold_hosts(etc: &Etc) -> Result<OwnedFd, Refused> {
    let tree = hold(&etc.hosts)?;
    if etc.hosts_read_only {
        mount::set_attributes(tree.as_fd(), &READ_ONLY)
            .map_err(|e| ("make /etc/hosts read-only", e))?;
    }
    Ok(tree)
}

const READ_ONLY: Attributes<'static> = Attributes {
    set: mount::READ_ONLY,
    clear: 0,
    idmap: None,
    recursive: true,
};

fn in_hand(placed: &Placed) -> Result<Held, Refused> {
    Ok(match &placed.source {
        Source::Path(path) => Held::Tree(
            mount::detach_copy(path, true).map_err(|e| ("find what is to be mounted", e))?,
        ),
        Source::Tmpfs(size) => Held::Tmpfs(*size),
    })
}

fn place(placed: &Placed, held: &Held) -> Result<(), Refused> {
    let at = &placed.at;
    match held {
        Held::Tmpfs(size) => {
            fs::create_dir_all(at).map_err(|e| (point(at), errno(&e)))?;
            let data = CString::new(format!("mode=1777,size={size}"))
                .map_err(|_| ("mount a tmpfs", Errno::EINVAL))?;
            mount::fresh(c"tmpfs", at, Some(&data)).map_err(|e| ("mount a tmpfs", e))?;
        }
        Held::Tree(tree) => {
            make_point(at, is_dir(tree)).map_err(|e| (point(at), errno(&e)))?;
            mount::attach(tree.as_fd(), at).map_err(|e| ("mount", e))?;
        }
    }
    if placed.read_only {
        mount::set_attributes_at(at, &READ_ONLY).map_err(|e| ("make a mount read-only", e))?;
    }
    Ok(())
}

fn is_dir(tree: &OwnedFd) -> bool {
    nix::sys::stat::fstat(tree).is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFDIR)
}

/// Something for a mount to lie on.
fn make_point(at: &Path, dir: bool) -> std::io::Result<()> {
    if at.exists() {
        return Ok(());
    }
    if dir {
        return fs::create_dir_all(at);
    }
    if let Some(parent) = at.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::File::create(at).map(drop)
}

/// Puts a file in the place of one in a directory that cannot be written to.
///
/// It may be a link into `/run`, as `/etc/resolv.conf` often is: then its target is made, for `/run`
/// is the node's own.
fn lay_over(path: &str, tree: std::os::fd::BorrowedFd<'_>) -> nix::Result<()> {
    let path = Path::new(path);
    match mount::attach(tree, path) {
        Err(Errno::ENOENT) => {}
        done => return done,
    }
    if make_point(&follow(path), false).is_err() {
        let (etc, disk) = (Path::new("/etc"), Path::new("/run/.etc"));
        for dir in ["upper", "work"] {
            fs::create_dir_all(disk.join(dir)).map_err(|e| errno(&e))?;
        }
        mount::overlay(&[etc.to_owned()], disk, etc)?;
        make_point(path, false).map_err(|e| errno(&e))?;
    }
    mount::attach(tree, path)
}

/// Where a chain of links leads, also to nothing.
fn follow(path: &Path) -> PathBuf {
    let mut at = path.to_owned();
    for _ in 0..16 {
        match fs::read_link(&at) {
            Ok(target) => at = at.parent().unwrap_or(Path::new("/")).join(target),
            Err(_) => break,
        }
    }
    at
}

/// The directories of another root filesystem, by names that hold whatever is mounted over them.
struct RootDirs {
    _held: Vec<OwnedFd>,
    layers: Vec<PathBuf>,
    disk: PathBuf,
}

impl RootDirs {
    fn open(root: &Root) -> Result<RootDirs, Refused> {
        let mut held = Vec::new();
        let mut names = Vec::new();
        for dir in root.layers.iter().chain([&root.disk]) {
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            let fd = open(dir, flags, Mode::empty()).map_err(|e| ("open a root filesystem", e))?;
            names.push(PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd())));
            held.push(fd);
        }
        let disk = names.pop().unwrap_or_default();
        Ok(RootDirs {
            _held: held,
            layers: names,
            disk,
        })
    }
}

/// Another root, with the `/proc`, `/sys` and `/dev` that are there by now.
fn change_root(root: &RootDirs, note: &dyn Fn(&str)) -> Result<(), Refused> {
    // Any directory will do for a stage: nothing of this mount namespace remains.
    let stage = Path::new("/run");
    let kept: Vec<(&str, OwnedFd)> = ["/proc", "/sys", "/dev"]
        .into_iter()
        .map(|path| Ok((path, hold(Path::new(path))?)))
        .collect::<Result<_, Refused>>()?;
    for dir in ["upper", "work"] {
        make_point(&root.disk.join(dir), true)
            .map_err(|e| ("furnish the node's disk", errno(&e)))?;
    }
    if let Err(refused) = mount::overlay(&root.layers, &root.disk, stage) {
        note(&format!(
            "overlayfs is refused here ({refused}): its root filesystem is a copy"
        ));
        let copy = root.disk.join("copy");
        super::copy_tree::merge(&root.layers, &copy)
            .map_err(|e| ("copy a root filesystem", errno(&e)))?;
        let copy = hold(&copy)?;
        mount::attach(copy.as_fd(), stage).map_err(|e| ("mount a root filesystem", e))?;
    }
    for (path, tree) in &kept {
        let place = stage.join(path.trim_start_matches('/'));
        make_point(&place, true).map_err(|e| ("make a mount point", errno(&e)))?;
        mount::attach(tree.as_fd(), &place).map_err(|e| ("mount /proc, /sys and /dev", e))?;
    }
    for (path, data) in [("tmp", TMPFS), ("run", RUN)] {
        let place = stage.join(path);
        make_point(&place, true).map_err(|e| ("make a mount point", errno(&e)))?;
        mount::fresh(c"tmpfs", &place, Some(data)).map_err(|e| ("mount /tmp and /run", e))?;
    }
    mount::pivot(stage).map_err(|e| ("change the root", e))
}
