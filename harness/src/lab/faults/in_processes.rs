//! Faults of the processes of a node: programs that are killed or stopped, and processes that lack
//! what they ask the kernel for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::impair::Percent;
use crate::kernel::process::limits::{ProcessLimit, data_of, set_soft_limit};
use crate::kernel::process::signal::Signal;
use crate::kernel::procfs::process_table;
use crate::lab::error::{LabError, LabErrorKind, Result, Subject};
use crate::lab::faults::guard::{FaultThread, Healing};
use crate::lab::node::node::Node;
use crate::lab::process::running::{LAST_WORDS, Running};
use crate::lab::wait::wait_until;
use crate::trial::time_scale::stretched;

/// Finds the programs of a node that go by a name.
fn programs(node: &Node, name: &str) -> Result<Vec<Arc<Running>>> {
    let alive = node.programs().alive();
    let found = alive.iter().filter(|running| running.is_called(name));
    let found: Vec<Arc<Running>> = found.cloned().collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let others: Vec<String> = alive.iter().map(|it| format!("`{}`", it.label())).collect();
    let why = match others.is_empty() {
        true => format!("runs no program `{name}`, and no other program either"),
        false => format!("runs no program `{name}`; it runs {}", others.join(", ")),
    };
    let subject = Subject::Node(node.name().to_owned());
    Err(LabError::unfit(LabErrorKind::NotFound, subject, why))
}

/// Programs that were killed, and are started again.
pub(crate) struct Killed {
    node: Arc<Node>,
    programs: Vec<Arc<Running>>,
}

impl Killed {
    pub(crate) fn new(node: &Arc<Node>, name: &str) -> Result<Self> {
        let programs = programs(node, name)?;
        for running in &programs {
            // The death is the test's wish, and must not fail the trial.
            running.expect();
            // A program that has just ended is as dead as one that was killed.
            let _ = running.signal(Signal::SIGKILL as i32);
        }
        for running in &programs {
            // A process in an uninterruptible call dies later, and does nothing more meanwhile. It
            // is waited for long: until then it has its ports, which the next one of its name
            // needs, and another fault would kill it, and start it, once more. After a wait of
            // 1 s, a program found its port in use at a load of 100 on 2 cores (seen 2026-11-30).
            let _ = running.ended_by(Some(Instant::now() + stretched(10 * LAST_WORDS)));
        }
        Ok(Self {
            node: Arc::clone(node),
            programs,
        })
    }
}

impl Healing for Killed {
    fn heal(self: Box<Self>) -> Result<()> {
        let Self { node, programs } = *self;
        // A restart of the node has started its programs by itself.
        let is_as_it_was = |running: &&Arc<Running>| node.programs().has(running);
        if node.is_removed() || !node.is_running() {
            return Ok(());
        }
        for running in programs.iter().filter(is_as_it_was) {
            node.start_again(running.again())?;
        }
        Ok(())
    }
}

/// Programs that are stopped.
pub(crate) struct StoppedPrograms(Vec<Arc<Running>>);

impl StoppedPrograms {
    pub(crate) fn new(node: &Node, name: &str) -> Result<Self> {
        let stopped = Self(programs(node, name)?);
        for running in &stopped.0 {
            // A program that cannot be stopped drops those before it, which go on.
            stop(running)?;
        }
        Ok(stopped)
    }
}

/// Stops a program, and waits until all its threads have stopped.
pub(crate) fn stop(running: &Running) -> Result<()> {
    let failed = |e: &std::io::Error| LabError::io(format!("stop `{}`", running.label()), e);
    running
        .signal(Signal::SIGSTOP as i32)
        .map_err(|e| failed(&e))?;
    let Some(pid) = running.pid_in_trial() else {
        return Ok(());
    };
    // A thread in a system call stops on its way out of the call.
    wait_until(LAST_WORDS, || process_table::is_stopped_or_dead(pid))
}

/// Lets a program go on that was stopped.
pub(crate) fn go_on(running: &Running) {
    // A program that has ended needs no signal.
    let _ = running.signal(Signal::SIGCONT as i32);
}

impl Healing for StoppedPrograms {
    fn heal(self: Box<Self>) -> Result<()> {
        drop(self);
        Ok(())
    }
}

impl Drop for StoppedPrograms {
    fn drop(&mut self) {
        self.0.iter().for_each(|running| go_on(running));
    }
}

/// Processes with a limit that is lower than before.
pub(crate) struct Limited {
    node: Arc<Node>,
    limit: ProcessLimit,
    /// Process ids in the trial, with the limits before.
    before: Vec<(i32, u64)>,
}

impl Limited {
    /// Lets the processes of a node open no more files than `limit`.
    pub(crate) fn descriptors(node: &Arc<Node>, limit: u64) -> Result<Self> {
        Self::new(node, ProcessLimit::OpenFiles, |_| Some(limit))
    }

    /// Gives the processes of a node no more memory than they have, and `spare_kb` each.
    pub(crate) fn memory(node: &Arc<Node>, spare_kb: u64) -> Result<Self> {
        let spare = spare_kb << 10;
        let lowered = |pid| Some(data_of(pid)?.saturating_add(spare));
        Self::new(node, ProcessLimit::Data, lowered)
    }

    fn new(
        node: &Arc<Node>,
        limit: ProcessLimit,
        lowered: impl Fn(i32) -> Option<u64>,
    ) -> Result<Self> {
        let mut limited = Self {
            node: Arc::clone(node),
            limit,
            before: Vec::new(),
        };
        for pid in processes(node) {
            // A process that is about to end has no memory any more.
            let Some(soft) = lowered(pid) else { continue };
            match set_soft_limit(pid, limit, soft) {
                Ok(before) => limited.before.push((pid, before)),
                Err(_) if process_table::is_stopped_or_dead(pid) => {}
                Err(errno) => {
                    limited.end();
                    let what = format!("lower a limit of process {pid} of node `{}`", node.name());
                    return Err(LabError::refused(what, errno).about_node(node.name()));
                }
            }
        }
        // A limit that nobody has would be a fault that never shows.
        if limited.before.is_empty() {
            let subject = Subject::Node(node.name().to_owned());
            let why = "runs no process whose limits could be lowered";
            return Err(LabError::unfit(LabErrorKind::NotFound, subject, why));
        }
        Ok(limited)
    }

    fn end(&self) {
        let most = self.before.iter().map(|(_, before)| *before).max();
        for pid in processes(&self.node) {
            // A process that was started meanwhile has the limits of its parent.
            let own = self.before.iter().find(|(other, _)| *other == pid);
            if let Some(before) = own.map(|(_, before)| *before).or(most) {
                // A process that has ended needs no limit.
                let _ = set_soft_limit(pid, self.limit, before);
            }
        }
    }
}

/// Returns the processes of a node, by their ids in the trial, without the node's first process.
fn processes(node: &Node) -> Vec<i32> {
    let first = node.pid().map(u32::cast_signed);
    first.map(process_table::descendants).unwrap_or_default()
}

impl Healing for Limited {
    fn heal(self: Box<Self>) -> Result<()> {
        self.end();
        Ok(())
    }
}

/// Time in which a slow node runs and is stopped once. Shorter periods would make the signals
/// themselves a load, and longer ones would look like pauses to programs with time-outs.
const PERIOD: Duration = Duration::from_millis(50);

/// Stops the processes of a node for a part of each period, until the result is dropped.
///
/// A limit of the kernel (`cpu.max`) takes a cgroup of version 2 with the controller for
/// processors, which few hosts delegate to users. Signals are permitted everywhere.
pub(crate) fn slow(node: &Arc<Node>, share: Percent) -> Result<FaultThread> {
    if !share.is_share() || share.fraction() == 0.0 {
        let subject = Subject::Node(node.name().to_owned());
        let why = format!("cannot have a share of {share} of a processor");
        return Err(LabError::invalid(subject, why));
    }
    // The node is paused first, so that the fault is in force when this returns.
    node.pause()?;
    let paused = Arc::clone(node);
    let runs = PERIOD.mul_f64(share.fraction());
    let thread = FaultThread::start("slow node", "slows a node", move |is_over| {
        loop {
            let over_while_stopped = is_over(PERIOD.saturating_sub(runs));
            // A node that crashed meanwhile has nothing to stop, and a restart may follow.
            let _ = paused.resume();
            if over_while_stopped || is_over(runs) {
                return;
            }
            let _ = paused.pause();
        }
    });
    if thread.is_err() {
        node.resume()?;
    }
    thread
}
