//! Waiting for descriptors and for a moment, exact to the microsecond.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// A set of descriptors that one thread waits for, and that others can wake it from.
#[derive(Debug)]
pub struct Poller {
    epoll: Epoll,
    wake: EventFd,
}

/// What a wake comes as.
const WAKE: u64 = u64::MAX;

/// The most events that one wait tells.
const EVENTS: usize = 64;

/// Which descriptors are readable.
pub struct PollEvents {
    events: [EpollEvent; EVENTS],
    count: usize,
}

impl PollEvents {
    /// None.
    pub fn new() -> PollEvents {
        PollEvents {
            events: [EpollEvent::empty(); EVENTS],
            count: 0,
        }
    }

    /// The numbers that they were added with.
    pub fn tokens(&self) -> impl Iterator<Item = u64> + '_ {
        let events = &self.events[..self.count];
        events
            .iter()
            .map(EpollEvent::data)
            .filter(|token| *token != WAKE)
    }

    /// Whether somebody called [`Poller::wake`].
    pub fn woken(&self) -> bool {
        self.events[..self.count]
            .iter()
            .any(|event| event.data() == WAKE)
    }
}

impl Poller {
    /// One with no descriptors.
    pub fn new() -> nix::Result<Poller> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        epoll.add(&wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        Ok(Poller { epoll, wake })
    }

    /// Waits for this one as well.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64) -> nix::Result<()> {
        self.epoll
            .add(fd, EpollEvent::new(EpollFlags::EPOLLIN, token))
    }

    /// Waits for it no longer.
    pub fn remove(&self, fd: BorrowedFd<'_>) -> nix::Result<()> {
        self.epoll.delete(fd)
    }

    /// Ends a wait, this one or the next.
    pub fn wake(&self) {
        // It can only fail where 2^64 wakes are pending.
        let _ = self.wake.write(1);
    }

    /// Waits until a descriptor is readable, for at most so many nanoseconds, or for ever. What was readable before and still is
    /// comes after what has become so since: nobody starves.
    pub fn wait(&self, nanoseconds: Option<u64>, ready: &mut PollEvents) -> nix::Result<()> {
        let timeout = nanoseconds.map(|limit| libc::timespec {
            tv_sec: (limit / 1_000_000_000).cast_signed(),
            tv_nsec: (limit % 1_000_000_000).cast_signed(),
        });
        let timeout = timeout
            .as_ref()
            .map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: EpollEvent is a transparent `epoll_event`; events and timeout live across the call, the number is theirs, and
        // no signal mask is passed.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.epoll.0.as_raw_fd(),
                ready.events.as_mut_ptr(),
                EVENTS as libc::c_int,
                timeout,
                std::ptr::null::<libc::sigset_t>(),
                size_of::<libc::sigset_t>(),
            )
        };
        ready.count = match Errno::result(count) {
            Err(Errno::EINTR) => 0,
            count => count? as usize,
        };
        if ready.woken() {
            let _ = self.wake.read();
        }
        Ok(())
    }
}

/// Lets the calling thread's timers fire when they are due: the kernel else adds up to 50 µs, to save power.
pub fn exact_timers() -> nix::Result<()> {
    nix::sys::prctl::set_timerslack(1)
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_wait_ends_by_time_by_a_wake_and_by_a_descriptor() {
        let poller = Poller::new().expect("a poller");
        let mut ready = PollEvents::new();
        let begin = Instant::now();
        poller.wait(Some(2_000_000), &mut ready).expect("a wait");
        assert!(begin.elapsed() >= Duration::from_millis(2));
        assert!(!ready.woken() && ready.tokens().next().is_none());

        poller.wake();
        poller.wake();
        poller.wait(None, &mut ready).expect("a wait");
        assert!(ready.woken() && ready.tokens().next().is_none());
        poller.wait(Some(0), &mut ready).expect("a wait");
        assert!(!ready.woken(), "one wait takes all wakes");

        let event = EventFd::from_flags(EfdFlags::EFD_NONBLOCK).expect("a descriptor");
        poller.add(event.as_fd(), 7).expect("added");
        event.write(1).expect("an event");
        poller.wait(None, &mut ready).expect("a wait");
        assert_eq!(ready.tokens().collect::<Vec<_>>(), [7]);
        poller.remove(event.as_fd()).expect("removed");
        poller.wait(Some(0), &mut ready).expect("a wait");
        assert_eq!(ready.tokens().count(), 0);
    }
}
