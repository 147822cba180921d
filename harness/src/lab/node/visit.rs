//! Threads of the test process that go into a node.

use std::os::fd::BorrowedFd;
use std::panic;

use crate::kernel::namespace::{self, CloneFlags};

use crate::kernel::thread::{set_umask, umask};
use crate::lab::error::Result;
use crate::lab::node::node::Node;
use crate::trial::running;

impl Node {
    /// Runs `work` in the node and gives back what it gives. It may borrow; a panic in it is a panic here.
    ///
    /// It runs on another thread, which is in the node's network, mount, UTS and IPC namespaces: names resolve as they do in the node,
    /// files are the node's. A socket that it makes stays in the node wherever it is used. The thread has the caller's working directory
    /// (where the node has that), umask, signal mask and capabilities.
    ///
    /// It may be a thread that was in this node before: its thread-local values may be there still, and what a closure cannot be seen to
    /// have done to its thread, like giving up rights by Landlock. A thread that is started in the closure is new, and in the node too.
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
    /// If `work` does, or the node is not running.
    #[track_caller]
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self.try_run(work) {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }

    /// As [`run`](Node::run), with an error where the node cannot be entered.
    pub fn try_run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let own = running::is_own_thread();
        let here = std::env::current_dir();
        let umask = umask();
        let visit = || {
            self.enter()?;
            // The same directory, where the node has it.
            let _ = here.map(std::env::set_current_dir);
            set_umask(umask);
            running::set_own_thread(own);
            Ok(work())
        };
        match self.shared.visitors.visit(self.name(), visit)? {
            Ok(result) => result,
            Err(panic) => panic::resume_unwind(panic),
        }
    }

    /// Takes the calling thread into the node for good.
    pub(crate) fn enter(&self) -> Result<()> {
        use std::os::fd::AsFd;
        self.with_life("enter node", |life| enter(life.pidfd.as_fd()))
    }
}

/// All that a thread can change of itself: not the processes and users that it sees.
pub(crate) fn enter(pidfd: BorrowedFd<'_>) -> crate::kernel::Result<()> {
    // A mount namespace can only be entered with a root and a working directory of one's own.
    namespace::unshare(CloneFlags::CLONE_FS)?;
    namespace::enter(
        pidfd,
        CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC,
    )
}
