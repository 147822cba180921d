//! The value that says how bad a link is.
//!
//! A field that is added here has to be thought of in several places. Each of them takes the value
//! apart in full, so the compiler names them: validation, combination, the channel, netem, and the
//! sentence of a fault.

use std::time::Duration;

use snowglobe_derive::{Deserialize, Serialize};

use super::jitter::Jitter;
use super::loss::GilbertElliott;
use super::percent::Percent;
use super::queue::QueueLimit;
use super::rate::Rate;
use super::reorder::Reorder;
use super::text;
use super::trace::Trace;

/// The harm that one direction of a link does to packets. See the [module](crate::impair) for the
/// order in which it is done.
///
/// Name the values that you want and take the rest from [`NONE`](Impairment::NONE) or from a
/// [preset](super::preset):
///
/// ```
/// use std::time::Duration;
///
/// use snowglobe_model::impair::{Impairment, Percent, Rate};
///
/// let radio = Impairment {
///     delay: Duration::from_millis(25),
///     loss: Percent(5.0),
///     rate: Some(Rate::mbit(10)),
///     ..Impairment::NONE
/// };
/// # assert!(radio.validate().is_ok());
/// ```
///
/// In TOML a value with a unit is a string, and an unknown field is an error:
///
/// ```toml
/// delay = "25ms"
/// jitter = "normal 3ms"                                 # or "3ms": uniform
/// loss = "5%"
/// loss_bursts = { p = "0.1%", r = "25%" }
/// lose_every = 100
/// duplicate = "1%"
/// corrupt = "0.1%"
/// reorder = { percent = "25%", correlation = "50%" }    # or "25%"
/// rate = "10mbit"
/// burst = "15 kB"
/// queue = "100 packets, 64 KiB"
/// mtu = 1400
/// trace = "verizon-lte.down"
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Impairment {
    /// Time that each packet takes to pass the link.
    #[serde(
        with = "text::serde_duration",
        skip_serializing_if = "Duration::is_zero"
    )]
    pub delay: Duration,
    /// Variation of the delay from packet to packet.
    #[serde(skip_serializing_if = "Jitter::is_none")]
    pub jitter: Jitter,
    /// Share of packets that are lost, drawn for each packet on its own.
    #[serde(skip_serializing_if = "is_none")]
    pub loss: Percent,
    /// Loss in bursts, in addition to `loss`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_bursts: Option<GilbertElliott>,
    /// Drops every n-th packet of each flow: 3 drops the third, the sixth, and so on. This loss is
    /// in addition to `loss` and `loss_bursts`. The kernel's netem does not offer such a loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lose_every: Option<u32>,
    /// Share of packets that are sent twice. As in netem, a packet that chance would also lose is
    /// sent once.
    #[serde(skip_serializing_if = "is_none")]
    pub duplicate: Percent,
    /// Share of packets that overtake others, and the rule that picks those packets.
    #[serde(skip_serializing_if = "Reorder::is_none")]
    pub reorder: Reorder,
    /// Share of packets that have one bit flipped, anywhere behind the Ethernet header. (netem may
    /// also hit the header, and then the frame is lost.)
    #[serde(skip_serializing_if = "is_none")]
    pub corrupt: Percent,
    /// Number of bits that pass in a second, whole Ethernet frames counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Number of bytes that pass at once after a pause: the bucket of a token bucket filter.
    /// Without a burst, packets are spaced as on a line of the given `rate`.
    #[serde(
        with = "text::serde_optional_bytes",
        skip_serializing_if = "Option::is_none"
    )]
    pub burst: Option<u32>,
    /// Limit of the packets in the link, both waiting and under way.
    #[serde(skip_serializing_if = "is_default")]
    pub queue: QueueLimit,
    /// Length of the largest IP packet that passes, in bytes. Larger packets vanish
    /// without an error to the sender: a black hole (RFC 2923, section 2.1), as tunnels with a
    /// smaller MTU make it. (The topology sets the MTU of a link's interfaces.)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Changes of rate, delay and loss over time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

fn is_none(share: &Percent) -> bool {
    *share == Percent::ZERO
}

fn is_default(queue: &QueueLimit) -> bool {
    *queue == QueueLimit::DEFAULT
}

impl Impairment {
    /// The impairment that does nothing to packets.
    pub const NONE: Impairment = Impairment {
        delay: Duration::ZERO,
        jitter: Jitter::NONE,
        loss: Percent::ZERO,
        loss_bursts: None,
        lose_every: None,
        duplicate: Percent::ZERO,
        reorder: Reorder::NONE,
        corrupt: Percent::ZERO,
        rate: None,
        burst: None,
        queue: QueueLimit::DEFAULT,
        mtu: None,
        trace: None,
    };

    /// Returns an impairment that only delays packets.
    pub fn delayed(delay: Duration) -> Self {
        Impairment {
            delay,
            ..Impairment::NONE
        }
    }

    /// Returns whether this impairment does nothing to packets. A queue limit alone does nothing,
    /// since a link without other impairments holds no packets.
    ///
    /// ```
    /// use snowglobe_model::impair::{Impairment, QueueLimit};
    ///
    /// assert!(Impairment { queue: QueueLimit::packets(10), ..Impairment::NONE }.is_none());
    /// ```
    pub fn is_none(&self) -> bool {
        let nothing = Impairment {
            queue: self.queue,
            ..Impairment::NONE
        };
        *self == nothing
    }

    /// Returns whether each packet has to be looked at by itself.
    ///
    /// Packets that only wait for a delay may stay in batches of up to 64 KB, as the kernel hands
    /// them over.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use snowglobe_model::impair::{Impairment, Percent};
    ///
    /// let slow = Impairment::delayed(Duration::from_millis(25));
    /// assert!(!slow.needs_segments());
    /// assert!(Impairment { loss: Percent(1.0), ..slow }.needs_segments());
    /// ```
    pub fn needs_segments(&self) -> bool {
        *self != Impairment::delayed(self.delay)
    }
}

impl Default for Impairment {
    fn default() -> Self {
        Impairment::NONE
    }
}
