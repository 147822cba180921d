//! The sockets of servers and clients of DHCPv6: one for each interface.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use crate::kernel::errno::{Errno, errno};
use crate::model::dhcp6::message::{ALL_SERVERS, CLIENT_PORT, Dhcp6Message, SERVER_PORT};

/// The longest message that is read. Longer ones are cut off, and are no messages then.
const LONGEST: usize = 4096;

/// A socket on an interface that sends and receives messages.
#[derive(Debug)]
pub(super) struct Dhcp6Socket {
    /// The socket that hears: at the group of all servers, or at the client's own address.
    hears: UdpSocket,
    /// The socket that sends, if it is another one.
    sends: Option<UdpSocket>,
    index: u32,
}

impl Dhcp6Socket {
    /// Opens the socket of a server on the interface with an index and a link-local address. Where
    /// there is no such interface any more, the socket hears nothing.
    pub(super) fn of_server(index: u32, own: Ipv6Addr) -> io::Result<Self> {
        // Clients send to the group, unless a server permits otherwise (RFC 8415, section 21.12).
        let hears = bind(ALL_SERVERS, SERVER_PORT, index).and_then(|group| {
            group.join_multicast_v6(&ALL_SERVERS, index)?;
            Ok(group)
        });
        // A group is no source of a packet (RFC 4291, section 2.7).
        let sends = bind(own, SERVER_PORT, index);
        let both = hears.and_then(|hears| Ok((hears, Some(sends?))));
        Self::or_unconnected(both, index)
    }

    /// Opens the socket of a client, as [`of_server`](Self::of_server) does.
    pub(super) fn of_client(index: u32, own: Ipv6Addr) -> io::Result<Self> {
        let hears = bind(own, CLIENT_PORT, index);
        Self::or_unconnected(hears.map(|hears| (hears, None)), index)
    }

    /// Returns the socket with its parts, or one that hears nothing where the interface is gone:
    /// sockets keep the numbers of their interfaces.
    fn or_unconnected(
        opened: io::Result<(UdpSocket, Option<UdpSocket>)>,
        index: u32,
    ) -> io::Result<Self> {
        let (hears, sends) = match opened {
            Err(error) if errno(&error) == Errno::ENODEV => {
                let silent = bind(Ipv6Addr::LOCALHOST, 0, 0)?;
                // A connected socket hears its peer alone, which is the socket itself here
                // (udp(7)).
                silent.connect(silent.local_addr()?)?;
                (silent, None)
            }
            opened => opened?,
        };
        Ok(Self {
            hears,
            sends,
            index,
        })
    }

    /// Returns the descriptor that is readable when a message has come.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.hears.as_fd()
    }

    /// Receives a message, with the address of its sender.
    pub(super) fn receive(&self) -> Option<(Ipv6Addr, Dhcp6Message)> {
        let mut buffer = [0; LONGEST];
        // One message is read at a time: the set reports a socket with more of them again.
        let (length, from) = self.hears.recv_from(&mut buffer).ok()?;
        let message = Dhcp6Message::decode(&buffer[..length])?;
        match from {
            std::net::SocketAddr::V6(from) => Some((*from.ip(), message)),
            std::net::SocketAddr::V4(_) => None,
        }
    }

    /// Sends a message to a client.
    pub(super) fn send_to_client(&self, to: Ipv6Addr, message: &Dhcp6Message) {
        self.send(to, CLIENT_PORT, message);
    }

    /// Sends a message to all servers.
    pub(super) fn send_to_servers(&self, message: &Dhcp6Message) {
        self.send(ALL_SERVERS, SERVER_PORT, message);
    }

    fn send(&self, to: Ipv6Addr, port: u16, message: &Dhcp6Message) {
        let socket = self.sends.as_ref().unwrap_or(&self.hears);
        let to = SocketAddrV6::new(to, port, 0, self.index);
        // A message that cannot be sent is lost, as on any wire, and the client asks again.
        let _ = socket.send_to(&message.encode(), to);
    }
}

fn bind(address: Ipv6Addr, port: u16, index: u32) -> io::Result<UdpSocket> {
    // A link-local address and a group of the link are those of one interface (RFC 4007, section
    // 6), so that sockets of several interfaces share the port.
    let socket = UdpSocket::bind(SocketAddrV6::new(address, port, 0, index))?;
    // The thread waits for all its sockets at once, and a message may be gone by then: the kernel
    // drops one whose checksum is wrong only when it is read (udp(7), the note on select).
    socket.set_nonblocking(true)?;
    Ok(socket)
}
