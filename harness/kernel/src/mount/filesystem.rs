//! Filesystems that are mounted where they are needed, and the root of a mount namespace.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, fchdir, pivot_root};

use super::c_path;

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

/// Lays `layers`, the uppermost first, over each other at `target`; what is written goes to `disk`,
/// which has the directories `upper` and `work`.
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
