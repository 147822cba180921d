//! Filters of packet sockets: which frames a socket receives (`socket(7)`, `SO_ATTACH_FILTER`).
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;

use crate::Result;

/// Makes a socket receive only the frames that the program takes.
pub(super) fn attach(socket: &OwnedFd, program: &[libc::sock_filter]) -> Result<()> {
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: the program lives across the call, and its length is its own; the kernel checks and
    // copies it, and does not write to it (socket(7), SO_ATTACH_FILTER).
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const filter).cast(),
            size_of_val(&filter) as libc::socklen_t,
        )
    };
    Errno::result(done).map(drop)
}

/// Makes an instruction of a filter: its code, how many to skip if it is true or false, and its
/// operand.
pub(super) fn op(code: u32, yes: u8, no: u8, operand: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt: yes,
        jf: no,
        k: operand,
    }
}

pub(super) const LOAD_BYTE: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
pub(super) const LOAD_HALF: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
pub(super) const IS: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
pub(super) const TAKE: u32 = libc::BPF_RET | libc::BPF_K;

/// Takes the frames that [`crate::nft::FilterConversation::forward_between`] leaves.
pub(super) fn beside_a_shortcut() -> [libc::sock_filter; 6] {
    const IS_MORE: u32 = libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K;
    // What the kernel knows of a frame is at offsets below zero (filter.txt of the kernel's
    // documentation, "ancillary").
    let known = |what: libc::c_int| (libc::SKF_AD_OFF + what).cast_unsigned();
    [
        op(LOAD_BYTE, 0, 0, known(libc::SKF_AD_PKTTYPE)),
        op(IS_MORE, 2, 0, u32::from(libc::PACKET_BROADCAST)),
        op(LOAD_BYTE, 0, 0, known(libc::SKF_AD_VLAN_TAG_PRESENT)),
        op(IS, 1, 0, 0),
        op(TAKE, 0, 0, u32::MAX),
        op(TAKE, 0, 0, 0),
    ]
}
