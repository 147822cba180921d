//! A topology brought to life.
//!
//! ```no_run
//! use snowglobe::prelude::*;
//! use snowglobe::topology::Topology;
//!
//! #[snowglobe::test]
//! fn bob_answers_alice() -> TestResult {
//!     let mut topology = Topology::new();
//!     let (alice, bob) = (topology.node("alice"), topology.node("bob"));
//!     topology.link(alice, bob);
//!     let lab = topology.start()?; // ready: no sleep needed
//!
//!     let listener = lab[bob].run(|| TcpListener::bind("0.0.0.0:80"))?;
//!     let _client = lab[alice].run(|| TcpStream::connect("bob:80"))?;
//!     let (_, peer) = listener.accept()?;
//!     assert_eq!(peer.ip(), lab[alice].ip());
//!     Ok(())
//! }
//! ```
//!
//! # What a node is
//!
//! A node is a host with NET, MNT, UTS, IPC and PID namespaces of its own. The node's name is its
//! hostname, and all names of the lab resolve in it. It has its own `/tmp`, `/run`, `/dev/shm`,
//! `/proc` and `/sys`. Its other files are those of the trial, or those of another root filesystem.
//! Only what the test runs runs there:
//!
//! - [`run`](Node::run) runs a closure in the node, on a thread of the test process. A socket or
//!   file that the closure makes can be used outside of the node afterwards.
//! - `spawn` runs a future in the node, on a runtime that lives there.
//! - [`command`](Node::command) runs a program in the node, as with [`std::process::Command`].
//!
//! A wait blocks its thread, and every future that shares the thread. Each wait has a form for
//! futures, whose name ends in `_async`: [`wait_until`] is `wait_until_async`, and
//! [`Process::wait_for_log`] is `wait_for_log_async`.
//!
//! Threads of the test process that are in a node see its network, files, hostname and IPC. They
//! keep the trial's process ids, for a thread cannot change those; so programs need
//! [`command`](Node::command). Their `/proc` has the processes of the trial: `/proc/self` is the
//! test process, `/proc/net` and `/proc/mounts` are those of the node, and `/proc/thread-self/ns`
//! has the namespaces of the thread, while `/proc/self/ns` has those of the trial. All other mounts
//! are shared with the programs of the node, whoever makes them.
//!
//! A program is ready when its port or socket is there, when its log says so, or when it says so
//! itself: [`Process::wait_for_port`], [`wait_for_udp_port`](Process::wait_for_udp_port),
//! [`wait_for_socket`](Process::wait_for_socket), [`wait_for_log`](Process::wait_for_log),
//! [`wait_for_notify`](Process::wait_for_notify). At the end of the lab programs are asked to end
//! by `SIGTERM`, and so are daemons, whose parents have ended; what still runs after a second is
//! killed.
//!
//! # Data that was made once
//!
//! Making a database takes seconds, and each trial wants one of its own. A fixture with the source
//! `command` makes the database once, when fixtures are provisioned, and says that it is a
//! `template`. Volumes clone it: nothing is copied before it is written to, so that a hundred
//! trials have it in milliseconds each.
//!
//! ```toml
//! [orders.command]
//! rootfs = "postgresql"     # another fixture, whose files the command sees
//! user = "postgres"         # the user as whom the command sees itself
//! template = true
//! inputs = ["orders.sh"]
//! run = ["sh", "orders.sh"] # runs `initdb -D $OUT` and loads a schema
//! ```
//!
//! ```no_run
//! # use snowglobe::prelude::*;
//! #[snowglobe::test(fixtures("postgresql", "orders"))]
//! fn orders_are_there() -> TestResult {
//!     let mut topology = Topology::new();
//!     let database = topology.node(
//!         NodeSpec::new("database")
//!             .rootfs(&Fixture::find("postgresql")?)
//!             .volume("/data", Volume::clone_of(&Fixture::find("orders")?)),
//!     );
//!     let lab = topology.start()?;
//!     // The files are root's of the node, and PostgreSQL refuses to be root.
//!     let server = lab[database]
//!         .command("/usr/lib/postgresql/15/bin/postgres")
//!         .root_shown_as(101, 101)
//!         .args(["-D", "/data"])
//!         .spawn()?;
//!     server.wait_for_port(5432)?;
//!     Ok(())
//! }
//! ```
//!
//! # What nodes find
//!
//! Names are looked up in the node's `/etc/hosts` and then by the name servers of its
//! `/etc/resolv.conf`. glibc would say "try again" (`EAI_AGAIN`) of every unknown name where no
//! server answers, so that the node's `/etc/nsswitch.conf` has `hosts: files dns [NOTFOUND=return]
//! files`. A test of what happens when a name server is silent or broken writes `hosts: files dns`
//! there. A C library other than glibc waits for a server, and then says "try again".
//!
//! A node announces its addresses to its neighbours when its interface comes up or gets another MAC
//! address, when it moves to another switch, and when it gets an address by DHCP over IPv4. What it
//! was leased in the network that it left is not announced in the new one. An IPv4 address that a
//! program adds by itself is announced by nobody, as on any Linux: a host that takes over the
//! address of another one sends an announcement (`arping -U`; keepalived does), or neighbours go on
//! to send to the other one for up to 50 s.
//!
//! Every group may open ICMP sockets of the ordinary kind, as on most distributions
//! (`ping_group_range`, icmp(7)).
//!
//! # The code
//!
//! A row of this table imports from the rows below, and not from those above. The exception stands
//! with its reason in `tests/tests/tidy/walls.rs`, where a test keeps this order.
//!
//! | file or folder | role |
//! |---|---|
//! | `inspect/` | a lab seen from outside |
//! | `volume` | a volume with faults, as a test sees it |
//! | `cluster/` | nodes that run one service together |
//! | `nemesis/` | schedules of faults, carried out on a thread |
//! | `faults/` | what breaks a lab for as long as a guard lives |
//! | `log_rules` | texts that fail a trial when a program of the lab writes them |
//! | `router/` | what a test asks of a router: translations, firewalls, changes |
//! | `change/` | growth, removal, moves, and the end of a lab |
//! | `bring_up/` | from a topology to a lab: nodes, cables, settings, the wait until packets pass |
//! | `lab` | [`Lab`]: nodes, links and stacks by id |
//! | `lab_dir` | the files of a lab |
//! | `node/` | [`Node`]: processes, threads and futures in a node |
//! | `process/` | programs that run in nodes |
//! | `link/` | [`Link`]: two ends, and the carrier between them |
//! | `services/` | servers and clients of ours that run in nodes |
//! | `disk` | the processes that serve volumes with faults |
//! | `stack/` | network namespaces, and what is attached to their interfaces |
//! | `packet_filter/` | translation, firewalls and captive portals, as rules of the kernel |
//! | `schedules` | schedules of faults that are carried out, and how far each is |
//! | `first_process` | the processes that hold namespaces |
//! | `wait`, `barrier` | waits |
//! | `error` | [`LabError`] |
//! | `attempt/` | things that a lab tries, which errors name |
//! | `unfit/` | reasons why a node, link, program or lab cannot do what is asked of it |
//! | `failure` | reasons why something failed for another reason than an error number |
//! | `error_kind` | [`LabErrorKind`] |

mod attempt;
mod barrier;
mod bring_up;
mod change;
mod cluster;
mod disk;
mod error;
mod error_kind;
mod failure;
mod faults;
mod first_process;
mod inspect;
mod lab;
mod lab_dir;
mod link;
mod log_rules;
mod nemesis;
mod node;
mod packet_filter;
mod process;
mod router;
mod schedules;
mod services;
mod stack;
mod unfit;
mod volume;
mod wait;

pub use crate::events::Stream;
pub use crate::model::carrier::Carrier;
pub use barrier::Barrier;
pub use cluster::running::RunningCluster;
pub use cluster::spec::Cluster;
pub use error::{LabError, LabErrorKind, Result, Subject};
pub use faults::guard::FaultGuard;
pub use faults::view::LabView;
pub use inspect::inspection::{
    AddressEntry, Inspection, InterfaceCounters, InterfaceEntry, IpFamily, MountEntry,
    NeighbourEntry, ProcessEntry, RouteEntry, SocketEntry,
};
pub use inspect::namespaces::Namespace;
pub use inspect::settings::SettingEntry;
pub use lab::Lab;
pub use link::link::Link;
pub use log_rules::ALARMING;
#[cfg(feature = "toml")]
pub(crate) use nemesis::kept::{
    VARIABLE as SCHEDULE_VARIABLE, read_replacement as read_schedule, schedule_file,
    write as write_schedule,
};
pub use nemesis::run::ScheduleRun;
pub use nemesis::steps::ScheduleSteps;
pub use node::command::Command;
pub use node::node::Node;
#[cfg(feature = "tokio")]
pub use node::runtime::JoinHandle;
pub use process::log::Line;
pub use process::point::{PausePoint, Point};
pub use process::process::Process;
pub use process::program::{OnDrop, Output, Stdio};
pub use router::change::FirewallCounter;
pub use router::nat::RouterNat;
pub use router::nat_v6::RouterNatV6;
pub use router::nat64::RouterNat64;
pub use services::dhcp::dhcp::Dhcp;
pub use services::dhcp6::dhcp6::Dhcp6;
pub use services::dns::dns::Dns;
pub use services::ndp::advertiser::Advertiser;
pub use volume::{DiskSnapshot, LabDisk};
#[cfg(feature = "tokio")]
pub use wait::wait_until_async;
pub use wait::{Condition, wait_until};
