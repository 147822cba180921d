//! The first process of a trial's PID namespace. It never runs test code.
//!
//! It furnishes the sandbox, forks the test body, reaps, passes signals on, says who outlives the body,
//! and ends when the supervisor does. Its end is the end of everything in the sandbox.

use std::cell::RefCell;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, setpgid};

use super::factory::Factory;
use super::ids::Ids;
use super::inner::{Refused, World};
use crate::Isolation;
use crate::kernel::errno::errno;
use crate::kernel::fd::{Channel, replace_standard};
use crate::kernel::{process, signal};
use crate::runner::hang;
use crate::runner::protocol::{End, Finish, Report, Request};

/// What an init inherits from its zygote.
pub(crate) struct Init<'a> {
    pub(crate) world: World<'a>,
    pub(crate) ids: Ids,
    pub(crate) channel: Channel,
    pub(crate) supervisor: &'a OwnedFd,
    pub(crate) signals: &'a SignalFd,
}

/// The process of the test body, as its init sees it.
struct Body {
    pid: Pid,
    /// What it has to say.
    reports: Channel,
    /// The nodes that it wants.
    orders: Channel,
    /// Its end of that, kept open so that its exit does not wake us twice.
    _orders: Channel,
    /// What it has said before its end.
    finish: RefCell<Option<Finish>>,
}

/// Says that the zygote has written the id mappings.
pub(crate) const MAPPED: Signal = Signal::SIGUSR1;

impl Init<'_> {
    /// Lives until the trial is over. `body` is run in a process of its own and does not return.
    pub(crate) fn live(self, output: Option<OwnedFd>, run: impl FnOnce(Channel, Channel)) -> ! {
        match self.start(output.as_ref(), run) {
            Ok(body) => self.watch(&body),
            Err((step, errno)) => {
                let step = step.to_owned();
                let refused = Report::Refused {
                    step,
                    errno: errno as i32,
                };
                let _ = self.channel.send(&refused.encode());
                process::exit_now(1)
            }
        }
    }

    fn start(
        &self,
        output: Option<&OwnedFd>,
        run: impl FnOnce(Channel, Channel),
    ) -> Result<Body, Refused> {
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)
            .map_err(|e| ("set the parent-death signal", e))?;
        if signal::is_readable(self.supervisor.as_fd()) {
            process::exit_now(1);
        }
        self.world.furnish_early()?;
        if self.world.isolation.contains(Isolation::USER) {
            self.await_mapping()?;
        }
        if !self.world.isolation.contains(Isolation::PID) {
            // Orphans come to us all the same.
            nix::sys::prctl::set_child_subreaper(true).map_err(|e| ("become a subreaper", e))?;
        }
        self.world.furnish()?;
        signal::default_children().map_err(|e| ("wait for children", e))?;
        // Out of reach of the terminal: the supervisor passes signals on as it sees fit.
        setpgid(Pid::this(), Pid::this()).map_err(|e| ("make a process group", e))?;
        let (reports, theirs) = Channel::pair().map_err(|e| ("make a channel", e))?;
        let (orders, nodes) = Channel::pair().map_err(|e| ("make a channel", e))?;
        match process::fork().map_err(|e| ("fork the test body", e))? {
            ForkResult::Child => {
                drop((reports, orders));
                if let Some(output) = output {
                    let _ = replace_standard(output.as_fd(), 1);
                    let _ = replace_standard(output.as_fd(), 2);
                }
                let _ = signal::unblock_all();
                run(theirs, nodes);
                process::exit_now(1)
            }
            ForkResult::Parent { child: pid } => Ok(Body {
                pid,
                reports,
                orders,
                _orders: nodes,
                finish: RefCell::default(),
            }),
        }
    }

    fn await_mapping(&self) -> Result<(), Refused> {
        match self.ids {
            Ids::One { .. } => {
                let map = self.ids.within();
                map.write(map, std::path::Path::new("/proc/self"), true)
                    .map_err(|e| ("map the ids", errno(&e)))
            }
            Ids::Subordinate(_) | Ids::Range(_) => {
                signal::wait_for(MAPPED).map_err(|e| ("wait for the ids", e))
            }
        }
    }

    fn watch(&self, body: &Body) -> ! {
        // The body's report is read when the body is gone, together with how it went; only what it
        // says when it hangs is wanted at once.
        let mut listening = false;
        loop {
            let interest = if listening {
                PollFlags::POLLIN
            } else {
                PollFlags::empty()
            };
            let mut fds = [
                PollFd::new(self.channel.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.supervisor.as_fd(), PollFlags::POLLIN),
                PollFd::new(body.orders.as_fd(), PollFlags::POLLIN),
                PollFd::new(body.reports.as_fd(), interest),
            ];
            let fds = if listening {
                &mut fds[..]
            } else {
                &mut fds[..4]
            };
            if poll(fds, PollTimeout::NONE).is_err() {
                continue;
            }
            let ready = |i: usize| fds.get(i).is_some_and(|fd| fd.any().unwrap_or(false));
            if ready(2) {
                self.end()
            }
            if ready(1)
                && let Some(end) = self.reap(body.pid)
            {
                self.part(body, end)
            }
            if ready(3) {
                let (orders, world, signals) = (&body.orders, &self.world, self.signals);
                Factory {
                    orders,
                    world,
                    signals,
                }
                .serve();
            }
            if ready(4) {
                // That it has written down where it stands; or that it has finished after all,
                // which is left to be read at its end.
                match self.hear(body) {
                    Some(report @ (Report::Traced | Report::Note(_) | Report::LastWords(_))) => {
                        let _ = self.channel.send(&report.encode());
                    }
                    Some(Report::Finished(finish)) => *body.finish.borrow_mut() = Some(finish),
                    _ => listening = false,
                }
            }
            if ready(0) {
                listening |= self.obey(body.pid);
            }
        }
    }

    /// One report of the body's, if there is one.
    fn hear(&self, body: &Body) -> Option<Report> {
        let report = body.reports.try_receive_whole().ok()??;
        Report::decode(&report)
    }

    /// Does what the supervisor asks; true if the body will have something to say.
    fn obey(&self, body: Pid) -> bool {
        let mut buffer = [0; 16];
        let request = match self.channel.try_receive(&mut buffer) {
            Ok(None) => return false,
            Ok(Some([])) | Err(_) => self.end(),
            Ok(Some(bytes)) => Request::decode(bytes),
        };
        match request {
            Some(Request::Signal(number)) => self.signal_all(number),
            Some(Request::Describe) => {
                let description = hang::describe(&self.members());
                let _ = signal::send_trace(body);
                let _ = self.channel.send(&Report::Described(description).encode());
                return true;
            }
            None => {}
        }
        false
    }

    /// Reaps whoever has ended; the end of the body, if it was among them.
    fn reap(&self, body: Pid) -> Option<End> {
        while let Ok(Some(_)) = self.signals.read_signal() {}
        let mut end = None;
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == body => end = Some(End::Code(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == body => {
                    end = Some(End::Signal(signal as i32));
                }
                Ok(WaitStatus::StillAlive) => return end,
                Err(Errno::EINTR) | Ok(_) => {}
                Err(_) => return end,
            }
        }
    }

    /// The body is gone: says so, with whoever is left, and ends.
    fn part(&self, body: &Body, end: End) -> ! {
        let mut finish = body.finish.take();
        while let Some(report) = self.hear(body) {
            match report {
                Report::Finished(said) => finish = Some(said),
                report => drop(self.channel.send(&report.encode())),
            }
        }
        let survivors = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            // Everybody in here descends from us, so nobody is left.
            Err(Errno::ECHILD) => Vec::new(),
            _ => {
                self.let_die();
                hang::survivors(&self.members())
            }
        };
        let exited = Report::Exited {
            finish,
            end,
            survivors,
        };
        let _ = self.channel.send(&exited.encode());
        self.end()
    }

    /// Waits for those who are dying already: they are no survivors.
    fn let_die(&self) {
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(1);
        while hang::any_dying(&self.members()) && std::time::Instant::now() < patience {
            let mut fds = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut fds, PollTimeout::from(10u8));
            let _ = self.reap(Pid::from_raw(0));
        }
    }

    /// Ends, and everything with us.
    fn end(&self) -> ! {
        if !self.world.isolation.contains(Isolation::PID) {
            self.kill_descendants();
        }
        process::exit_now(0)
    }

    /// Without a PID namespace: until nobody is left, for each may have forked meanwhile.
    fn kill_descendants(&self) {
        loop {
            let members = self.members();
            if members.is_empty() {
                return;
            }
            for pid in members {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            while matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive)
            {
            }
        }
    }

    fn signal_all(&self, number: i32) {
        let Ok(signal) = Signal::try_from(number) else {
            return;
        };
        if self.world.isolation.contains(Isolation::PID) {
            let _ = kill(Pid::from_raw(-1), signal);
        } else {
            for pid in self.members() {
                let _ = kill(Pid::from_raw(pid), signal);
            }
        }
    }

    /// Everybody in the sandbox but us, as `/proc` numbers them.
    fn members(&self) -> Vec<i32> {
        hang::descendants(std::process::id() as i32)
    }
}
