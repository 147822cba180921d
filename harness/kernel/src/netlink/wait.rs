//! Ready means ready: conditions that are waited for by events, with a deadline and the last state seen.
//!
//! - A *carrier* is not enough: the kernel raises it at once, but lets packets through only when its link watcher has
//!   run, later and elsewhere. The operational state tells. Sending before it is UP loses the first packet for a second.
//! - An IPv6 address that is *not tentative* is not enough either: from a work queue, the kernel joins its solicited-node
//!   group, without which nobody who asks for its hardware address is heard, and then makes its local route, without
//!   which packets to it are dropped. The route tells.

use std::fmt;
use std::net::Ipv6Addr;
use std::time::Instant;

use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;
use nix::libc;

use super::batch::Batch;
use super::connection::{Netlink, error_of};
use super::encoding::{self, Message, NLMSG_DONE, NLMSG_ERROR};
use super::error::NetlinkError;
use super::link::{Device, numbered};

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const RTNLGRP_LINK: u32 = 1;
const RTNLGRP_IPV6_ROUTE: u32 = 11;
/// The length of `struct rtmsg`.
const ROUTE_HEADER: usize = 12;

/// A condition that messages can make true.
trait NetworkCondition {
    /// Asks for the present state.
    fn question(&self) -> (u16, Vec<u8>);
    /// Takes a look at an answer or a notification.
    fn observe(&mut self, message: &Message<'_>);
    /// Whether nothing is missing.
    fn holds(&self) -> bool;
    /// What is missing, and what was seen instead.
    fn last_state(&self) -> String;
}

impl Batch {
    /// Asks about a link by itself, which on Linux 6.8 and later makes the link watcher look at it now. It lets
    /// links wait for up to a second that have the same index as their other end, or have none, and can already send.
    pub fn look_at(&mut self, device: Device<'_>) {
        let message = RouteNetlinkMessage::GetLink(numbered(device));
        self.push("look at", device.name, 0, &message);
    }
}

impl Netlink {
    /// Waits until packets can pass these links of the namespace: operational state UP.
    pub fn wait_until_up(
        &mut self,
        devices: &[Device<'_>],
        deadline: Instant,
    ) -> Result<(), NetlinkError> {
        self.nudge(devices)?;
        let condition = LinksUp::new(libc::AF_UNSPEC as u8, devices);
        self.wait_for("bring into operation", RTNLGRP_LINK, condition, deadline)
    }

    /// The same for ports of bridges, of which there may be a thousand: it asks for less about each. A port and its
    /// other end should have different indices, see [`Self::wait_until_up`].
    pub fn wait_until_ports_up(
        &mut self,
        ports: &[Device<'_>],
        deadline: Instant,
    ) -> Result<(), NetlinkError> {
        let condition = LinksUp::new(libc::AF_BRIDGE as u8, ports);
        self.wait_for("bring into operation", RTNLGRP_LINK, condition, deadline)
    }

    /// Waits until the interface, which must be up, answers for these IPv6 addresses.
    pub fn wait_until_heard(
        &mut self,
        device: Device<'_>,
        addresses: &[Ipv6Addr],
        deadline: Instant,
    ) -> Result<(), NetlinkError> {
        let condition = Local {
            device,
            missing: addresses.to_vec(),
        };
        self.wait_for(
            "activate the IPv6 addresses of",
            RTNLGRP_IPV6_ROUTE,
            condition,
            deadline,
        )
    }

    fn nudge(&mut self, devices: &[Device<'_>]) -> Result<(), NetlinkError> {
        let mut batch = Batch::new();
        for device in devices {
            batch.look_at(*device);
        }
        self.execute(batch)
    }

    /// Subscribes first and looks second, so that no change falls between the two.
    fn wait_for<C: NetworkCondition>(
        &mut self,
        operation: &'static str,
        group: u32,
        mut condition: C,
        deadline: Instant,
    ) -> Result<(), NetlinkError> {
        if condition.holds() {
            return Ok(());
        }
        let refused =
            |errno| NetlinkError::refused(operation, "the network namespace", errno, None);
        self.socket.join(group).map_err(refused)?;
        let outcome = self.watch(&mut condition, deadline);
        let left = self.socket.leave(group);
        self.socket.drain(&mut self.buffer);
        match outcome.and_then(|held| left.map(|()| held)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(NetlinkError::timed_out(
                operation,
                "the network namespace",
                condition.last_state(),
            )),
            Err(errno) => Err(refused(errno)),
        }
    }

    fn watch<C: NetworkCondition>(
        &mut self,
        condition: &mut C,
        deadline: Instant,
    ) -> nix::Result<bool> {
        self.look(condition)?;
        while !condition.holds() {
            if !self.socket.readable_before(deadline)? {
                return Ok(false);
            }
            match self.socket.receive(&mut self.buffer) {
                // Notifications were lost: look again.
                Err(Errno::ENOBUFS) => self.look(condition)?,
                Err(errno) => return Err(errno),
                Ok(datagram) => {
                    encoding::messages(datagram).for_each(|message| condition.observe(&message))
                }
            }
        }
        Ok(true)
    }

    /// Reads the present state. Notifications in between are as good as answers.
    fn look<C: NetworkCondition>(&mut self, condition: &mut C) -> nix::Result<()> {
        let (kind, payload) = condition.question();
        let mut sequence = self.ask(kind, &payload)?;
        let mut lost = false;
        loop {
            let datagram = match self.socket.receive(&mut self.buffer) {
                Ok(datagram) => datagram,
                // Notifications were lost, never pieces of the answer: read it to its end and ask once more.
                Err(Errno::ENOBUFS) => {
                    lost = true;
                    continue;
                }
                Err(errno) => return Err(errno),
            };
            let mut done = false;
            for message in encoding::messages(datagram) {
                match message.kind {
                    NLMSG_DONE if message.sequence == sequence => done = true,
                    NLMSG_ERROR if message.sequence == sequence => {
                        return error_of(&message).map_or(Ok(()), Err);
                    }
                    _ => condition.observe(&message),
                }
            }
            if done && !lost {
                return Ok(());
            }
            if done {
                lost = false;
                sequence = self.ask(kind, &payload)?;
            }
        }
    }
}

/// Links that have to be UP, with the state that was last seen.
struct LinksUp<'a> {
    family: u8,
    /// By index.
    links: Vec<(Device<'a>, Seen)>,
    missing: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Never,
    Down,
    NoCarrier,
    Waiting,
    Up,
}

impl<'a> LinksUp<'a> {
    fn new(family: u8, devices: &[Device<'a>]) -> Self {
        let mut links: Vec<_> = devices
            .iter()
            .map(|device| (*device, Seen::Never))
            .collect();
        links.sort_unstable_by_key(|(device, _)| device.index);
        links.dedup_by_key(|(device, _)| device.index);
        Self {
            family,
            missing: links.len(),
            links,
        }
    }
}

impl NetworkCondition for LinksUp<'_> {
    fn question(&self) -> (u16, Vec<u8>) {
        const IFLA_EXT_MASK: u16 = 29;
        const RTEXT_FILTER_SKIP_STATS: u32 = 8;
        let mut payload = vec![0; 16];
        payload[0] = self.family;
        encoding::attribute(
            &mut payload,
            IFLA_EXT_MASK,
            &RTEXT_FILTER_SKIP_STATS.to_ne_bytes(),
        );
        (RTM_GETLINK, payload)
    }

    fn observe(&mut self, message: &Message<'_>) {
        if message.kind != RTM_NEWLINK {
            return;
        }
        let Some((index, seen)) = seen(message.payload) else {
            return;
        };
        if let Ok(at) = self
            .links
            .binary_search_by_key(&index, |(device, _)| device.index)
        {
            let before = std::mem::replace(&mut self.links[at].1, seen);
            self.missing += usize::from(before == Seen::Up);
            self.missing -= usize::from(seen == Seen::Up);
        }
    }

    fn holds(&self) -> bool {
        self.missing == 0
    }

    fn last_state(&self) -> String {
        let missing: Vec<_> = self
            .links
            .iter()
            .filter(|(_, seen)| *seen != Seen::Up)
            .collect();
        let shown: Vec<String> = missing
            .iter()
            .take(8)
            .map(|(device, seen)| format!("`{}` {seen}", device.name))
            .collect();
        format!(
            "{} of {} not up: {}",
            missing.len(),
            self.links.len(),
            shown.join(", ")
        )
    }
}

/// The index and the state in an `RTM_NEWLINK`.
fn seen(payload: &[u8]) -> Option<(u32, Seen)> {
    const IFLA_OPERSTATE: u16 = 16;
    const OPERSTATE_UP: u8 = 6;
    let (index, flags) = (encoding::u32_at(payload, 4)?, encoding::u32_at(payload, 8)?);
    let state = *encoding::find(payload.get(16..)?, IFLA_OPERSTATE)?.first()?;
    let is = |flag: libc::c_int| flags & flag.cast_unsigned() != 0;
    let seen = match state {
        OPERSTATE_UP => Seen::Up,
        _ if !is(libc::IFF_UP) => Seen::Down,
        _ if !is(libc::IFF_LOWER_UP) => Seen::NoCarrier,
        _ => Seen::Waiting,
    };
    Some((index, seen))
}

impl fmt::Display for Seen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Never => "was not seen",
            Self::Down => "is down",
            Self::NoCarrier => "has no carrier (its other end is down)",
            Self::Waiting => "waits for the kernel's link watcher",
            Self::Up => "is up",
        })
    }
}

/// IPv6 addresses whose own routes have to be there.
struct Local<'a> {
    device: Device<'a>,
    missing: Vec<Ipv6Addr>,
}

impl NetworkCondition for Local<'_> {
    fn question(&self) -> (u16, Vec<u8>) {
        let mut payload = vec![0; ROUTE_HEADER];
        payload[0] = libc::AF_INET6 as u8;
        (RTM_GETROUTE, payload)
    }

    fn observe(&mut self, message: &Message<'_>) {
        const RTA_DST: u16 = 1;
        const RTA_OIF: u16 = 4;
        let [family, prefix, _, _, _, _, _, kind, ..] = *message.payload else {
            return;
        };
        let is_local = (i32::from(family), prefix, kind) == (libc::AF_INET6, 128, libc::RTN_LOCAL);
        let Some(attributes) = message
            .payload
            .get(ROUTE_HEADER..)
            .filter(|_| message.kind == RTM_NEWROUTE && is_local)
        else {
            return;
        };
        let interface =
            encoding::find(attributes, RTA_OIF).and_then(|value| encoding::u32_at(value, 0));
        if let Some(value) =
            encoding::find(attributes, RTA_DST).filter(|_| interface == Some(self.device.index))
        {
            self.missing.retain(|address| address.octets() != value);
        }
    }

    fn holds(&self) -> bool {
        self.missing.is_empty()
    }

    fn last_state(&self) -> String {
        let missing: Vec<String> = self.missing.iter().map(Ipv6Addr::to_string).collect();
        format!(
            "`{}` does not answer yet for {}",
            self.device.name,
            missing.join(", ")
        )
    }
}
