//! Life and death of a node: pause, resume, kill, crash, restart.

use std::os::fd::AsFd;
use std::sync::atomic::Ordering;

use crate::kernel::process::Pid;
use crate::kernel::process::signal::{Signal, kill};
use crate::kernel::procfs::process_table;
use crate::lab::attempt::NodeAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::first_process::{self, FirstProcessHandle};
use crate::lab::node::ending::end_programs;
use crate::lab::node::node::Node;
use crate::lab::process::holds::Holds;
use crate::sandbox::protocol::node::{Joins, NodeCommand, NodeRequest};

/// A restart of a node that is under way.
pub(crate) struct ComingBack<'a>(&'a Node);

impl Drop for ComingBack<'_> {
    fn drop(&mut self) {
        self.0.restarts().fetch_sub(1, Ordering::Relaxed);
    }
}

impl Node {
    /// Stops all processes of the node, wherever they are, until [`resume`](Node::resume).
    ///
    /// The network stack goes on: the kernel acknowledges what no process reads. Threads of the
    /// test that are in the node belong to the test, and go on too.
    ///
    /// # Errors
    /// The node does not run.
    pub fn pause(&self) -> Result<()> {
        let mut holds = self.programs().holds().lock();
        self.stop_processes()?;
        holds.by_test = true;
        Ok(())
    }

    /// Lets the processes of the node go on that no fault and no guard of
    /// [`pause_when`](crate::lab::Process::pause_when) holds.
    ///
    /// # Errors
    /// The node does not run.
    pub fn resume(&self) -> Result<()> {
        let mut holds = self.programs().holds().lock();
        holds.by_test = false;
        self.let_go_on(&holds)
    }

    /// Returns the processes of the node, by their ids in the trial, without the first one.
    ///
    /// # Errors
    /// The state of a process cannot be read, as where the test has too many files open.
    pub(crate) fn processes(&self) -> Result<Vec<i32>> {
        let Some(first) = self.pid() else {
            return Ok(Vec::new());
        };
        process_table::all_descendants(first.cast_signed()).map_err(|e| {
            let what = NodeAttempt::ListProcesses.with(self.name());
            LabError::io(what, &e).about_node(self.name())
        })
    }

    /// Stops all processes of the node for a fault, until [`release`](Self::release).
    pub(crate) fn hold(&self) -> Result<()> {
        // Locked until all have stopped: no release may come in between.
        let mut holds = self.programs().holds().lock();
        self.stop_processes()?;
        holds.by_faults += 1;
        Ok(())
    }

    /// Lets the processes of the node go on that a fault held and nobody else does.
    pub(crate) fn release(&self) -> Result<()> {
        let mut holds = self.programs().holds().lock();
        holds.by_faults -= 1;
        // A node that crashed or was removed meanwhile has nothing left that is stopped.
        if self.is_removed() || !self.is_running() {
            return Ok(());
        }
        self.let_go_on(&holds)
    }

    fn stop_processes(&self) -> Result<()> {
        // The first process finds the processes: those that double-forked are its children by then,
        // and a new one may appear at any time.
        let stop = NodeCommand::SignalAll(Signal::SIGSTOP as i32);
        self.with_first_process(NodeAttempt::Pause, |first| first.ask(&stop, &[]))?;
        // Threads of ours get no signal of the node, and a paused host must not answer.
        self.service_threads().set_paused(true);
        self.await_obeyed()
    }

    fn let_go_on(&self, holds: &Holds) -> Result<()> {
        if holds.are_of_all() {
            return self.await_obeyed();
        }
        match holds.held_programs()[..] {
            [] => {
                let go_on = NodeCommand::SignalAll(Signal::SIGCONT as i32);
                self.with_first_process(NodeAttempt::Resume, |first| first.ask(&go_on, &[]))?;
            }
            // Each process gets a signal of its own: a signal to all would wake held ones too.
            ref held => {
                let others = self.processes()?.into_iter();
                for pid in others.filter(|pid| !held.contains(pid)) {
                    // A process that has ended meanwhile needs no signal.
                    let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
                }
            }
        }
        self.service_threads().set_paused(false);
        self.await_obeyed()
    }

    /// Kills all processes of the node at once, while its kernel lives on.
    ///
    /// Peers see what they see when a server dies: connections end (FIN or RST), new ones are
    /// refused, pings are answered. The network stays as it is, and so do the disks: volumes, and
    /// what was written to the root filesystem. [`crash`](Node::crash) takes the kernel too.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// let lab = shape::pair().start()?;
    /// let (alice, bob) = (lab.node("alice").unwrap(), lab.node("bob").unwrap());
    /// bob.kill_processes()?;
    /// let refused = alice.run(|| TcpStream::connect((bob.ip(), 80))).unwrap_err();
    /// assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    /// bob.restart()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A container that shares the PID namespace of its pod does not run.
    pub fn kill_processes(&self) -> Result<()> {
        self.stop(NodeAttempt::KillProcesses).map(drop)
    }

    /// Cuts the power of the node: from one moment to the next it says nothing more.
    ///
    /// Peers see silence until the [restart](Node::restart): data stays unacknowledged, and ARP,
    /// pings and connects go unanswered. A peer on the same segment that connects without a
    /// time-out of its own hears after three seconds that there is no such host (`EHOSTUNREACH`),
    /// since ARP has failed by then. Where a cable leads straight to another node, that node's
    /// interface loses its carrier. The disks stay: volumes, and what was written to the root
    /// filesystem. The restart gives the network of the plan; what was added at run time
    /// (addresses, routes, rules, sysctls, connections) is gone. That holds for sockets of the test
    /// that were made in the node, too: they reach nobody any more.
    ///
    /// A container is no machine. Its processes are [killed](Node::kill_processes), and the kernel
    /// of its pod lives on.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// let lab = shape::pair().start()?;
    /// let (alice, bob) = (lab.node("alice").unwrap(), lab.node("bob").unwrap());
    /// bob.crash()?;
    /// let to = SocketAddr::new(bob.ip(), 80);
    /// let nobody = alice.run(|| TcpStream::connect_timeout(&to, Duration::from_millis(100)));
    /// assert_eq!(nobody.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    /// bob.restart()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The kernel refuses to take an interface down. A container that shares the PID namespace of
    /// its pod does not run.
    pub fn crash(&self) -> Result<()> {
        self.stop(NodeAttempt::Crash).map(drop)
    }

    /// Kills all processes of the node, and cuts its power where `what` is to crash it. Returns
    /// whether the node was up, or about to be.
    pub(crate) fn stop(&self, what: NodeAttempt) -> Result<bool> {
        // Ends are reported before the kill, which would hide why a program had ended.
        self.programs().report_surprises();
        let life = self.life().lock();
        let was_up = life.is_coming_back || self.is_running();
        if matches!(what, NodeAttempt::Crash) && self.is_machine() {
            // The network goes first: the kernel ends the connections of what is killed or dropped
            // next, and no other node may hear of that.
            self.stack().cut_power()?;
            // Disks go before the processes: what these write when they are gone is not written.
            self.cut_disk_power()?;
        }
        self.end_all_processes(what)?;
        Ok(was_up)
    }

    /// Returns whether the node has a network stack, and so a kernel, of its own.
    fn is_machine(&self) -> bool {
        match self.request().joins {
            Joins::Nothing | Joins::Network | Joins::Owner => true,
            Joins::Pod | Joins::PodAndPids => false,
        }
    }

    /// Ends all processes of the node, whose life the caller has locked.
    pub(crate) fn end_all_processes(&self, what: NodeAttempt) -> Result<()> {
        // The runtime ends before the processes: the runtime's thread holds the mount namespace,
        // and its futures would see files and peers vanish.
        self.end_threads();
        self.programs().expect_all();
        if !self.request().own_pids {
            // A container that shares the PID namespace of its pod does not take the others with
            // it. Only its first process knows which processes are its own, so that process kills
            // them.
            let kill = NodeCommand::SignalAll(Signal::SIGKILL as i32);
            self.with_first_process(what, |first| first.ask(&kill, &[]))?;
            self.await_obeyed()?;
        }
        self.kill();
        Ok(())
    }

    /// Starts the node again, after ending its programs as at the end of the lab.
    ///
    /// The node has the same disks and an empty `/tmp`. After a [crash](Node::crash) it has the
    /// network of the plan; otherwise its network is as it was. The commands of its
    /// [`NodeSpec`](crate::topology::NodeSpec::command) run again, or those that were
    /// [set](Node::set_commands) since, on the root filesystem that was [set](Node::set_rootfs). A
    /// fault in force that stops the node while it starts is no error: its heal starts the node. A
    /// crash while the programs of before are ending, for which they have up to 1 s, does not stop
    /// the restart.
    ///
    /// # Errors
    /// A command fails to start again, or the node was removed.
    pub fn restart(&self) -> Result<()> {
        let _coming_back = self.begin_restart();
        // One after the other: the heal of a fault, a schedule and the test may each start the node
        // again at the same time, and the programs of one restart are not those of another.
        let _restart = self.restarting().lock();
        self.restart_alone()
    }

    /// Starts the node again, unless it runs or a restart is about to make its processes.
    pub(crate) fn restart_if_down(&self) -> Result<()> {
        let needs_no_start = || {
            // A removal holds the lock until the node is marked as removed.
            let life = self.life().lock();
            self.is_removed() || life.is_coming_back || self.is_running()
        };
        // This does not wait for programs that get ready: they may need other heals of this thread.
        if needs_no_start() {
            return Ok(());
        }
        let _restart = self.restarting().lock();
        if needs_no_start() {
            return Ok(());
        }
        match self.restart_alone() {
            // The test may remove the node at any time, and nothing is left to heal then.
            Err(_) if self.is_removed() => Ok(()),
            restarted => restarted,
        }
    }

    fn restart_alone(&self) -> Result<()> {
        self.life().lock().is_coming_back = true;
        let made = self.replace_processes();
        self.life().lock().is_coming_back = false;
        made?;
        let started = self.start_programs();
        self.end_threads_of_stopped();
        match started {
            // A fault may stop the node from here on, for programs may take long to start. Its heal
            // runs the same commands.
            Err(_) if self.is_stopped_by_fault() => Ok(()),
            started => started,
        }
    }

    /// Ends the threads of services that a restart has started while somebody stopped the node.
    fn end_threads_of_stopped(&self) {
        // A stop ends the threads first and the processes last, with the lock held all the time. A
        // restart can enter the node in between, and start threads that the stop does not know.
        let _life = self.life().lock();
        if !self.is_running() {
            self.end_threads();
        }
    }

    fn start_programs(&self) -> Result<()> {
        // Services come before the commands, which may need them, as at the start of the lab.
        self.start_services()?;
        self.await_services()?;
        self.run_commands()
    }

    /// Returns whether a fault has stopped the node during its start: the heal starts the node.
    fn is_stopped_by_fault(&self) -> bool {
        let down = self.down_count().lock();
        // The heal may have begun, and waits for this restart to be over. It notes that under the
        // lock.
        let heals = self.restarts().load(Ordering::Relaxed) > 1;
        (*down > 0 || heals) && !self.is_running()
    }

    /// Ends all processes of the node, and makes its first process anew.
    fn replace_processes(&self) -> Result<()> {
        let what = || NodeAttempt::Restart.with(self.name());
        if self.is_removed() {
            return Err(LabError::removed_before(what(), self.name()));
        }
        self.programs().report_surprises();
        self.end_threads();
        // A server gets, as at the end of a lab, the time to write its data.
        end_programs(&[self]);
        // Nobody stops or removes the node between its old processes and its new ones.
        let mut life = self.life().lock();
        if self.is_removed() {
            return Err(LabError::removed_before(what(), self.name()));
        }
        // A fault may have started a program since the others were asked to end.
        self.programs().expect_all();
        // The labels of the new programs count from the beginning again.
        self.programs().clear();
        self.kill();
        // The new processes are not those that were paused.
        self.programs().holds().lock().by_test = false;
        let mut request = NodeRequest::clone(&*self.next_request()?);
        // Both belong to one version, which an upgrade sets under the lock of `life`.
        self.begin_commands();
        let without_power = self.is_machine() && !self.stack().has_power();
        // The network namespace has outlived the processes, with all interfaces and addresses. The
        // new first process joins it instead of making another. After a power cut, it makes one.
        if self.is_machine() {
            request.joins = if without_power {
                Joins::Owner
            } else {
                Joins::Network
            };
        }
        let joined = match request.joins {
            Joins::Pod | Joins::PodAndPids => self.stack().pod().map(FirstProcessHandle::pidfd),
            Joins::Nothing | Joins::Network | Joins::Owner => self.stack().netns(),
        };
        let started = first_process::request(&request, joined.map(AsFd::as_fd))?.wait()?;
        if without_power {
            let whose = format!("node `{}`", self.name());
            self.stack().restore_power(&started.netns, &whose)?;
        }
        // The process is entered only now: until then, calls fail with the error that the node has
        // crashed.
        self.replace_first_process(Some(started.first_process));
        // Whoever finds the node running has no need to wait for this restart.
        life.is_coming_back = false;
        // The clock comes before the programs: a machine that starts again has the clock that was
        // wrong before.
        self.keep_clock()
    }

    /// Notes that the node is started again, until the result is dropped.
    pub(crate) fn begin_restart(&self) -> ComingBack<'_> {
        self.restarts().fetch_add(1, Ordering::Relaxed);
        ComingBack(self)
    }

    /// Returns whether somebody starts the node again: a restart that is under way, or the heal of
    /// a fault in force.
    pub(crate) fn comes_back(&self) -> bool {
        // The lock orders the restarts too: a heal notes its restart before it gives the lock back.
        *self.down_count().lock() > 0 || self.restarts().load(Ordering::Relaxed) > 0
    }

    /// Kills the first process, and waits until all processes of the node are dead.
    pub(crate) fn kill(&self) {
        if let Some(first) = self.replace_first_process(None) {
            // Programs are started by the first process, so that none comes to it from here on.
            self.programs().note_kill();
            first.kill();
            // At the end of a lab nobody needs to wait: destroying hundreds of namespaces takes the
            // kernel 0.1 to 0.5 s (measured for this project, 2026-08).
            if !self.is_removed() {
                first.wait_for_death();
            }
        }
    }

    /// Ends the runtime of the futures that were spawned in the node, and the node's services.
    pub(crate) fn end_threads(&self) {
        // Sockets of a service would keep its port for as long as its thread lives.
        self.service_threads().end();
        #[cfg(feature = "tokio")]
        drop(self.runtime().lock().take());
    }

    /// Waits until the first process, which obeys one command after the other, has obeyed all.
    fn await_obeyed(&self) -> Result<()> {
        self.with_first_process(NodeAttempt::HearFrom, FirstProcessHandle::ping)
    }
}
