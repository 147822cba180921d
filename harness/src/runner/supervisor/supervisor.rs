//! The supervisor: hands trials to the zygotes, listens, keeps time, and judges.
//!
//! It is one thread around one `poll`. It always reads what trials write, and never waits for its
//! own output, so that no trial is ever held up by the runner.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::active::{Active, Phase, SLOW};
use super::capture::Capture;
use super::queue::Queue;
use super::signals::Signals;
use super::zygotes::{Idle, Nursery};
use crate::Isolation;
use crate::kernel::message_channel::MESSAGE_MAX;
use crate::model::random::seed_for;
use crate::runner::conclusion::Conclusion;
use crate::runner::error::{RunError, explain, limit};
use crate::runner::report::{FinishedTrial, Printer};
use crate::runner::result::{Heard, TrialResult};
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::trial::TrialReport;
use crate::sandbox::protocol::zygote::ZygoteOrder;
use crate::sandbox::refused::Refused;
use crate::trial::Trial;

/// How a run is to go.
pub(crate) struct Plan {
    /// How many trials run at a time.
    pub(crate) threads: usize,
    /// The time limit of trials that set none.
    pub(crate) timeout: Duration,
    pub(crate) run_seed: u64,
    pub(crate) capture: bool,
    pub(crate) fail_fast: bool,
    /// Verdicts that are known without running the trial, by index.
    pub(crate) settled: Vec<Option<TrialResult>>,
}

/// The supervisor of one run.
pub(crate) struct Supervisor<'a> {
    pub(super) trials: &'a [Option<Trial>],
    pub(super) plan: &'a Plan,
    pub(super) printer: &'a mut Printer,
    pub(super) signals: &'a Signals,
    /// None where nothing is to be run.
    pub(super) nursery: Option<&'a Nursery>,
    pub(super) queue: Queue,
    pub(super) slots: Vec<Option<Active>>,
    /// To each slot's zygote, from its first trial on, as long as it is good and has nothing to do.
    pub(super) zygotes: Vec<Option<Idle>>,
    pub(super) interrupted: Option<i32>,
    pub(super) conclusion: Conclusion,
    /// What is read goes through here, so that none is made and cleared each time.
    pub(super) buffer: Vec<u8>,
}

impl<'a> Supervisor<'a> {
    pub(crate) fn new(
        trials: &'a [Option<Trial>],
        plan: &'a Plan,
        printer: &'a mut Printer,
        signals: &'a Signals,
        nursery: Option<&'a Nursery>,
        conclusion: Conclusion,
    ) -> Supervisor<'a> {
        Supervisor {
            trials,
            plan,
            printer,
            signals,
            nursery,
            queue: Queue::new(trials.len(), plan.threads),
            slots: (0..plan.threads).map(|_| None).collect(),
            zygotes: (0..plan.threads).map(|_| None).collect(),
            interrupted: None,
            conclusion,
            buffer: vec![0; MESSAGE_MAX],
        }
    }

    /// Runs everything and returns the counts.
    pub(crate) fn run(mut self) -> Result<Conclusion, RunError> {
        loop {
            self.launch()?;
            if self.running() == 0 && (self.queue.is_empty() || self.ending()) {
                self.conclusion.interrupted_by = self.interrupted;
                return Ok(self.conclusion);
            }
            self.wait()?;
            self.keep_time();
        }
    }

    pub(super) fn trial(&self, index: usize) -> &'a Trial {
        kept(self.trials, index)
    }

    pub(super) fn running(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    fn ending(&self) -> bool {
        self.interrupted.is_some() || (self.plan.fail_fast && self.conclusion.num_failed > 0)
    }

    // ---- starting -----------------------------------------------------------------------------

    fn launch(&mut self) -> Result<(), RunError> {
        while !self.ending() {
            let trials = self.trials;
            let active: Vec<&Trial> = self
                .slots
                .iter()
                .flatten()
                .map(|active| kept(trials, active.trial))
                .collect();
            let Some(index) = self.queue.next(&active, |index| kept(trials, index)) else {
                break;
            };
            match &self.plan.settled[index] {
                Some(verdict) => self.settle(index, verdict.clone()),
                None => self.start(index)?,
            }
        }
        Ok(())
    }

    fn start(&mut self, index: usize) -> Result<(), RunError> {
        let trial = self.trial(index);
        let Some(slot) = self.slots.iter().position(Option::is_none) else {
            self.queue.put_back(index);
            return Ok(());
        };
        let seed = trial
            .options()
            .seed
            .unwrap_or_else(|| seed_for(self.plan.run_seed, trial.name()));
        let order = ZygoteOrder {
            trial: index as u32,
            seed,
        };
        self.printer.trial_started(trial);
        let Idle { channel, output } = self.order(slot, order).map_err(|errno| match errno {
            Errno::EPIPE => all_died(),
            errno => explain(&Refused {
                step: "reach a zygote".into(),
                errno,
            }),
        })?;
        let started = Instant::now();
        let limit = trial.options().timeout.unwrap_or(self.plan.timeout);
        self.slots[slot] = Some(Active {
            trial: index,
            seed,
            channel,
            output,
            capture: Capture::default(),
            heard: Heard::default(),
            started,
            phase: Phase::Running(started + limit),
            slow_at: started + SLOW,
        });
        Ok(())
    }

    // ---- listening ----------------------------------------------------------------------------

    fn wait(&mut self) -> Result<(), RunError> {
        let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        // Where it runs a trial itself, its death is that trial's.
        let nursery = self.nursery.filter(|nursery| nursery.orders.is_some());
        fds.extend(nursery.map(|nursery| PollFd::new(nursery.process.as_fd(), PollFlags::POLLIN)));
        if let Some(stdout) = self.printer.pending() {
            fds.push(PollFd::new(stdout, PollFlags::POLLOUT));
        }
        let fixed = fds.len();
        let mut owners = Vec::with_capacity(self.slots.len() * 2);
        for (slot, active) in self.slots.iter().enumerate() {
            let Some(active) = active else { continue };
            fds.push(PollFd::new(active.channel.as_fd(), PollFlags::POLLIN));
            owners.push((slot, true));
            if let Some(output) = &active.output {
                fds.push(PollFd::new(output.as_fd(), PollFlags::POLLIN));
                owners.push((slot, false));
            }
        }
        match poll(&mut fds, self.patience()) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => {
                return Err(explain(&Refused {
                    step: "wait for trials".into(),
                    errno,
                }));
            }
        }
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        drop(fds);
        self.printer.flush_some();
        if ready[0] {
            self.caught();
        }
        if nursery.is_some() && ready[1] {
            return Err(all_died());
        }
        // Outputs first, so that what was written before the last report is there when it comes.
        let of_kind = |wanted: bool| {
            let of_kind = owners.iter().zip(&ready[fixed..]);
            of_kind
                .filter(move |((_, kind), ready)| **ready && *kind == wanted)
                .map(|((slot, _), _)| *slot)
        };
        for slot in of_kind(false) {
            self.read_output(slot);
        }
        for slot in of_kind(true).collect::<Vec<_>>() {
            self.listen(slot)?;
        }
        Ok(())
    }

    /// Until something is due.
    fn patience(&self) -> PollTimeout {
        let due = self
            .slots
            .iter()
            .flatten()
            .map(Active::due)
            .chain(self.queue.not_before())
            .min();
        match due {
            None => PollTimeout::NONE,
            Some(due) => {
                let left = due.saturating_duration_since(Instant::now());
                PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
            }
        }
    }

    fn read_output(&mut self, slot: usize) {
        if let Some(active) = &mut self.slots[slot] {
            active.read(4, &mut self.buffer);
        }
    }

    fn listen(&mut self, slot: usize) -> Result<(), RunError> {
        loop {
            let Some(active) = &mut self.slots[slot] else {
                return Ok(());
            };
            let over = match active.channel.try_receive(&mut self.buffer) {
                Ok(None) => return Ok(()),
                Ok(Some([])) | Err(_) => true,
                Ok(Some(bytes)) => {
                    TrialReport::decode(bytes).is_some_and(|report| active.heard.hear(report))
                }
            };
            if over {
                return self.over(slot);
            }
        }
    }

    // ---- ending -------------------------------------------------------------------------------

    fn over(&mut self, slot: usize) -> Result<(), RunError> {
        let Some(mut active) = self.slots[slot].take() else {
            return Ok(());
        };
        // Whoever wrote to the pipe is gone or about to be killed: take what is there.
        active.read(usize::MAX, &mut self.buffer);
        // Otherwise it has died with its trial, or is about to.
        let good = active.heard.is_complete() && active.phase != Phase::Killed;
        self.zygotes[slot] = good.then_some(Idle {
            channel: active.channel,
            output: active.output.filter(|_| active.heard.left_nothing),
        });
        if let Some(refused) = active.heard.refused() {
            return self.refused(active.trial, refused);
        }
        self.queue.granted();
        let output = active.capture.into_text();
        let trial = self.trial(active.trial);
        let done = FinishedTrial {
            trial,
            result: active.heard.result(&output),
            duration: active.started.elapsed(),
            seed: active.seed,
            output,
            notes: active.heard.notes(),
            survivors: active.heard.survivors,
            description: active.heard.described,
            is_captured: self.plan.capture,
        };
        self.conclusion.count(&done.result);
        self.printer.trial_finished(done);
        Ok(())
    }

    fn settle(&mut self, index: usize, result: TrialResult) {
        self.conclusion.count(&result);
        self.printer
            .trial_finished(FinishedTrial::not_run(self.trial(index), result));
    }

    /// The kernel did not give a sandbox. It gives namespaces back late, so limits are tried again.
    fn refused(&mut self, index: usize, refused: &Refused) -> Result<(), RunError> {
        let passing = matches!(
            refused.errno,
            Errno::ENOSPC | Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE
        );
        let others = self.running();
        if passing && self.queue.try_again(index, others) {
            return Ok(());
        }
        let error = explain(refused);
        if self.trial(index).options().isolation == Isolation::ALL {
            return Err(error);
        }
        let reason = error.to_string();
        self.settle(index, TrialResult::failed(reason));
        Ok(())
    }
}

fn all_died() -> RunError {
    limit(
        "the outer sandbox died, and with it every trial: was its first process killed, as by the kernel when memory is short?",
    )
}

/// Only bodies take trials out, in their own copy.
fn kept(trials: &[Option<Trial>], index: usize) -> &Trial {
    trials[index]
        .as_ref()
        .expect("the supervisor keeps every trial")
}
