//! The history part of snowglobe: what concurrent clients did, as a value, and whether a server may
//! have answered so.
//!
//! A server that loses a write answers as if nothing had happened; a log shows nothing, and a test
//! of one client finds nothing. It takes several clients at the same time, a record of each
//! operation with its beginning and its end, and a check that knows which answers are possible.
//!
//! # Record, then check
//!
//! A [`Recorder`] hands out [`Client`]s. Each operation has an invocation and a [`Completion`]: it
//! has happened, it has not, or nobody knows. An error of a connection is the last of these: the
//! request may have arrived.
//!
//! ```
//! use std::sync::Mutex;
//! use std::time::Instant;
//!
//! use snowglobe_history::models::{Map, On, Register, RegisterOp, RegisterRet};
//! use snowglobe_history::{Recorder, linearizability};
//!
//! let server = Mutex::new(None); // A server in a lab, in real life.
//! let start = Instant::now();
//! let recorder = Recorder::new(move || start.elapsed());
//! std::thread::scope(|scope| {
//!     for number in 0..3 {
//!         let (client, server) = (recorder.client("db-1"), &server);
//!         scope.spawn(move || {
//!             client.call(On::new("x", RegisterOp::Write(Some(number))), || {
//!                 *server.lock().map_err(|error| error.to_string())? = Some(number);
//!                 Ok::<_, String>(RegisterRet::Done)
//!             });
//!             client.call(On::new("x", RegisterOp::Read), || {
//!                 let value = *server.lock().map_err(|error| error.to_string())?;
//!                 Ok::<_, String>(RegisterRet::Value(value))
//!             });
//!         });
//!     }
//! });
//! let history = recorder.history();
//! linearizability(&Map::new(Register::new(None)), &history).into_result()?;
//! # Ok::<(), snowglobe_history::CheckReport>(())
//! ```
//!
//! A report that is not clean is an error, which leaves a test by `?`. It shows the fewest
//! operations that no order explains, on a timeline, with the faults of the lab where they are
//! given to [`CheckReport::during`].
//!
//! # Which check
//!
//! | question | check |
//! |---|---|
//! | does the object behave as if there was one copy? | [`linearizability()`], with a [`Model`] |
//! | the same, where reads may be behind by a time? | [`Linearizability::stale_by`] |
//! | does a read see what was acknowledged before? | [`checks::stale_reads`] |
//! | may a client rely on what it has seen and written? | [`checks::sessions`] |
//! | is anything lost, or there twice? | [`checks::sets`], [`checks::queues`] |
//! | are ids unique, do counters add up? | [`checks::unique_ids`], [`checks::counters`] |
//! | what isolation do transactions have? | [`txn::transactions`], [`txn::strict_transactions`] |
//!
//! # Kept histories
//!
//! [`History::to_json_lines`] and [`History::from_json_lines`] write and read histories, one event
//! a line. A mistake in such a file is an error with its line:
//!
//! ```
//! use snowglobe_history::models::{RegisterOp, RegisterRet};
//! use snowglobe_history::{History, HistoryErrorKind};
//!
//! type Kept = History<RegisterOp<u32>, RegisterRet<u32>>;
//! let error = Kept::from_json_lines("kept.jsonl", r#"{"ok":{"op":7,"at":20,"ret":"done"}}"#);
//! let error = error.unwrap_err();
//! assert!(matches!(error.kind(), HistoryErrorKind::NotInvoked { .. }));
//! assert!(error.to_string().starts_with("kept.jsonl:1: operation 7 is completed, and was not"));
//! ```
//!
//! # The code
//!
//! The crate has no I/O, no clock and no threads: time and text are arguments.
//!
//! | module | role |
//! |---|---|
//! | `operation`, `completion`, `history` | operations and histories as values |
//! | `recorder` | records what clients do |
//! | `text`, `error` | histories as JSON lines, and what can be wrong with them |
//! | `model`, [`models`] | sequential objects |
//! | `linear` | the search for an order |
//! | [`checks`] | checks for one kind of mistake |
//! | [`txn`] | anomalies of transactions |
//! | `report`, `timeline` | what was found, and how it is shown |
#![forbid(unsafe_code)]
// A new variant of an enum must be named by the compiler wherever the variant matters.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod checks;
mod completion;
mod error;
mod history;
mod linear;
mod model;
pub mod models;
mod operation;
mod recorder;
mod report;
mod text;
mod timeline;
pub mod txn;

pub use completion::Completion;
pub use error::{HistoryError, HistoryErrorKind};
pub use history::{History, HistoryBuilder};
pub use linear::{Linearizability, linearizability};
pub use model::{Certain, DeadEndTest, KnownOperations, Model, SearchHint};
pub use operation::{ClientId, Operation, OperationId};
pub use recorder::{Begun, Client, Recorder};
pub use report::{Anomaly, AnomalyKind, CheckReport};
pub use timeline::{Interval, Timeline};
