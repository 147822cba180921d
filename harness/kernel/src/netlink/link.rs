//! Interfaces: making, connecting, naming and removing them.
//!
//! An interface that is made in one namespace and moved to another costs 13 to 19 ms, because the
//! kernel waits for all readers (an RCU grace period; measured for this project, 2026-08). So both
//! ends of a veth pair are made where they belong, by one message.

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute,
    LinkFlags, LinkHeader, LinkInfo, LinkMessage, Prop,
};

use nix::errno::Errno;
use nix::libc;

use super::batch::Batch;
use super::encoding::{self, Attributes};

/// An interface: the index by which the kernel knows the interface, and the name for errors.
///
/// The creator of an interface chooses the index as well as the name. So nothing has to be asked
/// back, and indices are the same in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device<'a> {
    /// Index, unique in the network namespace; 1 is `lo`.
    pub index: u32,
    /// Name of at most fifteen bytes (`IFNAMSIZ`).
    pub name: &'a str,
}

impl Device<'_> {
    /// The loopback interface of every network namespace.
    pub const LOOPBACK: Device<'static> = Device {
        index: 1,
        name: "lo",
    };
}

/// One end of a veth pair.
#[derive(Clone, Copy, Debug)]
pub struct VethEnd<'a> {
    /// Index and name in the namespace of the end.
    pub device: Device<'a>,
    /// Hardware address; the kernel takes a random one otherwise.
    pub mac: Option<[u8; 6]>,
    /// Largest packet in bytes (MTU); 1500 otherwise.
    pub mtu: Option<u32>,
    /// Network namespace in which the end is made; the namespace of the conversation otherwise.
    pub netns: Option<BorrowedFd<'a>>,
    /// Index of the bridge of which the end is made a port. Only for the near end.
    pub master: Option<u32>,
}

impl<'a> VethEnd<'a> {
    /// Makes a value for an end with the kernel's defaults.
    pub fn new(device: Device<'a>) -> Self {
        Self {
            device,
            mac: None,
            mtu: None,
            netns: None,
            master: None,
        }
    }
}

/// A veth pair: two interfaces, of which each receives what the other sends (`veth(4)`).
#[derive(Clone, Copy, Debug)]
pub struct Veth<'a> {
    /// End that may be a port of a bridge.
    pub near: VethEnd<'a>,
    /// Other end.
    pub far: VethEnd<'a>,
}

impl Batch {
    /// Makes a veth pair with both ends in their namespaces, and down.
    pub fn add_veth(&mut self, veth: &Veth<'_>) {
        let mut message = end_message(&veth.near);
        // `VETH_INFO_PEER` is a whole link message with attributes of its own, among them a
        // namespace.
        let peer = InfoData::Veth(InfoVeth::Peer(end_message(&veth.far)));
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(peer),
        ]));
        self.create("create the veth pair of", veth.near.device, message);
    }

    /// Switches the automatic link-local address of IPv6 off. Call this before the interface is up.
    ///
    /// Each node on a bridge hears the address detection of all others, so that their cost grows
    /// with the square of the nodes: 9.7 s of processor time for 1,000 nodes instead of 1.4 s
    /// (measured for this project, 2026-08).
    pub fn give_no_addresses(&mut self, device: Device<'_>) {
        let spec = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
        self.change(
            "stop automatic addresses of",
            device,
            LinkAttribute::AfSpecUnspec(vec![spec]),
        );
    }

    /// Makes an interface announce its IPv4 addresses when its hardware address changes, and keep
    /// its neighbours while it has no carrier.
    ///
    /// The same settings are files below `/proc/sys/net/ipv4/conf`, where each costs 10 to 20 µs in
    /// a new network namespace (measured for this project, 2026-11).
    pub fn announce_changes(&mut self, device: Device<'_>) {
        /// Numbers of `include/uapi/linux/ip.h`.
        const ARP_NOTIFY: u16 = 22;
        const ARP_EVICT_NOCARRIER: u16 = 33;
        const IFLA_INET_CONF: u16 = 1;
        for (setting, value) in [(ARP_NOTIFY, 1u32), (ARP_EVICT_NOCARRIER, 0)] {
            let settings = Attributes::new().with(setting, &value.to_ne_bytes());
            let of_ipv4 = Attributes::new().nest(IFLA_INET_CONF, settings);
            let families = Attributes::new().nest(libc::AF_INET as u16, of_ipv4);
            let all = Attributes::new().nest(libc::IFLA_AF_SPEC, families);
            // `struct ifinfomsg`: family, type, index, flags, mask of flags.
            let mut payload = encoding::words(&[0, device.index, 0, 0]);
            payload.extend(all.0);
            self.push_raw(
                "set IPv4 up on",
                device.name,
                libc::RTM_NEWLINK,
                0,
                &payload,
            );
            // Linux before 5.16 does not know the second, and forgets neighbours then.
            self.tolerate(Errno::EINVAL);
        }
    }

    /// Brings an interface up.
    pub fn set_up(&mut self, device: Device<'_>) {
        self.set_flags("bring up", device, LinkFlags::Up);
    }

    /// Takes an interface down. The kernel removes the interface's IPv6 addresses and routes.
    pub fn set_down(&mut self, device: Device<'_>) {
        self.set_flags("take down", device, LinkFlags::empty());
    }

    /// Moves an interface to the network namespace of `to`, with the index, name, hardware address
    /// and MTU there. The interface is down afterwards.
    ///
    /// The kernel removes addresses, routes, neighbours, queueing disciplines and the membership in
    /// a bridge (net/core/dev.c, __dev_change_net_namespace). Alternative names move along.
    pub fn relocate(&mut self, device: Device<'_>, to: &VethEnd<'_>) {
        let mut message = numbered(device);
        let index = LinkAttribute::NewIfIndex(to.device.index.cast_signed());
        let attributes = &mut message.attributes;
        attributes.extend([LinkAttribute::IfName(to.device.name.to_owned()), index]);
        attributes.extend(to.netns.map(|it| LinkAttribute::NetNsFd(it.as_raw_fd())));
        attributes.extend(to.mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
        attributes.extend(to.mtu.map(LinkAttribute::Mtu));
        // What a program has set of these goes with the old namespace too. A veth is made with a
        // queue length of 1,000 (DEFAULT_TX_QUEUE_LEN, net/ethernet/eth.c).
        attributes.push(LinkAttribute::TxQueueLen(1000));
        message.header.change_mask =
            LinkFlags::Up | LinkFlags::Promisc | LinkFlags::Allmulti | LinkFlags::Noarp;
        let message = RouteNetlinkMessage::NewLink(message);
        self.push("move", device.name, 0, &message);
    }

    /// Sets the carrier of an interface whose driver lets users do so.
    pub fn set_carrier(&mut self, device: Device<'_>, on: bool) {
        self.change(
            "change the carrier of",
            device,
            LinkAttribute::Carrier(on.into()),
        );
    }

    /// Makes an interface a port of a bridge instead of an earlier one; `None` only removes the
    /// port.
    pub fn set_master(&mut self, device: Device<'_>, master: Option<u32>) {
        self.change(
            "change the bridge of",
            device,
            // An index of 0 means: no bridge (rtnetlink.c, do_set_master).
            LinkAttribute::Controller(master.unwrap_or(0)),
        );
    }

    /// Sets the largest packet, in bytes.
    pub fn set_mtu(&mut self, device: Device<'_>, mtu: u32) {
        self.change("set the MTU of", device, LinkAttribute::Mtu(mtu));
    }

    /// Sets the number of packets that the kernel may hand to the device as one super-frame.
    ///
    /// Sockets and other devices make super-frames of up to 64 KB (GSO). The kernel cuts them to
    /// this number before the device has them. A device in front of something that must see each
    /// packet by itself needs 1.
    pub fn set_largest_batch(&mut self, device: Device<'_>, packets: u16) {
        let packets = LinkAttribute::GsoMaxSegs(packets.into());
        self.change("limit the batches of", device, packets);
    }

    /// Changes the hardware address.
    pub fn set_mac(&mut self, device: Device<'_>, mac: [u8; 6]) {
        self.change(
            "set the hardware address of",
            device,
            LinkAttribute::Address(mac.to_vec()),
        );
    }

    /// Gives an interface an alternative name of at most 127 bytes (`ALTIFNAMSIZ`).
    pub fn add_altname(&mut self, device: Device<'_>, altname: &str) {
        let message = RouteNetlinkMessage::NewLinkProp(with_altname(device, altname));
        self.push(
            "add an alternative name to",
            device.name,
            NLM_F_CREATE | NLM_F_EXCL,
            &message,
        );
    }

    /// Removes an alternative name.
    pub fn delete_altname(&mut self, device: Device<'_>, altname: &str) {
        let message = RouteNetlinkMessage::DelLinkProp(with_altname(device, altname));
        self.push("delete an alternative name of", device.name, 0, &message);
    }

    /// Removes an interface. If it is an end of a veth pair, the other end goes too.
    pub fn delete_link(&mut self, device: Device<'_>) {
        self.push(
            "delete",
            device.name,
            0,
            &RouteNetlinkMessage::DelLink(numbered(device)),
        );
    }

    pub(super) fn create(
        &mut self,
        operation: &'static str,
        device: Device<'_>,
        message: LinkMessage,
    ) {
        self.push(
            operation,
            device.name,
            NLM_F_CREATE | NLM_F_EXCL,
            &RouteNetlinkMessage::NewLink(message),
        );
    }

    /// Changes one attribute.
    ///
    /// `RTM_NEWLINK` without `NLM_F_CREATE` changes an interface. Unlike `RTM_SETLINK` it also
    /// changes what only this kind of interface has (net/core/rtnetlink.c, rtnl_changelink).
    pub(super) fn change(
        &mut self,
        operation: &'static str,
        device: Device<'_>,
        attribute: LinkAttribute,
    ) {
        let mut message = numbered(device);
        message.attributes.push(attribute);
        self.push(
            operation,
            device.name,
            0,
            &RouteNetlinkMessage::NewLink(message),
        );
    }

    fn set_flags(&mut self, operation: &'static str, device: Device<'_>, flags: LinkFlags) {
        let mut message = numbered(device);
        message.header.flags = flags;
        // Of the flags only those in the mask are changed; without a mask all would be
        // (rtnetlink.c, rtnl_dev_combine_flags).
        message.header.change_mask = LinkFlags::Up;
        self.push(
            operation,
            device.name,
            0,
            &RouteNetlinkMessage::NewLink(message),
        );
    }
}

pub(super) fn numbered(device: Device<'_>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header = LinkHeader {
        index: device.index,
        ..LinkHeader::default()
    };
    message
}

fn with_altname(device: Device<'_>, altname: &str) -> LinkMessage {
    let mut message = numbered(device);
    let name = Prop::AltIfName(altname.to_owned());
    message.attributes.push(LinkAttribute::PropList(vec![name]));
    message
}

pub(super) fn named(device: Device<'_>) -> LinkMessage {
    let mut message = numbered(device);
    message
        .attributes
        .push(LinkAttribute::IfName(device.name.to_owned()));
    message
}

/// Returns the message for one end of a veth pair.
fn end_message(end: &VethEnd<'_>) -> LinkMessage {
    let mut message = named(end.device);
    let attributes = &mut message.attributes;
    // The default is a queue for each processor: 0.56 ms a link instead of 0.37 ms (measured for
    // this project, 2026-08).
    attributes.extend([LinkAttribute::NumTxQueues(1), LinkAttribute::NumRxQueues(1)]);
    // Fixed hardware addresses keep captures the same from run to run, and neighbours can be
    // entered beforehand.
    attributes.extend(end.mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
    attributes.extend(end.mtu.map(LinkAttribute::Mtu));
    attributes.extend(
        end.netns
            // A descriptor and no process id: the namespace may have no process yet.
            .map(|netns| LinkAttribute::NetNsFd(netns.as_raw_fd())),
    );
    attributes.extend(end.master.map(LinkAttribute::Controller));
    message
}
