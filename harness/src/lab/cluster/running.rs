//! A cluster that runs: readiness, the leader, restarts one by one.

use std::fmt;
#[cfg(feature = "tokio")]
use std::future::ready;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::kernel::process::exit_kind::ExitKind;
use crate::lab::cluster::spec::ReadyCheck;
use crate::lab::cluster::unready::Unready;
use crate::lab::error::{LabError, Result, Subject};
use crate::lab::lab::Lab;
use crate::lab::node::node::Node;
use crate::lab::process::running::Running;
use crate::lab::stack::listening::ServerSocket;
use crate::lab::unfit::{UnfitLab, UnfitNode};
#[cfg(feature = "tokio")]
use crate::lab::wait::until_async;
use crate::lab::wait::{until, until_there_is};
use crate::topology::{NodeId, NodeSpec, StartCommand};
use crate::trial::patience::Deadline;
use crate::trial::time_scale::stretched;

/// A cluster that runs. A cluster is a [`Lab`] too.
pub struct RunningCluster {
    lab: Lab,
    members: Vec<NodeId>,
    ready: Vec<ReadyCheck>,
    patience: Duration,
}

/// Reason why a member is not ready.
enum NotReady {
    /// The member may be ready later.
    Yet(Unready),
    /// Nobody waits for the member: it is down, or a program of its start is dead, and nothing that
    /// is under way starts it again.
    Never(Unready),
}

impl From<Unready> for NotReady {
    fn from(why: Unready) -> Self {
        Self::Yet(why)
    }
}

impl RunningCluster {
    pub(crate) fn new(
        lab: Lab,
        members: Vec<NodeId>,
        ready: Vec<ReadyCheck>,
        patience: Duration,
    ) -> Self {
        Self {
            lab,
            members,
            ready,
            patience,
        }
    }

    /// Returns the members, in their order.
    pub fn members(&self) -> impl Iterator<Item = &Node> {
        self.members.iter().map(|id| &self.lab[*id])
    }

    /// Returns a member by its number, from 0 on.
    ///
    /// # Panics
    /// There are not so many members.
    pub fn member(&self, number: usize) -> &Node {
        &self.lab[self.members[number]]
    }

    /// Returns the names of the members, as faults and nemeses name them.
    pub fn names(&self) -> Vec<String> {
        self.members().map(|node| node.name().to_owned()).collect()
    }

    /// Returns the member that leads at present, and waits until there is one.
    ///
    /// # Errors
    /// The cluster was not told how to find a leader, or there is none in time.
    pub fn leader(&self) -> Result<&Node> {
        self.await_leader("a leader", |_| true)
    }

    /// Waits until a member leads that is not this one.
    ///
    /// # Errors
    /// As [`leader`](Self::leader).
    pub fn leader_other_than(&self, before: &Node) -> Result<&Node> {
        let what = format!("a leader other than `{}`", before.name());
        self.await_leader(&what, |leader| leader.id() != before.id())
    }

    fn await_leader(&self, what: &str, is_meant: impl Fn(&Node) -> bool) -> Result<&Node> {
        let look = self.look_for_leader(is_meant)?;
        let found = until_there_is(what, self.patience_for_members(), look);
        found.map_err(|error| error.with_ended(|| self.ended_badly()))
    }

    /// Returns a function that looks once for a leader.
    pub(super) fn look_for_leader<'c>(
        &'c self,
        is_meant: impl Fn(&Node) -> bool,
    ) -> Result<impl Fn() -> std::result::Result<&'c Node, String>> {
        let view = self.lab.view();
        let roles = self.lab.roles();
        if !roles.role_names().iter().any(|role| role == "leader") {
            return Err(LabError::unfit(Subject::Lab, UnfitLab::NoLeader));
        }
        Ok(move || {
            // During an election two members may both think that they lead; the first one is as
            // good.
            let leaders = roles.nodes_with("leader", &view).unwrap_or_default();
            let leader = &self.lab[*leaders.first().ok_or("no leader")?];
            match is_meant(leader) {
                true => Ok(leader),
                false => Err(format!("`{}` leads", leader.name())),
            }
        })
    }

    pub(super) fn patience_for_members(&self) -> Duration {
        stretched(self.patience)
    }

    /// Waits until all members are ready.
    ///
    /// A member that a fault in force has stopped, such as one of a schedule in the background, is
    /// waited for, since the heal starts it again; and so is a program. A command that says nothing
    /// of its readiness may have ended by a fault.
    ///
    /// # Errors
    /// A member is down, or a program of a member ended badly, and no heal starts it again; or a
    /// member is not ready in time. The error says which members are down, and has the last lines
    /// of each.
    pub fn wait_ready(&self) -> Result<()> {
        let numbers: Vec<usize> = (0..self.members.len()).collect();
        self.wait_for(&numbers)
    }

    /// Waits until a member is ready.
    ///
    /// # Errors
    /// As [`wait_ready`](Self::wait_ready).
    pub fn wait_member_ready(&self, number: usize) -> Result<()> {
        self.wait_for(&[number])
    }

    fn wait_for(&self, numbers: &[usize]) -> Result<()> {
        let deadline = Deadline::after(stretched(self.patience));
        for number in numbers {
            let mut missing = None;
            let left = deadline.at.saturating_duration_since(Instant::now());
            let is_ready = until(left, || self.verdict_on(*number, &mut missing));
            self.ready_or_error(*number, is_ready.ok(), missing, deadline.limit)?;
        }
        Ok(())
    }

    /// Waits as [`wait_for`](Self::wait_for) does, and lets other futures run meanwhile.
    #[cfg(feature = "tokio")]
    pub(super) async fn wait_for_async(&self, numbers: &[usize]) -> Result<()> {
        let deadline = Deadline::after(stretched(self.patience));
        for number in numbers {
            let mut missing = None;
            let left = deadline.at.saturating_duration_since(Instant::now());
            let look = || ready(self.verdict_on(*number, &mut missing));
            let is_ready = until_async(left, look).await;
            self.ready_or_error(*number, is_ready.ok(), missing, deadline.limit)?;
        }
        Ok(())
    }

    /// Returns whether a member is ready, or nothing if the member may be ready later. `missing` is
    /// what was seen last.
    fn verdict_on(&self, number: usize, missing: &mut Option<Unready>) -> Option<bool> {
        match self.look_at(number) {
            Ok(()) => Some(true),
            Err(NotReady::Yet(why)) => {
                *missing = Some(why);
                None
            }
            Err(NotReady::Never(why)) => {
                *missing = Some(why);
                Some(false)
            }
        }
    }

    fn ready_or_error(
        &self,
        number: usize,
        is_ready: Option<bool>,
        missing: Option<Unready>,
        limit: Duration,
    ) -> Result<()> {
        match is_ready {
            Some(true) => Ok(()),
            other => Err(self.never_ready(self.member(number), missing, other.is_some(), limit)),
        }
    }

    /// Returns the error of a cluster that is not ready. It takes the place of what the programs'
    /// ends would be told as.
    fn never_ready(
        &self,
        node: &Node,
        why: Option<Unready>,
        dead: bool,
        limit: Duration,
    ) -> LabError {
        let tell = |node: &Node| {
            let state = if node.is_running() { "" } else { "is down; " };
            format!("`{}`: {state}{}", node.name(), node.last_lines())
        };
        let lines: Vec<String> = self.members().map(tell).collect();
        self.members().for_each(|node| node.programs().expect_all());
        let why = why.map_or_else(String::new, |why| why.to_string());
        let seen = format!("`{}`: {why}\n{}", node.name(), lines.join("\n"));
        let subject = node.subject();
        match dead {
            // A program has ended there too, but that is not what is to be mended.
            _ if !node.is_running() => LabError::unfit(subject, UnfitNode::MemberDown { seen }),
            true => LabError::unfit(subject, UnfitNode::MemberLostProgram { seen }),
            false => LabError::timed_out("the members of the cluster to be ready", limit, seen),
        }
    }

    /// Looks once whether a member is ready.
    fn look_at(&self, number: usize) -> Result<(), NotReady> {
        let node = self.member(number);
        // The logs of a node that has crashed still say that its programs were ready.
        if !node.is_running() {
            if node.comes_back() {
                return Err(NotReady::Yet(Unready::Down));
            }
            // A restart may have ended between the two looks.
            if !node.is_running() {
                return Err(NotReady::Never(Unready::Down));
            }
        }
        // A test may have set other commands for a restart (`Node::set_commands`).
        let commands = node.started_commands();
        for (place, command) in commands.iter().enumerate() {
            // By the command and not by its place: one that has ended may be forgotten by now.
            let same = commands[..place].iter().filter(|it| *it == command);
            let running = node.programs().of_command(command, same.count());
            look_at_command(node, command, running.as_ref())?;
        }
        self.ready.iter().try_for_each(|check| check(node))?;
        Ok(())
    }

    /// Restarts all members, one by one, each when the one before is ready again.
    ///
    /// # Errors
    /// A member does not start again, or is not ready in time.
    pub fn rolling_restart(&self) -> Result<()> {
        (0..self.members.len()).try_for_each(|number| {
            // Members are restarted one at a time: a quorum has to remain while a member is away.
            self.member(number).restart()?;
            self.wait_member_ready(number)
        })
    }

    /// Restarts a member with the root filesystem and the commands of another specification, such
    /// as those of another version, and returns when the member is ready.
    ///
    /// Volumes stay, and so does what the member has written to its root filesystem: see
    /// [`Node::set_rootfs`]. An upgrade back to the first specification is a downgrade.
    ///
    /// ```no_run
    /// use snowglobe::Cluster;
    /// use snowglobe::prelude::*;
    /// use snowglobe::topology::StartCommand;
    ///
    /// #[snowglobe::test(fixtures("store-1", "store-2"))]
    /// fn versions_understand_each_other() -> TestResult {
    ///     let (old, new) = (Fixture::find("store-1")?, Fixture::find("store-2")?);
    ///     let member = |i: usize, version: &Fixture| {
    ///         let store = StartCommand::new("store").arg(format!("--number={i}"));
    ///         NodeSpec::new(format!("s{i}")).rootfs(version).command(store.ready_port(7000))
    ///     };
    ///     let cluster = Cluster::of(3, |i| member(i, &old)).start()?;
    ///     cluster.upgrade(0, member(0, &new))?;
    ///     // … two versions work together …
    ///     cluster.rolling_upgrade(|i| member(i, &new))?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// The specification differs in something else, its files are not there, the member does not
    /// start again, or it is not ready in time.
    pub fn upgrade(&self, number: usize, to: impl Into<NodeSpec>) -> Result<()> {
        let node = self.member(number);
        let mut to = self.lab.topology().upgraded(node.id(), to)?;
        // The restart does not wait for the readiness of each command, nor does the start of the
        // lab.
        for command in to.start_commands_mut() {
            command.is_waited_for_later = true;
        }
        node.set_version(to.root_filesystem(), to.start_commands())?;
        node.restart()?;
        self.wait_member_ready(number)
    }

    /// Upgrades all members, one by one, each when the one before is ready again: the function
    /// makes the specification of each, from 0 on.
    ///
    /// # Errors
    /// As [`upgrade`](Self::upgrade). The members after that one have their version from before.
    pub fn rolling_upgrade<S: Into<NodeSpec>>(&self, mut to: impl FnMut(usize) -> S) -> Result<()> {
        (0..self.members.len()).try_for_each(|number| self.upgrade(number, to(number)))
    }
}

/// Looks once whether a command of a member is ready, which runs as a program.
fn look_at_command(
    node: &Node,
    command: &StartCommand,
    running: Option<&Arc<Running>>,
) -> Result<(), NotReady> {
    let program = &command.program;
    let ports = command.ready_port.map(ServerSocket::Tcp);
    let udp = command.ready_udp_port.map(ServerSocket::Udp);
    let path = command.ready_socket.clone();
    let unix = path.map(|path| ServerSocket::Unix(path, node.pid()));
    let sockets: Vec<ServerSocket> = ports.into_iter().chain(udp).chain(unix).collect();
    let speaks = command.ready_notify || command.ready_log.is_some();
    // The end comes first: the port of a dead program is closed for ever. A program that has put
    // itself into the background ends well, and is ready.
    let end = running.and_then(|running| Some((running, running.ended()?)));
    if let Some((running, end)) = end.filter(|(_, end)| !end.success()) {
        let is_awaited = speaks || !sockets.is_empty();
        let why = Unready::Ended {
            program: program.clone(),
            how: ExitKind::from(end),
        };
        // The program may have been started again since the look, and is another one by now.
        let starts_again =
            running.is_excused() || node.comes_back() || !node.programs().has(running);
        match (starts_again, is_awaited) {
            (true, true) => return Err(NotReady::Yet(why)),
            (false, true) => return Err(NotReady::Never(why)),
            (false, false) if !running.is_expected() => return Err(NotReady::Never(why)),
            // Nobody waits for the program, and somebody has asked for its end.
            (_, false) => {}
        }
    }
    for socket in &sockets {
        let look = node.stack().look_once(socket);
        look.map_err(|missing| Unready::Socket {
            program: program.clone(),
            missing,
        })?;
    }
    let running = || {
        let program = program.clone();
        running.ok_or(Unready::NotRunning { program })
    };
    if command.ready_notify {
        let notified = running()?.has_notified();
        notified.map_err(Unready::NotNotified)?;
    }
    if let Some(text) = &command.ready_log {
        let found = running()?.log().find(text, Instant::now());
        found.map_err(|_| Unready::NotWritten {
            program: program.clone(),
            text: text.clone(),
        })?;
    }
    Ok(())
}

impl Deref for RunningCluster {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

impl fmt::Debug for RunningCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningCluster")
            .field("members", &self.names())
            .finish_non_exhaustive()
    }
}
