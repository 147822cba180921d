//! Interfaces: making, wiring, naming, raising and removing them.

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute,
    LinkFlags, LinkHeader, LinkInfo, LinkMessage, Prop,
};

use super::batch::Batch;

/// An interface: the index that the kernel knows it by, and the name that an error shall tell.
///
/// Indices are chosen by whoever creates an interface, like names: then nothing has to be asked back, and they are
/// the same in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device<'a> {
    /// Unique in its network namespace; 1 is `lo`.
    pub index: u32,
    /// At most fifteen bytes.
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
    /// Its index and name, where it will live.
    pub device: Device<'a>,
    /// Its hardware address; the kernel takes a random one otherwise.
    pub mac: Option<[u8; 6]>,
    /// The largest packet; 1500 otherwise.
    pub mtu: Option<u32>,
    /// The network namespace that it is born in; the connection's own otherwise.
    pub netns: Option<BorrowedFd<'a>>,
    /// The bridge that it is born into, in the same namespace. Only for the near end.
    pub master: Option<u32>,
}

impl<'a> VethEnd<'a> {
    /// An end with nothing special about it.
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

/// A cable.
#[derive(Clone, Copy, Debug)]
pub struct Veth<'a> {
    /// The end that may be a bridge's port.
    pub near: VethEnd<'a>,
    /// The other one.
    pub far: VethEnd<'a>,
}

impl Batch {
    /// Makes a veth pair, both ends where they belong, down: one message and no move.
    pub fn add_veth(&mut self, veth: &Veth<'_>) {
        let mut message = end_message(&veth.near);
        let peer = InfoData::Veth(InfoVeth::Peer(end_message(&veth.far)));
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(peer),
        ]));
        self.create("create the veth pair of", veth.near.device, message);
    }

    /// Switches IPv6's automatic addresses off. On a bridge they cost time squared; do it before the link is up.
    pub fn give_no_addresses(&mut self, device: Device<'_>) {
        let spec = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
        self.change(
            "stop automatic addresses of",
            device,
            LinkAttribute::AfSpecUnspec(vec![spec]),
        );
    }

    /// Brings an interface up.
    pub fn set_up(&mut self, device: Device<'_>) {
        self.set_flags("bring up", device, LinkFlags::Up);
    }

    /// Takes an interface down; its IPv6 addresses go with it.
    pub fn set_down(&mut self, device: Device<'_>) {
        self.set_flags("take down", device, LinkFlags::empty());
    }

    /// Says whether the other side is there, of an interface that lets itself be told.
    pub fn set_carrier(&mut self, device: Device<'_>, on: bool) {
        self.change(
            "change the carrier of",
            device,
            LinkAttribute::Carrier(on.into()),
        );
    }

    /// Plugs an interface into a bridge, out of the one that it was in; `None` only unplugs.
    pub fn set_master(&mut self, device: Device<'_>, master: Option<u32>) {
        self.change(
            "change the bridge of",
            device,
            LinkAttribute::Controller(master.unwrap_or(0)),
        );
    }

    /// Changes the largest packet.
    pub fn set_mtu(&mut self, device: Device<'_>, mtu: u32) {
        self.change("set the MTU of", device, LinkAttribute::Mtu(mtu));
    }

    /// How many packets the kernel may hand to the device at once. Batches of up to 64 KB, which sockets and other devices make, are cut to
    /// that before: 1 for devices in front of something that must see each packet by itself.
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

    /// Gives an interface another, longer name (at most 127 bytes) by which it is found as well.
    pub fn add_altname(&mut self, device: Device<'_>, altname: &str) {
        let message = RouteNetlinkMessage::NewLinkProp(with_altname(device, altname));
        self.push(
            "add an alternative name to",
            device.name,
            NLM_F_CREATE | NLM_F_EXCL,
            &message,
        );
    }

    /// Takes such a name away again.
    pub fn delete_altname(&mut self, device: Device<'_>, altname: &str) {
        let message = RouteNetlinkMessage::DelLinkProp(with_altname(device, altname));
        self.push("delete an alternative name of", device.name, 0, &message);
    }

    /// Removes an interface; of a veth pair both ends go.
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

    /// `RTM_NEWLINK` without `NLM_F_CREATE` changes, and unlike `RTM_SETLINK` also what a kind has for itself.
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

/// One queue each way: the default of one per core costs half as much again.
fn end_message(end: &VethEnd<'_>) -> LinkMessage {
    let mut message = named(end.device);
    let attributes = &mut message.attributes;
    attributes.extend([LinkAttribute::NumTxQueues(1), LinkAttribute::NumRxQueues(1)]);
    attributes.extend(end.mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
    attributes.extend(end.mtu.map(LinkAttribute::Mtu));
    attributes.extend(
        end.netns
            .map(|netns| LinkAttribute::NetNsFd(netns.as_raw_fd())),
    );
    attributes.extend(end.master.map(LinkAttribute::Controller));
    message
}
