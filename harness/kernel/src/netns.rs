//! Network namespaces, which a thread can enter and leave.
//!
//! A socket belongs for ever to the namespace in which it was opened (`network_namespaces(7)`). So
//! a thread enters a namespace for the moment of opening one, and comes back.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sched::{CloneFlags, setns};

use crate::errno::errno;
use crate::namespace::{NamespaceKind, Task};
use crate::thread::{erased, escort};

/// A network namespace, held by a descriptor.
#[derive(Debug)]
pub struct Netns {
    fd: OwnedFd,
}

impl Netns {
    /// Returns the namespace of the current thread.
    ///
    /// # Errors
    /// There is no procfs at `/proc` that knows this thread.
    pub fn current() -> crate::Result<Self> {
        let file = Task::Thread.namespace(NamespaceKind::Net);
        let file = file.map_err(|error| errno(&error))?;
        Ok(Self { fd: file.into() })
    }

    /// Runs `work` inside `netns`: on this thread, which then comes back, or on its escort.
    ///
    /// # Errors
    /// The thread may not enter `netns`.
    ///
    /// # Panics
    /// If the thread cannot come back: everything after that would happen in the wrong namespace.
    pub fn visit<T: Send>(
        netns: BorrowedFd<'_>,
        work: impl FnOnce() -> T + Send,
    ) -> crate::Result<T> {
        erased(work, |work| Self::current()?.excursion_erased(netns, work))
    }

    /// Runs `work` inside `netns`, and comes back to `self`. A thread that needs an escort stays
    /// where it is, and the escort goes.
    ///
    /// A loop over many namespaces reads `/proc` only once in this way.
    ///
    /// # Errors
    /// The thread may not enter `netns`.
    ///
    /// # Panics
    /// If the thread cannot come back.
    pub fn excursion<T: Send>(
        &self,
        netns: BorrowedFd<'_>,
        work: impl FnOnce() -> T + Send,
    ) -> crate::Result<T> {
        erased(work, |work| self.excursion_erased(netns, work))
    }

    fn excursion_erased(
        &self,
        netns: BorrowedFd<'_>,
        work: &mut (dyn FnMut() + Send),
    ) -> crate::Result<()> {
        if escort::is_needed_here() {
            return escort::escorted_into(netns, work);
        }
        // CLONE_NEWNET makes the kernel check that the descriptor is of a network namespace
        // (setns(2)).
        setns(netns, CloneFlags::CLONE_NEWNET)?;
        let _return = Return(self.fd.as_fd());
        work();
        Ok(())
    }

    /// Runs `work` in a new network namespace, and comes back to `self`.
    ///
    /// The new namespace vanishes afterwards unless `work` kept a descriptor of it.
    ///
    /// # Errors
    /// The kernel permits no more namespaces, or the thread lacks `CAP_SYS_ADMIN`.
    ///
    /// # Panics
    /// If the thread cannot come back.
    pub fn excursion_to_new<T>(&self, work: impl FnOnce() -> T) -> crate::Result<T> {
        // Only this thread changes: each thread has a network namespace of its own (unshare(2)).
        nix::sched::unshare(CloneFlags::CLONE_NEWNET)?;
        let _return = Return(self.fd.as_fd());
        Ok(work())
    }
}

impl From<Netns> for OwnedFd {
    fn from(netns: Netns) -> OwnedFd {
        netns.fd
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Takes the thread back when dropped, also when `work` panics.
struct Return<'home>(BorrowedFd<'home>);

impl Drop for Return<'_> {
    fn drop(&mut self) {
        if let Err(errno) = setns(self.0, CloneFlags::CLONE_NEWNET) {
            panic!("failed to return to the thread's own network namespace: {errno}");
        }
    }
}
