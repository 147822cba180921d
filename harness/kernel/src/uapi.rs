//! Constants of the kernel's interface that older versions of the crate `libc` lack.
//!
//! A project may be bound to such a version by its `Cargo.lock`. The unit test compares the
//! constants with those of the version with which this crate is tested.

/// `fsconfig(2)`: makes the filesystem that was configured (include/uapi/linux/mount.h).
pub(crate) const FSCONFIG_CMD_CREATE: u32 = 6;
/// `fsmount(2)`: the new descriptor is closed on exec (include/uapi/linux/mount.h).
pub(crate) const FSMOUNT_CLOEXEC: u32 = 1;
/// `fsopen(2)`: the new descriptor is closed on exec (include/uapi/linux/mount.h).
pub(crate) const FSOPEN_CLOEXEC: u32 = 1;

/// `ioctl_ns(2)`: `_IO(0xb7, 1)` (include/uapi/linux/nsfs.h).
pub(crate) const NS_GET_USERNS: libc::Ioctl = 0xb701;
/// `ioctl_ns(2)`: `_IO(0xb7, 2)` (include/uapi/linux/nsfs.h).
pub(crate) const NS_GET_PARENT: libc::Ioctl = 0xb702;

/// `packet(7)`: frames carry the offloads of their packets (include/uapi/linux/if_packet.h).
pub(crate) const PACKET_VNET_HDR: i32 = 15;
/// `packet(7)`: the socket does not receive what the host sends (include/uapi/linux/if_packet.h).
pub(crate) const PACKET_IGNORE_OUTGOING: i32 = 23;

/// `capabilities(7)`: a change of the user keeps capabilities (include/uapi/linux/securebits.h).
pub(crate) const SECBIT_NO_SETUID_FIXUP: i32 = 1 << 2;

/// `seccomp(2)`: another process decides on the call (include/uapi/linux/seccomp.h).
pub(crate) const SECCOMP_RET_USER_NOTIF: u32 = 0x7fc0_0000;
/// `seccomp_unotify(2)`: `_IOWR('!', 0, struct seccomp_notif)`, a structure of 80 bytes
/// (include/uapi/linux/seccomp.h).
pub(crate) const SECCOMP_IOCTL_NOTIF_RECV: libc::Ioctl = 0xc050_2100;
/// `seccomp_unotify(2)`: `_IOWR('!', 1, struct seccomp_notif_resp)`, a structure of 24 bytes
/// (include/uapi/linux/seccomp.h).
pub(crate) const SECCOMP_IOCTL_NOTIF_SEND: libc::Ioctl = 0xc018_2101;

#[cfg(test)]
mod tests {
    #[test]
    fn the_constants_are_those_of_libc() {
        assert_eq!(super::FSCONFIG_CMD_CREATE, libc::FSCONFIG_CMD_CREATE);
        assert_eq!(super::FSMOUNT_CLOEXEC, libc::FSMOUNT_CLOEXEC);
        assert_eq!(super::FSOPEN_CLOEXEC, libc::FSOPEN_CLOEXEC);
        assert_eq!(super::NS_GET_USERNS, libc::NS_GET_USERNS);
        assert_eq!(super::NS_GET_PARENT, libc::NS_GET_PARENT);
        assert_eq!(super::PACKET_VNET_HDR, libc::PACKET_VNET_HDR);
        assert_eq!(super::PACKET_IGNORE_OUTGOING, libc::PACKET_IGNORE_OUTGOING);
        assert_eq!(super::SECBIT_NO_SETUID_FIXUP, libc::SECBIT_NO_SETUID_FIXUP);
        assert_eq!(super::SECCOMP_RET_USER_NOTIF, libc::SECCOMP_RET_USER_NOTIF);
        assert_eq!(
            super::SECCOMP_IOCTL_NOTIF_RECV,
            libc::SECCOMP_IOCTL_NOTIF_RECV
        );
        assert_eq!(
            super::SECCOMP_IOCTL_NOTIF_SEND,
            libc::SECCOMP_IOCTL_NOTIF_SEND
        );
    }
}
