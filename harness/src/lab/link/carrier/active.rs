//! A carrier at work: what it owns, by kind.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::impair::Traffic;
use crate::lab::error::Result;
use crate::lab::link::carrier::shortcut::Shortcut;
use crate::lab::link::ends::LinkEnds;
use crate::model::carrier::Carrier;
use crate::netem::NetemDevice;
use crate::wire::WireHandle;

/// The mechanism that carries a link at present, with what it owns. Dropping it ends a wire's work.
pub(crate) enum ActiveCarrier {
    /// A veth pair, which the namespaces of its ends own.
    Veth,
    /// A repeater between the inner ends, with netem at both ports.
    Netem {
        /// The queueing disciplines, by direction.
        egress: Box<[NetemDevice; 2]>,
        /// Traffic that the inner ends had received, by direction, before they were joined: an
        /// inner end may be older than the carrier.
        before: [Traffic; 2],
        /// Network namespace in which the inner ends are.
        namespace: Arc<OwnedFd>,
    },
    /// A userspace wire over TAP devices. A device lives as long as its descriptor, which the wire
    /// has.
    Tap { wire: WireHandle },
    /// A userspace wire over packet sockets, one at each inner end.
    PacketSocket {
        wire: WireHandle,
        /// Network namespace in which the inner ends are.
        namespace: Arc<OwnedFd>,
        /// The shortcut past the wire, if there was one: frames take it still, or it was left.
        shortcut: Option<Shortcut>,
    },
    /// Nothing: the link was removed, or is between two carriers.
    Nobody,
}

impl ActiveCarrier {
    /// Returns the kind of carrier.
    pub(crate) fn kind(&self) -> Carrier {
        match self {
            Self::Veth => Carrier::Veth,
            Self::Netem { .. } => Carrier::Netem,
            Self::Tap { .. } => Carrier::Tap,
            Self::PacketSocket { .. } => Carrier::PacketSocket,
            Self::Nobody => Carrier::Nobody,
        }
    }

    /// Returns whether the kernel carries frames beside the wire.
    pub(crate) fn has_shortcut(&self) -> bool {
        match self {
            Self::PacketSocket { shortcut, .. } => {
                shortcut.as_ref().is_some_and(Shortcut::is_taken)
            }
            Self::Veth | Self::Netem { .. } | Self::Tap { .. } | Self::Nobody => false,
        }
    }

    /// Makes all frames come to the wire, if one carries the link.
    pub(in crate::lab::link) fn leave_shortcut(&mut self, ends: &LinkEnds) -> Result<()> {
        match self {
            Self::PacketSocket {
                namespace,
                shortcut: Some(shortcut),
                ..
            } => shortcut.leave(ends, namespace),
            Self::PacketSocket { shortcut: None, .. }
            | Self::Veth
            | Self::Netem { .. }
            | Self::Tap { .. }
            | Self::Nobody => Ok(()),
        }
    }

    /// Returns the userspace wire, if one carries the link.
    pub(crate) fn wire(&self) -> Option<&WireHandle> {
        match self {
            Self::Tap { wire } | Self::PacketSocket { wire, .. } => Some(wire),
            Self::Veth | Self::Netem { .. } | Self::Nobody => None,
        }
    }
}

impl fmt::Debug for ActiveCarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}
