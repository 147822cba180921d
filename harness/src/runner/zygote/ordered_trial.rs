//! A zygote: a copy of the test program, forked before anything was started, that runs a trial when
//! told to, one at a time.
//!
//! A trial thus costs a fork and not a program start. Its init lives in the zygote's memory while the
//! zygote sleeps ([`crate::kernel::process::shared_memory_child`]), as a guest of a thread that bears the test's name: the
//! one fork is that of the test body, which finds itself on a copy of that thread.

use std::fmt::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use crate::Isolation;
use crate::kernel::errno::errno;
use crate::kernel::fixed_str::FixedStr;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process::shared_memory_child;
use crate::kernel::process::signal::SignalFd;
use crate::kernel::process::thread::FirstThread;
use crate::kernel::{mount, process};
use crate::sandbox::ids::Ids;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::trial::{TrialReport, WAKE_INIT};
use crate::sandbox::protocol::zygote::{LONGEST_ORDER, ZygoteOrder};
use crate::sandbox::refused::{NewProcess, Refused, SetupStep};
use crate::sandbox::trial::body;
use crate::sandbox::trial::init::Init;
use crate::sandbox::trial::mounts::SandboxSpec;
use crate::trial::Trial;

/// What every zygote knows.
pub(crate) struct Zygote<'a> {
    /// The trials, by the index that orders name; each is taken by the process that runs it.
    trials: &'a mut [Option<Trial>],
    setting: Setting,
    /// What the trial before has left to the next one.
    kept: Option<Given>,
}

/// What a trial is given.
struct Given {
    /// Where the body's stdout and stderr go, unless they go straight through.
    output: Option<OwnedFd>,
    /// The init's end of what the body has to say.
    reports: MessageChannel,
    /// The body's end.
    theirs: Option<MessageChannel>,
}

/// What a trial has left behind.
enum Left {
    /// Nothing: whatever it was given is nobody's but ours again.
    Nothing,
    /// Perhaps processes that have that, and are about to die.
    Something,
    /// Memory of which nobody knows what it is like.
    Ruin,
}

/// What all trials of a run find alike.
pub(crate) struct Setting {
    ids: Ids,
    /// The supervisor's thread, of which the zygotes' are copies.
    first: Option<FirstThread>,
    /// What a private mount of a trial would hide, and must not.
    hidden: Vec<PathBuf>,
    working_dir: PathBuf,
    /// How large the stack of a test's thread is, in bytes.
    stack: usize,
    sys_read_only: bool,
    /// Readable when the supervisor is gone.
    supervisor: OwnedFd,
    /// Readable when a signal waits, in whichever process reads it.
    signals: SignalFd,
}

impl Setting {
    /// As the first process of the outer sandbox finds it.
    pub(crate) fn of(
        ids: Ids,
        hidden: Vec<PathBuf>,
        supervisor: OwnedFd,
        first: Option<FirstThread>,
    ) -> nix::Result<Setting> {
        Ok(Setting {
            ids,
            first,
            hidden,
            working_dir: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            stack: usual_stack() + shared_memory_child::OWN,
            sys_read_only: mount::is_read_only("/sys"),
            supervisor,
            signals: SignalFd::of(&[Signal::SIGCHLD, WAKE_INIT])?,
        })
    }
}

/// What std gives to a thread: so much room a test has wherever it runs.
fn usual_stack() -> usize {
    const USUAL: usize = 2 << 20;
    /// An init lives there too, and makes nodes.
    const LEAST: usize = 256 << 10;
    let said = std::env::var("RUST_MIN_STACK").ok();
    let said = said.and_then(|said| said.parse().ok());
    said.unwrap_or(USUAL).max(LEAST)
}

/// A trial that has been ordered.
struct Run<'a> {
    index: u32,
    seed: u64,
    channel: &'a MessageChannel,
}

impl<'a> Zygote<'a> {
    pub(crate) fn new(trials: &'a mut [Option<Trial>], setting: Setting) -> Zygote<'a> {
        Zygote {
            trials,
            setting,
            kept: None,
        }
    }

    /// Readable when the supervisor is gone.
    pub(super) fn supervisor(&self) -> &OwnedFd {
        &self.setting.supervisor
    }

    /// Runs the trials that are ordered, until nothing can be ordered any more.
    pub(crate) fn serve(mut self, channel: &MessageChannel) -> ! {
        if let Some(first) = self.setting.first {
            first.disown();
        }
        loop {
            let (order, output) = await_order(channel, &self.setting.supervisor);
            // Anything else is a request to an init that has gone meanwhile.
            let Some(ZygoteOrder { trial, seed }) = order else {
                continue;
            };
            let run = Run {
                index: trial,
                seed,
                channel,
            };
            if !self.run(&run, output) {
                // The supervisor will have another zygote for this slot.
                process::exit_now(1)
            }
        }
    }

    /// Runs a trial, with a thread for its body to be a copy of; false if this zygote should not run another.
    fn run(&mut self, run: &Run<'_>, output: Option<OwnedFd>) -> bool {
        let place = self.trials.get_mut(run.index as usize);
        let Some((place, name)) = place.and_then(|place| {
            let name = place.as_ref()?.name().to_owned();
            Some((place, name))
        }) else {
            return false;
        };
        let mut given = match Given::after(self.kept.take(), output) {
            Ok(given) => given,
            Err(refused) => {
                refuse(run.channel, "make a channel", &refused.into());
                return true;
            }
        };
        let setting = &self.setting;
        let left = thread::scope(|scope| {
            let invite = || run.invite(place, setting, &mut given);
            let thread = thread::Builder::new().name(name);
            match thread.stack_size(setting.stack).spawn_scoped(scope, invite) {
                Ok(thread) => thread.join().unwrap_or(Left::Ruin),
                Err(refused) => {
                    refuse(run.channel, "start the test's thread", &refused);
                    Left::Something
                }
            }
        });
        self.kept = matches!(left, Left::Nothing).then_some(given);
        !matches!(left, Left::Ruin)
    }
}

impl Given {
    /// What the trial before had, as far as it can be had again.
    fn after(kept: Option<Given>, output: Option<OwnedFd>) -> nix::Result<Given> {
        let given = match kept {
            Some(kept) => kept,
            None => {
                let (reports, theirs) = MessageChannel::pair()?;
                Given {
                    output: None,
                    reports,
                    theirs: Some(theirs),
                }
            }
        };
        Ok(Given {
            output: output.or(given.output),
            ..given
        })
    }
}

impl Run<'_> {
    /// Makes the init of the trial at `place` a guest of the calling thread, until it has gone.
    fn invite(&self, place: &mut Option<Trial>, setting: &Setting, given: &mut Given) -> Left {
        let Some(trial) = place.as_ref() else {
            return Left::Ruin;
        };
        let Given {
            output,
            reports,
            theirs,
        } = given;
        body::prepare_thread();
        crate::events::start_clock();
        let options = *trial.options();
        let hostname = hostname(trial.name());
        let init = Init {
            spec: SandboxSpec {
                isolation: options.isolation,
                hostname: &hostname,
                nested: options.nested,
                hidden: &setting.hidden,
                working_dir: &setting.working_dir,
                sys_read_only: setting.sys_read_only,
                patient: false,
            },
            ids: setting.ids,
            channel: self.channel,
            reports,
            supervisor: &setting.supervisor,
            signals: &setting.signals,
        };
        let map = |pid| match map_ids(setting.ids, options.isolation, pid) {
            Ok(()) => true,
            Err(refused) => {
                refuse(self.channel, "map the ids", &refused);
                false
            }
        };
        // It takes what it needs from its own copy of this memory.
        let body = || match (place.take(), theirs.take()) {
            (Some(trial), Some(channel)) => body::run(trial, self.seed, self.index, channel),
            _ => process::exit_now(1),
        };
        let mut well = false;
        let life = || well = init.live(output.as_ref(), body);
        let namespaces = options.isolation.clone_flags();
        match shared_memory_child::run_in_child(namespaces, map, life) {
            Ok(true) if well => Left::Nothing,
            Ok(true) => Left::Something,
            Ok(false) => Left::Ruin,
            Err(refused) => {
                refuse(
                    self.channel,
                    SetupStep::Clone(NewProcess::Sandbox, namespaces),
                    &refused,
                );
                Left::Something
            }
        }
    }
}

/// A range of ids can only be mapped from outside.
fn map_ids(ids: Ids, isolation: Isolation, pid: i32) -> std::io::Result<()> {
    if matches!(ids, Ids::One { .. }) || !isolation.contains(Isolation::USER) {
        return Ok(());
    }
    let map = ids.within();
    map.write(map, pid, false)
}

/// The next order, if the next message is one, and what came along. Ends the process when the supervisor is
/// gone, or done with it.
pub(super) fn await_order<M: EdgeMessage>(
    channel: &MessageChannel,
    supervisor: &OwnedFd,
) -> (Option<M>, Option<OwnedFd>) {
    loop {
        let mut fds = [
            PollFd::new(channel.as_fd(), PollFlags::POLLIN),
            PollFd::new(supervisor.as_fd(), PollFlags::POLLIN),
        ];
        if poll(&mut fds, PollTimeout::NONE).is_err() {
            continue;
        }
        let [ordered, orphaned] = fds.map(|fd| fd.any().unwrap_or(false));
        if orphaned {
            process::exit_now(0);
        }
        if !ordered {
            continue;
        }
        let mut buffer = [0; LONGEST_ORDER];
        match channel.receive_few_with(&mut buffer) {
            Ok(([], _)) => process::exit_now(0),
            Ok((message, [passed, _])) => return (M::decode(message), passed),
            Err(_) => {}
        }
    }
}

/// Tells the supervisor why a trial was not run.
pub(super) fn refuse(channel: &MessageChannel, step: impl Into<SetupStep>, error: &std::io::Error) {
    let refused = TrialReport::Refused(Refused {
        step: step.into(),
        errno: errno(error),
    });
    let _ = channel.send(&refused.encode());
}

/// A name that a host may have, made of a trial's: `tcp::answers_bob` is `tcp-answers-bob`.
pub(crate) fn hostname(name: &str) -> FixedStr<63> {
    let mut host = FixedStr::<63>::new();
    for c in name.chars() {
        let c = match c {
            c if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
            _ if host.is_empty() || host.ends_with('-') => continue,
            _ => '-',
        };
        if host.write_char(c).is_err() {
            break;
        }
    }
    let length = host.trim_end_matches('-').len();
    host.truncate(length);
    if host.is_empty() {
        host = FixedStr::of(format_args!("trial"));
    }
    host
}

#[cfg(test)]
mod tests {
    use super::hostname;

    #[test]
    fn hostnames_are_ones_that_hosts_may_have() {
        assert_eq!(&*hostname("tcp::answers_bob"), "tcp-answers-bob");
        assert_eq!(&*hostname("__x__"), "x");
        assert_eq!(&*hostname("日本"), "trial");
        assert_eq!(hostname(&"ab_".repeat(100)).len(), 62);
    }
}
