//! The userspace wire: a link that is carried by threads of the test's own process.
//!
//! Where the kernel has no netem, and where single packets matter, we are the cable: what one end sends is received here, and given to
//! the other end when and as a [`Channel`](super::Channel) decides. That needs no module and no privilege beyond the network namespaces',
//! is the same on every kernel, and gives every packet the fate that the seed gives it.
//!
//! # The code
//!
//! `port` is one end, `parcel` a packet under way, `agenda` knows which one is due next, and `outbox` is how they go out. `lane` is one direction and decides,
//! `line` has two of them and two ports. `worker` is a thread that carries lines, `crew` are all such threads of the process, and `handle` is what a test's
//! thread has of a line. Only its worker ever touches a line: others ask it to, so that nothing is locked for a packet.

mod agenda;
mod crew;
mod handle;
mod lane;
mod lateness;
mod line;
mod outbox;
mod parcel;
mod port;
#[cfg(test)]
mod tests;
mod watch;
mod worker;

pub(crate) use handle::{Wire, WireSpec, carry};
pub(crate) use lateness::Lateness;
pub(crate) use port::Port;
