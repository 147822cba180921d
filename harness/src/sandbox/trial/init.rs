//! The first process of a trial's PID namespace. It never runs test code.
//!
//! It furnishes the sandbox, forks the test body, reaps, passes signals on, says who outlives the body,
//! and ends when the supervisor does. Its end is the end of everything in the sandbox.
//!
//! It lives in its zygote's memory ([`crate::kernel::process::shared_memory_child`]), so whatever it allocates has to be freed before it ends.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, Pid, setpgid};

use super::mounts::{Refused, World};
use crate::Isolation;
use crate::kernel::errno::errno;
use crate::kernel::fd::{close_in_copy, replace_standard};
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process;
use crate::kernel::process::Reaped;
use crate::kernel::process::signal;
use crate::kernel::process::signal::Pending;
use crate::sandbox::ids::Ids;
use crate::sandbox::node::factory::Factory;
use crate::sandbox::process_table;
use crate::sandbox::protocol::trial::{End, Finish, Report, Request};

/// What an init inherits from its zygote.
pub(crate) struct Init<'a> {
    pub(crate) world: World<'a>,
    pub(crate) ids: Ids,
    pub(crate) channel: &'a MessageChannel,
    /// What the body has to say.
    pub(crate) reports: &'a MessageChannel,
    pub(crate) supervisor: &'a OwnedFd,
    pub(crate) signals: &'a Pending,
}

/// The process of the test body, as its init sees it.
struct Body {
    pid: Pid,
    /// The nodes that it wants, if it ever wants one.
    orders: RefCell<Option<MessageChannel>>,
    /// What it has said before its end.
    finish: RefCell<Option<Finish>>,
}

/// What an init has been woken for.
struct Ready {
    /// The supervisor asks for something.
    asked: bool,
    signalled: bool,
    /// The supervisor is gone.
    orphaned: bool,
    /// The body says something, if that is listened to.
    reported: bool,
    /// The body wants nodes.
    ordered: bool,
}

/// Says to a node that its id mappings are written.
pub(crate) const MAPPED: Signal = Signal::SIGUSR1;
/// Says to the init that the body has sent a channel on which it will ask for nodes.
pub(crate) const ORDERED: Signal = MAPPED;

/// As system calls take it, for whoever calls.
const OURSELVES: Pid = Pid::from_raw(0);

/// Nearly all reports are no longer.
const SHORT: usize = 256;

impl Init<'_> {
    /// Lives until the trial is over. `body` is run in a process of its own and does not return.
    ///
    /// True if the body has passed, and nobody is left who has anything of what was given to it.
    pub(crate) fn live(self, output: Option<&OwnedFd>, body: impl FnOnce()) -> bool {
        let well = match self.start(output, body) {
            Ok(body) => self.watch(&body),
            Err((step, errno)) => {
                let step = step.to_owned();
                let refused = Report::Refused {
                    step,
                    errno: errno as i32,
                };
                let _ = self.channel.send(&refused.encode());
                false
            }
        };
        self.end();
        well
    }

    fn start(&self, output: Option<&OwnedFd>, run: impl FnOnce()) -> Result<Body, Refused> {
        if crate::kernel::poll::is_readable(self.supervisor.as_fd()) {
            process::exit_now(1);
        }
        if self.world.isolation.contains(Isolation::USER) {
            self.map_itself()?;
        }
        if !self.world.isolation.contains(Isolation::PID) {
            // Orphans come to us all the same.
            nix::sys::prctl::set_child_subreaper(true).map_err(|e| ("become a subreaper", e))?;
        }
        self.world.furnish()?;
        signal::default_children().map_err(|e| ("wait for children", e))?;
        // Out of reach of the terminal: the supervisor passes signals on as it sees fit.
        setpgid(OURSELVES, OURSELVES).map_err(|e| ("make a process group", e))?;
        match process::fork().map_err(|e| ("fork the test body", e))? {
            ForkResult::Child => {
                if let Some(output) = output {
                    // An earlier trial may have had it and set O_NONBLOCK.
                    let _ = fcntl(output, FcntlArg::F_SETFL(OFlag::empty()));
                    let _ = replace_standard(output.as_fd(), 1);
                    let _ = replace_standard(output.as_fd(), 2);
                }
                let _ = signal::unblock_all();
                if !self.world.isolation.contains(Isolation::PID) {
                    // Without its namespace the kernel would let it live on if we were killed.
                    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
                }
                // Whatever the test starts or forks should not keep these open, nor should the test have them.
                close_in_copy(&[
                    self.channel.as_fd(),
                    self.reports.as_fd(),
                    self.signals.as_fd(),
                    self.supervisor.as_fd(),
                ]);
                run();
                process::exit_now(1)
            }
            ForkResult::Parent { child: pid } => Ok(Body {
                pid,
                orders: RefCell::default(),
                finish: RefCell::default(),
            }),
        }
    }

    /// A single id it may map by itself; a range has been mapped from outside.
    fn map_itself(&self) -> Result<(), Refused> {
        if !matches!(self.ids, Ids::One { .. }) {
            return Ok(());
        }
        let map = self.ids.within();
        map.write(map, "self", true)
            .map_err(|e| ("map the ids", errno(&e)))
    }

    /// Until the body is gone, or nobody wants to hear of it any more; true as [`Init::live`] has it.
    fn watch(&self, body: &Body) -> bool {
        // The body's report is read when the body is gone, together with how it went; only what it
        // says when it hangs is wanted at once.
        let mut listening = false;
        loop {
            let Ready {
                asked,
                signalled,
                orphaned,
                reported,
                ordered,
            } = self.wait(body, listening);
            if orphaned {
                return false;
            }
            let called = signalled && self.read_signals();
            if signalled && let Some(end) = self.reap(body.pid) {
                return self.part(body, end);
            }
            if ordered {
                self.serve(body);
            }
            if reported || called {
                let heard = self.heed(body);
                // Readable, and nothing there: it will say nothing any more.
                listening &= heard || !reported;
            }
            if asked {
                match self.obey(body.pid) {
                    ControlFlow::Continue(more) => listening |= more,
                    ControlFlow::Break(()) => return false,
                }
            }
        }
    }

    /// Until there is something to do.
    fn wait(&self, body: &Body, listening: bool) -> Ready {
        let interest = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let channel = self.channel.as_fd();
        let (signals, supervisor) = (self.signals.as_fd(), self.supervisor.as_fd());
        // The last two stand for those that may be there or not.
        let mut fds = [channel, signals, supervisor, channel, channel].map(interest);
        let mut count = 3;
        let orders = body.orders.borrow();
        let reports = listening.then_some(self.reports);
        for channel in reports.into_iter().chain(&*orders) {
            fds[count] = interest(channel.as_fd());
            count += 1;
        }
        let polled = poll(&mut fds[..count], PollTimeout::NONE);
        let ready = fds.map(|fd| polled.is_ok() && fd.any().unwrap_or(false));
        Ready {
            asked: ready[0],
            signalled: ready[1],
            orphaned: ready[2],
            reported: listening && ready[3],
            ordered: ready[if listening { 4 } else { 3 }],
        }
    }

    /// Makes the nodes that the body has asked for.
    fn serve(&self, body: &Body) {
        let mut orders = body.orders.borrow_mut();
        let (world, signals) = (&self.world, self.signals);
        let more = orders.as_ref().is_some_and(|orders| {
            Factory {
                orders,
                world,
                signals,
            }
            .serve()
        });
        if !more {
            *orders = None;
        }
    }

    /// Takes what the body says before its end, as that it has written down where it stands; false
    /// if that was nothing.
    fn heed(&self, body: &Body) -> bool {
        let mut heard = false;
        while let Some(report) = self.hear(body) {
            heard = true;
            match report {
                // It has finished after all, which is left to be told at its end.
                Report::Finished(finish) => *body.finish.borrow_mut() = Some(finish),
                Report::Orders => {}
                report => drop(self.channel.send(&report.encode())),
            }
        }
        heard
    }

    /// One report of the body's, if there is one.
    fn hear(&self, body: &Body) -> Option<Report> {
        let mut short = [0; SHORT];
        let length = self.reports.peek(&mut short).ok()??;
        if length == 0 {
            return None;
        }
        let mut long = Vec::new();
        let buffer = match length > SHORT {
            true => {
                long.resize(length, 0);
                &mut long[..]
            }
            false => &mut short[..],
        };
        let (message, [passed, _]) = self.reports.receive_few_with(buffer).ok()?;
        let report = Report::decode(message);
        if report == Some(Report::Orders) {
            *body.orders.borrow_mut() = passed.map(MessageChannel::from);
        }
        report
    }

    /// Does what the supervisor asks; true if the body will have something to say.
    fn obey(&self, body: Pid) -> ControlFlow<(), bool> {
        let mut buffer = [0; 16];
        let request = match self.channel.try_receive(&mut buffer) {
            Ok(None) => return ControlFlow::Continue(false),
            Ok(Some([])) | Err(_) => return ControlFlow::Break(()),
            Ok(Some(bytes)) => Request::decode(bytes),
        };
        match request {
            Some(Request::Signal(number)) => self.signal_all(number),
            Some(Request::Describe) => {
                let description = process_table::describe(&self.members());
                let _ = signal::send_trace(body);
                let _ = self.channel.send(&Report::Described(description).encode());
                return ControlFlow::Continue(true);
            }
            None => {}
        }
        ControlFlow::Continue(false)
    }

    /// Whether [`ORDERED`] was among the signals that have come.
    fn read_signals(&self) -> bool {
        let mut called = false;
        while let Some(signal) = self.signals.next() {
            called |= signal == ORDERED as i32;
        }
        called
    }

    /// Reaps whoever has ended; the end of the body, if it was among them.
    fn reap(&self, body: Pid) -> Option<End> {
        let mut end = None;
        while let Reaped::One(pid, status) = process::reap() {
            if pid == body.as_raw() {
                end = Some(match libc::WIFSIGNALED(status) {
                    true => End::Signal(libc::WTERMSIG(status)),
                    false => End::Code(libc::WEXITSTATUS(status)),
                });
            }
        }
        end
    }

    /// The body is gone: says so, with whoever is left; true as [`Init::live`] has it.
    fn part(&self, body: &Body, end: End) -> bool {
        self.heed(body);
        let finish = body.finish.take();
        // Everybody in here descends from us.
        let empty = matches!(process::reap(), Reaped::Childless);
        if empty && finish == Some(Finish::Passed) && end == End::Code(0) {
            let _ = self.channel.send(&Report::ALL_WELL);
            return true;
        }
        let survivors = match empty {
            true => Vec::new(),
            false => {
                self.let_die();
                process_table::survivors(&self.members())
            }
        };
        let exited = Report::Exited {
            finish,
            end,
            survivors,
        };
        let _ = self.channel.send(&exited.encode());
        false
    }

    /// Waits for those who are dying already: they are no survivors.
    fn let_die(&self) {
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(1);
        while process_table::any_dying(&self.members()) && std::time::Instant::now() < patience {
            let mut fds = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut fds, PollTimeout::from(10u8));
            let _ = self.read_signals();
            let _ = self.reap(Pid::from_raw(0));
        }
    }

    /// Everything ends with us: with a PID namespace the kernel sees to that.
    fn end(&self) {
        if !self.world.isolation.contains(Isolation::PID) {
            self.kill_descendants();
        }
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
            while matches!(process::reap(), Reaped::One(..)) {}
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
        process_table::descendants(std::process::id() as i32)
    }
}
