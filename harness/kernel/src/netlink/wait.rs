//! Ready means ready: waits for conditions of the kernel, by events, with a deadline.
//!
//! A lab that returns too early loses the first packet, and the first request waits for a second.
//!
//! - A *carrier* is not enough. The kernel sets the carrier at once, but lets packets through only
//!   when its link watcher has run, later and on another thread (net/core/link_watch.c). The
//!   operational state tells: 8 of 55 fresh networks lost a packet without this wait, and none with
//!   this wait (measured for this project, 2026-08).
//! - An IPv6 address that is *not tentative* is not enough either. A work queue of the kernel joins
//!   the solicited-node group of the address, without which no question for the hardware address
//!   arrives, and then makes the local route, without which packets to the address are dropped
//!   (net/ipv6/addrconf.c, addrconf_dad_begin and addrconf_dad_completed). The route tells.

use std::fmt;
use std::net::Ipv6Addr;
use std::time::Instant;

use nix::errno::Errno;
use nix::libc;

use super::batch::Batch;
use super::connection::{Netlink, error_of};
use super::encoding::{self, Message, NLMSG_DONE, NLMSG_ERROR};
use super::error::NetlinkError;
use super::link::{Device, LinkRequest};

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const RTNLGRP_LINK: u32 = 1;
const RTNLGRP_IPV6_ROUTE: u32 = 11;
/// Bytes of `struct rtmsg`.
const ROUTE_HEADER: usize = 12;

/// A condition that messages can make true.
trait NetworkCondition {
    /// Returns type and payload of the request for the present state.
    fn question(&self) -> (u16, Vec<u8>);
    /// Takes in an answer or a notification.
    fn observe(&mut self, message: &Message<'_>);
    /// Tells whether nothing is missing.
    fn holds(&self) -> bool;
    /// Describes the missing things, and the states in which they were seen last.
    fn last_state(&self) -> String;
}

impl Batch {
    /// Asks about one link, which on Linux 6.8 and later makes the link watcher look at the link
    /// now (net/core/rtnetlink.c, rtnl_getlink; link_watch.c, linkwatch_sync_dev).
    ///
    /// Otherwise the watcher may wait for up to a second with a link that is not urgent: one that
    /// has the same index as its other end, or no other end (link_watch.c, linkwatch_urgent_event).
    pub fn sync_link_watch(&mut self, device: Device<'_>) {
        let message = LinkRequest::of(device).bytes();
        self.push("look at", device.name, RTM_GETLINK, 0, &message);
        // The answer describes the link at length: 128 answers overflow a queue of the usual size
        // (`net.core.rmem_default`, 212,992 bytes; Linux 6.18, 2026-11-30).
        self.reserve_room(8);
    }
}

impl Netlink {
    /// Waits until packets can pass these links: until their operational state is UP.
    ///
    /// # Errors
    /// The deadline passed, with the last state of the missing links; or the kernel refused.
    pub fn wait_until_up(
        &mut self,
        devices: &[Device<'_>],
        deadline: Instant,
    ) -> Result<(), NetlinkError> {
        // The nudge comes before the subscription: its answer would be one more message to read.
        self.sync_link_watches(devices)?;
        let condition = LinksUp::new(libc::AF_UNSPEC as u8, devices);
        self.wait_for("bring into operation", RTNLGRP_LINK, condition, deadline)
    }

    /// Waits until packets can pass these ports of bridges, of which there may be a thousand.
    ///
    /// The family of bridges makes the kernel tell less about each port. A port and its other end
    /// should have different indices, see [`Batch::sync_link_watch`].
    ///
    /// # Errors
    /// The deadline passed, with the last state of the missing ports; or the kernel refused.
    pub fn wait_until_ports_up(
        &mut self,
        ports: &[Device<'_>],
        deadline: Instant,
    ) -> Result<(), NetlinkError> {
        let condition = LinksUp::new(libc::AF_BRIDGE as u8, ports);
        self.wait_for("bring into operation", RTNLGRP_LINK, condition, deadline)
    }

    /// Waits until the interface, which must be up, answers for these IPv6 addresses.
    ///
    /// # Errors
    /// The deadline passed, with the missing addresses; or the kernel refused.
    pub fn wait_until_addresses_usable(
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

    fn sync_link_watches(&mut self, devices: &[Device<'_>]) -> Result<(), NetlinkError> {
        let mut batch = Batch::new();
        for device in devices {
            batch.sync_link_watch(*device);
        }
        self.execute(batch)
    }

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
        // Subscribe first and look second: a change between a look and a subscription would be
        // missed.
        self.socket.join(group).map_err(refused)?;
        let outcome = self.watch(&mut condition, deadline);
        let left = self.socket.leave(group);
        // Notifications that are still queued would be taken for answers to the next request.
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
    ) -> crate::Result<bool> {
        self.look(condition)?;
        while !condition.holds() {
            if !self.socket.readable_before(deadline)? {
                return Ok(false);
            }
            match self.socket.receive(&mut self.buffer) {
                // The queue overflowed and notifications were lost, so only a new look tells.
                Err(Errno::ENOBUFS) => self.look(condition)?,
                Err(errno) => return Err(errno),
                Ok(datagram) => {
                    encoding::messages(datagram).for_each(|message| condition.observe(&message))
                }
            }
        }
        Ok(true)
    }

    /// Reads the present state. Notifications among the answers count as well.
    fn look<C: NetworkCondition>(&mut self, condition: &mut C) -> crate::Result<()> {
        let (kind, payload) = condition.question();
        let mut sequence = self.ask(kind, &payload)?;
        let mut lost = false;
        loop {
            let datagram = match self.socket.receive(&mut self.buffer) {
                Ok(datagram) => datagram,
                // The queue overflowed. The kernel holds a dump back until there is room, so only
                // notifications were lost: read the answer to its end and ask once more.
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

/// Links that have to be UP, with their last states.
struct LinksUp<'a> {
    family: u8,
    /// The links, in the order of their indices.
    links: Vec<(Device<'a>, LinkProgress)>,
    missing: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinkProgress {
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
            .map(|device| (*device, LinkProgress::Never))
            .collect();
        links.sort_unstable_by_key(|(device, _)| device.index);
        // A link that is named twice would be missing for ever: `missing` counts each once.
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
        // Statistics are most of the bytes about a link, and of no interest here.
        const RTEXT_FILTER_SKIP_STATS: u32 = 8;
        // `struct ifinfomsg`, of which a dump reads the family only.
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
            // A link may go down again while others are waited for.
            self.missing += usize::from(before == LinkProgress::Up);
            self.missing -= usize::from(seen == LinkProgress::Up);
        }
    }

    fn holds(&self) -> bool {
        self.missing == 0
    }

    fn last_state(&self) -> String {
        let missing: Vec<_> = self
            .links
            .iter()
            .filter(|(_, seen)| *seen != LinkProgress::Up)
            .collect();
        let shown: Vec<String> = missing
            .iter()
            // A bridge may have a thousand ports, and an error should stay readable.
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

/// Returns the index and the state in an `RTM_NEWLINK`.
fn seen(payload: &[u8]) -> Option<(u32, LinkProgress)> {
    const IFLA_OPERSTATE: u16 = 16;
    const OPERSTATE_UP: u8 = 6;
    // `struct ifinfomsg`: the index at 4, the flags at 8; the attributes follow at 16.
    let (index, flags) = (encoding::u32_at(payload, 4)?, encoding::u32_at(payload, 8)?);
    let state = *encoding::find(payload.get(16..)?, IFLA_OPERSTATE)?.first()?;
    let is = |flag: libc::c_int| flags & flag.cast_unsigned() != 0;
    let seen = match state {
        OPERSTATE_UP => LinkProgress::Up,
        // The operational state says DOWN or LOWERLAYERDOWN for several causes; the flags tell them
        // apart.
        _ if !is(libc::IFF_UP) => LinkProgress::Down,
        _ if !is(libc::IFF_LOWER_UP) => LinkProgress::NoCarrier,
        _ => LinkProgress::Waiting,
    };
    Some((index, seen))
}

impl fmt::Display for LinkProgress {
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

/// IPv6 addresses whose local routes have to exist.
struct Local<'a> {
    device: Device<'a>,
    missing: Vec<Ipv6Addr>,
}

impl NetworkCondition for Local<'_> {
    fn question(&self) -> (u16, Vec<u8>) {
        let mut payload = vec![0; ROUTE_HEADER];
        // Without NETLINK_GET_STRICT_CHK the kernel ignores filters, so all routes of IPv6 come,
        // and `observe` picks the local ones.
        payload[0] = libc::AF_INET6 as u8;
        (RTM_GETROUTE, payload)
    }

    fn observe(&mut self, message: &Message<'_>) {
        const RTA_DST: u16 = 1;
        const RTA_OIF: u16 = 4;
        // `struct rtmsg`: family, prefix length, …, and the type at 7.
        let [family, prefix, _, _, _, _, _, kind, ..] = *message.payload else {
            return;
        };
        // The kernel makes such a route to an address of its own when it answers for the address.
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
            // The value is an address in network byte order.
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
