//! The zygotes: single-threaded copies of the test program, forked before anything was started,
//! that fork a trial when told to.
//!
//! A trial thus costs a fork and not a program start. There are several because making a network
//! namespace takes the kernel most of a millisecond, in the caller.

use std::fmt::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::unistd::ForkResult;

use super::protocol::{Order, Report};
use crate::Isolation;
use crate::kernel::clone::{Cloned, clone_into};
use crate::kernel::errno::errno;
use crate::kernel::fd::{Channel, replace_standard};
use crate::kernel::signal::{self, Pending};
use crate::kernel::text::Text;
use crate::kernel::{mount, process, renew};
use crate::sandbox::body;
use crate::sandbox::ids::Ids;
use crate::sandbox::init::{Init, MAPPED};
use crate::sandbox::inner::World;
use crate::trial::Trial;

/// With so many trials it is worth the while to make forking cheaper.
const MANY: usize = 100;

/// What every zygote knows.
pub(crate) struct Zygote<'a> {
    /// The trials, by the index that orders name; each is taken by the process that runs it.
    pub(crate) trials: &'a mut [Option<Trial>],
    pub(crate) ids: Ids,
    /// What a private mount of a trial would hide, and must not.
    pub(crate) hidden: Vec<PathBuf>,
    pub(crate) sys_read_only: bool,
    /// Readable when the supervisor is gone.
    pub(crate) supervisor: OwnedFd,
}

impl Zygote<'_> {
    /// The first process of the outer sandbox: forks the other zygotes, then serves like them.
    pub(crate) fn first(mut self, channel: Channel, others: Vec<Channel>) -> ! {
        let prepared = self.prepare();
        self.sys_read_only = mount::is_read_only("/sys");
        let Ok(signals) = prepared else {
            process::exit_now(1);
        };
        let mut others = others.into_iter();
        while let Some(other) = others.next() {
            if let Ok(ForkResult::Child) = process::fork() {
                drop((channel, others));
                let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
                self.serve(&other, &signals)
            }
        }
        self.serve(&channel, &signals)
    }

    fn prepare(&self) -> nix::Result<Pending> {
        signal::ignore_children()?;
        // These lead to places that the sandbox hides.
        for key in ["TMPDIR", "XDG_RUNTIME_DIR"] {
            process::remove_env(key);
        }
        let null = std::fs::File::open("/dev/null").map_err(|e| errno(&e))?;
        replace_standard(null.as_fd(), 0)?;
        no_core_files()?;
        body::prepare();
        Pending::of(&[Signal::SIGCHLD, MAPPED])
    }

    fn serve(mut self, orders: &Channel, signals: &Pending) -> ! {
        if self.trials.len() >= MANY {
            renew::memory();
        }
        let mut running: Vec<Option<OwnedFd>> = Vec::new();
        let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        loop {
            let mut fds = [
                PollFd::new(orders.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.supervisor.as_fd(), PollFlags::POLLIN),
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
            let mut buffer = [0; Order::LEN];
            let Ok((order, passed)) = orders.receive_few_with(&mut buffer) else {
                continue;
            };
            match Order::decode(order) {
                Some(Order::Run { trial, slot, seed }) => {
                    let slot = slot as usize;
                    if slot >= running.len() {
                        running.resize_with(slot + 1, || None);
                    }
                    running[slot] = self.run(trial, seed, passed, signals, &here);
                }
                Some(Order::Kill { slot }) => {
                    if let Some(pidfd) = running.get_mut(slot as usize).and_then(Option::take) {
                        let _ = process::pidfd_kill(&pidfd, libc::SIGKILL);
                    }
                }
                // End of file: the supervisor is done with us.
                None => process::exit_now(0),
            }
        }
    }

    /// Starts a trial; a handle on its init, unless the kernel refused.
    fn run(
        &mut self,
        index: u32,
        seed: u64,
        [channel, output]: [Option<OwnedFd>; 2],
        signals: &Pending,
        here: &Path,
    ) -> Option<OwnedFd> {
        let channel = Channel::from(channel?);
        let options = *self.trials.get(index as usize)?.as_ref()?.options();
        match clone_into(options.isolation.clone_flags()) {
            Ok(Cloned::Parent { pid, pidfd }) => {
                if options.isolation.contains(Isolation::USER)
                    && let Err(refused) = self.map_ids(pid, &pidfd)
                {
                    refuse(&channel, "map the ids", &refused);
                    return None;
                }
                Some(pidfd)
            }
            Ok(Cloned::Child) => process::never_return(|| {
                if let Some(trial) = self.trials.get_mut(index as usize).and_then(Option::take) {
                    self.child(trial, index, seed, channel, output, signals, here)
                }
            }),
            Err(refused) => {
                refuse(&channel, "clone3 the sandbox", &refused);
                None
            }
        }
    }

    /// A range of ids can only be mapped from outside.
    fn map_ids(&self, pid: i32, pidfd: &OwnedFd) -> std::io::Result<()> {
        if !matches!(self.ids, Ids::One { .. }) {
            let map = self.ids.within();
            let written = map.write(map, pid, false);
            // Whoever waits in vain for its ids would wait for ever.
            let signal = if written.is_ok() {
                MAPPED as i32
            } else {
                libc::SIGKILL
            };
            process::pidfd_kill(pidfd, signal)?;
            written?;
        }
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all that tells one trial from another"
    )]
    fn child(
        &self,
        trial: Trial,
        index: u32,
        seed: u64,
        channel: Channel,
        output: Option<OwnedFd>,
        signals: &Pending,
        here: &Path,
    ) -> ! {
        let options = *trial.options();
        let hostname = hostname(trial.name());
        let init = Init {
            world: World {
                isolation: options.isolation,
                hostname: &hostname,
                nested: options.nested,
                hidden: &self.hidden,
                working_dir: here,
                sys_read_only: self.sys_read_only,
                patient: false,
            },
            ids: self.ids,
            channel,
            supervisor: &self.supervisor,
            signals,
        };
        init.live(output, |reports| body::run(trial, seed, index, reports))
    }
}

fn refuse(channel: &Channel, step: &str, error: &std::io::Error) {
    let refused = Report::Refused {
        step: step.to_owned(),
        errno: errno(error) as i32,
    };
    let _ = channel.send(&refused.encode());
}

/// A test that is meant to crash should not leave a core file in the workspace.
fn no_core_files() -> nix::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE)?;
    match std::env::var_os("SNOWGLOBE_CORE") {
        Some(_) => Ok(()),
        None => setrlimit(Resource::RLIMIT_CORE, 0, hard),
    }
}

/// A name that a host may have, made of a trial's: `tcp::answers_bob` is `tcp-answers-bob`.
pub(crate) fn hostname(name: &str) -> Text<63> {
    let mut host = Text::<63>::new();
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
        host = Text::of(format_args!("trial"));
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
