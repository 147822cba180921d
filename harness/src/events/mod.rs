//! What happens in a lab, as one typed stream on one clock.
//!
//! A test that fails leaves its reader with many voices: what programs wrote, which carrier a link
//! had, when a fault began, what a rule did to a packet. Sentences on stderr cannot be ordered,
//! counted or waited for. So each of these is an [`Event`] with the time at which it happened, and
//! a test reads or awaits them through [`Lab::events`](crate::Lab::events).
//!
//! ```no_run
//! use snowglobe::events::EventKind;
//! use snowglobe::prelude::*;
//!
//! #[snowglobe::test]
//! fn the_server_is_restarted_when_it_dies() -> TestResult {
//!     let lab = shape::pair().start()?;
//!     let mut events = lab.events();
//!     let server = lab.node("bob").unwrap().command("supervised-server").spawn()?;
//!     server.kill()?;
//!     let died = events.wait_for("the death of the server", |event| {
//!         matches!(&event.kind, EventKind::ProcessDied { process, .. } if process.node == "bob")
//!     })?;
//!     println!("{died}"); // +0.204310s `supervised-server` (pid 5) on `bob` was killed by SIGKILL
//!     Ok(())
//! }
//! ```
//!
//! | file | role |
//! |---|---|
//! | `clock.rs` | the clock of a trial: CLOCK_MONOTONIC, with its offset from the time of day |
//! | `event.rs` | the events, and their sentences |
//! | `forbidden.rs` | texts that fail a trial when a program writes them |
//! | `journal.rs` | the events of one lab, kept for those who ask and handed to those who wait |
//! | `recorded.rs` | what of an event two runs with one seed have in common |
//! | `subscription.rs` | a reader's place in a journal |
//!
//! The module knows nothing of labs, links and nodes: it is told names.

mod clock;
mod event;
mod forbidden;
mod journal;
mod recorded;
mod subscription;

pub use crate::kernel::process::exit_kind::ExitKind;
pub use event::{Event, EventKind, FaultId, ProcessName, Stream};
pub use subscription::{EventError, Events};

pub(crate) use clock::{clock, since_start, start as start_clock};
pub(crate) use journal::{Journal, note_in_all};
