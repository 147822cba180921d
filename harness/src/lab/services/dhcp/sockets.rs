//! The sockets of a DHCP server, or of the clients of a node: one for each interface.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use crate::kernel::frames::PortSocket;
use crate::model::dhcp::frame::{unwrap, wrap};
use crate::model::dhcp::message::DhcpMessage;
use crate::model::ndp::announcement::announcement;

/// The longest frame of a link with the usual MTU. Longer ones are no messages of DHCP.
const LONGEST: usize = 1514;

/// Sockets that send and receive messages as frames, numbered as their interfaces were.
pub(super) struct DhcpSockets {
    /// The ports of this side and of the other.
    ports: [u16; 2],
    sockets: Vec<PortSocket>,
    buffer: Vec<u8>,
    /// Keeps the kernel from saying that nobody is at the port, which those who ask without a
    /// broadcast would hear. Frames are read by sockets of their own.
    _port: UdpSocket,
}

impl DhcpSockets {
    /// Opens a socket on each of the interfaces, by their indexes.
    pub(super) fn open(ports: [u16; 2], interfaces: &[u32]) -> io::Result<Self> {
        let port = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, ports[0]))?;
        let open = |index: &u32| Ok(PortSocket::open(*index, ports[0])?);
        Ok(Self {
            ports,
            sockets: interfaces.iter().map(open).collect::<io::Result<_>>()?,
            buffer: vec![0; LONGEST],
            _port: port,
        })
    }

    /// Returns the descriptors, in the order of the interfaces.
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.sockets.iter().map(AsFd::as_fd).collect()
    }

    /// Receives a message, with the MAC address of its sender.
    pub(super) fn receive(&mut self, at: usize) -> Option<([u8; 6], DhcpMessage)> {
        // One frame is read at a time: the set reports a socket with more of them again.
        let length = self.sockets.get(at)?.receive(&mut self.buffer).ok()?;
        let (sender, bytes) = unwrap(&self.buffer[..length])?;
        Some((sender, DhcpMessage::decode(bytes)?))
    }

    /// Tells the neighbours of a client's interface of the address that the client has got, as
    /// clients of DHCP do (RFC 2131, section 4.4.1): the host that had it before has another MAC
    /// address.
    pub(super) fn announce(&self, at: usize, mac: [u8; 6], ip: Ipv4Addr) {
        if let Some(socket) = self.sockets.get(at) {
            // A frame that cannot be sent is lost, as on any wire.
            let _ = socket.send(&announcement(mac, ip.into(), false));
        }
    }

    /// Sends a message from the first of the addresses to the second.
    pub(super) fn send(
        &self,
        at: usize,
        macs: [[u8; 6]; 2],
        ips: [Ipv4Addr; 2],
        message: &DhcpMessage,
    ) {
        let frame = wrap(macs, ips, self.ports, &message.encode());
        if let (Some(socket), Some(frame)) = (self.sockets.get(at), frame) {
            // A frame that cannot be sent is lost, as on any wire, and the client asks again.
            let _ = socket.send(&frame);
        }
    }
}
