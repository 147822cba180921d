//! Links by the kernel's own netem: not there yet, so that every impaired link is a userspace wire.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use super::{Counters, Impairment};
use crate::kernel::netlink::{Device, NetlinkError};

/// Why netem cannot do this.
pub(crate) fn cannot(_: &Impairment) -> Option<String> {
    Some("this version of the library cannot speak to it".into())
}

/// The egress of one device.
pub(crate) struct Netem;

impl Netem {
    pub(crate) fn apply(
        _: BorrowedFd<'_>,
        device: Device<'_>,
        _: &Impairment,
        _: u64,
    ) -> Result<Netem, NetlinkError> {
        Err(unsupported(device.name))
    }

    pub(crate) fn change(&mut self, _: &Impairment) -> Result<(), NetlinkError> {
        Err(unsupported("it"))
    }

    pub(crate) fn counters(&mut self) -> Result<Counters, NetlinkError> {
        Err(unsupported("it"))
    }
}

fn unsupported(name: &str) -> NetlinkError {
    NetlinkError::refused("apply netem to", name, Errno::EOPNOTSUPP, None)
}
