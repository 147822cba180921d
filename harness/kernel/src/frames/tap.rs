//! TAP devices: interfaces whose frames come to a descriptor instead of a cable.
//!
//! With a virtio-net header and offloads the kernel hands out, and takes, super-frames of 64 KB. No
//! other interface is in between, which makes a TAP device the fastest end of a userspace wire:
//! 0.73 of a veth pair's TCP throughput, against 0.6 with packet sockets (measured for this
//! project, 2026-08). But it needs `/dev/net/tun`, which many containers lack.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::{read, write};

use super::frame::Inbox;
use crate::errno::{RefusedCall, refused};

/// Path of the device that makes TAP devices (`Documentation/networking/tuntap.rst`).
const DEVICE: &str = "/dev/net/tun";

/// A TAP device, which vanishes when this value is dropped.
#[derive(Debug)]
pub struct TapDevice {
    fd: OwnedFd,
}

impl TapDevice {
    /// Tells whether this process may open `/dev/net/tun`.
    pub fn is_available() -> bool {
        open(None).is_ok()
    }

    /// Makes a TAP device in the calling thread's network namespace, with a carrier but down.
    ///
    /// # Errors
    /// The call that was refused.
    pub fn create(name: &str, index: u32) -> Result<TapDevice, RefusedCall> {
        Self::create_by(None, name, index)
    }

    /// Makes a TAP device as [`TapDevice::create`] does, by the device `tun` in `directory`.
    ///
    /// # Errors
    /// The call that was refused.
    pub(crate) fn create_by(
        directory: Option<BorrowedFd<'_>>,
        name: &str,
        index: u32,
    ) -> Result<TapDevice, RefusedCall> {
        let fd = open(directory).map_err(refused("open /dev/net/tun"))?;
        let tap = TapDevice { fd };
        // The index has to be set before the name creates the interface.
        let index = index.cast_signed();
        tap.control(libc::TUNSETIFINDEX, (&raw const index).cast())
            .map_err(refused("TUNSETIFINDEX"))?;
        tap.name(name).map_err(refused("TUNSETIFF"))?;
        tap.offload().map_err(refused("TUNSETOFFLOAD"))?;
        // A new interface has the operational state UNKNOWN. Only a change of carrier makes the
        // kernel compute a state (net/core/link_watch.c), for which labs wait.
        tap.set_carrier(false)
            .and_then(|()| tap.set_carrier(true))
            .map_err(refused("TUNSETCARRIER"))?;
        Ok(tap)
    }

    /// Creates the interface.
    fn name(&self, name: &str) -> crate::Result<()> {
        // SAFETY: an all-zero `ifreq` is a valid value of that plain structure.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        if name.len() >= request.ifr_name.len() {
            return Err(Errno::ENAMETOOLONG);
        }
        for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
            *to = from.cast_signed();
        }
        // IFF_NO_PI: no four bytes of flags and EtherType in front, which the frame has itself.
        let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
        request.ifr_ifru.ifru_flags = flags as libc::c_short;
        self.control(libc::TUNSETIFF, (&raw const request).cast())
    }

    /// Promises to take super-frames and frames without checksums.
    fn offload(&self) -> crate::Result<()> {
        let tcp = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
        let udp = libc::TUN_F_USO4 | libc::TUN_F_USO6;
        let promise = |what: u32| {
            // SAFETY: TUNSETOFFLOAD takes its argument by value.
            let done = unsafe { libc::ioctl(self.fd.as_raw_fd(), libc::TUNSETOFFLOAD, what) };
            Errno::result(done).map(drop)
        };
        match promise(tcp | udp) {
            // Linux before 6.2 has no UDP segmentation here (linux/if_tun.h, TUN_F_USO4).
            Err(Errno::EINVAL) => promise(tcp),
            done => done,
        }
    }

    /// Sets the carrier of the interface.
    ///
    /// # Errors
    /// The kernel is older than Linux 5.0, which brought this request.
    pub fn set_carrier(&self, on: bool) -> crate::Result<()> {
        let on = i32::from(on);
        self.control(libc::TUNSETCARRIER, (&raw const on).cast())
    }

    /// Performs an ioctl whose argument is read by the kernel. `argument` must be what `request`
    /// reads.
    fn control(&self, request: libc::Ioctl, argument: *const libc::c_void) -> crate::Result<()> {
        // SAFETY: the callers pass a structure of the request's own that lives across the call.
        let done = unsafe { libc::ioctl(self.fd.as_raw_fd(), request, argument) };
        Errno::result(done).map(drop)
    }

    /// Receives the frames that the interface has sent, as many as the inbox holds, and returns
    /// their number. Never waits.
    ///
    /// # Errors
    /// The kernel refused the first read.
    pub fn receive(&self, inbox: &mut Inbox) -> crate::Result<usize> {
        let mut received = 0;
        let slots = inbox.slots();
        // TAP devices have no call for several frames, as packet sockets have with recvmmsg.
        for slot in slots {
            match read(&self.fd, slot.buffer.space()) {
                // Nothing more is waiting; a poller tells when there is.
                Ok(0) | Err(Errno::EAGAIN | Errno::EINTR) => break,
                Ok(length) => {
                    slot.buffer.set_filled(length);
                    slot.time = None;
                    slot.outgoing = false;
                    received += 1;
                }
                Err(errno) if received == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        inbox.set_received(received);
        Ok(received)
    }

    /// Makes the interface receive frames with their headers, and returns the number of those
    /// taken.
    ///
    /// # Errors
    /// The reason why the first frame was refused.
    pub fn send(&self, frames: &[&[u8]]) -> crate::Result<usize> {
        for (sent, frame) in frames.iter().enumerate() {
            match write(&self.fd, frame) {
                Ok(_) => {}
                Err(errno) if sent == 0 => return Err(errno),
                Err(_) => return Ok(sent),
            }
        }
        Ok(frames.len())
    }
}

impl AsFd for TapDevice {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn open(directory: Option<BorrowedFd<'_>>) -> crate::Result<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    match directory {
        Some(directory) => nix::fcntl::openat(directory, "tun", flags, Mode::empty()),
        None => nix::fcntl::open(DEVICE, flags, Mode::empty()),
    }
}

#[cfg(test)]
mod tests;
