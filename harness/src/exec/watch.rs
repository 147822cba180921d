//! The process that stays outside of the world, for its caller to wait for.

use std::convert::Infallible;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::error::ExecError;
use crate::kernel::message_channel::{MESSAGE_MAX, MessageChannel};
use crate::kernel::poll;
use crate::kernel::process::exit_kind::ExitKind;
use crate::kernel::process::signal::{Signal, SignalFd, await_signals_to_groups, die_by, stop_by};
use crate::kernel::procfs::process_table;
use crate::runner::error::explain;
use crate::runner::{DeniedIn, NurseryHandle, ProgramSetup, explain_denial, time_for_last_words};
use crate::sandbox::ids::is_root_of_the_host;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::trial::{Denial, Finish, InitRequest, Survivor, TrialReport};
use crate::sandbox::protocol::zygote::ZygoteOrder;
use crate::sandbox::trial::program::let_go_of;
use crate::trial::running::Remark;
use crate::trial::time_scale::stretched;

/// Exit code after a time-out, as of timeout(1).
const TIMED_OUT: i32 = 124;
/// Exit code where the wrapper itself failed, as of timeout(1) and env(1).
const FAILED: i32 = 125;

/// A program that runs, as the process outside sees it.
pub(super) struct Watch {
    signals: SignalFd,
    nursery: NurseryHandle,
    channel: MessageChannel,
    /// Time limit, and the moment when it is over.
    limit: Option<(Duration, Instant)>,
    keep: bool,
    denials: Vec<Denial>,
    /// Notes that are printed if the world of the program ends without a report.
    last_words: Vec<String>,
    /// End of a program that ran in a node.
    end_in_node: Option<ExitKind>,
}

/// The end of the trial that the program was.
struct TrialEnd {
    end: ExitKind,
    survivors: Vec<Survivor>,
    finish: Option<Finish>,
}

impl Watch {
    /// Orders the program to be run.
    ///
    /// # Errors
    /// The first process of the world is gone.
    pub(super) fn new(
        setup: ProgramSetup,
        limit: Option<Duration>,
        keep: bool,
    ) -> Result<Self, ExecError> {
        let ProgramSetup {
            signals,
            nursery,
            zygote: channel,
            notes,
            is_ordered,
        } = setup;
        for note in notes {
            say(&format!("note: {note}"));
        }
        // A reader of the program's output waits until nobody else has it. Only stderr is needed.
        let _ = let_go_of(0..2);
        if !is_ordered {
            let order = ZygoteOrder {
                trial: 0,
                seed: 0,
                share: 0,
            };
            let ordered = channel.send(&order.encode());
            ordered.map_err(|_| ExecError::WorldDied)?;
        }
        Ok(Self {
            signals,
            nursery,
            channel,
            limit: limit
                .map(stretched)
                .map(|limit| (limit, Instant::now() + limit)),
            keep,
            denials: Vec::new(),
            last_words: Vec::new(),
            end_in_node: None,
        })
    }

    /// Watches the program, and ends this process as the program has ended.
    ///
    /// # Errors
    /// The world could not be made, or was killed.
    pub(super) fn until_the_end(mut self) -> Result<Infallible, ExecError> {
        let mut buffer = vec![0; MESSAGE_MAX];
        loop {
            let left = self
                .limit
                .map(|(_, at)| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                self.time_out(&mut buffer)
            }
            let fds = [self.signals.as_fd(), self.channel.as_fd()];
            let Ok([signalled, reported]) = poll::wait_readable(fds, left) else {
                continue;
            };
            if signalled {
                self.pass_signals_on();
            }
            if reported && let Some(end) = self.receive(&mut buffer)? {
                self.finish(end)
            }
        }
    }

    fn pass_signals_on(&self) {
        while let Some((number, is_of_terminal)) = self.signals.next_with_origin() {
            // What comes from the terminal has reached the program. To ask the init about it would
            // not do: SIGCONT takes a SIGTSTP away that waits there (signal(7)), before the init is
            // asked.
            let request = match is_of_terminal {
                true => InitRequest::Forget(number),
                false => InitRequest::PassOn(number),
            };
            // A program that is gone needs no signal.
            let _ = self.channel.send(&request.encode());
        }
    }

    /// Receives the reports that are there. Returns the last one.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<TrialEnd>, ExecError> {
        loop {
            let bytes = match self.channel.try_receive(buffer) {
                Ok(None) => return Ok(None),
                Ok(Some([])) | Err(_) => {
                    self.say_last_words();
                    return Err(ExecError::WorldDied);
                }
                Ok(Some(bytes)) => bytes,
            };
            match TrialReport::decode(bytes) {
                Some(TrialReport::Exited {
                    end,
                    survivors,
                    finish,
                }) => {
                    return Ok(Some(TrialEnd {
                        end,
                        survivors,
                        finish,
                    }));
                }
                Some(TrialReport::ProgramGone(end)) => {
                    self.nursery.note_left_nothing(true);
                    return Ok(Some(TrialEnd {
                        end,
                        survivors: Vec::new(),
                        finish: None,
                    }));
                }
                Some(TrialReport::AllWell) => {
                    return Ok(Some(TrialEnd {
                        end: ExitKind::SUCCESS,
                        survivors: Vec::new(),
                        finish: Some(Finish::Passed),
                    }));
                }
                Some(TrialReport::Refused(step)) => return Err(explain(&step).into()),
                Some(TrialReport::StopSeen) => {
                    // A SIGTSTP that has stopped the whole group takes away the SIGCONT of an
                    // earlier `fg` that waits here still (signal(7)), and would be passed on.
                    await_signals_to_groups();
                    // A program that is gone is not stopped.
                    let _ = self.channel.send(&InitRequest::ConfirmStop.encode());
                }
                // The signal that makes this process go on waits in the descriptor then, and is
                // passed on to the program.
                Some(TrialReport::Stopped(number)) => stop_by(number),
                Some(TrialReport::ProgramEnded(end)) => self.end_in_node = Some(end),
                Some(TrialReport::Denied(denial)) => self.denials.push(denial),
                Some(TrialReport::Described(text)) => say(&format!("what hangs:\n{text}")),
                Some(TrialReport::Remarked(Remark::Note(text))) => say(&format!("note: {text}")),
                Some(TrialReport::Remarked(Remark::LastWords(text))) => self.last_words.push(text),
                Some(
                    TrialReport::Traced
                    | TrialReport::StackOverflowed
                    | TrialReport::Forked { .. }
                    | TrialReport::Remarked(Remark::Death(_)),
                )
                | None => {}
            }
        }
    }

    /// Says what hangs, kills everything, and ends this process.
    fn time_out(mut self, buffer: &mut [u8]) -> ! {
        if let Some((limit, _)) = self.limit {
            say(&format!("timed out after {limit:?}"));
        }
        let _ = self.channel.send(&InitRequest::Describe.encode());
        if let Ok([true]) = poll::wait_readable([self.channel.as_fd()], Some(time_for_last_words()))
        {
            let _ = self.receive(buffer);
        }
        self.say_last_words();
        if self.keep {
            self.keep_world("still runs");
        }
        self.nursery.kill_all();
        self.take_down();
        std::process::exit(TIMED_OUT)
    }

    fn say_last_words(&mut self) {
        for text in std::mem::take(&mut self.last_words) {
            say(&format!("note: {text}"));
        }
    }

    /// Ends this process as the program has ended.
    fn finish(mut self, trial: TrialEnd) -> ! {
        let TrialEnd {
            end,
            survivors,
            finish,
        } = trial;
        if !survivors.is_empty() {
            let named: Vec<String> = survivors
                .iter()
                .map(|Survivor { pid, name }| format!("{name} (pid {pid})"))
                .collect();
            say(&format!("left running, and killed: {}", named.join(", ")));
        }
        if finish.is_none() {
            self.say_last_words();
        }
        let end = match (self.end_in_node, finish) {
            (Some(end), _) => end,
            (
                None,
                Some(Finish::Failed {
                    reason, on_stderr, ..
                }),
            ) => {
                if !on_stderr {
                    say(&reason);
                }
                ExitKind::Code(FAILED)
            }
            (None, Some(Finish::Passed) | None) => end,
        };
        if end != ExitKind::SUCCESS {
            for denial in &self.denials {
                say(&format!("note: {}", explain_denial(denial, DeniedIn::Exec)));
            }
        }
        if self.keep && end != ExitKind::SUCCESS {
            self.keep_world(&end.to_string());
        }
        self.take_down();
        match end {
            ExitKind::Code(code) => std::process::exit(code),
            ExitKind::Signal { number, .. } => die_by(number),
        }
    }

    /// Says how to look into the world, and waits until somebody wants it to end.
    fn keep_world(&self, state: &str) {
        let init = self.nursery.pid().and_then(|nursery| {
            let inside = process_table::descendants(nursery);
            inside.first().copied()
        });
        let Some(init) = init else {
            return;
        };
        // Root has no groups to keep, and a user may set none (user_namespaces(7)).
        let credentials = match is_root_of_the_host() {
            true => "",
            false => " --preserve-credentials",
        };
        say(&format!(
            "the program {state}; its world is kept until this process gets a signal, as by ^C. To look into it: nsenter --target {init} --all{credentials}"
        ));
        let ends = [
            Signal::SIGHUP,
            Signal::SIGINT,
            Signal::SIGQUIT,
            Signal::SIGTERM,
        ];
        loop {
            let _ = poll::wait_readable([self.signals.as_fd()], None);
            while let Some(number) = self.signals.next() {
                if ends.iter().any(|signal| *signal as i32 == number) {
                    return;
                }
            }
        }
    }

    /// Ends the world, and waits until nobody in it has the caller's descriptors any more.
    fn take_down(self) {
        let Self {
            nursery, channel, ..
        } = self;
        nursery.end();
        // A nursery in a sandbox that is kept ends when this channel does.
        drop(channel);
        nursery.await_end();
    }
}

/// Writes a line to stderr, which may be closed.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "snowglobe exec: {line}");
}
