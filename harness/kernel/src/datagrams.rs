//! UDP sockets that know at which of the node's addresses a datagram arrived.
//!
//! A server on a socket for all addresses answers from the address that the route to the asker
//! has. Where that is not the address that was asked, the asker does not take the answer for one:
//! udp(7), connect(2). So the address that was asked is read, and the answer is sent from there.

use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::libc;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrStorage,
    recvmsg, sendmsg, setsockopt,
};

use crate::Result;

/// A datagram that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Number of bytes.
    pub length: usize,
    /// The sender.
    pub from: SocketAddr,
    /// The address at which it arrived.
    pub at: IpAddr,
    /// The index of the interface at which it arrived.
    pub interface: u32,
}

/// Makes a socket that is bound to `local` tell at which address each datagram arrives.
///
/// # Errors
/// The descriptor is no UDP socket.
pub fn tell_arrival(socket: &impl AsFd, local: IpAddr) -> Result<()> {
    match local {
        IpAddr::V4(_) => setsockopt(socket, Ipv4PacketInfo, &true),
        IpAddr::V6(_) => setsockopt(socket, Ipv6RecvPacketInfo, &true),
    }
}

/// Receives a datagram. Nothing is returned for one whose addresses are not known.
///
/// # Errors
/// Nothing has arrived at a socket that does not wait, or the kernel refused.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Option<Arrival>> {
    let mut space = nix::cmsg_space!(libc::in6_pktinfo, libc::in_pktinfo);
    let mut slices = [IoSliceMut::new(buffer)];
    let received = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut slices,
        Some(&mut space),
        MsgFlags::empty(),
    )?;
    let mut place = None;
    for message in received.cmsgs()? {
        #[expect(clippy::wildcard_enum_match_arm, reason = "nix adds kinds of messages")]
        match message {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                let at = IpAddr::from(u32::from_be(info.ipi_addr.s_addr).to_be_bytes());
                place = Some((at, info.ipi_ifindex.cast_unsigned()));
            }
            // The address is a mapped one where the datagram came by IPv4 (net/ipv6/datagram.c,
            // ip6_datagram_recv_common_ctl).
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                place = Some((IpAddr::from(info.ipi6_addr.s6_addr), info.ipi6_ifindex));
            }
            _ => {}
        }
    }
    let from = received.address.and_then(|address| {
        let v4 = address
            .as_sockaddr_in()
            .map(|it| SocketAddr::V4(SocketAddrV4::from(*it)));
        let v6 = || {
            address
                .as_sockaddr_in6()
                .map(|it| SocketAddr::V6(SocketAddrV6::from(*it)))
        };
        v4.or_else(v6)
    });
    // A datagram longer than the buffer is cut off (recv(2), MSG_TRUNC): callers have room for any.
    let length = received.bytes;
    Ok(from.zip(place).map(|(from, (at, interface))| Arrival {
        length,
        from,
        at,
        interface,
    }))
}

/// Sends a datagram from one of the node's addresses, as [`receive`] told it.
///
/// # Errors
/// There is no way to the address, or the kernel has no room.
pub fn send_from(socket: BorrowedFd<'_>, bytes: &[u8], to: SocketAddr, from: IpAddr) -> Result<()> {
    let slices = [IoSlice::new(bytes)];
    let socket = socket.as_raw_fd();
    let flags = MsgFlags::empty();
    match (to, from) {
        (SocketAddr::V4(to), IpAddr::V4(from)) => {
            // Index 0 leaves the interface to the routes; only the address is given (ip(7)).
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr {
                    s_addr: u32::from(from).to_be(),
                },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            let control = [ControlMessage::Ipv4PacketInfo(&info)];
            sendmsg(
                socket,
                &slices,
                &control,
                flags,
                Some(&SockaddrIn::from(to)),
            )?;
        }
        (SocketAddr::V6(to), IpAddr::V6(from)) => {
            let info = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr {
                    s6_addr: from.octets(),
                },
                // A link-local address means nothing without its interface (RFC 4007, section 6).
                ipi6_ifindex: to.scope_id(),
            };
            let control = [ControlMessage::Ipv6PacketInfo(&info)];
            sendmsg(
                socket,
                &slices,
                &control,
                flags,
                Some(&SockaddrIn6::from(to)),
            )?;
        }
        _ => return Err(nix::errno::Errno::EAFNOSUPPORT),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn an_answer_comes_from_the_address_that_was_asked() {
        for server in ["0.0.0.0:0", "[::]:0"] {
            let Ok(socket) = UdpSocket::bind(server) else {
                continue; // a host without IPv6
            };
            let local = socket.local_addr().expect("bound");
            tell_arrival(&socket, local.ip()).expect("a UDP socket");
            let port = local.port();
            let asker = UdpSocket::bind("127.0.0.1:0").expect("bound");
            // Any address of 127.0.0.0/8 is this host's.
            asker
                .connect((Ipv4Addr::new(127, 3, 2, 1), port))
                .expect("a route");
            asker.send(b"?").expect("sent");
            let mut buffer = [0; 8];
            let came = receive(socket.as_fd(), &mut buffer).expect("received");
            let came = came.expect("an address");
            assert_eq!(came.at.to_canonical(), IpAddr::from([127, 3, 2, 1]));
            send_from(socket.as_fd(), b"!", came.from, came.at).expect("sent");
            // A connected socket takes no other sender.
            assert_eq!(asker.recv(&mut buffer).expect("an answer"), 1);
        }
    }
}
