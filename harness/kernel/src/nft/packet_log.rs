//! Packets that rules with a log tell of (nflog, `linux/netfilter/nfnetlink_log.h`).

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Mutex;

use nix::errno::Errno;
use nix::libc;

use crate::netlink::connection::Question;
use crate::netlink::encoding::{self, Attributes};
use crate::netlink::{Netlink, NetlinkError, NetlinkSocket};

/// A packet that a rule told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedPacket {
    /// The text of the rule.
    pub text: String,
    /// The first bytes of the packet, from its network header on.
    pub bytes: Vec<u8>,
}

/// A socket that hears of the packets of one group in one network namespace.
#[derive(Debug)]
pub struct PacketLog {
    socket: NetlinkSocket,
    buffer: Mutex<Vec<u8>>,
}

/// Type of messages: the subsystem in the upper byte, and `NFULNL_MSG_PACKET` or
/// `NFULNL_MSG_CONFIG` in the lower one.
const PACKET: u16 = (libc::NFNL_SUBSYS_ULOG as u16) << 8;
const CONFIG: u16 = PACKET | 1;

const NFULA_CFG_CMD: u16 = 1;
const NFULA_CFG_MODE: u16 = 2;
const NFULA_CFG_QTHRESH: u16 = 5;
const NFULNL_CFG_CMD_BIND: u8 = 1;
const NFULNL_COPY_PACKET: u8 = 2;
const NFULA_PAYLOAD: u16 = 9;
const NFULA_PREFIX: u16 = 10;

/// Bytes of each packet: enough for all headers.
const COPIED: u32 = 128;

impl PacketLog {
    /// Begins to hear of the packets of a group.
    ///
    /// # Errors
    /// The kernel has no nflog, or another socket has the group.
    pub fn open(netns: BorrowedFd<'_>, group: u16) -> Result<Self, NetlinkError> {
        let (operation, subject) = ("read the log of", "the packet filter");
        let mut netlink = Netlink::of_packet_filter(netns)
            .map_err(|errno| NetlinkError::refused(operation, subject, errno, None))?;
        let bind = Attributes::new().with(NFULA_CFG_CMD, &[NFULNL_CFG_CMD_BIND]);
        let mut mode = COPIED.to_be_bytes().to_vec();
        mode.extend([NFULNL_COPY_PACKET, 0]);
        // Without a threshold the kernel would keep packets back for up to a second, to tell of
        // several at once (nfnetlink_log.c, `nf_log_packet`).
        let settings = Attributes::new()
            .with(NFULA_CFG_MODE, &mode)
            .with(NFULA_CFG_QTHRESH, &1u32.to_be_bytes());
        for attributes in [bind, settings] {
            // `struct nfgenmsg`: any family, version 0, and the group in big-endian order.
            let header = [&[0, 0], &group.to_be_bytes()[..]].concat();
            let payload = [header, attributes.0].concat();
            let question = Question {
                operation,
                subject,
                kind: CONFIG,
                flags: 0,
                payload: &payload,
            };
            netlink.get(&question, |_| None::<()>)?;
        }
        Ok(Self {
            socket: netlink.socket,
            buffer: Mutex::new(netlink.buffer),
        })
    }

    /// Returns packets that were told of since the last call, or nothing if there are none.
    pub fn read(&self) -> Option<Vec<LoggedPacket>> {
        let mut buffer = self
            .buffer
            .lock()
            .unwrap_or_else(|broken| broken.into_inner());
        loop {
            match self.socket.try_receive(&mut buffer) {
                Ok(Some(datagram)) => {
                    let messages = encoding::messages(datagram);
                    let packets = messages.filter(|message| message.kind == PACKET);
                    return Some(packets.filter_map(|it| packet(it.payload)).collect());
                }
                Ok(None) => return None,
                // The queue overflowed, which is told once (netlink(7)). What came later is there.
                Err(Errno::ENOBUFS) => {}
                Err(_) => return None,
            }
        }
    }
}

fn packet(payload: &[u8]) -> Option<LoggedPacket> {
    // Attributes follow the `struct nfgenmsg`.
    let attributes = payload.get(4..)?;
    Some(LoggedPacket {
        text: encoding::find(attributes, NFULA_PREFIX).map(encoding::text)?,
        bytes: encoding::find(attributes, NFULA_PAYLOAD)?.to_vec(),
    })
}

impl AsFd for PacketLog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
