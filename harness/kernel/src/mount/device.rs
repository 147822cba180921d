//! A directory with one device, for namespaces in which no device can be made.
//!
//! `mknod(2)` of a device needs `CAP_MKNOD` in the host's user namespace, which no trial has. Root
//! makes the device beforehand, in a filesystem of its own, and trials get the mount.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, makedev, mknodat};

use super::tree::{MountAttributes, READ_ONLY, set_attributes};

/// Makes a detached, read-only directory with one character device that everybody may open.
///
/// # Errors
/// The caller is not the host's root, or the kernel is older than Linux 5.2.
pub fn device_directory(name: &str, major: u32, minor: u32) -> crate::Result<OwnedFd> {
    // SAFETY: the name is a C string that lives across the call.
    let context = unsafe {
        libc::syscall(
            libc::SYS_fsopen,
            c"tmpfs".as_ptr(),
            crate::uapi::FSOPEN_CLOEXEC,
        )
    };
    let context = Errno::result(context)?;
    // SAFETY: the kernel has just made this descriptor for us.
    let context = unsafe { OwnedFd::from_raw_fd(context as i32) };
    // SAFETY: this command reads no memory.
    let made = unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            context.as_raw_fd(),
            crate::uapi::FSCONFIG_CMD_CREATE,
            std::ptr::null::<u8>(),
            std::ptr::null::<u8>(),
            0,
        )
    };
    Errno::result(made)?;
    // MOUNT_ATTR_NODEV is not set: the only content of the mount is a device.
    let attributes = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;
    // SAFETY: no pointers.
    let tree = unsafe {
        libc::syscall(
            libc::SYS_fsmount,
            context.as_raw_fd(),
            crate::uapi::FSMOUNT_CLOEXEC,
            attributes,
        )
    };
    let tree = Errno::result(tree)?;
    // SAFETY: the kernel has just made this descriptor for us.
    let tree = unsafe { OwnedFd::from_raw_fd(tree as i32) };
    let mode = Mode::from_bits_truncate(0o666);
    let device = makedev(major.into(), minor.into());
    mknodat(&tree, name, SFlag::S_IFCHR, mode, device)?;
    // mknod takes the umask off the mode (mknod(2)).
    fchmodat(&tree, name, mode, FchmodatFlags::FollowSymlink)?;
    let read_only = MountAttributes {
        set: READ_ONLY,
        ..MountAttributes::default()
    };
    set_attributes(tree.as_fd(), &read_only)?;
    Ok(tree)
}
