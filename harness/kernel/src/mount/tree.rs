//! Mounts: the new mount API where a tree is carried about detached, the old one elsewhere.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, fchdir, pivot_root};

/// Read-only, see [`set_attributes`].
pub const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY;
/// No device nodes, see [`set_attributes`].
pub const NO_DEVICES: u64 = libc::MOUNT_ATTR_NODEV;

/// A copy of the mount at `path`, attached nowhere; with everything mounted below it if
/// `recursive`.
pub fn detach_copy(path: &Path, recursive: bool) -> nix::Result<OwnedFd> {
    let path = c_path(path)?;
    let recursive = if recursive {
        libc::AT_RECURSIVE as u32
    } else {
        0
    };
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | recursive;
    // SAFETY: the path is a C string that lives across the call.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    let fd = Errno::result(fd)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// A directory of its own, attached nowhere and read-only, with one character device that everybody may open.
pub fn device_directory(name: &str, major: u32, minor: u32) -> nix::Result<OwnedFd> {
    use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, makedev, mknodat};
    // SAFETY: the name is a C string that lives across the call.
    let context =
        unsafe { libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), libc::FSOPEN_CLOEXEC) };
    let context = Errno::result(context)?;
    // SAFETY: the kernel has just made this descriptor for us.
    let context = unsafe { OwnedFd::from_raw_fd(context as i32) };
    // SAFETY: this command reads no memory.
    let made = unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            context.as_raw_fd(),
            libc::FSCONFIG_CMD_CREATE,
            std::ptr::null::<u8>(),
            std::ptr::null::<u8>(),
            0,
        )
    };
    Errno::result(made)?;
    let attributes = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;
    // SAFETY: no pointers.
    let tree = unsafe {
        libc::syscall(
            libc::SYS_fsmount,
            context.as_raw_fd(),
            libc::FSMOUNT_CLOEXEC,
            attributes,
        )
    };
    let tree = Errno::result(tree)?;
    // SAFETY: the kernel has just made this descriptor for us.
    let tree = unsafe { OwnedFd::from_raw_fd(tree as i32) };
    let mode = Mode::from_bits_truncate(0o666);
    let device = makedev(major.into(), minor.into());
    mknodat(&tree, name, SFlag::S_IFCHR, mode, device)?;
    fchmodat(&tree, name, mode, FchmodatFlags::FollowSymlink)?;
    let read_only = Attributes {
        set: READ_ONLY,
        ..Attributes::default()
    };
    set_attributes(tree.as_fd(), &read_only)?;
    Ok(tree)
}

/// Attaches a detached tree at `target`.
pub fn attach(tree: BorrowedFd<'_>, target: &Path) -> nix::Result<()> {
    let target = c_path(target)?;
    // SAFETY: both paths are C strings that live across the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    Errno::result(done).map(drop)
}

/// What to do to a tree of mounts.
#[derive(Default)]
pub struct Attributes<'a> {
    /// `MOUNT_ATTR_*` to set.
    pub set: u64,
    /// `MOUNT_ATTR_*` to clear.
    pub clear: u64,
    /// The user namespace whose mapping the mount shows.
    pub idmap: Option<BorrowedFd<'a>>,
    /// Everything mounted below as well.
    pub recursive: bool,
}

/// Changes the attributes of a (detached) tree.
pub fn set_attributes(tree: BorrowedFd<'_>, what: &Attributes<'_>) -> nix::Result<()> {
    mount_setattr(tree.as_raw_fd(), c"", libc::AT_EMPTY_PATH, what)
}

/// Changes the attributes of the tree at `path`.
pub fn set_attributes_at(path: &Path, what: &Attributes<'_>) -> nix::Result<()> {
    mount_setattr(libc::AT_FDCWD, &c_path(path)?, 0, what)
}

fn mount_setattr(dir: i32, path: &CStr, flags: i32, what: &Attributes<'_>) -> nix::Result<()> {
    let mut attr = libc::mount_attr {
        attr_set: what.set,
        attr_clr: what.clear,
        propagation: 0,
        userns_fd: 0,
    };
    if let Some(userns) = what.idmap {
        attr.attr_set |= libc::MOUNT_ATTR_IDMAP;
        attr.userns_fd = userns.as_raw_fd() as u64;
    }
    let flags = if what.recursive {
        flags | libc::AT_RECURSIVE
    } else {
        flags
    };
    // SAFETY: the path and the attributes live across the call, and the size is theirs.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dir,
            path.as_ptr(),
            flags as u32,
            &raw const attr,
            size_of_val(&attr),
        )
    };
    Errno::result(done).map(drop)
}

/// Mounts a fresh filesystem of `kind` at `target`, without setuid programs or devices.
pub fn fresh(kind: &CStr, target: &Path, data: Option<&CStr>) -> nix::Result<()> {
    fresh_at(kind, &c_path(target)?, data)
}

/// As [`fresh`], with nothing left to be done but the system call.
pub fn fresh_at(kind: &CStr, target: &CStr, data: Option<&CStr>) -> nix::Result<()> {
    let mut flags = libc::MS_NOSUID | libc::MS_NODEV;
    match kind.to_bytes() {
        b"proc" | b"sysfs" | b"mqueue" => flags |= libc::MS_NOEXEC,
        b"devpts" => flags = libc::MS_NOSUID | libc::MS_NOEXEC,
        _ => {}
    }
    let data = data.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: all are C strings that live across the call, or null where that is permitted.
    let done = unsafe {
        libc::mount(
            kind.as_ptr(),
            target.as_ptr(),
            kind.as_ptr(),
            flags,
            data.cast(),
        )
    };
    Errno::result(done).map(drop)
}

/// Mounts a fresh, read-only `/sys`.
pub fn fresh_read_only_sys() -> nix::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    mount(Some("sysfs"), "/sys", Some("sysfs"), flags, None::<&str>)
}

/// Lays `layers`, the uppermost first, over each other at `target`; what is written goes to `disk`, which
/// has the directories `upper` and `work`.
pub fn overlay(layers: &[PathBuf], disk: &Path, target: &Path) -> nix::Result<()> {
    let escaped = |path: &Path| -> nix::Result<String> {
        let text = path.to_str().ok_or(Errno::EILSEQ)?;
        Ok(text
            .replace('\\', "\\\\")
            .replace(':', "\\:")
            .replace(',', "\\,"))
    };
    let lower: Vec<String> = layers
        .iter()
        .map(|layer| escaped(layer))
        .collect::<nix::Result<_>>()?;
    let disk = escaped(disk)?;
    let options = format!(
        "lowerdir={},upperdir={disk}/upper,workdir={disk}/work",
        lower.join(":")
    );
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let mount = |options: &str| {
        mount(
            Some("overlay"),
            target,
            Some("overlay"),
            flags,
            Some(options),
        )
    };
    // In a user namespace its own bookkeeping has to go into attributes that users may write.
    mount(&format!("{options},userxattr")).or_else(|_| mount(&options))
}

/// Whether what is mounted at `path` is read-only.
pub fn is_read_only(path: &str) -> bool {
    nix::sys::statvfs::statvfs(path).is_ok_and(|found| {
        found
            .flags()
            .contains(nix::sys::statvfs::FsFlags::ST_RDONLY)
    })
}

/// Cuts `/` and all below it off from other namespaces' mounts, both ways.
pub fn make_private() -> nix::Result<()> {
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
}

/// Makes the mount at `new_root` the root of this mount namespace and drops the old one.
pub fn pivot(new_root: &Path) -> nix::Result<()> {
    let old = nix::fcntl::open(
        "/",
        nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_CLOEXEC,
        nix::sys::stat::Mode::empty(),
    )?;
    chdir(new_root)?;
    // Stacks the old root on top of the new one, so that no directory is needed for it.
    pivot_root(".", ".")?;
    fchdir(&old)?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")
}

fn c_path(path: &Path) -> nix::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)
}
