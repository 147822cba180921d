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
//!
//! # Clocks
//!
//! A node that asks for it ([`NodeSpec::faulty_clock`](crate::topology::NodeSpec::faulty_clock))
//! can have a wrong time of day. The clock of the machine, of the test and of other nodes is not
//! touched.
//!
//! ```no_run
//! use snowglobe::fault::{ClockFault, Fault, TimeShift};
//! use snowglobe::prelude::*;
//!
//! #[snowglobe::test]
//! fn a_token_from_the_future_is_refused() -> TestResult {
//!     let mut topology = Topology::new();
//!     topology.node(NodeSpec::new("issuer").faulty_clock());
//!     let lab = topology.start()?;
//!     let hour = TimeShift::ahead(Duration::from_secs(3600));
//!     let wrong = lab.inject(Fault::clock("issuer", ClockFault::Offset(hour)))?;
//!     // … `date` on the issuer, and each program that runs there, is an hour ahead …
//!     wrong.heal()?;
//!     Ok(())
//! }
//! ```
//!
//! [`Offset`](ClockFault::Offset) counts from the clock of the machine.
//! [`Jump`](ClockFault::Jump), [`Drift`](ClockFault::Drift) and [`Freeze`](ClockFault::Freeze)
//! begin at what the clock shows. Faults are laid over each other in the order in which they
//! began, and each heals by itself. A node that crashes keeps its wrong clock.
//!
//! It does not matter how a program reads the time: by glibc, by musl, as Go does, or by system
//! calls of its own. The first process of the node traces the programs that it starts, and all
//! that these start (`ptrace(2)`). It changes the functions that the kernel maps into each program
//! (`vdso(7)`) and answers system calls.
//!
//! A fault of the clock does not reach these:
//!
//! - code of the test that visits the node (`Node::run`) and programs that such code starts by
//!   `std::process::Command`: these see the clock of the machine
//! - programs of 32 bits: a change of the clock, or its heal, fails and names those that ran
//! - machines other than x86-64: the fault is refused
//! - `CLOCK_MONOTONIC` and the other clocks: a machine that is set to another time has these
//!   unchanged as well
//! - what the kernel itself reckons by the time of day: the times of files, packets and
//!   certificates in the kernel, and waits until a time of day (`TIMER_ABSTIME` of
//!   `CLOCK_REALTIME`, as in `pthread_cond_timedwait`), which end by the clock of the machine
//!
//! A program in such a node cannot be traced by a debugger or `strace` at the same time. Setting
//! the clock (`clock_settime(2)`) fails with `EPERM` in every node: only the machine's root may.

#[doc(inline)]
pub use snowglobe_model::clock::{ClockFault, TimeShift};
#[doc(inline)]
pub use snowglobe_model::disk::{DiskFault, Loss, Unsynced};
#[doc(inline)]
pub use snowglobe_model::fault::{
    Fault, LinkRef, Nemesis, NodeRef, Schedule, ScheduleError, ScheduleErrorKind, ScheduledFault,
    Split, Targets,
};
