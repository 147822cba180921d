//! A sealed little world for every test.
//!
//! Tests of network software fight over ports, leave daemons behind, and need root to build the
//! network they are about. With snowglobe each test case, a *trial*, gets its own USER, NET, MNT,
//! UTS, IPC and PID namespaces. A hundred of them bind port 80 at the same time; nothing of it
//! reaches the host, and nothing is left when the run ends, however it ends. No root is needed.
//!
//! # A first test
//!
//! In `Cargo.toml`:
//!
//! ```toml
//! [dev-dependencies]
//! snowglobe = { git = "…" }      # the repository: no registry has the crate yet
//!
//! [[test]]
//! name = "net"
//! harness = false
//! ```
//!
//! In `tests/net.rs`:
//!
//! ```no_run
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//!
//! use snowglobe::TestResult;
//!
//! #[snowglobe::test]
//! fn port_80_is_mine() -> TestResult {
//!     let listener = TcpListener::bind("0.0.0.0:80")?;
//!     TcpStream::connect("127.0.0.1:80")?.write_all(b"hi")?;
//!     let mut heard = String::new();
//!     listener.accept()?.0.read_to_string(&mut heard)?;
//!     assert_eq!(heard, "hi");
//!     Ok(())
//! }
//!
//! snowglobe::main!();
//! ```
//!
//! Run `cargo test` or `cargo nextest run`: to both this is a test program like any other.
//! Without `harness = false` (as in unit tests) the same attribute works too, at the price of one
//! more program start per trial.
//!
//! # An existing suite in three minutes
//!
//! Add the dev-dependency, and say once which tests are to be trials. Nothing else changes: the
//! standard harness stays, names stay, `cargo test` and nextest run the suite as before.
//!
//! | tests | what to write |
//! |---|---|
//! | all `#[test]`s of a file | `use snowglobe::test;` at its top |
//! | all tests of `mod tests { … }` | [`#[snowglobe::isolate]`](macro@isolate) above the module |
//! | one test | `#[snowglobe::test]` in the place of `#[test]` or `#[tokio::test(…)]` |
//! | of another runtime, as `#[async_std::test]` | `#[snowglobe::test]` in the line above |
//! | on libtest-mimic | `snowglobe::mimic::trial` for `libtest_mimic::Trial::test` |
//!
//! The last takes the feature `libtest-mimic`. The others know `#[test]`, `#[tokio::test]` with its
//! options, rstest and what is named below.
//!
//! The command `snowglobe fix` (`cargo install --path harness/cli`, in a clone) does it for all
//! tests of a package: one line above each test, and the dev-dependency. It shows a diff first,
//! names each test that stays as it is, and takes everything back with `--undo`.
//!
//! Some tests cannot be converted so:
//!
//! - Tests in documentation, and programs without a test harness. A runner isolates these as a
//!   whole.
//! - A `#[test]` outside of `#[cfg(test)]` in a library: the library is also built without
//!   dev-dependencies, and rustc says "unresolved module or unlinked crate `snowglobe`". Move the
//!   test into `#[cfg(test)] mod tests { … }`, or write `#[cfg_attr(test, snowglobe::test)]`, as
//!   `snowglobe fix` does.
//! - `#![snowglobe::isolate]` at the top of a file: Rust has no such attributes yet. Write
//!   `use snowglobe::test;` there.
//! - Tests for other systems only, as below `#[cfg(windows)]`: they do not run on Linux.
//! - Tests that share a server: each trial has a network of its own. Start the server in each.
//!
//! With a `main` of ours (`snowglobe::main!()`) a suite is faster: a trial starts no program.
//!
//! cargo raises the versions of `Cargo.lock`, but none that a manifest pins (`libc = "=0.2.132"`).
//! It says "all possible versions conflict with previously selected packages" for a pinned libc
//! below 0.2.171, bitflags 2.4, serde 1.0.225 or, with our default feature `tokio`, tokio 1.46.
//! A test program takes 125 MB with the debug information of this crate and what it brings, and
//! 34 MB without. `snowglobe init` and `snowglobe fix` leave that out, by the settings
//! `[profile.dev.package]` in the `Cargo.toml` of the workspace, which README.md shows.
//!
//! # What a trial finds
//!
//! | | |
//! |---|---|
//! | user | root over its own namespaces, or an ordinary user; an ordinary user outside |
//! | network | `lo`, up, all ports and abstract socket names free; multicast groups need a node |
//! | files | the host's, read-only; the workspace and the target directory as they are, writable |
//! | `/tmp`, `/run`, `/dev/shm` | empty, private, at most 1 GB each |
//! | `/proc`, `/sys`, `/dev` | fresh; harmless devices only, and those that can be opened |
//! | hostname | its own, made of its name; it resolves to `lo` |
//! | processes | its own; the first is a small init that reaps, and the test is a child of it |
//! | process ids | apart from those of other trials and of nodes, as are names made of them |
//! | working directory, environment | as cargo gave them |
//! | open files | as many as the hard limit permits; see below |
//!
//! The soft limit of open files of a login, mostly 1,024, is raised to the hard limit for trials.
//! A program that a test starts by [`std::process::Command`] or `fork`, or in a node, has the soft
//! limit of the user again: `select(2)` cannot handle more.
//!
//! # The same result on every host
//!
//! A new network takes settings from the host: a host with Docker would make every node forward.
//! So the networks of trials and nodes begin with the kernel's own defaults, on every host alike,
//! and the topology may change them ([`NodeSpec::sysctl`](topology::NodeSpec::sysctl)):
//!
//! | settings | value |
//! |---|---|
//! | `net.ipv4.conf`, `net.ipv6.conf` | those of Linux 6.18: `forwarding` 0, `rp_filter` 0, … |
//! | `net.ipv4.tcp_rmem`, `net.ipv4.tcp_wmem` | `4096 131072 33554432`, `4096 16384 4194304` |
//! | `net.ipv4.tcp_congestion_control` | `cubic`, where the host permits it to everybody |
//! | `net.ipv4.neigh`, `net.ipv6.neigh`, of interfaces of nodes | those of Linux |
//!
//! [`Lab::inspect`] shows which settings of a node differ. What belongs to the host as a whole
//! (`net.core.rmem_max`) stays as it is; the report and `cargo xtask doctor` name what is unusual.
//!
//! The kernel counts some things for a user or for the host, whatever namespaces there are. Each
//! trial is given room for four inotify instances. A run that root starts has as many users of its
//! own as its trials need for that. An ordinary user is one user: where the limit
//! (`fs.inotify.max_user_instances`) leaves room for fewer trials, fewer run at a time, and the
//! report says so; with `--ignore-budgets` all run that were asked for. Nodes of a lab that could
//! learn more than 16 neighbours know them from the start, for the kernel learns no more than
//! 1,024 for all labs of the host ([`Neighbours`](topology::Neighbours)). A trial that fails while
//! such a limit is reached has a note with its name, its value and the remedy.
//!
//! # Options
//!
//! `#[snowglobe::test(…)]` takes, separated by commas:
//!
//! | option | |
//! |---|---|
//! | `timeout = "30s"` | a trial that hangs is shown and killed; 60 s, or `SNOWGLOBE_TIMEOUT` |
//! | `ignore`, `ignore = "why"` | run only with `--ignored` or `--include-ignored` |
//! | `should_panic`, `should_panic = "text"` | a panic (with this text) is a pass |
//! | `name = "…"` | instead of the function's path |
//! | `seed = 42` | what [`seed`] gives, instead of one derived from the run's and the name |
//! | `seeds = 50` | runs with 50 seeds side by side: see "Many seeds" below |
//! | `starved = "inconclusive"` | has no verdict of a starved machine: see "Slow machines" below |
//! | `requires(netem, fixture("x"))` | ignored, with the reason, where a [`Feature`] is missing |
//! | `fixtures("nginx", "redis")` | the same, for fixtures |
//! | `isolation(net)`, `isolation(!net)` | these namespaces, or all but these: [`Isolation`] |
//! | `threads = 4` | counts as four trials against `--test-threads` |
//! | `exclusive` | runs while nothing else runs |
//! | `group = "gpu"` | runs while no other trial of the group runs |
//! | `allow_panics` | a panic on another thread or in a task is no failure by itself |
//! | `nested` | may make user namespaces of its own |
//! | `user = "nobody"`, `user = 1000` | runs as this user, without capabilities, in its own home |
//! | `home = "private"` | `HOME` is an empty, writable directory of the trial's own |
//! | `flavor`, `worker_threads` | the runtime of an `async` test, as in `tokio::test` |
//! | `start_paused = true` | as in `tokio::test`; takes tokio's feature `test-util` |
//! | `crate = "mine::snowglobe"` | for a crate that re-exports this one; first in `main!` too |
//!
//! Programs and files that tests need from outside are fixtures: [`fixtures`] shows how a project
//! has its own. With `SNOWGLOBE_REQUIRE=1` a trial whose needs are missing fails. A fixture that
//! no manifest declares fails the trial everywhere.
//!
//! `#[ignore]` and `#[should_panic]` below the attribute mean what they always mean.
//!
//! # Beside other attributes
//!
//! Attributes that make tests work with ours: write `#[snowglobe::test]` above them. Each case is a
//! trial of its own, with or without `harness = false`.
//!
//! ```ignore
//! #[snowglobe::test(timeout = "5s")]
//! #[test_case(80)]
//! #[test_case(443 ; "https")]
//! fn binds(port: u16) -> TestResult {
//!     TcpListener::bind(("0.0.0.0", port))?;
//!     Ok(())
//! }
//! ```
//!
//! The same holds for `rstest`, `test_case`, `test_log::test`, `googletest::gtest`, `yare`,
//! `parameterized`, `quickcheck`, and for the `test` of tokio, `actix_rt`, `async_std` and other
//! runtimes. Where a macro writes `#[test]` itself, as `quickcheck! { … }`, `use snowglobe::test;`
//! in its module makes trials of its tests. Write `#[snowglobe::test]` for `#[test]` in
//! `proptest! { … }`, and in modules of `rstest`'s cases, where rustc calls `#[test]` ambiguous.
//!
//! A target with `harness = false` runs trials only: rustc drops all other tests from it. If there
//! are any, whatever attribute or macro has made them, the target does not compile, and the error
//! names each with its file and line. To know them, the macros let the compiler expand the target
//! once more; without `harness = false` they do so where attributes of other crates stand beside
//! ours.
//!
//! # Ordinary users
//!
//! Root of a trial opens files of mode 000, binds to port 80 and gives files away, so that a test
//! of "permission denied" fails. With `user = "…"` the test, its threads and its programs are an
//! ordinary user without capabilities, whether root or an ordinary user runs the tests. That user
//! has a private home, and in the trial owns the files of whoever runs the tests, such as the
//! workspace. `--user` or `SNOWGLOBE_USER` (by `[env]` in `.cargo/config.toml`) sets the user of a
//! whole program or a whole workspace; `user = "root"` makes an exception.
//!
//! Such a test has labs too. Programs of its nodes are root there. Code of the test in a node
//! ([`run`](lab::Node::run), [`spawn`](lab::Node::spawn)) is the user, who may administer the
//! node's network and bind any port, and for whom the node's files are as closed as on a host. A
//! program of a node that runs as one more user, and a node with users of its own, need the option
//! `nested`.
//!
//! In a lab, programs run as other users by [`user`](lab::Command::user), whatever ids the trial
//! has. A daemon that starts as root and changes its user by itself needs more ids than the one
//! that every user has: root's trials have 65,536, and those of an ordinary user as many as
//! `/etc/subuid` and `/etc/subgid` give, where `newuidmap` is installed. Where an id is missing,
//! the report of the failed trial names the daemon and the id.
//!
//! # Verdicts
//!
//! A trial passes only if its function has returned (`Ok`) and its process has then ended cleanly.
//! `exit(0)` in a test fails, as do an abort, a crash, or a kill, each with its code or signal. A
//! panic that the test catches is no failure, even if a [`std::thread::scope`] or `resume_unwind`
//! has passed the panic on from another thread. (The panic of a scope stands for those of all other
//! threads before it.) Any other panic on another thread or in a spawned task is a failure,
//! whatever the panic hook. A test that closes descriptors of others, as `close_range(3, ~0)` does,
//! is told so beside its verdict. However a test fails, the report begins with the servers that had
//! died. A process that the test has forked ends nothing of its labs. Processes that outlive the
//! test are reported and killed. What the whole process tree writes is captured and shown when the
//! trial fails. A test can have a [`note`] shown beside its verdict, and be told of it [`at_end`].
//!
//! A trial that hangs is shown with a backtrace of its test function, from which the frames of this
//! crate and of the runtime are left out and counted (`RUST_BACKTRACE=full` shows all).
//!
//! At the end of a trial its process ends as after `main`: thread-local values are dropped,
//! handlers of `atexit(3)` and C++ destructors run, counters of coverage are written.
//!
//! # How tests may be built
//!
//! Tests are built for Linux with the GNU C library, on x86_64 and aarch64; the program under test
//! may be built for any target. Static linking (`-C target-feature=+crt-static`) works. With `-C
//! panic=abort` a trial that panics has the same verdict as with unwinding. Coverage is counted as
//! in any test program, by `cargo llvm-cov` or by hand (`RUSTFLAGS="-C instrument-coverage"`). A
//! profile is written for each trial and for each program that it starts. Where `LLVM_PROFILE_FILE`
//! names the profiles, it names them in the workspace: a trial writes nowhere else.
//!
//! AddressSanitizer, with the LeakSanitizer that is part of it, finds the errors of a test in its
//! own trial. LeakSanitizer says there that a thread "was not suspended": the thread is one of the
//! runner's, and none of its memory is missed. LeakSanitizer needs
//! `ASAN_OPTIONS=fast_unwind_on_malloc=0`: it passes over memory whose allocation it cannot trace,
//! as on the thread of a test. LeakSanitizer by itself (`-Zsanitizer=leak`) reports 32 bytes of
//! `__cxa_thread_atexit_impl` that belong to a thread of the runner.
//! ThreadSanitizer finds races too; as everywhere, it needs a standard library that was built with
//! it (`-Z build-std`), and reports races that are none without.
//!
//! Valgrind does not know the system calls that make namespaces: start the program under test with
//! it, in a trial.
//!
//! # Process ids
//!
//! In a PID namespace of its own every process would be number 2. So each trial, and each node of a
//! lab, counts from a number of its own, as far from the others of the run as `kernel.pid_max`
//! allows: with the usual 4,194,304 a thousand trials have 4,000 numbers each. A node that is
//! restarted counts from another number than before. A kernel that was built without
//! CONFIG_CHECKPOINT_RESTORE counts from 2 everywhere.
//!
//! # Tests that start their own program
//!
//! A test may start its own program again, as `current_exe() --exact child_case`. Within a trial
//! that program is in the world of the trial, and runs the test function as it would without
//! isolation: in its own process, with the stdin, the signals and the exit code of an ordinary
//! child. Such a child makes no labs. The children of a trial with the option `nested` make
//! sandboxes of their own.
//!
//! # Debuggers, global runtimes, captures
//!
//! The body of a trial is a grandchild of the program, so a debugger has to follow it there. The
//! time limit goes on while a debugger holds the body, so give it more:
//!
//! ```console
//! $ gdb -ex 'set follow-fork-mode child' -ex 'break net.rs:12' -ex run \
//!     --args target/debug/deps/net-… --exact port_80_is_mine --timeout 1h
//! ```
//!
//! A thread stays in the namespaces of the thread that started it. So a global runtime or a pool of
//! connections that is first used within [`lab::Node::run`] has its threads in that node. Whatever
//! runs on these threads later uses the network of that node, whoever asks. So give each node a
//! runtime of its own, or start a global one before the first visit.
//!
//! A capture shows frames as the sender's kernel hands them to its network card: a stream comes in
//! frames of up to 64 KB, and checksums are complete. See [`observe`].
//!
//! # Names and addresses
//!
//! Nodes know each other by their hosts files. Where a node is a name server
//! ([`NodeSpec::dns`](topology::NodeSpec::dns)), they ask it instead, and for the zones that the
//! test gives: see [`dns`], which also says how to break it.
//!
//! The plan gives each interface its addresses. A node can have them by DHCP instead, from a node
//! that is a server: see [`dhcp`] for IPv4, and [`dhcp6`] for IPv6 and for prefixes that routers
//! are delegated. IPv6 addresses come from routers that advertise themselves too: see [`ndp`].
//!
//! # Histories that are checked
//!
//! Whether a cluster keeps its promises shows only in what several clients saw at the same time.
//! The feature `history` has a recorder for their operations, and checks: linearizability of
//! registers, maps, sets, queues and models of your own, session guarantees, lost and duplicate
//! elements, isolation of transactions. Reads may be permitted to be behind by a time, as of a
//! replica: `Linearizability::stale_by`. A violation is shown as the fewest operations that
//! contradict each other, on a timeline with the faults of the lab. See the module `history`.
//!
//! [`Lab::forbid_in_logs`] fails a trial in which a program wrote `panic`, `DATA RACE` or the like,
//! whatever the test itself found.
//!
//! # Disks that break
//!
//! `Volume::named("data").with_faults()` is the disk of one node, which a test can break while the
//! daemon runs, by [`Fault::disk`](fault::Fault::disk) and a [`DiskFault`](fault::DiskFault): full,
//! read-only, slow, failing, with flipped bits or files that lost their ends. [`Lab::disk`] gives
//! snapshots. When the node [crashes](lab::Node::crash), the disk loses what was not synced:
//!
//! - A sync of a file keeps its data, and all earlier changes to directories, as ext4 promises
//!   (`data=ordered`). The data of other files are lost, so that a file which was renamed over
//!   another one without a sync of its own may be empty. `sync_file_range(2)` makes nothing
//!   durable.
//! - `syncfs(2)` makes all of its disk durable, and `sync(2)` all disks of the node.
//! - With [`Unsynced::PartLost`](topology::Unsynced) the trial's seed chooses the blocks and the
//!   changes that survive, and with `DiskFault::Torn` the sectors within a block.
//! - [`kill_processes`](lab::Node::kill_processes) loses nothing: the node's kernel lives.
//!
//! A full or read-only disk refuses the write itself. A write of another kind than `write(2)`,
//! `writev(2)` and their kin (`io_uring`, `sendfile(2)`) learns of it by the next sync, and so does
//! every write that a failing device loses, as on any disk. A file that is open while its end
//! vanishes shows its old size until it is opened again. Extended attributes are refused.
//!
//! The disk is a filesystem in memory, of at most 1 GiB, served through FUSE by a process of the
//! trial, for ordinary users too. It takes `/dev/fuse`, which distributions let everybody open;
//! where it cannot be opened, the lab's start fails and says so. A test with the option `user` is
//! refused, for it may mount nothing in its trial.
//!
//! # Behind a NAT
//!
//! A router translates as its [`NatSpec`](topology::NatSpec) says, in the terms of RFC 4787:
//! mapping, filtering, ports, hairpinning, timeouts; `topology::nat::preset` has what has been
//! observed. nftables carries the NAT where Linux behaves as asked, and a NAT of snowglobe on the
//! wire of the uplink all else. [`Lab::nat`](lab::Lab::nat) tells the mappings, and flushes them.
//! Ports that hosts ask for (NAT-PMP, PCP, UPnP), prefixes of IPv6 exchanged, NAT64, DNS64 and
//! 464XLAT are in the guide of [`topology`].
//!
//! # How often a test fails
//!
//! `--stress 1000` or `--stress 5m` (`SNOWGLOBE_STRESS` under nextest or the standard harness) runs
//! copies of each trial side by side, each with a seed of its own, until one fails. The report has
//! the first failure, with the line that repeats it, and the rate of failure with what so many runs
//! say about it: `3 of 117 runs failed: 2.6 %, between 0.88 % and 7.3 %`. Trials of one
//! group, and trials that need the machine, run one copy after the other. `snowglobe exec --stress`
//! does the same for any program.
//!
//! # Many seeds
//!
//! All random choices of this crate come from the [`seed`] of the trial: losses and delays of
//! links, schedules of faults. So a trial tries other choices with another seed, and the same ones
//! with the same seed. `#[snowglobe::test(seeds = 50)]` runs a trial with 50 seeds side by side,
//! and `SNOWGLOBE_RUNS=200` (or `--runs 200`) runs each trial with 200, until one fails. The report
//! has the first failure, and for each seed that failed one line to copy:
//!
//! ```text
//! run it again: SNOWGLOBE_SEED=3141592660 cargo test -p server --test net -- --exact 'elects'
//! ```
//!
//! The first seed is that of the run: random, or `SNOWGLOBE_SEED`. The next one is greater by one.
//! Where `SNOWGLOBE_SEED` is given without `SNOWGLOBE_RUNS`, each trial runs with that seed alone.
//! A trial with `seed = 42` runs once. In JSON, `failed_seeds` has the seeds; in JUnit, so do
//! properties of that name.
//!
//! # The smallest schedule that fails
//!
//! A trial that fails under a [nemesis](fault::Nemesis) has a dozen faults, of which one or two
//! matter. `--shrink` (`SNOWGLOBE_SHRINK=1`) runs such a trial again with its seed and with ever
//! smaller schedules, side by side: fewer faults, on fewer nodes, shorter, later. A smaller
//! schedule counts if the trial fails with it at the same place in 9 of 10 runs, or nearly as often
//! as with the whole schedule if that is less. The report has what is left: as sentences, as TOML
//! for [`Schedule::from_toml`](fault::Schedule::from_toml) in a regression test, and as a line to
//! copy, which runs the trial with that schedule. Ctrl-C ends the search with what it has found.
//! `--shrink` goes together with many seeds: the first failure is shrunk.
//!
//! # The same seed twice
//!
//! `--twice` (`SNOWGLOBE_TWICE=1`) runs each trial two times with one seed, and fails it if the two
//! runs differ: in the verdict, the addresses of labs, the schedules of faults, or the events of
//! labs. The report shows the first difference. Times are left out, also those that programs write
//! in their logs; so are process ids, and the order between programs, which the kernel decides.
//!
//! # Slow machines
//!
//! `SNOWGLOBE_TIME_SCALE=3` (or `--time-scale 3`) makes every wait and time limit of this crate
//! three times as long: the patience of labs, [`wait_until`](lab::wait_until) and its like, time
//! limits of trials and of `snowglobe exec`. A wait that was in vain says what it has seen last.
//!
//! A trial that fails while the machine was starved has a note on that where its failure is
//! described, and not on the line of its verdict: for most of the trial's time some thread of the
//! machine waited for a processor, as the kernel counts it (`/proc/pressure/cpu`; a kernel without
//! CONFIG_PSI counts nothing, and then there is no note).
//! With the option `starved = "inconclusive"` such a trial is inconclusive, whether it would have
//! passed or failed. It is counted by itself (in JUnit as an error), and such a run exits with 75
//! if no trial has failed. Other trials keep the machine busy too, so that this option is best
//! beside `exclusive`.
//!
//! # Distributed systems under fire
//!
//! A [`Cluster`] starts nodes that need each other. A [`Nemesis`](fault::Nemesis) draws faults and
//! their times from the trial's seed, and [`Lab::nemesis`] carries them out beside the test. Their
//! guide is that of the module [`fault`].
//!
//! # Trials made at run time
//!
//! A suite may need one trial for each file of a corpus, or for each cell of a matrix. [`main!`]
//! takes functions that make trials, beside those of the attribute:
//!
//! ```no_run
//! use snowglobe::Trial;
//!
//! fn ports() -> Vec<Trial> {
//!     let bind = |port: u16| std::net::TcpListener::bind(("0.0.0.0", port)).map(drop);
//!     let trial = |port| Trial::test(format!("binds::port_{port}"), move || bind(port));
//!     [1, 80, 443].map(trial).into()
//! }
//!
//! snowglobe::main!(ports);
//! ```
//!
//! # Differences to libtest and nextest
//!
//! | | libtest | nextest | snowglobe's runner |
//! |---|---|---|---|
//! | a test is | a thread | a process | a process with namespaces of its own |
//! | a test passes | if it returns | if it exits with 0 | if it returns and its process ends |
//! | a panic on another thread | is ignored | is ignored | is a failure (`allow_panics`) |
//! | `exit(0)` in a test | ends the run as passed | is a pass | is a failure |
//! | processes left behind | stay | are reported as a leak | are named and killed |
//! | a test that hangs | is named | is killed if configured | is shown and killed |
//! | output | of the test's own thread, by `print!` | of the process | of the whole process tree |
//! | statics, working directory, environment | shared by all tests | of each test | of each test |
//! | the host's files | writable | writable | read-only but for the workspace |
//! | the network | the host's | the host's | `lo` alone; labs have more |
//! | doctests, benchmarks | run | do not run | do not run |
//!
//! Under nextest a trial has the world and the verdict of our runner; time limits, retries and
//! reports are nextest's besides. Starts that are alike share a process of which trials are copies.
//! `--test-threads`, `--skip`, `--exact`, `--ignored`, `--nocapture`, `--list` are as in libtest.
#![forbid(unsafe_code)]
// A new variant of an enum of ours must be named by the compiler wherever the variant matters.
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]
#![warn(
    clippy::print_stdout,
    reason = "stdout belongs to the runner's reports"
)]

#[cfg(feature = "tokio")]
mod attempts;
mod before_main;
pub mod dhcp;
pub mod dhcp6;
pub mod dns;
pub mod doctor;
pub mod events;
#[doc(hidden)]
pub mod exec;
pub mod fault;
mod files;
pub mod fixtures;
#[cfg(feature = "history")]
pub mod history;
pub mod impair;
pub mod lab;
#[cfg(feature = "libtest-mimic")]
pub mod mimic;
pub mod ndp;
mod netem;
pub mod observe;
mod probe;
mod remedy;
mod runner;
mod sandbox;
mod trial;
mod wire;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
pub mod prelude;
pub mod topology;

pub(crate) use snowglobe_kernel as kernel;
pub(crate) use snowglobe_model as model;

pub use lab::{Cluster, Lab, LabError};
pub use probe::Missing;
pub use runner::{Arguments, Color, Conclusion, Format, RunError, Stress, registered, run};
pub use snowglobe_fixtures::Fixture;
pub use snowglobe_macros::{isolate, main, test};
pub use trial::{
    Failed, Feature, Isolation, Need, Options, Outcome, ShouldPanic, TestResult, Trial, Weight,
    at_end, note, seed, trial_name,
};
