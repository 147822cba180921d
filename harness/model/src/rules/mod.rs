//! Rules about single packets: which ones, and what becomes of them.
//!
//! A test may have to lose exactly the third retransmission, where chance will not do. A [`Match`] says which
//! packets, a [`Verdict`] what happens to them, and a [`RuleBook`] judges each frame of a link by its rules.
//!
//! | file | role |
//! |---|---|
//! | `matches` | which packets a rule is about |
//! | `verdict` | what a rule does to a packet |
//! | `book` | the rules of one link, and what has come of each |

pub mod book;
pub mod matches;
pub mod verdict;

pub use book::{Order, Rule, RuleBook, RuleId, Ruling};
pub use matches::{InvalidMatch, Match, any, arp, icmp, ip, tcp, udp};
pub use verdict::{Verdict, bit_to_flip};
