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
//! A program may read the time in whatever way: by glibc, by musl, as Go does, or by system
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
//! - `CLOCK_MONOTONIC` and the other clocks, nor timers: a machine that is set to another time has
//!   these unchanged as well. A drift of them is refused
//!   ([`MonotonicDrift`](ClockFault::MonotonicDrift))
//! - what the kernel itself reckons by the time of day: the times of files, packets and
//!   certificates in the kernel, and waits until a time of day (`TIMER_ABSTIME` of
//!   `CLOCK_REALTIME`, as in `pthread_cond_timedwait`), which end by the clock of the machine
//!
//! A program in such a node cannot be traced by a debugger or `strace` at the same time. Setting
//! the clock (`clock_settime(2)`) fails with `EPERM` in every node: only the machine's root may.
//!
//! # Distributed systems under fire
//!
//! A [`Cluster`](crate::Cluster) starts nodes that need each other, and returns when all are
//! ready. A [`Nemesis`] draws a [`Schedule`] of faults from the trial's seed, and
//! [`Lab::nemesis`](crate::Lab::nemesis) carries it out beside the test. All is healed when it is
//! over, so that the test can check what holds then.
//!
//! ```no_run
//! use snowglobe::Cluster;
//! use snowglobe::fault::{Fault, Nemesis, NodeRef, Split};
//! use snowglobe::prelude::*;
//! use snowglobe::topology::StartCommand;
//!
//! #[snowglobe::test]
//! fn no_write_is_lost() -> TestResult {
//!     let cluster = Cluster::of(5, |i| {
//!         let store = StartCommand::new("store").arg(format!("--number={i}")).ready_port(7000);
//!         NodeSpec::new(format!("s{i}")).command(store)
//!     });
//!     let leads = |node: &snowglobe::lab::Node| {
//!         node.command("store").arg("leads").status().is_ok_and(|status| status.success())
//!     };
//!     let cluster = cluster
//!         .leader(move |lab| lab.nodes().find(|node| leads(node)).map(|node| node.id()))
//!         .start()?;
//!     let nemesis = Nemesis::new(Duration::from_secs(20))
//!         .split(2, Split::Halves)
//!         .split(1, Split::MajoritiesRing)
//!         .fault(2, Fault::isolate(NodeRef::role("leader")))
//!         .fault(1, Fault::crash(NodeRef::any()))
//!         .nodes(cluster.names());
//!     let nemesis = cluster.nemesis(&nemesis)?;
//!     // … clients write, and remember what was acknowledged …
//!     nemesis.wait()?;
//!     cluster.wait_ready()?;
//!     // … all that was acknowledged is there …
//!     Ok(())
//! }
//! ```
//!
//! A trial that fails keeps its schedule below `target/snowglobe/schedules` as TOML, and names the
//! file. `SNOWGLOBE_SCHEDULE=FILE` runs the trial with the schedule of a file, which may be edited,
//! in the place of the one that would be drawn. A schedule can be written by hand too:
//!
//! ```toml
//! [[fault]]
//! at = "500ms"
//! lasts = "2s"                 # or none: until the schedule is stopped
//! fault = "partition"
//! left = [{ role = "leader" }] # looked up when the fault begins
//! right = [{ role = "rest" }]
//! waits = "1s"                 # or none: left out where nobody leads at 500 ms
//! ```
//!
//! What a schedule names and the lab does not have is an error before anything begins. A fault
//! whose subject is not there when it is due (a node that another fault has crashed, a role that
//! no node has, a file of which bits are to be flipped) waits for that as long as its schedule
//! says. Then it is left out: the trial's output, an event and the report of a trial that fails
//! tell so. Changes of members and the like are actions of the test, which schedules know by name
//! ([`Lab::action`](crate::Lab::action)).
//!
//! | fault | reach |
//! |---|---|
//! | partitions, cuts, bad links | what crosses interfaces; not Unix sockets in shared volumes |
//! | `slow` | all processes of the node, stopped by signals for a part of each 50 ms |
//! | `descriptors` | processes that run, and their children; open files stay open |
//! | `memory` | private memory, also of children: `ENOMEM`; the heal restarts ended programs |
//! | `kill_program`, `pause_program` | what the lab has started in the node, without children |
//!
//! Programs may end for want of memory, descriptors or a disk; databases do so by design. An end
//! of a program that the lab has started does not fail the trial while such a fault of its node is
//! in force (`memory`, `descriptors`, `disk`). The heal starts the program again, as a supervisor
//! does, and a note beside the verdict names it, also where the trial passes. A test that forbids
//! such ends looks for [`ProcessDied`](crate::events::EventKind::ProcessDied) among the events. An
//! end after the heal, or under another fault, is one that nobody waited for, and fails the trial.
//!
//! A partition begins and ends at one instant: no two packets tell a half of it. One transaction of
//! nftables does all of it where switches see every packet between the sides. Over direct links,
//! and to nodes on links with an impairment, rules in several namespaces are prepared for one
//! nanosecond of the time of day, and an event tells where a busy machine was too late for that
//! ([`PartitionLate`](crate::events::EventKind::PartitionLate)).
//!
//! [`Nemesis::wrong_clocks`], [`Nemesis::broken_disks`] and [`Nemesis::failing_name_servers`] draw
//! faults with their values, from the nodes that can have them, and [`Nemesis::scarce_resources`]
//! draws from all nodes. [`Nemesis::everything`] draws all of these faults, as far as the lab has
//! nodes for them. A nemesis or a schedule that names another node is refused before anything
//! begins.
//!
//! A program is stopped at a point of its life by
//! [`pause_when`](crate::lab::Process::pause_when): when it writes a line, when a file appears,
//! when a packet passes, or when it is about to make a system call. The packet is held until the
//! program stands still, and nothing of the call has happened. A program that wrote a line or made
//! a file may go on for some microseconds before it stops. A system call takes `ptrace(2)`, which
//! permits one tracer: programs of a node with a clock that faults can change have theirs already.
//!
//! # Test your own Raft
//!
//! The package `tests/raft` of snowglobe's repository is a register on the crate `raft`, in real
//! processes that keep their journals on volumes. It has two bugs behind a switch: a vote that is
//! not written, and a read that asks no majority. What finds them is short enough to be copied:
//!
//! | step | in `tests/raft/tests/raft` |
//! |---|---|
//! | a [`Cluster`](crate::Cluster) of three, and the nemesis | `cluster.rs` |
//! | members that are driven in rounds | `rounds.rs` |
//! | roles that faults name: `leader`, `elected`, `voter` | `elections.rs` |
//! | a reader and a writer beside each member, recorded | `clients.rs` |
//! | the faults, the clients and the check, in one trial | `register.rs` |
//! | many seeds, shrinking, and replays of what is printed | `found.rs` |
//!
//! A bug of a consensus shows itself at one moment of an election, which no schedule knows
//! beforehand, and which the clock of a busy machine misses. Two things make a seed that has failed
//! once fail each time. First, a fault waits for its moment: the role `elected` is that of a node
//! in the round in which somebody was elected, and `waits` ([`Nemesis::waits`]) says how long the
//! fault may look for one. Second, no time passes by itself. Raft has ticks instead of a clock, so
//! the members take theirs from the test, one in each round, and react to the messages of a round
//! in one order; the time of the schedule is moved on between rounds
//! ([`Lab::schedule_in_steps`](crate::Lab::schedule_in_steps)).
//!
//! ```no_run
//! use snowglobe::fault::{Fault, Nemesis, NodeRef};
//! use snowglobe::prelude::*;
//!
//! # fn start() -> snowglobe::lab::Result<snowglobe::lab::RunningCluster> { unimplemented!() }
//! # fn round(_: &Lab) -> TestResult<Option<String>> { unimplemented!() }
//! #[snowglobe::test(seeds = 50)]
//! fn survives_elections() -> TestResult {
//!     let cluster = start()?;
//!     let elected = std::sync::Arc::new(std::sync::Mutex::new(None::<String>));
//!     let name = elected.clone();
//!     cluster.role("elected", move |view| {
//!         Some(view.node(name.lock().ok()?.as_deref()?)?.id())
//!     });
//!     let nemesis = Nemesis::new(Duration::from_secs(2))
//!         .fault(1, Fault::crash(NodeRef::any()))
//!         .fault(1, Fault::isolate(NodeRef::role("elected")))
//!         .waits(Duration::from_secs(1))
//!         .side_by_side(2);
//!     let mut steps = cluster.schedule_in_steps(&cluster.draw(&nemesis)?)?;
//!     while !steps.has_ended() {
//!         steps.advance(Duration::from_millis(25))?;
//!         // … a tick of each member, and who was elected in it …
//!         *elected.lock().unwrap() = round(&cluster)?;
//!     }
//!     // … `snowglobe::history` has recorded the clients, and checks them …
//!     Ok(())
//! }
//! ```
//!
//! A service whose time cannot be told to it is tested by the clock of the machine
//! ([`Lab::nemesis`](crate::Lab::nemesis)); then a seed fails again often, and not each time. Keep
//! such a trial short, two or three seconds, by short time-outs of elections, and try many seeds.
//! What the service draws by chance comes from the trial's seed ([`seed`](crate::seed), handed over
//! on its command line).
//!
//! ```console
//! $ cargo test -p snowglobe-raft          # ten seeds; each bug is found, shrunk and replayed
//! $ SNOWGLOBE_RUNS=200 cargo test -p snowglobe-raft -- --exact register::is_linearizable
//! $ cargo test -p snowglobe-raft --test raft -- --ignored \
//!     --exact register::forgotten_vote --runs 50 --shrink
//! ```

#[doc(inline)]
pub use snowglobe_model::clock::{ClockFault, ClockFaultError, TimeShift};
#[doc(inline)]
pub use snowglobe_model::disk::{DiskFault, DiskFaultError, Loss, Unsynced};
#[doc(inline)]
pub use snowglobe_model::fault::{
    Fault, IdleFault, LinkRef, Nemesis, NodeRef, Schedule, ScheduleError, ScheduleErrorKind,
    ScheduledFault, Split, Targets,
};
