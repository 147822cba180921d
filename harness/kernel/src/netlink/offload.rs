//! Work that an interface does for the protocols above it: cutting and gathering of segments.
//!
//! It is set by the ioctl `SIOCETHTOOL`, which every kernel has; ethtool's netlink family came with
//! Linux 5.6 and can be left out of a kernel.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;

use super::batch::Batch;
use super::connection::Netlink;
use super::error::NetlinkError;
use super::link::{Device, Veth, VethEnd};

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
        self.ethtool(device.name, &mut [command, u32::from(on)])
            .map_err(|errno| NetlinkError::refused(operation, device.name, errno, None))
    }

    /// Returns the offloads (`ethtool -k`) of an interface; `None` if its driver tells none.
    pub fn features(&self, device: Device<'_>) -> Option<Features> {
        // `struct ethtool_gfeatures`: command, number of blocks, and for each block four words. The
        // kernel fills in as many as there is room for, and tells how many it has
        // (net/ethtool/ioctl.c, ethtool_get_features).
        const ETHTOOL_GFEATURES: u32 = 0x3a;
        const ROOM: usize = 8;
        let mut told = [0; 2 + 4 * ROOM];
        (told[0], told[1]) = (ETHTOOL_GFEATURES, ROOM as u32);
        self.ethtool(device.name, &mut told).ok()?;
        let blocks = usize::try_from(told[1]).ok().filter(|it| *it <= ROOM)?;
        // These are `available`, `requested`, `active`, `never_changed`.
        let block = |words: &[u32]| (words[0] & !words[3], words[1]);
        Some(Features(
            told[2..].chunks_exact(4).take(blocks).map(block).collect(),
        ))
    }

    /// Requests of an interface the offloads that were requested of another one (`ethtool -K`).
    ///
    /// # Errors
    /// There is no such interface, or its driver takes no such request.
    pub fn set_features(&self, device: Device<'_>, wanted: &Features) -> Result<(), NetlinkError> {
        // `struct ethtool_sfeatures`: command, number of blocks, and for each block the bits that
        // are set and their values.
        const ETHTOOL_SFEATURES: u32 = 0x3b;
        let mut asked = vec![ETHTOOL_SFEATURES, wanted.0.len() as u32];
        asked.extend(wanted.0.iter().flat_map(|(valid, on)| [*valid, on & valid]));
        self.ethtool(device.name, &mut asked).map_err(|errno| {
            NetlinkError::refused("restore the offloads of", device.name, errno, None)
        })
    }

    /// Requests of an interface the offloads that a new veth end has, but keeps the interface's
    /// [`Gathering`](Offload::Gathering).
    ///
    /// The offloads of a new veth end depend on the kernel. So the function makes a veth pair as a
    /// sample in the namespace, and leaves the pair there for the next call.
    ///
    /// # Errors
    /// The kernel makes no veth pair, or the interface is gone.
    pub fn reset_features(&mut self, device: Device<'_>) -> Result<(), NetlinkError> {
        const SAMPLE: [&str; 2] = ["sg-sample", "sg-sample-peer"];
        // With an index of 0 the kernel chooses one.
        let [near, far] = SAMPLE.map(|name| VethEnd::new(Device { index: 0, name }));
        if !self.interfaces()?.iter().any(|it| it.name == SAMPLE[0]) {
            let mut batch = Batch::new();
            batch.add_veth(&Veth { near, far });
            self.execute(batch)?;
        }
        const ETHTOOL_GGRO: u32 = 0x2b;
        let mut gathering = [ETHTOOL_GGRO, 0];
        let told = self.ethtool(device.name, &mut gathering);
        if let Some(usual) = self.features(near.device) {
            self.set_features(device, &usual)?;
        }
        match told {
            Ok(()) => self.offload(device, Offload::Gathering, gathering[1] != 0),
            Err(_) => Ok(()),
        }
    }

    /// Makes an interface receive frames to a group of the link layer, as `ip maddr add` does.
    ///
    /// # Errors
    /// The kernel refused the group.
    pub fn add_link_group(&self, device: Device<'_>, group: [u8; 6]) -> Result<(), NetlinkError> {
        let mut request = request_for(device.name);
        let mut address = libc::sockaddr {
            sa_family: libc::AF_UNSPEC as libc::sa_family_t,
            sa_data: [0; 14],
        };
        for (to, from) in address.sa_data.iter_mut().zip(group) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_hwaddr = address;
        // SAFETY: SIOCADDMULTI reads one `ifreq`, which lives across the call.
        let done = unsafe {
            libc::ioctl(
                self.socket.as_fd().as_raw_fd(),
                libc::SIOCADDMULTI,
                &raw mut request,
            )
        };
        let refused = |errno| NetlinkError::refused("add a group to", device.name, errno, None);
        Errno::result(done).map(drop).map_err(refused)
    }

    /// Carries out a command of ethtool, which writes its answer over the request.
    fn ethtool(&self, name: &str, value: &mut [u32]) -> crate::Result<()> {
        let mut request = request_for(name);
        request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
        const SIOCETHTOOL: libc::Ioctl = 0x8946;
        // SAFETY: the request, and the words that it points to, live across the call. Each command
        // above says how many words there are.
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

/// Returns an empty request about the interface of a name.
fn request_for(name: &str) -> libc::ifreq {
    // SAFETY: an all-zero `ifreq` is a valid value of that plain structure.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero and ends a name that is too long.
    let (_, room) = request.ifr_name.split_last_mut().expect("it has 16 bytes");
    for (to, from) in room.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request
}

/// Offloads of an interface, in blocks of 32 bits, as the kernel numbers them: those that can be
/// changed, and those that are requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features(Vec<(u32, u32)>);
