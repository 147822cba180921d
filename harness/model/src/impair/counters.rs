//! Counters of a link, by which a test explains where its packets are.

use std::fmt;
use std::ops::{AddAssign, Sub};

use snowglobe_text::counted;

use snowglobe_derive::{Deserialize, Serialize};

/// A number of packets, and of bytes in their Ethernet frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Traffic {
    /// Packets, as they are on a wire: no larger than an MTU.
    pub packets: u64,
    /// Bytes of their Ethernet frames, without preamble and check sequence.
    pub bytes: u64,
}

impl Traffic {
    /// Returns the count of one packet whose frame has this number of bytes.
    pub fn frame(bytes: usize) -> Traffic {
        Traffic {
            packets: 1,
            bytes: bytes as u64,
        }
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Traffic) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

impl Sub for Traffic {
    type Output = Traffic;

    fn sub(self, other: Traffic) -> Traffic {
        Traffic {
            packets: self.packets - other.packets,
            bytes: self.bytes - other.bytes,
        }
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} B)", counted(self.packets, "packet"), self.bytes)
    }
}

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// Independent loss, of the impairment or of its trace.
    Loss,
    /// Loss in bursts, by the Gilbert–Elliott model.
    Burst,
    /// Loss of the n-th of every n packets.
    Every,
    /// The link held as much as it may.
    Queue,
    /// The packet was larger than the impairment lets through.
    Mtu,
    /// The link was cut.
    Cut,
    /// A packet rule dropped the packet.
    Rule,
    /// The packet came faster than the process that carries packets could take it, or could not be
    /// sent on. The link did not do that on purpose.
    Overrun,
}

impl Cause {
    /// All causes.
    pub const ALL: [Cause; 8] = [
        Cause::Loss,
        Cause::Burst,
        Cause::Every,
        Cause::Queue,
        Cause::Mtu,
        Cause::Cut,
        Cause::Rule,
        Cause::Overrun,
    ];
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Loss => "loss",
            Cause::Burst => "burst loss",
            Cause::Every => "loss of every n-th",
            Cause::Queue => "queue full",
            Cause::Mtu => "larger than the MTU",
            Cause::Cut => "link cut",
            Cause::Rule => "packet rule",
            Cause::Overrun => "overrun",
        })
    }
}

/// Packets that were dropped, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lost {
    /// [`Cause::Loss`].
    pub loss: Traffic,
    /// [`Cause::Burst`].
    pub burst: Traffic,
    /// [`Cause::Every`].
    pub every: Traffic,
    /// [`Cause::Queue`].
    pub queue: Traffic,
    /// [`Cause::Mtu`].
    pub mtu: Traffic,
    /// [`Cause::Cut`].
    pub cut: Traffic,
    /// [`Cause::Rule`].
    pub rule: Traffic,
    /// [`Cause::Overrun`].
    pub overrun: Traffic,
}

impl Lost {
    /// Returns the packets that were dropped by one cause.
    pub fn by(&self, cause: Cause) -> Traffic {
        match cause {
            Cause::Loss => self.loss,
            Cause::Burst => self.burst,
            Cause::Every => self.every,
            Cause::Queue => self.queue,
            Cause::Mtu => self.mtu,
            Cause::Cut => self.cut,
            Cause::Rule => self.rule,
            Cause::Overrun => self.overrun,
        }
    }

    /// Returns the packets that were dropped by all causes together.
    pub fn total(&self) -> Traffic {
        let mut total = Traffic::default();
        for cause in Cause::ALL {
            total += self.by(cause);
        }
        total
    }

    /// Returns the counter of one cause, to change it.
    pub fn by_mut(&mut self, cause: Cause) -> &mut Traffic {
        match cause {
            Cause::Loss => &mut self.loss,
            Cause::Burst => &mut self.burst,
            Cause::Every => &mut self.every,
            Cause::Queue => &mut self.queue,
            Cause::Mtu => &mut self.mtu,
            Cause::Cut => &mut self.cut,
            Cause::Rule => &mut self.rule,
            Cause::Overrun => &mut self.overrun,
        }
    }
}

/// Packets that one direction of a link has seen since the link was made.
///
/// The books balance, in packets and in bytes: `sent` + `duplicated` = `delivered` + `lost` +
/// `queued`.
///
/// ```
/// use snowglobe_model::impair::{Cause, Counters};
///
/// fn report(counters: &Counters) {
///     let lost = counters.lost;
///     println!("{} lost, {} to a full queue", lost.total(), lost.by(Cause::Queue));
/// }
/// # report(&Counters::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Counters {
    /// Packets that were sent into the link.
    pub sent: Traffic,
    /// Packets that came out at the other end.
    pub delivered: Traffic,
    /// Packets that were dropped.
    pub lost: Lost,
    /// Packets that overtook one that was sent before them.
    pub reordered: Traffic,
    /// Second copies that were made.
    pub duplicated: Traffic,
    /// Packets that had a bit flipped.
    pub corrupted: Traffic,
    /// Packets that the link holds now: waiting for the rate, or under way.
    pub queued: Traffic,
    /// Most packets, and most bytes, that the link has held.
    pub most_queued: Traffic,
}
