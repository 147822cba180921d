//! Neighbours, as far as they are to be known of another interface.

use crate::netlink::encoding;

/// Returns whether a neighbour is one of the interface and is to be restored: its hardware address
/// is known, or it is a proxy, managed (`NTF_EXT_MANAGED`), or entered by a program without ARP.
/// Sets the state of a neighbour that is being asked to stale, and an unknown state to none. The
/// message is a `struct ndmsg`: family, index at 4, state at 8, flags at 10.
pub(super) fn neighbour(whole: &mut [u8], index: u32) -> bool {
    const NTF_PROXY: u8 = 8;
    const NDA_DST: u16 = 1;
    const NDA_FLAGS_EXT: u16 = 15;
    const NTF_EXT_MANAGED: u32 = 1;
    // NUD_REACHABLE, STALE, DELAY, PROBE, PERMANENT (linux/neighbour.h): those of which the
    // hardware address is known.
    const KNOWN: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x80;
    const BEING_ASKED: u16 = 0x08 | 0x10;
    const UNKNOWN: u16 = 0x01 | 0x20;
    const NONE: u16 = 0;
    const STALE: u16 = 0x04;
    const NOARP: u16 = 0x40;
    if encoding::u32_at(whole, 4) != Some(index) {
        return false;
    }
    let Some(state) = encoding::u16_at(whole, 8) else {
        return false;
    };
    let (address, more) = (
        encoding::find(&whole[12..], NDA_DST).and_then(encoding::ip),
        encoding::find(&whole[12..], NDA_FLAGS_EXT).and_then(|it| encoding::u32_at(it, 0)),
    );
    let is_managed = more.is_some_and(|more| more & NTF_EXT_MANAGED != 0);
    // The kernel itself enters multicast groups without ARP (net/ipv4/arp.c, arp_constructor).
    let is_entered = state & NOARP != 0 && address.is_some_and(|it| !it.is_multicast());
    let is_kept = whole[10] & NTF_PROXY != 0 || state & KNOWN != 0 || is_managed || is_entered;
    let state = match state {
        state if state & BEING_ASKED != 0 => STALE,
        // The kernel asks for a managed neighbour as soon as the neighbour is entered.
        state if state & UNKNOWN != 0 => NONE,
        state => state,
    };
    whole[8..10].copy_from_slice(&state.to_ne_bytes());
    is_kept
}
