//! Filesystems that are mounted where they are needed, and the root of a mount namespace.
//!
//! Which flags a filesystem gets decides whether the kernel permits it in a user namespace at all.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, fchdir, pivot_root};

use super::c_path;

/// Mounts a fresh filesystem of `kind` at `target`, without setuid programs or devices.
///
/// # Errors
/// There is no such directory, or this user namespace may not mount this kind.
pub fn fresh(kind: &CStr, target: &Path, data: Option<&CStr>) -> crate::Result<()> {
    fresh_at(kind, &c_path(target)?, data)
}

/// Mounts a fresh filesystem as [`fresh`] does, with one system call and no allocation.
///
/// # Errors
/// There is no such directory, or this user namespace may not mount this kind.
pub fn fresh_at(kind: &CStr, target: &CStr, data: Option<&CStr>) -> crate::Result<()> {
    // A user namespace may mount proc and sysfs only with at least the flags of a visible instance
    // (fs/namespace.c, mount_too_revealing), and hosts mount both nosuid, nodev and noexec.
    let mut flags = libc::MS_NOSUID | libc::MS_NODEV;
    match kind.to_bytes() {
        b"proc" | b"sysfs" | b"mqueue" => flags |= libc::MS_NOEXEC,
        // Terminals are device nodes.
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
///
/// # Errors
/// This user namespace does not own its network namespace, or may not mount sysfs.
pub fn fresh_read_only_sys() -> crate::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    mount(Some("sysfs"), "/sys", Some("sysfs"), flags, None::<&str>)
}

/// Takes the uppermost mount at `target` out of sight. The mount ends when nobody uses it any more.
///
/// # Errors
/// Nothing is mounted there, or the thread lacks `CAP_SYS_ADMIN` in the owner of its mount
/// namespace.
pub fn detach(target: &Path) -> crate::Result<()> {
    umount2(target, MntFlags::MNT_DETACH)
}

/// Mounts an overlay of `layers`, the uppermost first, at `target`.
///
/// Changes go to `disk`, which has the directories `upper` and `work`.
///
/// # Errors
/// A path is not UTF-8, or the kernel refused the overlay.
pub fn overlay(layers: &[PathBuf], disk: &Path, target: &Path) -> crate::Result<()> {
    // Colons and commas divide the options (Documentation/filesystems/overlayfs.rst, "Multiple
    // lower layers").
    let escaped = |path: &Path| -> crate::Result<String> {
        let text = path.to_str().ok_or(Errno::EILSEQ)?;
        Ok(text
            .replace('\\', "\\\\")
            .replace(':', "\\:")
            .replace(',', "\\,"))
    };
    let lower: Vec<String> = layers
        .iter()
        .map(|layer| escaped(layer))
        .collect::<crate::Result<_>>()?;
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
    // In a user namespace overlayfs has to keep its bookkeeping in `user.*` attributes, as
    // `trusted.*` ones need the host's CAP_SYS_ADMIN (Documentation/filesystems/overlayfs.rst).
    // Linux before 5.11 does not know the option.
    mount(&format!("{options},userxattr")).or_else(|_| mount(&options))
}

/// Tells whether the mount or the filesystem at `path` is read-only.
pub fn is_read_only(path: &str) -> bool {
    nix::sys::statvfs::statvfs(path).is_ok_and(|found| {
        found
            .flags()
            .contains(nix::sys::statvfs::FsFlags::ST_RDONLY)
    })
}

/// Makes `/` and all mounts below private: mounts of this namespace do not appear in others, nor
/// theirs here (`mount_namespaces(7)`, "Shared subtrees").
///
/// # Errors
/// The thread lacks `CAP_SYS_ADMIN` in the owner of its mount namespace.
pub fn make_private() -> crate::Result<()> {
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
}

/// Makes `/` and all mounts below shared: from now on a mount that is made in a copy of this mount
/// namespace appears here too, and the reverse (`mount_namespaces(7)`, "Shared subtrees").
///
/// # Errors
/// The thread lacks `CAP_SYS_ADMIN` in the owner of its mount namespace.
pub fn make_shared() -> crate::Result<()> {
    let flags = MsFlags::MS_REC | MsFlags::MS_SHARED;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
}

/// Makes the mount at `target` and all mounts below private.
///
/// # Errors
/// Nothing is mounted at `target`, or the thread lacks `CAP_SYS_ADMIN`.
pub fn make_private_at(target: &Path) -> crate::Result<()> {
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, target, None::<&str>, flags, None::<&str>)
}

/// Makes the mount at `new_root` the root of this mount namespace, and detaches the old root.
///
/// # Errors
/// `new_root` is no mount, or the old root is shared with other namespaces (`pivot_root(2)`).
pub fn pivot(new_root: &Path) -> crate::Result<()> {
    let old = nix::fcntl::open(
        "/",
        nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_CLOEXEC,
        nix::sys::stat::Mode::empty(),
    )?;
    chdir(new_root)?;
    // With the same path twice the kernel stacks the old root on top of the new one, so that no
    // directory is needed for the old root (pivot_root(2), notes).
    pivot_root(".", ".")?;
    // The mount to be detached is the one on top, where the working directory must be.
    fchdir(&old)?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")
}

/// Writes what programs have written to the filesystem at `path` and the kernel still has in its
/// cache (`syncfs(2)`), without a question to anybody
/// ([`watch`](crate::process::seccomp::watch)).
///
/// # Errors
/// There is no such path, or something could not be written.
pub fn write_back(path: &Path) -> crate::Result<()> {
    // The descriptor is not one of O_PATH, for which the call fails with EBADF (open(2)).
    let directory = std::fs::File::open(path).map_err(|error| crate::errno::errno(&error))?;
    crate::process::seccomp::syncfs_unwatched(directory.as_fd())
}
