//! The floor: a star built with hand-written netlink bytes and nothing else.
//!
//! It does what a C program with no library would do: it fills one buffer per namespace, sends it
//! with one system call and reads the acknowledgement of the last message. The layer under
//! `src/kernel/netlink/` is compared with it.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::world::{Addresses, World};

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;

const REQUEST: u16 = 1;
const ACK: u16 = 4;
const CREATE_EXCL: u16 = 0x600;
const DUMP: u16 = 0x300;

const UP: u32 = 1;
const OPERSTATE_UP: u8 = 6;
const PORT_BASE: u32 = 10;
const BRIDGE: u32 = 2;
const ETH0: u32 = 2;

/// A buffer of netlink messages.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    last: usize,
    sequence: u32,
}

impl Buffer {
    fn message(&mut self, kind: u16, flags: u16) -> usize {
        self.sequence += 1;
        self.last = self.bytes.len();
        self.bytes.extend(0u32.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | REQUEST).to_ne_bytes());
        self.bytes.extend(self.sequence.to_ne_bytes());
        self.bytes.extend(0u32.to_ne_bytes());
        self.last
    }

    fn link(&mut self, kind: u16, flags: u16, index: u32, up: bool) -> usize {
        let start = self.message(kind, flags);
        self.ifinfo(index, up);
        start
    }

    fn ifinfo(&mut self, index: u32, up: bool) {
        self.bytes.extend([0u8, 0, 0, 0]);
        self.bytes.extend(index.to_ne_bytes());
        let bits = if up { UP } else { 0 };
        self.bytes.extend(bits.to_ne_bytes());
        self.bytes.extend(bits.to_ne_bytes());
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.bytes.extend((4 + value.len() as u16).to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.pad();
    }

    fn number(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_ne_bytes());
    }

    fn name(&mut self, kind: u16, value: &str) {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.attribute(kind, &bytes);
    }

    fn open(&mut self, kind: u16) -> usize {
        let start = self.bytes.len();
        self.bytes.extend(0u16.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        start
    }

    fn close(&mut self, start: usize) {
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    fn end(&mut self, start: usize) {
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }

    /// Asks for an acknowledgement of the last message only: errors are always reported.
    fn acknowledge(&mut self) {
        let at = self.last + 6;
        let flags = u16::from_ne_bytes([self.bytes[at], self.bytes[at + 1]]) | ACK;
        self.bytes[at..at + 2].copy_from_slice(&flags.to_ne_bytes());
    }
}

fn check(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// A routing socket of the current namespace.
pub fn socket(groups: u32) -> io::Result<OwnedFd> {
    // SAFETY: a plain system call; the result is checked before it becomes an owned descriptor.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    let fd = check(fd as isize)? as RawFd;
    // SAFETY: `fd` was just returned by the kernel and belongs to nobody else.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    if groups != 0 {
        join(&owned, groups)?;
    }
    Ok(owned)
}

fn join(fd: &OwnedFd, groups: u32) -> io::Result<()> {
    // SAFETY: an all-zero `sockaddr_nl` is a valid value.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    address.nl_groups = groups;
    let length = size_of::<libc::sockaddr_nl>() as u32;
    // SAFETY: `address` lives through the call and `length` is its size.
    let result = unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) };
    check(result as isize).map(drop)
}

fn send(fd: &OwnedFd, buffer: &Buffer) -> io::Result<()> {
    // SAFETY: the pointer and the length describe one live vector.
    let sent = unsafe {
        libc::send(
            fd.as_raw_fd(),
            buffer.bytes.as_ptr().cast(),
            buffer.bytes.len(),
            0,
        )
    };
    check(sent).map(drop)
}

fn receive(fd: &OwnedFd, into: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the pointer and the length describe one live slice.
    check(unsafe { libc::recv(fd.as_raw_fd(), into.as_mut_ptr().cast(), into.len(), 0) })
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Sends everything and waits for the acknowledgement of the last message.
fn execute(fd: &OwnedFd, buffer: &mut Buffer, scratch: &mut [u8]) -> io::Result<()> {
    execute_tolerating(0, fd, buffer, scratch)
}

fn execute_tolerating(
    tolerated: i32,
    fd: &OwnedFd,
    buffer: &mut Buffer,
    scratch: &mut [u8],
) -> io::Result<()> {
    buffer.acknowledge();
    send(fd, buffer)?;
    loop {
        let length = receive(fd, scratch)?;
        let mut at = 0;
        while at + 16 <= length {
            let kind = u16::from_ne_bytes([scratch[at + 4], scratch[at + 5]]);
            if kind == 2 {
                let errno = -(number(scratch, at + 16) as i32);
                if errno != 0 && errno != tolerated {
                    return Err(io::Error::from_raw_os_error(errno));
                }
                if number(scratch, at + 8) == buffer.sequence {
                    return Ok(());
                }
            }
            at += (number(scratch, at) as usize).next_multiple_of(4);
        }
    }
}

/// The bridge stays down, and deaf to multicast, until every port is there: each port that a running bridge
/// enables makes it walk over all the others.
fn bridge(buffer: &mut Buffer) {
    let start = buffer.link(RTM_NEWLINK, CREATE_EXCL, BRIDGE, false);
    buffer.name(3, "br0");
    let info = buffer.open(18);
    buffer.name(1, "bridge");
    let data = buffer.open(2);
    buffer.attribute(23, &[0]); // IFLA_BR_MCAST_SNOOPING
    for (kind, value) in [
        (30u16, 100_000_000u64),
        (31, 100_000_000),
        (32, 100_000_000),
        (33, 100_000_000),
        (34, 0),
    ] {
        buffer.attribute(kind, &value.to_ne_bytes());
    }
    buffer.number(28, 0); // STARTUP_QUERY_CNT
    buffer.close(data);
    buffer.close(info);
    buffer.end(start);
    generation_off(buffer, BRIDGE);
    address(
        buffer,
        10,
        64,
        &"fe80::1".parse::<std::net::Ipv6Addr>().unwrap().octets(),
    );
}

fn bridge_up(buffer: &mut Buffer) {
    let start = buffer.link(RTM_NEWLINK, 0, BRIDGE, true);
    buffer.end(start);
}

fn bridge_listens(buffer: &mut Buffer) {
    let start = buffer.link(RTM_NEWLINK, 0, BRIDGE, false);
    let info = buffer.open(18);
    buffer.name(1, "bridge");
    let data = buffer.open(2);
    buffer.attribute(25, &[1]); // IFLA_BR_MCAST_QUERIER
    buffer.attribute(23, &[1]); // IFLA_BR_MCAST_SNOOPING
    buffer.close(data);
    buffer.close(info);
    buffer.end(start);
}

fn generation_off(buffer: &mut Buffer, index: u32) {
    let start = buffer.link(RTM_NEWLINK, 0, index, false);
    generation_none(buffer);
    buffer.end(start);
}

fn generation_none(buffer: &mut Buffer) {
    let spec = buffer.open(26);
    let inet6 = buffer.open(10);
    buffer.attribute(8, &[1]);
    buffer.close(inet6);
    buffer.close(spec);
}

fn cable(buffer: &mut Buffer, port: u32, node: RawFd, addresses: &Addresses) {
    let start = buffer.link(RTM_NEWLINK, CREATE_EXCL, port, false);
    buffer.name(3, &format!("p{port}"));
    buffer.number(10, BRIDGE); // IFLA_MASTER
    buffer.number(31, 1);
    buffer.number(32, 1);
    let info = buffer.open(18);
    buffer.name(1, "veth");
    let data = buffer.open(2);
    let peer = buffer.open(1);
    buffer.ifinfo(ETH0, false);
    buffer.name(3, "eth0");
    buffer.attribute(1, &addresses.mac);
    buffer.number(4, 1500);
    buffer.number(31, 1);
    buffer.number(32, 1);
    buffer.number(28, node as u32); // IFLA_NET_NS_FD
    buffer.close(peer);
    buffer.close(data);
    buffer.close(info);
    buffer.end(start);
    generation_off(buffer, port);
    let start = buffer.link(RTM_NEWLINK, 0, port, true);
    buffer.end(start);
}

fn address(buffer: &mut Buffer, family: u8, prefix: u8, ip: &[u8]) {
    let start = buffer.message(RTM_NEWADDR, CREATE_EXCL);
    let scope = if ip[0] == 0xfe { 253 } else { 0 };
    buffer.bytes.extend([family, prefix, 0x02, scope]); // IFA_F_NODAD
    buffer.bytes.extend(ETH0.to_ne_bytes());
    if family == 2 {
        buffer.attribute(2, ip); // IFA_LOCAL
    }
    buffer.attribute(1, ip);
    buffer.end(start);
}

fn default_route(buffer: &mut Buffer, family: u8, gateway: &[u8]) {
    let start = buffer.message(RTM_NEWROUTE, CREATE_EXCL);
    buffer.bytes.extend([family, 0, 0, 0, 254, 4, 0, 1]);
    buffer.bytes.extend(0u32.to_ne_bytes());
    buffer.attribute(5, gateway);
    buffer.number(4, ETH0);
    buffer.end(start);
}

fn node(buffer: &mut Buffer, addresses: &Addresses) {
    generation_off(buffer, ETH0);
    for index in [1, ETH0] {
        let start = buffer.link(RTM_NEWLINK, 0, index, true);
        buffer.end(start);
    }
    address(buffer, 2, 16, &addresses.v4.octets());
    address(buffer, 10, 64, &addresses.v6.octets());
    address(buffer, 10, 64, &addresses.link_local.octets());
    default_route(buffer, 2, &addresses.gateway_v4.octets());
    default_route(buffer, 10, &addresses.gateway_v6.octets());
}

fn membership(buffer: &mut Buffer, port: u32, ip: std::net::Ipv6Addr) {
    let start = buffer.message(84, 0x500);
    buffer.bytes.extend([7, 0, 0, 0]);
    buffer.bytes.extend(BRIDGE.to_ne_bytes());
    let mut entry = Vec::new();
    entry.extend(port.to_ne_bytes());
    entry.extend([1, 0, 0, 0]);
    let o = ip.octets();
    entry.extend([
        0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, o[13], o[14], o[15],
    ]);
    entry.extend([0x86, 0xdd, 0, 0]);
    buffer.attribute(1, &entry);
    buffer.end(start);
}

/// Builds the star and returns when every port is up.
pub fn build(world: &World) -> io::Result<()> {
    let mut scratch = vec![0u8; 1 << 16];
    world.enter_hub()?;
    let hub = socket(0)?;
    let mut buffer = Buffer::default();
    bridge(&mut buffer);
    for (at, node) in world.nodes.iter().enumerate() {
        cable(
            &mut buffer,
            PORT_BASE + at as u32,
            node.as_raw_fd(),
            &world.addresses[at],
        );
        if buffer.bytes.len() > 16 << 10 {
            execute(&hub, &mut buffer, &mut scratch)?;
            buffer.bytes.clear();
        }
    }
    if !buffer.bytes.is_empty() {
        execute(&hub, &mut buffer, &mut scratch)?;
        buffer.bytes.clear();
    }
    for at in 0..world.nodes.len() {
        world.enter(at)?;
        let fd = socket(0)?;
        let mut buffer = Buffer::default();
        node(&mut buffer, &world.addresses[at]);
        execute(&fd, &mut buffer, &mut scratch)?;
        if crate::orphans() {
            std::fs::write("/proc/sys/net/ipv4/tcp_orphan_retries", "1")?;
        }
    }
    for at in 0..world.nodes.len() {
        world.enter(at)?;
        heard(&mut scratch)?;
    }
    world.enter_hub()?;
    bridge_up(&mut buffer);
    bridge_listens(&mut buffer);
    for at in 0..world.nodes.len() {
        membership(&mut buffer, PORT_BASE + at as u32, world.addresses[at].v6);
        if at % 128 == 127 {
            execute_tolerating(libc::EEXIST, &hub, &mut buffer, &mut scratch)?;
            buffer.bytes.clear();
        }
    }
    if !buffer.bytes.is_empty() {
        execute_tolerating(libc::EEXIST, &hub, &mut buffer, &mut scratch)?;
    }
    ready(world.nodes.len(), &mut scratch)
}

/// Waits until the kernel's address work has made the local routes of the node's two addresses: until then packets to
/// them are dropped, although no address is tentative.
fn heard(scratch: &mut [u8]) -> io::Result<()> {
    let fd = socket(0x400)?; // RTMGRP_IPV6_ROUTE
    let mut buffer = Buffer::default();
    let start = buffer.message(26, DUMP);
    buffer.bytes.extend([10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    buffer.end(start);
    send(&fd, &buffer)?;
    let mut found = [false; 2];
    let mut done = false;
    while !done || found != [true; 2] {
        let length = receive(&fd, scratch)?;
        let mut at = 0;
        while at + 16 <= length {
            let kind = u16::from_ne_bytes([scratch[at + 4], scratch[at + 5]]);
            done |= kind == 3;
            let route = &scratch[at + 16..];
            if kind == 24 && route[1] == 128 && route[7] == 2 {
                // RTA_TABLE comes first, then RTA_DST.
                match route[12 + 8 + 4] {
                    0xfd => found[0] = true,
                    0xfe => found[1] = true,
                    _ => {}
                }
            }
            at += (number(scratch, at) as usize).next_multiple_of(4);
        }
    }
    Ok(())
}

/// Subscribes first, looks second: no transition can fall between the two.
fn ready(ports: usize, scratch: &mut [u8]) -> io::Result<()> {
    let fd = socket(1)?;
    let mut buffer = Buffer::default();
    let start = buffer.link(RTM_GETLINK, DUMP, 0, false);
    buffer.bytes[start + 16] = 7; // AF_BRIDGE: only ports, and less about each
    buffer.number(29, 8); // IFLA_EXT_MASK: RTEXT_FILTER_SKIP_STATS
    buffer.end(start);
    send(&fd, &buffer)?;
    let mut up = vec![false; ports];
    let mut missing = ports;
    while missing > 0 {
        let length = match receive(&fd, scratch) {
            Ok(length) => length,
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                // Notifications were lost: look again.
                send(&fd, &buffer)?;
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut at = 0;
        while at + 16 <= length {
            let size = number(scratch, at) as usize;
            let kind = u16::from_ne_bytes([scratch[at + 4], scratch[at + 5]]);
            if kind == RTM_NEWLINK {
                let index = number(scratch, at + 20);
                let port = index.wrapping_sub(PORT_BASE) as usize;
                if port < ports
                    && !up[port]
                    && operstate(&scratch[at + 32..at + size]) == OPERSTATE_UP
                {
                    up[port] = true;
                    missing -= 1;
                }
            }
            at += size.next_multiple_of(4);
        }
    }
    Ok(())
}

fn operstate(mut attributes: &[u8]) -> u8 {
    while attributes.len() >= 4 {
        let length = u16::from_ne_bytes([attributes[0], attributes[1]]) as usize;
        if attributes[2] == 16 {
            return attributes[4];
        }
        attributes = &attributes[length.next_multiple_of(4).min(attributes.len())..];
    }
    0
}
