//! Life and death of a node.

use std::os::fd::AsFd;
use std::sync::PoisonError;

use crate::kernel::poll;

use crate::kernel::errno::Errno;
use crate::kernel::process::signal::Signal;
use crate::lab::change::end::terminate;
use crate::lab::error::{LabError, Result};
use crate::lab::first_process::{self as birth, Life};
use crate::lab::node::node::Node;
use crate::sandbox::protocol::node::{Joins, NodeCommand};

impl Node {
    /// Stops all its processes, wherever they are, until [`resume`](Node::resume). Its network stack goes on: the kernel
    /// acknowledges what nobody reads. Threads of the test that are in the node are the test's, and go on too.
    pub fn pause(&self) -> Result<()> {
        let stop = NodeCommand::SignalAll(Signal::SIGSTOP as i32);
        self.with_life("pause node", |life| life.ask(&stop, &[]))?;
        self.settle()
    }

    /// Lets its processes go on.
    pub fn resume(&self) -> Result<()> {
        let go_on = NodeCommand::SignalAll(Signal::SIGCONT as i32);
        self.with_life("resume node", |life| life.ask(&go_on, &[]))?;
        self.settle()
    }

    /// Kills everything in it at once, as a power cut would. Its network interfaces stay, and so do its disks: volumes, and what it
    /// wrote to its root filesystem.
    pub fn crash(&self) -> Result<()> {
        self.report_surprises();
        self.stop_runtime();
        for running in self.running().iter() {
            running.expect();
        }
        if !self.birth.own_pids {
            // The others of the pod have the same processes; only our first one knows which are ours.
            self.with_life("crash node", |life| {
                life.ask(&NodeCommand::SignalAll(Signal::SIGKILL as i32), &[])
            })?;
            self.settle()?;
        }
        self.kill();
        Ok(())
    }

    /// Ends its programs, as at the end of the lab, kills what is left, and starts it again: with the same network and disks, an empty
    /// `/tmp`, and the commands of its [`NodeSpec`](crate::topology::NodeSpec::command) running.
    ///
    /// # Errors
    /// A command fails to start again; or the node was removed.
    pub fn restart(&self) -> Result<()> {
        if self.is_removed() {
            let sentence = format!("failed to restart node `{}`: it was removed", self.name());
            return Err(LabError::other(sentence));
        }
        self.report_surprises();
        self.stop_runtime();
        let alive: Vec<_> = self
            .running()
            .iter()
            .filter(|running| running.ended().is_none())
            .cloned()
            .collect();
        terminate(&alive);
        self.running().clear();
        self.kill();
        let mut birth = self.birth.clone();
        if birth.joins == Joins::Nothing {
            birth.joins = Joins::Network;
        }
        let joined = match birth.joins {
            Joins::Pod | Joins::PodAndPids => self.stack().pidfd(),
            Joins::Nothing | Joins::Network => self.stack().netns(),
        };
        let born = birth::order(&birth, joined)?.wait()?;
        *self.life.write().unwrap_or_else(PoisonError::into_inner) = Some(born.life);
        self.run_commands()
    }

    /// Kills its first process, and waits until all of them are dead.
    pub(crate) fn kill(&self) {
        let life = self
            .life
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(life) = life {
            life.kill();
            // Nobody waits for hundreds of them at the end of a lab.
            if !self.is_removed() {
                wait_for_death(&life);
            }
        }
    }

    /// Waits until the node's first process, which obeys one command after the other, has obeyed all.
    fn settle(&self) -> Result<()> {
        self.with_life("hear from node", Life::ping)
    }
}

fn wait_for_death(life: &Life) {
    while poll::wait_readable([life.pidfd.as_fd()], None) == Err(Errno::EINTR) {}
}
