//! What a bad link does to packets, as a value.
//!
//! Real links are slow, lose packets, repeat them, let them overtake each other and spoil their
//! bits. An [`Impairment`] says how much of that a link does, in one direction, with the unit of
//! each value in its type:
//!
//! ```
//! use std::time::Duration;
//!
//! use snowglobe::impair::{GilbertElliott, Impairment, Jitter, Percent, Rate, preset};
//!
//! let radio = Impairment {
//!     delay: Duration::from_millis(25),
//!     jitter: Jitter::normal(Duration::from_millis(3)),
//!     loss: Percent(5.0),
//!     rate: Some(Rate::mbit(20)),
//!     ..Impairment::NONE
//! };
//! radio.validate()?;
//!
//! let loss_bursts = Some(GilbertElliott::of(Percent(2.0), 8.0));
//! let tunnel = Impairment { loss_bursts, ..preset::lte().down };
//! tunnel.validate()?;
//!
//! let error = Impairment { loss: Percent(130.0), ..Impairment::NONE }.validate().unwrap_err();
//! assert_eq!(error.to_string(), "loss of 130 % is not between 0 % and 100 %");
//! # Ok::<(), snowglobe::impair::ImpairmentError>(())
//! ```
//!
//! A link is asked for it in its topology, [`LinkSpec::impair`](crate::topology::LinkSpec::impair),
//! or while the lab runs, [`Link::impair`](crate::lab::Link::impair).
//!
//! # What is done to a packet
//!
//! In this order, which is that of the kernel's netem:
//!
//! 1. It is dropped if it is larger than `mtu` allows.
//! 2. It may be duplicated; it may be lost (`loss`, `loss_bursts`, `lose_every`, a trace's loss).
//!    One that is both passes once.
//! 3. It may be corrupted: one bit is flipped.
//! 4. It is dropped if `queue` is full. The queue is everything that the link holds: what waits for
//!    the rate, and what is under way.
//! 5. It may be reordered: then it is sent at once. Otherwise it is delayed by `delay`, and
//!    `jitter` more or less.
//! 6. It waits for its turn at `rate`, or in the trace. What waits stays in order, so jitter
//!    reorders packets only where there is no rate.
//!
//! A duplicate takes its own chances in steps 2 (but that it is never duplicated again) to 6.
//! Packets are Ethernet frames as they are on a wire: no larger than the interface's MTU, though
//! the kernel hands them over in batches of 64 KB. **What counts is the length of the Ethernet
//! frame**, 14 bytes more than the IP packet: for rates, for bursts, for limits in bytes, in traces
//! and in [`Counters`]. Only `mtu` is about the IP packet.
//!
//! What is due together may come out in batches as well, TCP segments and small datagrams alike, as
//! behind a network card that gathers packets (GRO). Programs with ordinary sockets read what was
//! sent. Packet sniffers, raw sockets, counters and filters in the receiving node, and links behind
//! it that the kernel carries, may see one packet for several. Captures and counters of the link
//! itself have each.
//!
//! The userspace wire takes off a delay what its threads need to wake up on this machine, as well
//! as that can be known: a packet may come out some ten microseconds too early or too late, and is
//! never more than 0.1 ms early.
//!
//! # Chance
//!
//! Every choice comes from the trial's seed and the link's name. What happens to a packet depends
//! on its *flow* and on how many packets of that flow passed before it, and neither on time nor on
//! other flows: so the same program meets the same losses in each run, however busy the machine. A
//! flow is what has the same protocol, addresses and ports, where all ports from 32768 on, which
//! kernels give to clients in an order of their own, count as one. Gilbert–Elliott states, the
//! count of `lose_every` and that of [`Reorder`] are each flow's own. (The kernel's netem has one
//! stream for all packets, in their order of arrival.) Beyond 4,096 flows on a direction, new ones
//! share.
//!
//! The choices do not depend on each other either: a link with more jitter loses the same packets.

pub use snowglobe_model::impair::preset;
#[doc(inline)]
pub use snowglobe_model::impair::{
    Asymmetric, Cause, Counters, Direction, GilbertElliott, Impairment, ImpairmentError,
    ImpairmentErrorKind, Jitter, JitterTable, Lost, Percent, QueueLimit, Rate, Reorder, Row, Trace,
    Traffic,
};
