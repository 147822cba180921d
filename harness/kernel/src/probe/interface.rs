//! Interfaces and queueing disciplines whose kernel modules may be missing.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::errno::{RefusedCall, refused};
use crate::frames::TapDevice;
use crate::netlink::encoding::{self, Attributes, NLM_F_CREATE, NLM_F_EXCL};
use crate::netlink::{Batch, Device, Netlink};
use crate::qdisc::{NetemOptions, Qdisc, QdiscPosition, TbfOptions};

/// Creates an interface of `kind`.
///
/// # Errors
/// The kernel refused the interface.
pub fn link(kind: &str) -> Result<(), RefusedCall> {
    create(kind, None)
}

/// Creates an interface of `kind` on top of one end of a veth pair.
///
/// # Errors
/// The kernel refused the pair or the interface.
pub fn stacked_link(kind: &str) -> Result<(), RefusedCall> {
    create("veth", None)?;
    // The kernel names unnamed interfaces after their kind: the first veth pair has `veth0`.
    create(kind, Some(index_of("veth0")?))
}

/// Creates an interface, on top of the one with the index `below` if there is one.
fn create(kind: &str, below: Option<u32>) -> Result<(), RefusedCall> {
    // `struct ifinfomsg`, all zero: the kernel chooses index and name.
    let mut payload = vec![0; 16];
    if let Some(below) = below {
        encoding::attribute(&mut payload, libc::IFLA_LINK, &below.to_ne_bytes());
    }
    let info = Attributes::new().text(libc::IFLA_INFO_KIND, kind);
    let info = match data(kind) {
        Some(data) => info.nest(libc::IFLA_INFO_DATA, data),
        None => info,
    };
    encoding::attribute(&mut payload, libc::IFLA_LINKINFO, &info.0);
    let mut batch = Batch::new();
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    batch.push("create", kind, libc::RTM_NEWLINK, flags, &payload);
    execute(batch).map_err(refused(format!("RTM_NEWLINK {kind}")))
}

/// Returns the options without which the kernel makes no interface of this kind
/// (`linux/if_link.h`).
fn data(kind: &str) -> Option<Attributes> {
    const IFLA_VLAN_ID: u16 = 1;
    const IFLA_VXLAN_ID: u16 = 1;
    const IFLA_VXLAN_PORT: u16 = 15;
    /// The port of RFC 7348; without it Linux takes 8472.
    const VXLAN_PORT: u16 = 4789;
    match kind {
        "vlan" => Some(Attributes::new().with(IFLA_VLAN_ID, &7u16.to_ne_bytes())),
        "vxlan" => {
            let list = Attributes::new().with(IFLA_VXLAN_ID, &7u32.to_ne_bytes());
            Some(list.with(IFLA_VXLAN_PORT, &VXLAN_PORT.to_be_bytes()))
        }
        _ => None,
    }
}

/// Makes netem the queueing discipline of `lo`.
///
/// # Errors
/// The kernel refused the discipline.
pub fn netem() -> Result<(), RefusedCall> {
    let options = NetemOptions {
        latency: 64_000,
        limit: 100,
        ..NetemOptions::default()
    };
    qdisc(Qdisc::Netem(&options, None))
}

/// Makes a token bucket filter the queueing discipline of `lo`.
///
/// # Errors
/// The kernel refused the discipline.
pub fn tbf() -> Result<(), RefusedCall> {
    let (rate, burst) = (125_000, 25_000);
    qdisc(Qdisc::Tbf(TbfOptions { rate, burst }))
}

/// Makes a hierarchical token bucket the queueing discipline of `lo`.
///
/// # Errors
/// The kernel refused the discipline.
pub fn htb() -> Result<(), RefusedCall> {
    qdisc(Qdisc::Htb)
}

fn qdisc(qdisc: Qdisc<'_>) -> Result<(), RefusedCall> {
    let mut batch = Batch::new();
    batch.replace_qdisc(Device::LOOPBACK, QdiscPosition::ROOT, qdisc);
    execute(batch).map_err(refused(format!("RTM_NEWQDISC {}", qdisc.kind())))
}

fn execute(batch: Batch) -> Result<(), Errno> {
    let outcome = Netlink::open().and_then(|mut netlink| netlink.execute(batch));
    outcome.map_err(|error| error.errno().unwrap_or(Errno::EPROTO))
}

/// Creates a TAP interface by the device in `directory`, or else by the host's device.
///
/// # Errors
/// The call that was refused.
pub fn tap(directory: Option<BorrowedFd<'_>>) -> Result<(), RefusedCall> {
    TapDevice::create_by(directory, "probe0", 2).map(drop)
}

/// Opens a packet socket.
///
/// # Errors
/// The socket was refused.
pub fn packet_socket() -> Result<(), RefusedCall> {
    let flags = SockFlag::SOCK_CLOEXEC;
    socket(AddressFamily::Packet, SockType::Raw, flags, None)
        .map(drop)
        .map_err(refused("socket(AF_PACKET)"))
}

fn index_of(name: &str) -> Result<u32, RefusedCall> {
    let found = nix::net::if_::if_nametoindex(name);
    found.map_err(refused(format!("find the interface {name}")))
}
