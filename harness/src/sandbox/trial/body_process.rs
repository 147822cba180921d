//! The process of a test body, as its init knows it, and what it has before code of the test runs.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use super::init::Init;
use crate::Isolation;
use crate::kernel::fd::{close_in_copy, replace_standard, set_nonblocking};
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::namespace::CloneFlags;
use crate::kernel::process::signal;
use crate::kernel::process::{self, Pid, shared_memory_child};
use crate::kernel::thread::show_as_before;
use crate::sandbox::protocol::trial::Finish;
use crate::sandbox::refused::{Doing, Refused};

/// The process of the test body, as its init sees it.
pub(super) struct BodyProcess {
    pub(super) pid: Pid,
    /// Channel on which the body asks for nodes, if it ever wants one.
    pub(super) node_requests: RefCell<Option<MessageChannel>>,
    /// Number of nodes that were made.
    pub(super) nodes_made: Cell<u32>,
    /// Channels to the servers of disks.
    pub(super) disks: RefCell<Vec<MessageChannel>>,
    /// Process that makes the nodes, if the body is in a user namespace of its own and wants some.
    pub(super) labs: Cell<Option<Pid>>,
    /// End of the body as it was reported before the end of its process.
    pub(super) finish: RefCell<Option<Finish>>,
    /// The body, a program, was reported as stopped, and its caller has not gone on since.
    pub(super) stopped: Cell<bool>,
}

impl BodyProcess {
    /// Returns a body of which nothing has been heard yet.
    pub(super) fn new(pid: Pid) -> Self {
        Self {
            pid,
            node_requests: RefCell::default(),
            nodes_made: Cell::default(),
            disks: RefCell::default(),
            labs: Cell::default(),
            finish: RefCell::default(),
            stopped: Cell::default(),
        }
    }
}

impl Init<'_> {
    /// Starts a body that does nothing but become another program, and returns its process.
    ///
    /// The body needs no memory of its own for that, as after `vfork`: a fork would cost the copies
    /// of page tables and of the pages to which it writes.
    pub(super) fn start_program(&self, name: &CStr, run: impl FnOnce()) -> Result<Pid, Refused> {
        let body = Cell::new(0);
        let note = |pid| {
            body.set(pid);
            true
        };
        let become_program = || {
            show_as_before(name);
            // A program keeps that setting, and did not ask for it (prctl(2)).
            let _ = process::outlive_parent();
            self.become_body(None, run)
        };
        // Returns when the memory is this process' alone again, after execve(2) or the end.
        shared_memory_child::run_in_child(CloneFlags::empty(), note, become_program)
            .doing("start the program")?;
        Ok(Pid::from_raw(body.get()))
    }

    /// Gives the calling process, a copy of the init, what a test body is to have, and runs the
    /// body.
    pub(super) fn become_body(&self, output: Option<&OwnedFd>, run: impl FnOnce()) -> ! {
        if let Some(output) = output {
            // A trial before may have had the same pipe and set O_NONBLOCK, which belongs to the
            // open file description and not to the descriptor (fcntl(2)).
            let _ = set_nonblocking(output.as_fd(), false);
            let _ = replace_standard(output.as_fd(), 1);
            let _ = replace_standard(output.as_fd(), 2);
        }
        if self.program.is_none() {
            let _ = signal::unblock_all();
        }
        if !self.spec.isolation.contains(Isolation::PID) {
            // Without a PID namespace the kernel would let the body outlive an init that is killed.
            let _ = process::die_with_parent();
        }
        // The test must not have these, and nothing that it starts should keep them open: the
        // supervisor takes the end of a channel for the end of a trial.
        close_in_copy(&[
            self.channel.as_fd(),
            self.reports.as_fd(),
            self.signals.as_fd(),
            self.supervisor.as_fd(),
        ]);
        let counter = self.spec.number_counter.map(AsFd::as_fd);
        let denials = self.denials.as_ref().map(|watch| watch.fd.as_fd());
        let keeper = self.keeper.map(AsFd::as_fd);
        counter
            .into_iter()
            .chain(denials)
            .chain(keeper)
            .for_each(|fd| close_in_copy(&[fd]));
        run();
        process::exit_now(1)
    }
}
