//! When a trial's time is over: by the clock, or because a signal says so.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::active::{Active, Phase, SLOW};
use super::signals::Caught;
use super::supervisor::Supervisor;
use crate::runner::result::Stopped;
use crate::runner::run::under_nextest;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::trial::InitRequest;

/// How long a trial has for saying what hangs.
const LAST_WORDS: Duration = Duration::from_secs(4);
/// How long a trial has to end after an interruption.
const GRACE: Duration = Duration::from_secs(10);

impl Supervisor<'_> {
    pub(super) fn keep_time(&mut self) {
        let now = Instant::now();
        for slot in 0..self.slots.len() {
            let Some(active) = &mut self.slots[slot] else {
                continue;
            };
            if now >= active.slow_at && matches!(active.phase, Phase::Running(_)) {
                let elapsed = active.started.elapsed();
                active.slow_at = now + elapsed.max(SLOW);
                let trial = active.trial;
                self.printer.trial_is_slow(self.trial(trial), elapsed);
            }
            self.advance(slot, now);
        }
    }

    /// Moves a trial on to its next phase when the present one's time is over.
    fn advance(&mut self, slot: usize, now: Instant) {
        let Some(nursery) = self.nursery else { return };
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
                let _ = active.channel.send(&InitRequest::Describe.encode());
                active.phase = Phase::Describing(now + LAST_WORDS);
            }
            Phase::Describing(until)
                if now >= until || (active.heard.traced && active.heard.described.is_some()) =>
            {
                nursery.kill(slot);
                active.phase = Phase::Killed;
            }
            Phase::Ending(until) if now >= until => {
                nursery.kill(slot);
                active.phase = Phase::Killed;
            }
            _ => {}
        }
    }

    pub(super) fn caught(&mut self) {
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
        let timeout = signal == libc::SIGTERM && under_nextest();
        for active in self.slots.iter_mut().flatten() {
            active.heard.stopped = Some(Stopped::Interrupted(signal));
            let (request, phase) = match timeout {
                true => (InitRequest::Describe, Phase::Describing(now + LAST_WORDS)),
                false => (InitRequest::Signal(signal), Phase::Ending(now + GRACE)),
            };
            let _ = active.channel.send(&request.encode());
            active.phase = phase;
        }
        self.printer.interrupted(signal, self.running(), GRACE);
    }

    fn end_now(&mut self, signal: i32) -> ! {
        if let Some(nursery) = self.nursery {
            nursery.end();
        }
        self.printer.flush_all();
        std::process::exit(128 + signal)
    }

    /// Stops with all trials until the shell lets us go on; their clocks stand still meanwhile.
    fn suspend(&mut self) {
        let all = |slots: &[Option<Active>], signal: i32| {
            for active in slots.iter().flatten() {
                let _ = active.channel.send(&InitRequest::Signal(signal).encode());
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
