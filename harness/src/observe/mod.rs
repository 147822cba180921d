//! Packets as values: rules about them, expectations of them, recordings and captures.
//!
//! A link with a rule is carried by a userspace wire, which can be told what to do with single
//! packets. A [`Match`] says which packets, a [`Verdict`] what becomes of them, and the
//! [`RuleGuard`] what has come of it:
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
//! let waited = second.at() - lost.at();
//! assert!(waited >= Duration::from_millis(900), "a retransmission timeout is a second");
//! # Ok(())
//! # }
//! ```
//!
//! # Captures and recordings
//!
//! Any link, and any interface of a node, can be captured, impaired or not: to one
//! [pcapng](CaptureGuard) file for the whole trial, for Wireshark and tshark, that is kept if the
//! trial fails. And the packets of a link can be kept as [values](Recording), for the test to look
//! at:
//!
//! ```no_run
//! use snowglobe::prelude::*;
//!
//! # fn main() {}
//! #[snowglobe::test]
//! fn an_idle_link_is_quiet() -> TestResult {
//!     let lab = shape::pair().start()?;
//!     let _capture = lab.capture_all()?;
//!     let recording = lab.links().next().unwrap().record()?;
//!     // … nothing should happen …
//!     assert!(recording.packets().iter().all(|packet| packet.tcp().is_none()));
//!     Ok(())
//! }
//! ```
//!
//! Frames are as the sender's kernel hands them to its network card: a stream comes in frames of up
//! to 64 KB. Their checksums are complete, also where the kernel has left them to the card.
//!
//! `SNOWGLOBE_CAPTURE=failure` (or `always`) in the environment captures all links of all labs,
//! without a change of the tests.
//!
//! # The code
//!
//! The pure part stands in `snowglobe_model`: `packet` reads frames and keeps them, `rules` judges
//! them for a wire. Here is what needs threads, sockets and files:
//!
//! | file | role |
//! |---|---|
//! | `rule_guard` | a rule as a test holds it |
//! | `expectation` | a packet that a test waits for |
//! | `hits` | waiting for packets that a rule picks, for both |
//! | `recording` | packets of a link, kept in memory |
//! | `sniffer` | tells a listener of the frames of an interface of the kernel |
//! | `capture` | the pcapng file of a trial |
//! | `error` | why something could not be observed |
//!
//! A recording and a capture are listeners
//! ([`Listener`](snowglobe_model::packet::Listener)). A wire and a sniffer tell them of frames.

mod capture;
mod error;
mod expectation;
mod hits;
mod recording;
mod rule_guard;
mod sniffer;

#[cfg(test)]
mod tests;

pub use capture::CaptureGuard;
pub use error::{ObserveError, ObserveErrorKind, Result};
pub use expectation::Expectation;
pub use recording::Recording;
pub use rule_guard::RuleGuard;
#[doc(inline)]
pub use snowglobe_model::packet::{Packet, Tcp, TcpFlags};
#[doc(inline)]
pub use snowglobe_model::rules::{Match, Verdict, any, arp, icmp, ip, tcp, udp};

pub(crate) use capture::{
    CapturePolicy, CaptureSession, CapturedInterfaces, InterfaceLabels, KEY_LOG, KEY_LOG_VARIABLE,
    log_keys_of_this_process, name_capture_directory, open_key_log,
};
#[cfg(feature = "toml")]
pub(crate) use capture::{directory_of, file_stem};
pub(crate) use sniffer::{SniffedInterface, Sniffer};
