//! Carries impaired links by the kernel's own netem, where the kernel has it.
//!
//! netem is faster than any userspace wire, but a queueing discipline is awkward to trust. It
//! rounds what it is told, it forgets nothing that it was told before, it counts everything that
//! is dropped in one number, and it decides about whatever it is handed, be that a packet or a
//! batch of 64 KB. So an impairment that netem cannot do exactly is refused, each value is read
//! back and compared, and counters are worked out from what is known besides.
//!
//! | file | role |
//! |---|---|
//! | `device` | a device with netem: sets, reads back and changes its disciplines |
//! | `unsupported` | impairments that netem has no option for, or has another meaning of |
//! | `options` | an impairment in the options of the two disciplines |
//! | `compare` | options that were read back, against those that were set |
//! | `estimate` | counters of a link, worked out from the kernel's statistics |
//!
//! # Two disciplines
//!
//! A link's inner namespace has a device for each direction that sends out of the link. At its
//! root is a token bucket filter (`tbf`), and below that netem. netem holds everything that the
//! link holds, what is under way and what waits, so that netem's `limit` is the link's queue. The
//! filter lets packets out of netem. It is there without a `burst` too, at a rate that nothing
//! reaches: replacing a root discipline later would drop everything that netem holds.
//!
//! # One packet at a time
//!
//! Whatever sends *into* the link must be told to send packets one by one, by
//! [`Batch::set_gso_max_segments`](crate::kernel::netlink::Batch::set_gso_max_segments): otherwise
//! one decision of netem is about 45 packets.

mod compare;
mod device;
mod estimate;
mod options;
#[cfg(test)]
mod tests;
mod unsupported;

pub(crate) use device::NetemDevice;
pub(crate) use unsupported::{Unsupported, find_unsupported};

/// Bytes by which an Ethernet frame is longer than the IP packet in it.
const ETHERNET_HEADER: u32 = 14;
