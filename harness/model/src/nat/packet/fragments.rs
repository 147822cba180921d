//! Fragments of packets: only the first one has ports, and the others follow it.
//!
//! RFC 4787, REQ-14 asks for fragments that come in order. A later fragment that comes before the
//! first one is dropped.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv4Addr;

use super::V4Packet;

/// Values that the fragments of one packet share (RFC 791).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::nat) struct FragmentKey {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    id: u16,
    protocol: u8,
}

impl FragmentKey {
    pub(in crate::nat) fn of(packet: &V4Packet) -> FragmentKey {
        FragmentKey {
            source: *packet.source.ip(),
            destination: *packet.destination.ip(),
            id: packet.id,
            protocol: packet.protocol_number,
        }
    }
}

/// Change of the addresses of the first fragment.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::nat) struct Translation {
    pub(in crate::nat) source: Option<Ipv4Addr>,
    pub(in crate::nat) destination: Option<Ipv4Addr>,
    pub(in crate::nat) hairpins: bool,
}

impl Translation {
    pub(in crate::nat) fn source(address: Ipv4Addr) -> Translation {
        Translation {
            source: Some(address),
            ..Translation::default()
        }
    }

    pub(in crate::nat) fn destination(address: Ipv4Addr) -> Translation {
        Translation {
            destination: Some(address),
            ..Translation::default()
        }
    }
}

/// First fragments that were seen, the latest of them.
#[derive(Debug, Default)]
pub(in crate::nat) struct Fragments {
    seen: HashMap<FragmentKey, Translation>,
    order: VecDeque<FragmentKey>,
}

/// Most packets whose first fragment is remembered. Identifications are used again after 65,536
/// packets, and fragments follow each other closely.
const MOST: usize = 1024;

impl Fragments {
    pub(in crate::nat) fn remember(&mut self, key: FragmentKey, translation: Translation) {
        if self.seen.insert(key, translation).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }

    pub(in crate::nat) fn find(&self, key: &FragmentKey) -> Option<Translation> {
        self.seen.get(key).copied()
    }
}
