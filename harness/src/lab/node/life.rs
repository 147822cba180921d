//! Life and death of a node: pause, resume, crash, restart.

use std::os::fd::AsFd;

use crate::kernel::process::signal::Signal;
use crate::lab::error::{LabError, Result};
use crate::lab::first_process::{self, FirstProcessHandle};
use crate::lab::node::ending::end_programs;
use crate::lab::node::node::Node;
use crate::sandbox::protocol::node::{Joins, NodeCommand};

impl Node {
    /// Stops all processes of the node, wherever they are, until [`resume`](Node::resume).
    ///
    /// The network stack goes on: the kernel acknowledges what no process reads. Threads of the
    /// test that are in the node belong to the test, and go on too.
    ///
    /// # Errors
    /// The node does not run.
    pub fn pause(&self) -> Result<()> {
        // The first process finds the processes: those that double-forked are its children by then,
        // and a new one may appear at any time.
        let stop = NodeCommand::SignalAll(Signal::SIGSTOP as i32);
        self.with_first_process("pause node", |first| first.ask(&stop, &[]))?;
        self.await_obeyed()
    }

    /// Lets the processes of the node go on.
    ///
    /// # Errors
    /// The node does not run.
    pub fn resume(&self) -> Result<()> {
        let go_on = NodeCommand::SignalAll(Signal::SIGCONT as i32);
        self.with_first_process("resume node", |first| first.ask(&go_on, &[]))?;
        self.await_obeyed()
    }

    /// Kills everything in the node at once, as a power cut would. The network interfaces stay, and
    /// so do the disks: volumes, and what was written to the root filesystem.
    ///
    /// # Errors
    /// A container that shares the PID namespace of its pod does not run.
    pub fn crash(&self) -> Result<()> {
        // Before the crash, which would hide why a program had ended.
        self.programs().report_surprises();
        // Before the processes: the runtime's thread holds the mount namespace, and its futures
        // would see files and peers vanish.
        self.stop_runtime();
        self.programs().expect_all();
        if !self.request().own_pids {
            // A container that shares the PID namespace of its pod does not take the others with
            // it. Only its first process knows which processes are its own, so that process kills
            // them.
            let kill = NodeCommand::SignalAll(Signal::SIGKILL as i32);
            self.with_first_process("crash node", |first| first.ask(&kill, &[]))?;
            self.await_obeyed()?;
        }
        self.kill();
        Ok(())
    }

    /// Starts the node again, after ending its programs as at the end of the lab.
    ///
    /// The node has the same network and disks and an empty `/tmp`. The commands of its
    /// [`NodeSpec`](crate::topology::NodeSpec::command) run again.
    ///
    /// # Errors
    /// A command fails to start again, or the node was removed.
    pub fn restart(&self) -> Result<()> {
        if self.is_removed() {
            let what = format!("restart node `{}`", self.name());
            return Err(LabError::removed_before(what, self.name()));
        }
        self.programs().report_surprises();
        self.stop_runtime();
        // As at the end of a lab: a server gets the time to write its data.
        end_programs(&[self]);
        // The labels of the new programs count from the beginning again.
        self.programs().clear();
        self.kill();
        let mut request = self.request().clone();
        // The network namespace has outlived the processes, with all interfaces and addresses. The
        // new first process joins it instead of making another.
        if request.joins == Joins::Nothing {
            request.joins = Joins::Network;
        }
        let joined = match request.joins {
            Joins::Pod | Joins::PodAndPids => self.stack().pod().map(FirstProcessHandle::pidfd),
            Joins::Nothing | Joins::Network => self.stack().netns(),
        };
        let pending = first_process::request(&request, joined.map(AsFd::as_fd))?;
        // Only now: until then, calls fail with the error that the node has crashed.
        self.replace_first_process(Some(pending.wait()?.first_process));
        self.run_commands()
    }

    /// Kills the first process, and waits until all processes of the node are dead.
    pub(crate) fn kill(&self) {
        if let Some(first) = self.replace_first_process(None) {
            first.kill();
            // At the end of a lab nobody needs to wait: destroying hundreds of namespaces takes the
            // kernel 0.1 to 0.5 s (measured for this project, 2026-08).
            if !self.is_removed() {
                first.wait_for_death();
            }
        }
    }

    /// Ends the runtime of the futures that were spawned in the node.
    pub(crate) fn stop_runtime(&self) {
        #[cfg(feature = "tokio")]
        drop(self.runtime().lock().take());
    }

    /// Waits until the first process, which obeys one command after the other, has obeyed all.
    fn await_obeyed(&self) -> Result<()> {
        self.with_first_process("hear from node", FirstProcessHandle::ping)
    }
}
