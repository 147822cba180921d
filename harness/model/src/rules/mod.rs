//! Rules about single packets, for tests that have to lose exactly the third retransmission.
//!
//! Chance will not do there. A [`Match`] picks packets, a [`Verdict`] says what happens to them,
//! and a [`RuleBook`] judges each frame of a link by its rules.
//!
//! | file | role |
//! |---|---|
//! | `matches` | the packets that a rule is about |
//! | `verdict` | the treatment of a packet by a rule |
//! | `book` | the rules of one link, and the packets that each has seen |

pub mod book;
pub mod matches;
pub mod verdict;

pub use book::{Order, Rule, RuleBook, RuleId, Ruling};
pub use matches::{InvalidMatch, Match, any, arp, icmp, ip, tcp, udp};
pub use verdict::{Verdict, bit_to_flip};
