//! Interfaces: making, connecting, naming and removing them.
//!
//! An interface that is made in one namespace and moved to another costs 13 to 19 ms, because the
//! kernel waits for all readers (an RCU grace period; measured for this project, 2026-08). So both
//! ends of a veth pair are made where they belong, by one message.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc;

use super::batch::Batch;
use super::encoding::{self, Attributes, NLM_F_CREATE, NLM_F_EXCL};

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
    /// End at the other side of the pair.
    pub far: VethEnd<'a>,
}

impl Batch {
    /// Makes a veth pair with both ends in their namespaces, and down.
    pub fn add_veth(&mut self, veth: &Veth<'_>) {
        const VETH_INFO_PEER: u16 = 1;
        // `VETH_INFO_PEER` is a whole link message with attributes of its own, among them a
        // namespace.
        let peer = Attributes::new().with(VETH_INFO_PEER, &end_message(&veth.far).bytes());
        let mut message = end_message(&veth.near);
        message.kind("veth", peer);
        self.create("create the veth pair of", veth.near.device, &message);
    }

    /// Switches the automatic link-local address of IPv6 off. Call this before the interface is up.
    ///
    /// Each node on a bridge hears the address detection of all others, so that their cost grows
    /// with the square of the nodes: 9.7 s of processor time for 1,000 nodes instead of 1.4 s
    /// (measured for this project, 2026-08).
    pub fn disable_address_generation(&mut self, device: Device<'_>) {
        const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
        const IN6_ADDR_GEN_MODE_NONE: u8 = 1;
        let mode = Attributes::new().with(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE]);
        let families = Attributes::new().nest(libc::AF_INET6 as u16, mode);
        let all = Attributes::new().nest(libc::IFLA_AF_SPEC, families);
        self.change("stop automatic addresses of", device, all);
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
            self.change("set IPv4 up on", device, all);
            // Linux before 5.16 does not know the second, and forgets neighbours then
            // (Documentation/networking/ip-sysctl.rst, arp_evict_nocarrier).
            self.tolerate(Errno::EINVAL);
        }
    }

    /// Brings an interface up.
    pub fn set_up(&mut self, device: Device<'_>) {
        self.set_flags("bring up", device, libc::IFF_UP, libc::IFF_UP);
    }

    /// Brings an interface up on which nobody asks for hardware addresses: packets go to whatever
    /// is at the other end, with the interface's own address (net/ipv4/arp.c, arp_constructor;
    /// net/ipv6/ndisc.c, ndisc_constructor).
    pub fn set_up_without_arp(&mut self, device: Device<'_>) {
        let both = libc::IFF_UP | libc::IFF_NOARP;
        self.set_flags("bring up", device, both, both);
    }

    /// Takes an interface down. The kernel removes the interface's IPv6 addresses and routes.
    pub fn set_down(&mut self, device: Device<'_>) {
        self.set_flags("take down", device, 0, libc::IFF_UP);
    }

    /// Moves an interface to the network namespace of `to`, with the index, name, hardware address
    /// and MTU there. The interface is down afterwards.
    ///
    /// The kernel removes addresses, routes, neighbours, queueing disciplines and the membership in
    /// a bridge (net/core/dev.c, __dev_change_net_namespace). Alternative names move along.
    pub fn relocate(&mut self, device: Device<'_>, to: &VethEnd<'_>) {
        const IFLA_GROUP: u16 = 27;
        const IFLA_GSO_MAX_SIZE: u16 = 41;
        const IFLA_GRO_MAX_SIZE: u16 = 58;
        const IFLA_NEW_IFINDEX: u16 = 49;
        // An interface that arrives without ARP never detects duplicate addresses there
        // (net/ipv6/addrconf.c, ipv6_add_dev), so the flags go first.
        let flags = libc::IFF_UP | libc::IFF_PROMISC | libc::IFF_ALLMULTI | libc::IFF_NOARP;
        self.set_flags("take down", device, 0, flags);
        let mut message = LinkRequest::of(device);
        message.attributes = Attributes::new()
            .text(libc::IFLA_IFNAME, to.device.name)
            .number(IFLA_NEW_IFINDEX, to.device.index)
            .maybe(to.netns, namespace)
            .maybe(to.mac, |all, mac| all.with(libc::IFLA_ADDRESS, &mac))
            .maybe(to.mtu, |all, mtu| all.number(libc::IFLA_MTU, mtu))
            // What a program has set of these goes with the old namespace too. A veth is made with
            // a queue length of 1,000 (DEFAULT_TX_QUEUE_LEN, net/ethernet/eth.c).
            .number(libc::IFLA_TXQLEN, 1000)
            .number(IFLA_GROUP, 0)
            .with(libc::IFLA_IFALIAS, &[])
            // These are the kernel's own limits (include/linux/netdevice.h, GSO_LEGACY_MAX_SIZE and
            // GRO_LEGACY_MAX_SIZE). Linux before 5.19 does not know the second, and passes over it.
            .number(IFLA_GSO_MAX_SIZE, 65_536)
            .number(IFLA_GRO_MAX_SIZE, 65_536);
        self.push("move", device.name, libc::RTM_NEWLINK, 0, &message.bytes());
    }

    /// Sets the carrier of an interface whose driver lets users do so.
    pub fn set_carrier(&mut self, device: Device<'_>, on: bool) {
        self.change(
            "change the carrier of",
            device,
            Attributes::new().with(libc::IFLA_CARRIER, &[on.into()]),
        );
    }

    /// Makes an interface a port of a bridge instead of an earlier one; `None` only removes the
    /// port.
    pub fn set_master(&mut self, device: Device<'_>, master: Option<u32>) {
        self.change(
            "change the bridge of",
            device,
            // An index of 0 means: no bridge (rtnetlink.c, do_set_master).
            Attributes::new().number(libc::IFLA_MASTER, master.unwrap_or(0)),
        );
    }

    /// Sets the largest packet, in bytes.
    pub fn set_mtu(&mut self, device: Device<'_>, mtu: u32) {
        let mtu = Attributes::new().number(libc::IFLA_MTU, mtu);
        self.change("set the MTU of", device, mtu);
    }

    /// Sets the number of packets that the kernel may hand to the device as one super-frame.
    ///
    /// Sockets and other devices make super-frames of up to 64 KB (GSO). The kernel cuts them to
    /// this number before the device has them. A device in front of something that must see each
    /// packet by itself needs 1.
    pub fn set_gso_max_segments(&mut self, device: Device<'_>, packets: u16) {
        const IFLA_GSO_MAX_SEGS: u16 = 40;
        let packets = Attributes::new().number(IFLA_GSO_MAX_SEGS, packets.into());
        self.change("limit the batches of", device, packets);
    }

    /// Changes the hardware address that the kernel takes for the broadcast address of the
    /// interface.
    pub fn set_broadcast(&mut self, device: Device<'_>, mac: [u8; 6]) {
        self.change(
            "set the broadcast address of",
            device,
            Attributes::new().with(libc::IFLA_BROADCAST, &mac),
        );
    }

    /// Changes the hardware address.
    pub fn set_mac(&mut self, device: Device<'_>, mac: [u8; 6]) {
        self.change(
            "set the hardware address of",
            device,
            Attributes::new().with(libc::IFLA_ADDRESS, &mac),
        );
    }

    /// Gives an interface an alternative name of at most 127 bytes (`ALTIFNAMSIZ`).
    pub fn add_altname(&mut self, device: Device<'_>, altname: &str) {
        const RTM_NEWLINKPROP: u16 = 108;
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        let message = with_altname(device, altname).bytes();
        let operation = "add an alternative name to";
        self.push(operation, device.name, RTM_NEWLINKPROP, flags, &message);
    }

    /// Removes an alternative name.
    pub fn delete_altname(&mut self, device: Device<'_>, altname: &str) {
        const RTM_DELLINKPROP: u16 = 109;
        let message = with_altname(device, altname).bytes();
        let operation = "delete an alternative name of";
        self.push(operation, device.name, RTM_DELLINKPROP, 0, &message);
    }

    /// Removes an interface. If it is an end of a veth pair, the other end goes too.
    pub fn delete_link(&mut self, device: Device<'_>) {
        let message = LinkRequest::of(device).bytes();
        self.push("delete", device.name, libc::RTM_DELLINK, 0, &message);
    }

    /// Removes an interface; an absent one is no error.
    pub fn delete_link_if_there(&mut self, device: Device<'_>) {
        self.delete_link(device);
        self.tolerate(Errno::ENODEV);
    }

    pub(super) fn create(
        &mut self,
        operation: &'static str,
        device: Device<'_>,
        message: &LinkRequest,
    ) {
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        self.push(
            operation,
            device.name,
            libc::RTM_NEWLINK,
            flags,
            &message.bytes(),
        );
    }

    /// Changes what the attributes name.
    ///
    /// `RTM_NEWLINK` without `NLM_F_CREATE` changes an interface. Unlike `RTM_SETLINK` it also
    /// changes what only this kind of interface has (net/core/rtnetlink.c, rtnl_changelink).
    pub(super) fn change(
        &mut self,
        operation: &'static str,
        device: Device<'_>,
        attributes: Attributes,
    ) {
        let mut message = LinkRequest::of(device);
        message.attributes = attributes;
        self.push(
            operation,
            device.name,
            libc::RTM_NEWLINK,
            0,
            &message.bytes(),
        );
    }

    fn set_flags(
        &mut self,
        operation: &'static str,
        device: Device<'_>,
        flags: libc::c_int,
        mask: libc::c_int,
    ) {
        let mut message = LinkRequest::of(device);
        message.flags = flags;
        // Of the flags only those in the mask are changed; without a mask all would be
        // (rtnetlink.c, rtnl_dev_combine_flags).
        message.mask = mask;
        self.push(
            operation,
            device.name,
            libc::RTM_NEWLINK,
            0,
            &message.bytes(),
        );
    }
}

/// A request about an interface: a `struct ifinfomsg` and its attributes.
pub(super) struct LinkRequest {
    index: u32,
    flags: libc::c_int,
    /// Flags that are to be changed.
    mask: libc::c_int,
    pub(super) attributes: Attributes,
}

impl LinkRequest {
    /// Returns a request that names an interface by its index, and asks for nothing yet.
    pub(super) fn of(device: Device<'_>) -> Self {
        Self {
            index: device.index,
            flags: 0,
            mask: 0,
            attributes: Attributes::new(),
        }
    }

    /// Returns a request for an interface with this index and name.
    pub(super) fn named(device: Device<'_>) -> Self {
        let name = Attributes::new().text(libc::IFLA_IFNAME, device.name);
        Self {
            attributes: name,
            ..Self::of(device)
        }
    }

    /// Appends the kind of the interface, with settings that only this kind has.
    pub(super) fn kind(&mut self, kind: &str, settings: Attributes) {
        let info = information(kind, settings);
        self.attributes.0.extend(info.0);
    }

    /// Returns the payload of the message.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let (flags, mask) = (self.flags.cast_unsigned(), self.mask.cast_unsigned());
        // Family and type of hardware, both 0, are in the first word.
        let mut bytes = encoding::words(&[0, self.index, flags, mask]);
        bytes.extend(&self.attributes.0);
        bytes
    }
}

/// Returns the attribute that names the kind of an interface and has settings of this kind.
pub(super) fn information(kind: &str, settings: Attributes) -> Attributes {
    let info = Attributes::new()
        .text(libc::IFLA_INFO_KIND, kind)
        .nest(libc::IFLA_INFO_DATA, settings);
    Attributes::new().nest(libc::IFLA_LINKINFO, info)
}

fn with_altname(device: Device<'_>, altname: &str) -> LinkRequest {
    const IFLA_PROP_LIST: u16 = 52;
    const IFLA_ALT_IFNAME: u16 = 53;
    const NESTED: u16 = libc::NLA_F_NESTED as u16;
    let name = Attributes::new().text(IFLA_ALT_IFNAME, altname);
    LinkRequest {
        // These requests are checked strictly: a list must be marked as one (rtnetlink.c,
        // rtnl_linkprop).
        attributes: Attributes::new().nest(IFLA_PROP_LIST | NESTED, name),
        ..LinkRequest::of(device)
    }
}

fn namespace(attributes: Attributes, netns: BorrowedFd<'_>) -> Attributes {
    // A descriptor and no process id: the namespace may have no process yet.
    attributes.number(libc::IFLA_NET_NS_FD, netns.as_raw_fd().cast_unsigned())
}

/// Returns the message for one end of a veth pair.
fn end_message(end: &VethEnd<'_>) -> LinkRequest {
    let mut message = LinkRequest::named(end.device);
    message.attributes = message
        .attributes
        // The default is a queue for each processor: 0.56 ms a link instead of 0.37 ms (measured
        // for this project, 2026-08).
        .number(libc::IFLA_NUM_TX_QUEUES, 1)
        .number(libc::IFLA_NUM_RX_QUEUES, 1)
        // Fixed hardware addresses keep captures the same from run to run, and neighbours can be
        // entered beforehand.
        .maybe(end.mac, |all, mac| all.with(libc::IFLA_ADDRESS, &mac))
        .maybe(end.mtu, |all, mtu| all.number(libc::IFLA_MTU, mtu))
        .maybe(end.netns, namespace)
        .maybe(end.master, |all, it| all.number(libc::IFLA_MASTER, it));
    message
}
