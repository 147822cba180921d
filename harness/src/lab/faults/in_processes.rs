//! Faults of the processes of a node: programs that are killed or stopped, and processes that lack
//! what they ask the kernel for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::impair::Percent;
use crate::kernel::process::exit_kind::ExitKind;
use crate::kernel::process::limits::{ProcessLimit, data_of};
use crate::kernel::process::signal::Signal;
use crate::lab::attempt::NodeAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::faults::guard::{FaultThread, Healing};
use crate::lab::node::node::Node;
use crate::lab::process::lowered::LoweringOutcome;
use crate::lab::process::running::{Running, SETTLE_LIMIT};
use crate::lab::unfit::{UnfitNode, UnfitProgram};
use crate::model::fault::Fault;
use crate::trial::running::note;
use crate::trial::time_scale::stretched;

/// Finds the programs of a node that go by a name.
fn programs(node: &Node, name: &str) -> Result<Vec<Arc<Running>>> {
    let alive = node.programs().alive();
    let found = alive.iter().filter(|running| running.is_called(name));
    let found: Vec<Arc<Running>> = found.cloned().collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let reason = UnfitProgram::NotRun {
        name: name.to_owned(),
        others: alive.iter().map(|it| it.label().to_owned()).collect(),
    };
    let subject = node.subject();
    Err(LabError::unfit(subject, reason))
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
            // Whoever waits for the program waits for the one that the heal starts.
            running.excuse();
            // A program that has just ended is as dead as one that was killed.
            let _ = running.signal(Signal::SIGKILL as i32);
        }
        for running in &programs {
            // A process in an uninterruptible call dies later, and does nothing more meanwhile. It
            // is waited for long: until then it has its ports, which the next one of its name
            // needs, and another fault would kill it, and start it, once more. After a wait of
            // 1 s, a program found its port in use at a load of 100 on 2 cores (seen 2026-11-30).
            let _ = running.ended_by(Some(Instant::now() + stretched(10 * SETTLE_LIMIT)));
        }
        Ok(Self {
            node: Arc::clone(node),
            programs,
        })
    }
}

/// Starts programs that have ended once more. They are excused until then, so that nobody who waits
/// for them takes them for dead.
fn start_again<'a>(node: &Node, mut ended: impl Iterator<Item = &'a Arc<Running>>) -> Result<()> {
    ended.try_for_each(|running| {
        node.programs().forget(running);
        node.start_again(running.again()).map(drop)
    })
}

impl Healing for Killed {
    fn heal(self: Box<Self>) -> Result<()> {
        let Self { node, programs } = *self;
        // A restart of the node has started its programs by itself, and no restart begins while the
        // lock is held.
        let _life = node.life().lock();
        let is_as_it_was = |running: &&Arc<Running>| node.programs().has(running);
        let started = match node.is_removed() || !node.is_running() {
            true => Ok(()),
            false => start_again(&node, programs.iter().filter(is_as_it_was)),
        };
        programs.iter().for_each(|it| it.end_excuse());
        started
    }
}

/// Programs that are stopped.
pub(crate) struct StoppedPrograms(Vec<Arc<Running>>);

impl StoppedPrograms {
    pub(crate) fn new(node: &Node, name: &str) -> Result<Self> {
        let mut stopped = Self(Vec::new());
        for running in programs(node, name)? {
            let held = running.hold();
            // A program that cannot be stopped is released with those before it.
            stopped.0.push(running);
            held?;
        }
        Ok(stopped)
    }
}

impl Healing for StoppedPrograms {
    fn heal(self: Box<Self>) -> Result<()> {
        drop(self);
        Ok(())
    }
}

impl Drop for StoppedPrograms {
    fn drop(&mut self) {
        self.0.iter().for_each(|running| running.release());
    }
}

/// Programs that may end because of a fault: the lab has started them, and they ran when the fault
/// began. Their ends are excused until this is dropped.
///
/// Many programs end where they get no memory, no descriptor or no disk: databases do so by design,
/// and leave the rest to a supervisor.
pub(crate) struct ProgramsAtRisk {
    node: Arc<Node>,
    programs: Vec<Arc<Running>>,
}

impl ProgramsAtRisk {
    /// Excuses the ends of the programs of a node. This comes before the fault is in force.
    pub(crate) fn of(node: &Arc<Node>) -> Self {
        let programs = node.programs().alive();
        programs.iter().for_each(|it| it.excuse());
        Self {
            node: Arc::clone(node),
            programs,
        }
    }

    /// Starts the programs that have ended once more, as a supervisor does, and tells beside the
    /// verdict which have ended.
    pub(crate) fn start_again(self) -> Result<()> {
        let Self { node, programs } = &self;
        let ended = programs.iter().filter(|it| it.has_ended_by_surprise());
        let ended: Vec<_> = ended.collect();
        // All ends are expected, also where one of the programs cannot be started again.
        for running in &ended {
            running.expect();
            let how = running.ended().map(|it| ExitKind::from(it).to_string());
            note(&format!(
                "`{}` {} under a fault, which excuses that until its heal",
                running.label(),
                how.unwrap_or_default()
            ));
        }
        // A restart of the node has started its programs by itself, and no restart begins while the
        // lock is held.
        let _life = node.life().lock();
        let is_as_it_was =
            |it: &&Arc<Running>| !node.is_removed() && node.is_running() && node.programs().has(it);
        start_again(node, ended.into_iter().filter(is_as_it_was))
    }
}

impl Drop for ProgramsAtRisk {
    fn drop(&mut self) {
        self.programs.iter().for_each(|it| it.end_excuse());
    }
}

/// Processes with a limit that is lower than before.
pub(crate) struct Limited {
    node: Arc<Node>,
    /// The number by which the limits of the node know the fault.
    number: u64,
    /// Programs that the heal starts again if they have ended for want of memory or descriptors.
    at_risk: ProgramsAtRisk,
}

impl Limited {
    /// Lets the processes of a node open no more files than `limit`.
    pub(crate) fn descriptors(node: &Arc<Node>, limit: u64) -> Result<Self> {
        Self::new(node, ProcessLimit::OpenFiles, |_| Some(limit))
    }

    /// Gives the processes of a node no more memory than they have, and `spare_kb` each.
    pub(crate) fn memory(node: &Arc<Node>, spare_kb: u64) -> Result<Self> {
        let spare = spare_kb.saturating_mul(1024);
        let lowered = |pid| Some(data_of(pid)?.saturating_add(spare));
        Self::new(node, ProcessLimit::Data, lowered)
    }

    fn new(
        node: &Arc<Node>,
        limit: ProcessLimit,
        lowered: impl Fn(i32) -> Option<u64>,
    ) -> Result<Self> {
        let unfit = |reason| LabError::unfit(node.subject(), reason);
        let at_risk = ProgramsAtRisk::of(node);
        let mut limits = node.programs().lowered().lock();
        match limits.begin(limit, &node.processes()?, lowered) {
            Ok(LoweringOutcome::InForce(number)) => Ok(Self {
                node: Arc::clone(node),
                number,
                at_risk,
            }),
            Ok(LoweringOutcome::NoProcess) => Err(unfit(UnfitNode::NoProcessToLimit)),
            Ok(LoweringOutcome::AlreadyLower(lowest)) => {
                Err(unfit(UnfitNode::LimitsAreLower { lowest }))
            }
            Err((pid, errno)) => {
                let what = NodeAttempt::LowerLimit { pid }.with(node.name());
                Err(LabError::refused(what, errno).about_node(node.name()))
            }
        }
    }
}

impl Healing for Limited {
    fn heal(self: Box<Self>) -> Result<()> {
        let Self {
            node,
            number,
            at_risk,
        } = *self;
        let mut limits = node.programs().lowered().lock();
        let processes = node.processes();
        limits.end(number, processes.as_deref().ok());
        drop(limits);
        let started = at_risk.start_again();
        // Where processes could not be listed, those that were started since the fault began keep
        // the limit.
        processes.and(started)
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
    // The caller refuses a share of 100 %, which would slow nothing, with a sentence of its own.
    if !Fault::is_slow_share(share) {
        let subject = node.subject();
        return Err(LabError::unfit(subject, UnfitNode::ShareOfProcessor(share)));
    }
    // The node is stopped first, so that the fault is in force when this returns.
    node.hold()?;
    let slowed = Arc::clone(node);
    let runs = PERIOD.mul_f64(share.fraction());
    let thread = FaultThread::start("slow node", "slows a node", move |is_over| {
        let mut is_held = true;
        loop {
            let over_while_stopped = is_over(PERIOD.saturating_sub(runs));
            if is_held {
                // A node that crashed meanwhile has nothing to stop, and a restart may follow.
                let _ = slowed.release();
            }
            if over_while_stopped || is_over(runs) {
                return;
            }
            is_held = slowed.hold().is_ok();
        }
    });
    if thread.is_err() {
        node.release()?;
    }
    thread
}
