//! Time stamps of the kernel on received packets.
//!
//! A capture needs the time at which the kernel had a frame. The kernel stamps packets only while
//! some socket on the machine asks for stamps (net/core/dev.c, net_enable_timestamp), and begins a
//! while after the first one has asked, from a work queue. A packet without a stamp is stamped when
//! it is read instead, which is wrong and cannot be told apart. So a socket is kept that asks all
//! the time.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;

use crate::clock::realtime;

/// A promise that packets are stamped when they arrive, as long as this value lives.
#[derive(Debug)]
pub struct ReceiveTimestamps {
    _asks: UdpSocket,
}

/// Longest wait for the work queue, for kernels that would never begin.
const PATIENCE: Duration = Duration::from_secs(10);

impl ReceiveTimestamps {
    /// Waits until the kernel stamps packets. `lo` has to be up.
    ///
    /// # Errors
    /// The kernel has not begun within ten seconds, or refused the socket.
    pub fn begin() -> io::Result<ReceiveTimestamps> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(socket.local_addr()?)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        let deadline = Instant::now() + PATIENCE;
        while !stamped_before_it_was_read(&socket)? {
            if Instant::now() > deadline {
                let why = format!("the kernel has not begun to stamp frames within {PATIENCE:?}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, why));
            }
            std::thread::yield_now();
        }
        Ok(ReceiveTimestamps { _asks: socket })
    }
}

/// Sends a datagram to the socket itself, and tells whether the stamp is older than the read.
fn stamped_before_it_was_read(socket: &UdpSocket) -> io::Result<bool> {
    socket.send(b"when?")?;
    // Over `lo` a datagram is in the receive queue when `send` returns.
    let there = realtime();
    let mut datagram = [0; 8];
    let mut parts = [IoSliceMut::new(&mut datagram)];
    let mut control = nix::cmsg_space!(TimeSpec);
    let received = loop {
        let fd = socket.as_raw_fd();
        let flags = MsgFlags::empty();
        match recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut control), flags) {
            Err(Errno::EINTR) => {}
            received => break received?,
        }
    };
    let stamp = received.cmsgs()?.find_map(|message| {
        let ControlMessageOwned::ScmTimestampns(time) = message else {
            return None;
        };
        Some(time)
    });
    let nanoseconds = |time: TimeSpec| Duration::from(time).as_nanos();
    Ok(stamp.is_some_and(|stamp| nanoseconds(stamp) <= u128::from(there)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::sealed;

    #[test]
    fn datagrams_are_stamped_when_they_come() {
        sealed(|| {
            crate::loopback::bring_up().expect("lo");
            let _stamps = ReceiveTimestamps::begin().expect("stamps");
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            socket
                .connect(socket.local_addr().expect("an address"))
                .expect("connected");
            setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("an option");
            for _ in 0..100 {
                assert!(stamped_before_it_was_read(&socket).expect("a datagram"));
            }
        });
    }
}
