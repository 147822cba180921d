//! The supervisor: hands trials to the zygotes, listens, keeps time, and judges.
//!
//! It is one thread around one `poll`. It always reads what trials write, and never waits for its
//! own output, so that no trial is ever held up by the runner.

use std::collections::{HashSet, VecDeque};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use super::active::{Active, Phase, pipe};
use super::capture::Capture;
use super::conclusion::Conclusion;
use super::error::{RunError, explain, limit};
use super::protocol::{Order, Report, Request};
use super::report::{Done, Printer};
use super::signals::{Caught, Signals};
use super::verdict::{Failure, Heard, Stopped, Verdict};
use crate::Isolation;
use crate::kernel::fd::{Channel, MESSAGE_MAX};
use crate::kernel::process;
use crate::random::seed_for;
use crate::trial::{Trial, Weight};

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
    pub(crate) settled: Vec<Option<Verdict>>,
}

/// After this long a running trial is named.
const SLOW: Duration = Duration::from_secs(10);
/// How long a trial has for saying what hangs.
const LAST_WORDS: Duration = Duration::from_secs(4);
/// How long a trial has to end after an interruption.
const GRACE: Duration = Duration::from_secs(10);
/// How long the kernel may go on refusing namespaces, which it gives back late, before it counts.
const PATIENCE: Duration = Duration::from_secs(3);

/// The supervisor of one run.
pub(crate) struct Supervisor<'a> {
    trials: &'a [Option<Trial>],
    plan: &'a Plan,
    printer: &'a mut Printer,
    signals: &'a Signals,
    first: Option<&'a OwnedFd>,
    zygotes: &'a [Channel],
    waiting: VecDeque<usize>,
    slots: Vec<Option<Active>>,
    threads: usize,
    refused_since: Option<Instant>,
    not_before: Option<Instant>,
    interrupted: Option<i32>,
    conclusion: Conclusion,
    /// What is read goes through here, so that none is made and cleared each time.
    buffer: Vec<u8>,
}

impl<'a> Supervisor<'a> {
    pub(crate) fn new(
        trials: &'a [Option<Trial>],
        plan: &'a Plan,
        printer: &'a mut Printer,
        signals: &'a Signals,
        first: Option<&'a OwnedFd>,
        zygotes: &'a [Channel],
        conclusion: Conclusion,
    ) -> Supervisor<'a> {
        Supervisor {
            trials,
            plan,
            printer,
            signals,
            first,
            zygotes,
            waiting: (0..trials.len()).collect(),
            slots: (0..plan.threads).map(|_| None).collect(),
            threads: plan.threads,
            refused_since: None,
            not_before: None,
            interrupted: None,
            conclusion,
            buffer: vec![0; MESSAGE_MAX],
        }
    }

    /// Runs everything and returns the counts.
    pub(crate) fn run(mut self) -> Result<Conclusion, RunError> {
        loop {
            self.launch()?;
            if self.running() == 0 && (self.waiting.is_empty() || self.ending()) {
                self.conclusion.interrupted_by = self.interrupted;
                return Ok(self.conclusion);
            }
            self.wait()?;
            self.keep_time();
        }
    }

    fn trial(&self, index: usize) -> &'a Trial {
        // Only zygotes take trials out, in their own copy.
        let trials: &'a [Option<Trial>] = self.trials;
        trials[index]
            .as_ref()
            .expect("the supervisor keeps every trial")
    }

    fn running(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    fn ending(&self) -> bool {
        self.interrupted.is_some() || (self.plan.fail_fast && self.conclusion.num_failed > 0)
    }

    // ---- starting -----------------------------------------------------------------------------

    fn launch(&mut self) -> Result<(), RunError> {
        if self.ending() || self.not_before.is_some_and(|time| Instant::now() < time) {
            return Ok(());
        }
        self.not_before = None;
        while let Some(position) = self.next() {
            let Some(index) = self.waiting.remove(position) else {
                break;
            };
            match &self.plan.settled[index] {
                Some(verdict) => self.settle(index, verdict.clone()),
                None => self.start(index)?,
            }
        }
        Ok(())
    }

    /// The first of the waiting trials that fits beside those that run.
    fn next(&self) -> Option<usize> {
        let active: Vec<&Trial> = self
            .slots
            .iter()
            .flatten()
            .map(|a| self.trial(a.trial))
            .collect();
        if active
            .iter()
            .any(|trial| trial.options().weight == Weight::Machine)
        {
            return None;
        }
        let weight = |trial: &Trial| match trial.options().weight {
            Weight::Threads(n) => n.min(self.threads),
            Weight::Machine => self.threads,
        };
        let taken: usize = active.iter().map(|trial| weight(trial)).sum();
        let groups: HashSet<&str> = active
            .iter()
            .filter_map(|trial| trial.options().group)
            .collect();
        self.waiting.iter().take(1000).position(|index| {
            let trial = self.trial(*index);
            taken + weight(trial) <= self.threads
                && !trial
                    .options()
                    .group
                    .is_some_and(|group| groups.contains(group))
        })
    }

    fn start(&mut self, index: usize) -> Result<(), RunError> {
        let trial = self.trial(index);
        let Some(slot) = self.slots.iter().position(Option::is_none) else {
            self.waiting.push_front(index);
            return Ok(());
        };
        let seed = trial
            .options()
            .seed
            .unwrap_or_else(|| seed_for(self.plan.run_seed, trial.name()));
        let (channel, theirs) = Channel::pair().map_err(|e| explain("open a channel", e))?;
        let (output, pipe) = match self.plan.capture {
            true => pipe()
                .map(|(r, w)| (Some(r), Some(w)))
                .map_err(|e| explain("open a pipe", e))?,
            false => (None, None),
        };
        let order = Order::Run {
            trial: index as u32,
            slot: slot as u32,
            seed,
        };
        let mut fds = vec![theirs.as_raw_fd()];
        fds.extend(pipe.as_ref().map(AsRawFd::as_raw_fd));
        self.printer.started(trial);
        self.zygote(slot)
            .send_with(&order.encode(), &fds)
            .map_err(|e| explain("reach a zygote", e))?;
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

    fn zygote(&self, slot: usize) -> &Channel {
        &self.zygotes[slot % self.zygotes.len()]
    }

    // ---- listening ----------------------------------------------------------------------------

    fn wait(&mut self) -> Result<(), RunError> {
        let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        fds.extend(
            self.first
                .map(|first| PollFd::new(first.as_fd(), PollFlags::POLLIN)),
        );
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
            Err(errno) => return Err(explain("wait for trials", errno)),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        drop(fds);
        self.printer.flush_some();
        if ready[0] {
            self.caught();
        }
        if self.first.is_some() && ready[1] {
            return Err(limit(
                "the outer sandbox died, and with it every trial: was its first process killed, as by the kernel when memory is short?",
            ));
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
            .chain(self.not_before)
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
                    Report::decode(bytes).is_some_and(|report| active.heard.hear(report))
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
        if let Some((step, errno)) = active.heard.refused() {
            let (step, errno) = (step.to_owned(), Errno::from_raw(errno));
            return self.refused(active.trial, &step, errno);
        }
        self.refused_since = None;
        // Whoever wrote to the pipe is gone or about to be killed: take what is there.
        active.read(usize::MAX, &mut self.buffer);
        let output = active.capture.into_text();
        let trial = self.trial(active.trial);
        let done = Done {
            trial,
            verdict: active.heard.verdict(&output),
            duration: active.started.elapsed(),
            seed: active.seed,
            output,
            survivors: active.heard.survivors,
            described: active.heard.described,
            notes: active.heard.notes,
            captured: self.plan.capture,
        };
        self.conclusion.count(&done.verdict);
        self.printer.done(done);
        Ok(())
    }

    fn settle(&mut self, index: usize, verdict: Verdict) {
        self.conclusion.count(&verdict);
        self.printer.done(Done::not_run(self.trial(index), verdict));
    }

    /// The kernel did not give a sandbox. It gives namespaces back late, so limits are tried again.
    fn refused(&mut self, index: usize, step: &str, errno: Errno) -> Result<(), RunError> {
        let now = Instant::now();
        let since = *self.refused_since.get_or_insert(now);
        let passing = matches!(
            errno,
            Errno::ENOSPC | Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE
        );
        let others = self.running();
        if passing && (others > 0 || now - since < PATIENCE) {
            self.waiting.push_front(index);
            if others > 0 {
                self.threads = others;
            }
            self.not_before = Some(
                now + (now - since).clamp(Duration::from_millis(5), Duration::from_millis(200)),
            );
            return Ok(());
        }
        let error = explain(step, errno);
        if self.trial(index).options().isolation == Isolation::ALL {
            return Err(error);
        }
        let reason = error.to_string();
        self.settle(
            index,
            Verdict::Failed(Failure {
                reason,
                ..Failure::default()
            }),
        );
        Ok(())
    }

    fn keep_time(&mut self) {
        let now = Instant::now();
        for slot in 0..self.slots.len() {
            let Some(active) = &mut self.slots[slot] else {
                continue;
            };
            if now >= active.slow_at && matches!(active.phase, Phase::Running(_)) {
                let elapsed = active.started.elapsed();
                active.slow_at = now + elapsed.max(SLOW);
                let trial = active.trial;
                self.printer.slow(self.trial(trial), elapsed);
            }
            self.advance(slot, now);
        }
    }

    /// Moves a trial on to its next phase when the present one's time is over.
    fn advance(&mut self, slot: usize, now: Instant) {
        let zygote = &self.zygotes[slot % self.zygotes.len()];
        let Some(active) = &mut self.slots[slot] else {
            return;
        };
        let trial = self.trials[active.trial].as_ref();
        match active.phase {
            Phase::Running(until) if now >= until => {
                let limit = trial
                    .and_then(|t| t.options().timeout)
                    .unwrap_or(self.plan.timeout);
                active.heard.stopped = Some(Stopped::Timeout(limit));
                let _ = active.channel.send(&Request::Describe.encode());
                active.phase = Phase::Describing(now + LAST_WORDS);
            }
            Phase::Describing(until)
                if now >= until || (active.heard.traced && active.heard.described.is_some()) =>
            {
                active.kill(zygote, slot);
            }
            Phase::Ending(until) if now >= until => active.kill(zygote, slot),
            _ => {}
        }
    }

    // ---- signals ------------------------------------------------------------------------------

    fn caught(&mut self) {
        for caught in self.signals.caught() {
            match caught {
                Caught::End(signal) if self.interrupted.is_some() => self.end_now(signal),
                Caught::End(signal) => self.interrupt(signal),
                Caught::Suspend => self.suspend(),
            }
        }
    }

    /// Passes the signal on, and gives everybody some time.
    fn interrupt(&mut self, signal: i32) {
        self.interrupted = Some(signal);
        let now = Instant::now();
        // nextest's way to say that the time is over: show what hangs.
        let timeout = signal == libc::SIGTERM && std::env::var_os("NEXTEST").is_some();
        for active in self.slots.iter_mut().flatten() {
            active.heard.stopped = Some(Stopped::Interrupted(signal));
            let (request, phase) = match timeout {
                true => (Request::Describe, Phase::Describing(now + LAST_WORDS)),
                false => (Request::Signal(signal), Phase::Ending(now + GRACE)),
            };
            let _ = active.channel.send(&request.encode());
            active.phase = phase;
        }
        self.printer.interrupted(signal, self.running(), GRACE);
    }

    fn end_now(&mut self, signal: i32) -> ! {
        if let Some(first) = self.first {
            let _ = process::pidfd_kill(first, libc::SIGKILL);
        }
        self.printer.flush_all();
        std::process::exit(128 + signal)
    }

    /// Stops with all trials until the shell lets us go on; their clocks stand still meanwhile.
    fn suspend(&mut self) {
        let all = |slots: &[Option<Active>], signal: i32| {
            for active in slots.iter().flatten() {
                let _ = active.channel.send(&Request::Signal(signal).encode());
            }
        };
        all(&self.slots, libc::SIGSTOP);
        let stopped = Instant::now();
        let _ = nix::sys::signal::raise(Signal::SIGSTOP);
        let pause = stopped.elapsed();
        all(&self.slots, libc::SIGCONT);
        for active in self.slots.iter_mut().flatten() {
            active.postpone(pause);
        }
    }
}
