//! Just enough netlink to ask one thing.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

/// A request that is to be acknowledged.
pub(super) const ACK: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
/// A request to make something new.
pub(super) const CREATE: u16 = ACK | (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;

pub(super) fn route(message: Message) -> nix::Result<()> {
    exchange(SockProtocol::NetlinkRoute, &message.finish())
}

/// Sends a request and waits for its acknowledgement.
pub(super) fn exchange(protocol: SockProtocol, request: &[u8]) -> nix::Result<()> {
    let socket: OwnedFd = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        protocol,
    )?;
    sendto(
        socket.as_raw_fd(),
        request,
        &NetlinkAddr::new(0, 0),
        MsgFlags::empty(),
    )?;
    let mut answer = [0; 4096];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // nlmsghdr, then the negative errno of an nlmsgerr.
    match answer[..length]
        .get(16..20)
        .and_then(|word| word.try_into().ok())
        .map(i32::from_ne_bytes)
    {
        Some(0) => Ok(()),
        Some(errno) => Err(Errno::from_raw(-errno)),
        None => Err(Errno::EPROTO),
    }
}

/// One netlink message.
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn new(kind: u16, flags: u16) -> Message {
        let mut message = Message(vec![0; 4]);
        message.bytes(&kind.to_ne_bytes());
        message.bytes(&flags.to_ne_bytes());
        message.bytes(&[0; 8]);
        message
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) {
        put_attribute(&mut self.0, kind, value);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }
}

/// Attributes within an attribute.
pub(super) struct Nested(pub(super) Vec<u8>);

impl Nested {
    pub(super) fn new() -> Nested {
        Nested(Vec::new())
    }

    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Nested {
        put_attribute(&mut self.0, kind, value);
        self
    }

    pub(super) fn nested(self, kind: u16, inner: Nested) -> Nested {
        self.attribute(kind, &inner.0)
    }
}

fn put_attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    out.extend_from_slice(&(value.len() as u16 + 4).to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}
