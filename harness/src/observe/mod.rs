//! Packets as values: rules about them, expectations of them, and captures.
//!
//! A link with an impairment is carried by a userspace wire, which can be told what to do with single packets. A
//! [`Match`] says which, a [`Verdict`] what becomes of them, and the [`RuleGuard`] what has come of it:
//!
//! ```no_run
//! use snowglobe::prelude::*;
//!
//! # fn t(link: &snowglobe::lab::Link) -> TestResult {
//! // The first answer of the server is lost; its retransmission is not.
//! let rule = link.rule(tcp().syn_ack().nth(1), Verdict::Drop)?;
//! let second = link.expect(tcp().syn_ack().nth(2))?;
//! // … a client connects …
//! let second = second.within(Duration::from_secs(2))?;
//! let lost = &rule.events()[0];
//! assert!(second.at() - lost.at() >= Duration::from_millis(900), "a retransmission timeout is a second");
//! # Ok(())
//! # }
//! ```
//!
//! # The code
//!
//! `headers` reads a frame, `packet` is one that is kept. `matches`, `verdict` and `rule` judge frames for a wire, which asks
//! for nothing but a `RuleBook`; `guard` is what a test holds; `reset` makes RSTs. All of these are pure: no system
//! call but for the time. A wire tells of its frames through `listen`.

mod capture;
mod clock;
mod error;
mod guard;
mod headers;
mod listen;
mod matches;
mod packet;
mod reset;
mod rule;
mod verdict;

#[cfg(test)]
mod tests;

pub use error::{ObserveError, Result};
pub use guard::{Expectation, RuleGuard};
pub use headers::{Tcp, TcpFlags};
pub use matches::{Match, any, arp, icmp, ip, tcp, udp};
pub use packet::Packet;
pub use verdict::Verdict;

/// Starts the clock that packets are seen by: at the start of a trial.
pub(crate) fn start_clock() {
    clock::clock();
}

pub(crate) use listen::{FrameEvent, FrameFate, Listener};
pub(crate) use rule::{Order, RuleBook, RuleId, Ruling};
pub(crate) use verdict::bit_to_flip;
