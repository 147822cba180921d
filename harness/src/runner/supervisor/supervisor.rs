//! The loop around one `poll` that a run consists of.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::kernel::errno::Errno;
use crate::kernel::poll::PollSet;
use crate::kernel::process::signal::Signal;

use super::active_trial::{ActiveTrial, EndedTrial, TrialSeeds, grace};
use super::copies::{Copies, NewCopy};
use super::plan::{PlannedTrials, RunPlan};
use super::pressure::Pressure;
use super::queue::{Queue, patience_with};
use super::reports::Remarks;
use super::shrunk::shrunk;
use super::signals::{Caught, Signals};
use super::wakeup::SupervisorEvent;
use super::zygote_pool::{NurseryHandle, ZygotePool};
use crate::Isolation;
use crate::kernel::message_channel::{MESSAGE_MAX, MessageChannel};
use crate::runner::conclusion::Conclusion;
use crate::runner::error::{RunError, explain, limit};
use crate::runner::nextest;
use crate::runner::report::{FinishedTrial, Printer};
use crate::runner::result::TrialResult;
use crate::sandbox::protocol::trial::InitRequest;
use crate::sandbox::protocol::zygote::ZygoteOrder;
use crate::sandbox::refused::Refused;
use crate::trial::Trial;
use crate::trial::time_scale::stretched;

/// Number of times that a full buffer of one trial's output is read before others have their turn.
const PIECES: usize = 4;

/// The supervisor of one run.
pub(crate) struct Supervisor<'a> {
    trials: &'a [Option<Trial>],
    plan: &'a RunPlan,
    printer: &'a mut Printer,
    signals: &'a Signals,
    zygotes: ZygotePool<'a>,
    queue: Queue,
    /// Trials that run. There are as many slots as may run at a time.
    slots: Vec<Option<ActiveTrial>>,
    interrupted: Option<i32>,
    /// The copies of trials, in a stress test.
    copies: Option<Copies<'a>>,
    conclusion: Conclusion,
    pressure: Pressure,
    /// Failed trials, whose schedules are shrunk when nothing else runs any more.
    to_shrink: Vec<FinishedTrial<'a>>,
    /// Buffer for all reading, made once so that none is made and cleared for each piece.
    buffer: Vec<u8>,
}

/// The processes that the supervisor gives trials to, where any is to run.
#[derive(Default)]
pub(crate) struct Workers<'a> {
    pub(crate) nurseries: &'a [NurseryHandle],
    /// Channel to the nursery as the zygote of the only trial.
    pub(crate) first_zygote: Option<MessageChannel>,
}

impl<'a> Supervisor<'a> {
    /// Makes a supervisor; `conclusion` counts what is decided without it.
    pub(crate) fn new(
        PlannedTrials { trials, plan }: PlannedTrials<'a>,
        printer: &'a mut Printer,
        signals: &'a Signals,
        workers: Workers<'a>,
        conclusion: Conclusion,
    ) -> Self {
        let Workers {
            nurseries,
            first_zygote,
        } = workers;
        Self {
            trials,
            plan,
            printer,
            signals,
            zygotes: ZygotePool::new(nurseries, plan.threads, plan.capture, first_zygote),
            queue: Queue::new(trials.len(), plan.threads),
            slots: (0..plan.threads).map(|_| None).collect(),
            interrupted: None,
            copies: plan.rounds.as_deref().map(Copies::new),
            conclusion,
            pressure: Pressure::default(),
            to_shrink: Vec::new(),
            buffer: vec![0; MESSAGE_MAX],
        }
    }

    /// Runs everything and returns the counts.
    ///
    /// # Errors
    /// Fails if no trial can be run any more: the system refuses sandboxes, or the outer sandbox
    /// has died.
    pub(crate) fn run(mut self) -> Result<Conclusion, RunError> {
        loop {
            self.start_trials()?;
            if self.running() == 0 && (self.queue.is_empty() || self.is_ending()) {
                self.shrink_failed();
                self.conclusion.interrupted_by = self.interrupted;
                let cut_short = self.copies.as_mut().map(Copies::cut_short);
                for finished in cut_short.unwrap_or_default() {
                    self.print(finished);
                }
                return Ok(self.conclusion);
            }
            self.wait()?;
            self.keep_time();
        }
    }

    fn trial(&self, index: usize) -> &'a Trial {
        trial_at(self.trials, index)
    }

    fn running(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// Returns whether no further trial is to start.
    fn is_ending(&self) -> bool {
        self.interrupted.is_some() || (self.plan.fail_fast && self.conclusion.num_failed > 0)
    }

    // ---- starting -----------------------------------------------------------------------------

    /// Starts as many trials as may run now.
    fn start_trials(&mut self) -> Result<(), RunError> {
        while !self.is_ending() {
            let trials = self.trials;
            let active = self.slots.iter().flatten();
            let active: Vec<&Trial> = active.map(|it| trial_at(trials, it.index())).collect();
            let Some(index) = self.queue.next(&active, |index| trial_at(trials, index)) else {
                break;
            };
            match &self.plan.known[index] {
                Some(result) => {
                    let result = result.clone();
                    self.print(FinishedTrial::not_run(
                        self.trial(index),
                        result,
                        self.plan.run_seed,
                    ));
                }
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
        let mut copy = NewCopy {
            is_first: true,
            run_seed: self.plan.run_seed,
            share: index as u32,
        };
        if let Some(copies) = &mut self.copies {
            // A further copy may have been in the queue when another one failed.
            if !copies.wants_more(index) {
                return Ok(());
            }
            copy = copies.begin(index, self.plan.run_seed);
            if copies.wants_more(index) {
                self.queue.put_behind(index);
            }
        }
        let options = trial.options();
        let seeds = TrialSeeds {
            own: trial.seed_in(copy.run_seed),
            run: copy.run_seed,
        };
        // The name is printed before anything can go wrong with the trial.
        if copy.is_first {
            self.printer.trial_started(trial);
        }
        let order = ZygoteOrder {
            trial: index as u32,
            seed: seeds.own,
            share: copy.share,
        };
        let zygote =
            self.zygotes
                .run(slot, &order)
                .map_err(|errno| match errno == Errno::EPIPE {
                    true => nursery_died(),
                    false => explain(&Refused {
                        step: "reach a zygote".into(),
                        errno,
                    }),
                })?;
        let limit = stretched(options.timeout.unwrap_or(self.plan.timeout));
        let waited = self.pressure.waited();
        let active = ActiveTrial::new(index, seeds, limit, waited, zygote);
        self.slots[slot] = Some(active.reporting_of(self.trial(index)));
        Ok(())
    }

    // ---- listening ----------------------------------------------------------------------------

    /// Waits until something happens or is due, and handles what has happened.
    fn wait(&mut self) -> Result<(), RunError> {
        let events = self.await_events()?;
        self.printer.flush_some();
        if events.contains(&SupervisorEvent::Signal) {
            self.handle_signals();
        }
        if events.contains(&SupervisorEvent::NurseryDied) {
            return Err(nursery_died());
        }
        // Output is read before reports: what a trial wrote before its last report is in the pipe
        // when that report comes, and belongs to the trial.
        for event in &events {
            if let SupervisorEvent::Output(slot) = *event
                && let Some(active) = &mut self.slots[slot]
            {
                active.read_output(PIECES, &mut self.buffer);
            }
        }
        for event in &events {
            if let SupervisorEvent::Report(slot) = *event
                && let Some(active) = &mut self.slots[slot]
                && active.receive_reports(&mut self.buffer)
            {
                self.end(slot)?;
            }
        }
        Ok(())
    }

    fn await_events(&self) -> Result<Vec<SupervisorEvent>, RunError> {
        let (mut events, mut fds) = (Vec::new(), PollSet::new());
        for (event, fd) in self.watched() {
            match event {
                SupervisorEvent::Writable => fds.add_writable(fd),
                SupervisorEvent::Signal
                | SupervisorEvent::NurseryDied
                | SupervisorEvent::Output(_)
                | SupervisorEvent::Report(_) => {
                    fds.add_readable(fd);
                }
            }
            events.push(event);
        }
        let ready = match fds.wait(self.patience()) {
            Ok(ready) => ready,
            // After a signal the descriptors show nothing, and the next round will tell.
            Err(Errno::EINTR) => return Ok(Vec::new()),
            Err(errno) => {
                return Err(explain(&Refused {
                    step: "wait for trials".into(),
                    errno,
                }));
            }
        };
        let happened = events.into_iter().zip(ready);
        Ok(happened
            .filter_map(|(event, ready)| ready.then_some(event))
            .collect())
    }

    /// Returns all descriptors that can tell of something.
    fn watched(&self) -> impl Iterator<Item = (SupervisorEvent, BorrowedFd<'_>)> {
        let deaths = self
            .zygotes
            .deaths()
            .map(|fd| (SupervisorEvent::NurseryDied, fd));
        let stdout = self
            .printer
            .pending()
            .map(|fd| (SupervisorEvent::Writable, fd));
        let active = self.slots.iter().enumerate();
        let active = active.filter_map(|(slot, active)| Some((slot, active.as_ref()?)));
        let of_trials = active.flat_map(|(slot, active)| {
            let output = active
                .output()
                .map(|fd| (SupervisorEvent::Output(slot), fd));
            std::iter::once((SupervisorEvent::Report(slot), active.channel())).chain(output)
        });
        std::iter::once((SupervisorEvent::Signal, self.signals.as_fd()))
            .chain(deaths)
            .chain(stdout)
            .chain(of_trials)
    }

    /// Returns the time until something is due, if anything ever is.
    fn patience(&self) -> Option<Duration> {
        let active = self.slots.iter().flatten().map(ActiveTrial::due);
        let due = active.chain(self.queue.not_before());
        let due = due.chain(self.printer.due()).min()?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    fn keep_time(&mut self) {
        let now = Instant::now();
        for slot in 0..self.slots.len() {
            let Some(active) = &mut self.slots[slot] else {
                continue;
            };
            if let Some(elapsed) = active.slowness(now) {
                let trial = trial_at(self.trials, active.index());
                self.printer.trial_is_slow(trial, elapsed);
            }
            if active.advance(now) {
                self.zygotes.kill(slot);
            }
        }
    }

    // ---- ending -------------------------------------------------------------------------------

    /// Takes the trial out of its slot, and prints its result.
    fn end(&mut self, slot: usize) -> Result<(), RunError> {
        let Some(active) = self.slots[slot].take() else {
            return Ok(());
        };
        let EndedTrial {
            index,
            seeds,
            duration,
            waited_before,
            output,
            reports,
            zygote,
        } = active.into_ended(&mut self.buffer);
        let has_left_nothing = reports.has_left_nothing();
        self.zygotes.put_back(slot, zygote, has_left_nothing);
        if let Some(refused) = reports.refused() {
            return self.retry_or_fail(index, seeds.run, refused);
        }
        self.queue.granted();
        let wants_no_verdict = self.trial(index).options().inconclusive_if_starved;
        let result = reports.result();
        let (result, starved) =
            self.pressure
                .judge(result, wants_no_verdict, waited_before, duration);
        let Remarks {
            notes,
            survivors,
            description,
        } = reports.into_remarks();
        let finished = FinishedTrial {
            trial: self.trial(index),
            result,
            duration,
            seed: seeds.own,
            run_seed: seeds.run,
            failed_seeds: Vec::new(),
            shrunk: None,
            output: output.into_text(),
            survivors,
            description,
            notes,
            starved,
            is_captured: self.plan.capture,
        };
        self.ended(index, finished);
        Ok(())
    }

    /// Prints the result of a trial that has run, or keeps it with those of the other copies.
    fn ended(&mut self, index: usize, finished: FinishedTrial<'a>) {
        let shown = match &mut self.copies {
            Some(copies) => copies.ended(index, finished),
            None => Some(finished),
        };
        // What runs one copy after the other waits for the end of the one before.
        if shown.is_none() && self.copies.as_ref().is_some_and(|it| it.wants_more(index)) {
            self.queue.put_behind(index);
        }
        match shown {
            Some(shown) if self.plan.shrink && shown.result.is_failure() => {
                self.to_shrink.push(shown);
            }
            Some(shown) => self.print(shown),
            None => {}
        }
    }

    /// Searches for smaller schedules of the trials that have failed, now that nothing else runs,
    /// and prints their results.
    fn shrink_failed(&mut self) {
        // A signal that ended the run has been read already.
        let mut is_over = self.interrupted.is_some();
        for mut finished in std::mem::take(&mut self.to_shrink) {
            finished.shrunk = shrunk(&finished, self.plan.threads, self.signals, &mut is_over);
            self.print(finished);
        }
    }

    fn print(&mut self, finished: FinishedTrial<'_>) {
        self.conclusion.count(&finished.result);
        self.printer.trial_finished(finished);
    }

    /// Puts a trial for which there was no sandbox back into the queue, or fails it.
    fn retry_or_fail(
        &mut self,
        index: usize,
        run_seed: u64,
        refused: &Refused,
    ) -> Result<(), RunError> {
        let others = self.running();
        if let Some(patience) = patience_with(refused)
            && self.queue.try_again(index, others, patience)
        {
            if others == 0 && self.queue.begins_to_be_long() {
                self.printer.waits_for(refused);
            }
            if let Some(copies) = &mut self.copies {
                copies.take_back(index, run_seed);
            }
            return Ok(());
        }
        let error = explain(refused);
        // All trials with the usual isolation would be refused alike. A trial with another
        // isolation may be refused for something that no other trial wants.
        if self.trial(index).options().isolation == Isolation::ALL {
            return Err(error);
        }
        let result = TrialResult::failed(error.to_string());
        let refused = FinishedTrial::not_run(self.trial(index), result, run_seed);
        self.ended(index, refused);
        Ok(())
    }

    // ---- signals ------------------------------------------------------------------------------

    fn handle_signals(&mut self) {
        for caught in self.signals.caught() {
            match caught {
                Caught::End(signal) if self.interrupted.is_some() => self.end_now(signal),
                Caught::End(signal) => self.interrupt(signal),
                Caught::Suspend => self.suspend(),
            }
        }
    }

    /// Passes the signal on, and gives the trials some time to end.
    fn interrupt(&mut self, signal: i32) {
        self.interrupted = Some(signal);
        // nextest sends SIGTERM when the time of a test is over, so the question is what hangs.
        let ask_what_hangs = signal == Signal::SIGTERM as i32 && nextest::runs_us();
        for active in self.slots.iter_mut().flatten() {
            active.interrupt(signal, ask_what_hangs);
        }
        self.printer.interrupted(signal, self.running(), grace());
    }

    /// Kills everything and ends the process. Called for a second signal.
    fn end_now(&mut self, signal: i32) -> ! {
        self.zygotes.end();
        self.printer.flush_for_a_reader();
        std::process::exit(128 + signal)
    }

    /// Stops this process and all trials until the shell continues this process. The clocks of the
    /// trials stand still meanwhile.
    fn suspend(&mut self) {
        self.signal_all(Signal::SIGSTOP as i32);
        let stopped = Instant::now();
        // SIGTSTP is blocked in this process and would not stop it. For a shell a process that was
        // stopped by SIGSTOP looks the same.
        let _ = crate::kernel::process::signal::raise(Signal::SIGSTOP);
        let pause = stopped.elapsed();
        self.signal_all(Signal::SIGCONT as i32);
        for active in self.slots.iter_mut().flatten() {
            active.postpone(pause);
        }
    }

    fn signal_all(&self, signal: i32) {
        for active in self.slots.iter().flatten() {
            active.request(InitRequest::Signal(signal));
        }
    }
}

fn nursery_died() -> RunError {
    limit(
        "the outer sandbox died, and with it every trial: was its first process killed, as by the kernel when memory is short?",
    )
}

/// Returns the trial of an index. Only test bodies take trials out, in their own copy of the
/// memory.
fn trial_at(trials: &[Option<Trial>], index: usize) -> &Trial {
    trials[index]
        .as_ref()
        .expect("the supervisor keeps every trial")
}
