//! Faults as values: see [`Lab::inject`](crate::Lab::inject).
//!
//! ```
//! use snowglobe::fault::Fault;
//!
//! let text = r#"{ "fault": "partition", "left": ["db-1"], "right": ["db-2", "db-3"] }"#;
//! let fault: Fault = serde_json::from_str(text)?;
//! assert_eq!(fault, Fault::partition(["db-1"], ["db-2", "db-3"]));
//! assert_eq!(fault.to_string(), "partition of `db-1` from `db-2`, `db-3`");
//! # Ok::<(), serde_json::Error>(())
//! ```

#[doc(inline)]
pub use snowglobe_model::fault::{
    Fault, LinkRef, Nemesis, NodeRef, Schedule, ScheduleError, ScheduleErrorKind, ScheduledFault,
    Split, Targets,
};
