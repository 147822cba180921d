//! The first process of a node: furnishes it, and then runs programs on request.
//!
//! Programs that a test runs in a node are children of this process, so that they live in the
//! node's namespaces and nothing has to enter them from outside. It has no thread, allocates
//! little, and sleeps while nothing happens.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{launch, mounts};
use crate::Isolation;
use crate::kernel::errno::errno;
use crate::kernel::fd::close_all_but;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process;
use crate::kernel::process::Reaped;
use crate::kernel::process::signal;
use crate::kernel::process::signal::Pending;
use crate::kernel::process::thread::show_as;
use crate::sandbox::process_table;
use crate::sandbox::protocol::node::{Birth, Cry, Errand, Fate, Joins};
use crate::sandbox::trial::init::MAPPED;
use crate::sandbox::trial::mounts::{Refused, World};

/// Lives until it is killed, or nobody is left to ask for anything.
pub(super) fn live(
    birth: &Birth,
    world: &World<'_>,
    channel: &MessageChannel,
    joined: Option<&OwnedFd>,
    signals: &Pending,
) -> ! {
    let made = become_node(birth, world, channel, joined);
    let netns = match made {
        Ok(netns) => netns,
        Err((step, errno)) => {
            let refused = Cry::Refused {
                step: step.to_owned(),
                errno: errno as i32,
            };
            let _ = channel.send(&refused.encode());
            process::exit_now(1)
        }
    };
    let _ = channel.send_with(&Cry::Ready.encode(), &[netns.as_raw_fd()]);
    drop(netns);
    // A node must not keep a trial's channels open.
    if close_all_but(&[channel.as_raw_fd(), signals.as_fd().as_raw_fd()]).is_err() {
        process::exit_now(1)
    }
    Node {
        channel,
        signals,
        own_pids: birth.own_pids,
        running: HashMap::new(),
    }
    .serve()
}

fn become_node(
    birth: &Birth,
    world: &World<'_>,
    channel: &MessageChannel,
    joined: Option<&OwnedFd>,
) -> Result<OwnedFd, Refused> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)
        .map_err(|e| ("set the parent-death signal", e))?;
    if birth.ids.is_some() && birth.joins == Joins::Nothing {
        signal::wait_for(MAPPED).map_err(|e| ("wait for the ids", e))?;
    }
    show_as(&format!("node:{}", birth.name));
    if let Some(joined) = joined {
        let kinds = match birth.joins {
            Joins::Nothing => CloneFlags::empty(),
            Joins::Network => CloneFlags::CLONE_NEWNET,
            Joins::Pod | Joins::PodAndPids => {
                CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC
            }
        };
        setns(joined, kinds).map_err(|e| ("enter the namespaces that it shares", e))?;
    }
    if !birth.own_pids {
        // Orphans come to us and not to the pod.
        nix::sys::prctl::set_child_subreaper(true).map_err(|e| ("become a subreaper", e))?;
    }
    let mut isolation = Isolation::ALL.without(Isolation::USER);
    if birth.hostname.is_none() {
        isolation = isolation.without(Isolation::UTS);
    }
    if !birth.own_mounts {
        isolation = isolation.without(Isolation::MNT);
    }
    let world = World {
        isolation,
        hostname: birth.hostname.as_deref().unwrap_or_default(),
        nested: true,
        hidden: world.hidden,
        working_dir: world.working_dir,
        sys_read_only: world.sys_read_only,
        patient: true,
    };
    mounts::furnish(birth, &world, &|note| {
        let _ = channel.send(&Cry::Note(note.to_owned()).encode());
    })?;
    let netns = std::fs::File::open("/proc/self/ns/net")
        .map_err(|e| ("open its network namespace", errno(&e)))?;
    Ok(netns.into())
}

struct Node<'a> {
    channel: &'a MessageChannel,
    signals: &'a Pending,
    own_pids: bool,
    /// Where the end of each program is told.
    running: HashMap<i32, MessageChannel>,
}

impl Node<'_> {
    fn serve(mut self) -> ! {
        loop {
            let mut fds = [
                PollFd::new(self.channel.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            ];
            if poll(&mut fds, PollTimeout::NONE).is_err() {
                continue;
            }
            let [asked, signalled] = fds.map(|fd| fd.any().unwrap_or(false));
            if signalled {
                self.reap();
            }
            if asked {
                self.obey();
            }
        }
    }

    fn obey(&mut self) {
        let Ok((errand, passed)) = self.channel.receive_whole_with() else {
            self.end()
        };
        if errand.is_empty() {
            self.end()
        }
        let mut passed = passed.into_iter();
        match Errand::decode(&errand) {
            Some(Errand::Run(order)) => {
                let (Some(fate), Some(stdin), Some(stdout), Some(stderr)) =
                    (passed.next(), passed.next(), passed.next(), passed.next())
                else {
                    return;
                };
                self.run(&order, MessageChannel::from(fate), [stdin, stdout, stderr]);
            }
            Some(Errand::SignalAll(number)) => self.signal_all(number),
            Some(Errand::Sysctl(path, value)) => {
                let written = std::fs::write(std::path::Path::new("/proc/sys").join(path), value);
                let errno = written.map_or_else(|e| e.raw_os_error().unwrap_or(libc::EIO), |()| 0);
                if let Some(answer) = passed.next().map(MessageChannel::from) {
                    let _ = answer.send(&Fate::Ended(errno).encode());
                }
            }
            None => {}
        }
    }

    fn run(
        &mut self,
        order: &crate::sandbox::protocol::node::Order,
        fate: MessageChannel,
        streams: [OwnedFd; 3],
    ) {
        let started = launch::start(order, streams).and_then(|pid| {
            let pidfd = process::pidfd_open(pid).map_err(|e| errno(&e))?;
            Ok((pid, pidfd))
        });
        match started {
            Ok((pid, pidfd)) => {
                let _ = fate.send_with(&Fate::Runs(pid).encode(), &[pidfd.as_raw_fd()]);
                self.running.insert(pid, fate);
            }
            Err(errno) => {
                let _ = fate.send(&Fate::Refused(errno as i32).encode());
            }
        }
    }

    fn reap(&mut self) {
        while self.signals.next().is_some() {}
        while let Reaped::One(pid, status) = process::reap() {
            if let Some(fate) = self.running.remove(&pid) {
                let _ = fate.send(&Fate::Ended(status).encode());
            }
        }
    }

    fn signal_all(&self, number: i32) {
        let Ok(signal) = Signal::try_from(number) else {
            return;
        };
        if self.own_pids {
            let _ = kill(Pid::from_raw(-1), signal);
            return;
        }
        // Until there is nobody left who was forked meanwhile.
        let mut known = Vec::new();
        loop {
            let members = process_table::descendants(std::process::id() as i32);
            let new: Vec<i32> = members
                .into_iter()
                .filter(|pid| !known.contains(pid))
                .collect();
            if new.is_empty() {
                return;
            }
            for pid in new {
                let _ = kill(Pid::from_raw(pid), signal);
                known.push(pid);
            }
        }
    }

    /// Nobody is left to ask for anything.
    fn end(&self) -> ! {
        if !self.own_pids {
            self.signal_all(libc::SIGKILL);
        }
        process::exit_now(0)
    }
}

/// An errno for what the kernel never said.
pub(super) const ODD: Errno = Errno::EPROTO;
