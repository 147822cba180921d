//! Threads of the test process that go into a node.

use std::os::fd::AsFd;
use std::panic;

use crate::kernel::thread::{ThreadTraits, erased, set_umask, umask};
use crate::lab::attempt::NodeAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::node::node::Node;
use crate::lab::node::visitors::{enter, read_symbols};
use crate::lab::services::service::ServicePlace;
use crate::lab::wait::until;
use crate::trial::running;

impl Node {
    /// Runs `work` in the node and returns its value. `work` may borrow; a panic in `work` is a
    /// panic here.
    ///
    /// `work` runs on another thread, which is in the node's network, mount, UTS and IPC
    /// namespaces: names resolve as they do in the node, and files are the node's. A socket that
    /// `work` makes stays in the node wherever it is used. The thread has the caller's working
    /// directory (where the node has that directory), umask, signal mask and capabilities. An
    /// ordinary user, of a trial with the option `user`, may administer the node's network all the
    /// same.
    ///
    /// The thread may have been in this node before. Its thread-local values may be there still,
    /// and so may what a closure cannot be seen to have done to its thread, like giving up rights
    /// by Landlock. A thread that the closure starts is new, and in the node too.
    ///
    /// ```no_run
    /// # use std::net::{TcpListener, TcpStream};
    /// # #[snowglobe::test]
    /// # fn t() -> snowglobe::TestResult {
    /// # let lab = snowglobe::topology::shape::pair().start()?;
    /// let (a, b) = (lab.node("alice").unwrap(), lab.node("bob").unwrap());
    /// let listener = a.run(|| TcpListener::bind("0.0.0.0:80"))?;
    /// let client = b.run(|| TcpStream::connect("alice:80"))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// `work` panics, or the node is not running.
    #[track_caller]
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self.try_run(work) {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }

    /// Runs `work` in the node, as [`run`](Node::run) does, with an error where the node cannot be
    /// entered.
    ///
    /// # Errors
    /// The node is not running, or no thread can be started.
    pub fn try_run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        erased(work, |work| self.visit(work))
    }

    /// Does `work`, once, on a thread in the node.
    fn visit(&self, work: &mut (dyn FnMut() + Send)) -> Result<()> {
        let own = running::is_own_thread();
        // The thread gets a working directory of its own when it enters the mount namespace, and
        // that is the root.
        let here = std::env::current_dir();
        // A thread that has left CLONE_FS has a umask of its own: umask(2).
        let umask = umask();
        let visit = |traits: &ThreadTraits| {
            self.enter(traits)?;
            // The same directory, where the node has it.
            let _ = here.map(std::env::set_current_dir);
            set_umask(umask);
            // Messages of the test body's own thread are told apart from those of others.
            running::set_own_thread(own);
            work();
            Ok(())
        };
        match self.services().visitors().visit(self.name(), visit)? {
            Ok(result) => result,
            Err(panic) => panic::resume_unwind(panic),
        }
    }

    /// Starts the services that the topology asked for.
    pub(crate) fn start_services(&self) -> Result<()> {
        self.service_threads().start(self)
    }

    /// Starts, ends and changes services as a changed plan asks for.
    pub(crate) fn follow_services(&self) -> Result<()> {
        self.service_threads().follow(self)
    }

    /// Waits until the node has what its services are for, such as addresses. Where somebody stops
    /// the node meanwhile there is nothing to wait for, and the next step finds the node stopped.
    pub(crate) fn await_services(&self) -> Result<()> {
        // A server that does not answer must not hold up the start for ever.
        let limit = self.patience().limit();
        self.service_threads().await_ready(limit)?;
        if !self.stack().autoconfigures() || self.own_services().addresses_by_program {
            return Ok(());
        }
        let waited = until(limit, || {
            let is_over = || !self.stack().autoconfigured().is_empty();
            (self.service_threads().have_ended() || is_over()).then_some(())
        });
        waited.map_err(|error| {
            let what = NodeAttempt::AwaitIpv6.with(self.name());
            LabError::caused(error.kind(), what, error).about_node(self.name())
        })
    }

    fn enter(&self, traits: &ThreadTraits) -> Result<()> {
        if self.request().root.is_some() {
            read_symbols();
        }
        self.with_first_process(NodeAttempt::Enter, |first| {
            enter(first.pidfd().as_fd(), first.visitor_mounts()?, traits)
        })
    }
}

impl ServicePlace for Node {
    fn place_name(&self) -> &str {
        self.name()
    }

    fn do_inside(&self, work: &mut (dyn FnMut() + Send)) -> Result<()> {
        self.visit(work)
    }
}
