//! Work that an interface does for the protocols above it: cutting and gathering of segments.
//!
//! It is set by the ioctl `SIOCETHTOOL`, which every kernel has; ethtool's netlink family came with
//! Linux 5.6 and can be left out of a kernel.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;

use super::connection::Netlink;
use super::error::NetlinkError;
use super::link::Device;

/// Work that the kernel may leave to an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offload {
    /// Cutting large TCP segments into small ones (TSO), so that the sender need not.
    Segmentation,
    /// Gathering small packets into large ones (GRO).
    ///
    /// A veth end with GRO receives through a queue of its own (NAPI; drivers/net/veth.c,
    /// veth_xmit) what comes from an end without [`Segmentation`](Offload::Segmentation).
    Gathering,
}

impl Netlink {
    /// Switches an offload on or off, in the network namespace of this conversation.
    ///
    /// # Errors
    /// There is no such interface, or its driver has no such offload.
    pub fn offload(&self, device: Device<'_>, what: Offload, on: bool) -> Result<(), NetlinkError> {
        // The numbers are `ETHTOOL_STSO` and `ETHTOOL_SGRO` of `linux/ethtool.h`.
        let (command, operation) = match what {
            Offload::Segmentation => (0x1f, "set TSO of"),
            Offload::Gathering => (0x2c, "set GRO of"),
        };
        let value = EthtoolValue {
            command,
            value: u32::from(on),
        };
        self.ethtool(device.name, value)
            .map_err(|errno| NetlinkError::refused(operation, device.name, errno, None))
    }

    fn ethtool(&self, name: &str, mut value: EthtoolValue) -> crate::Result<()> {
        // SAFETY: an all-zero `ifreq` is a valid value of that plain structure.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        // The last byte stays zero and ends a name that is too long.
        let (_, room) = request.ifr_name.split_last_mut().expect("it has 16 bytes");
        for (to, from) in room.iter_mut().zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_data = (&raw mut value).cast();
        const SIOCETHTOOL: libc::Ioctl = 0x8946;
        // SAFETY: the request, and the `struct ethtool_value` that it points to, live across the
        // call.
        let done = unsafe {
            libc::ioctl(
                self.socket.as_fd().as_raw_fd(),
                SIOCETHTOOL,
                &raw mut request,
            )
        };
        Errno::result(done).map(drop)
    }
}

/// `struct ethtool_value` of `linux/ethtool.h`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    value: u32,
}
