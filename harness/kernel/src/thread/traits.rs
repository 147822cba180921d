//! Properties of a thread that it passes on to the threads that it starts.
//!
//! A test may change the capabilities, the signal mask or the umask of its thread, or enter other
//! namespaces. A thread that is used again must not carry such changes into the next trial.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::ptr;

use nix::errno::Errno;
use nix::sched::{CloneFlags, CpuSet, sched_getaffinity, sched_setaffinity, setns};
use nix::sys::signal::SigSet;
use nix::sys::stat::Mode;
use nix::unistd::Pid;

/// Properties by which a used thread may differ from a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadTraits {
    capabilities: [u32; 6],
    blocked: SigSet,
    cpus: CpuSet,
    no_new_privs: bool,
    filtered: i32,
}

impl ThreadTraits {
    /// Returns the properties of the calling thread.
    ///
    /// # Errors
    /// The kernel refused to tell one of them.
    pub fn current() -> crate::Result<ThreadTraits> {
        // SAFETY: without pointers.
        let filtered = Errno::result(unsafe { libc::prctl(libc::PR_GET_SECCOMP) })?;
        Ok(ThreadTraits {
            capabilities: capabilities()?,
            blocked: SigSet::thread_get_mask()?,
            cpus: sched_getaffinity(Pid::from_raw(0))?,
            no_new_privs: nix::sys::prctl::get_no_new_privs()?,
            filtered,
        })
    }

    /// Gives the calling thread these properties, for good: it may have started with more rights
    /// than the thread whose properties they are. Filters on system calls stay as they are.
    ///
    /// # Errors
    /// The kernel refused one of them.
    pub fn take_on(&self) -> crate::Result<()> {
        sched_setaffinity(Pid::from_raw(0), &self.cpus)?;
        if self.no_new_privs {
            nix::sys::prctl::set_no_new_privs()?;
        }
        set_capabilities(&self.capabilities)?;
        self.blocked.thread_set_mask()
    }
}

/// `_LINUX_CAPABILITY_VERSION_3` of `linux/capability.h`: sets of 64 bits in two halves.
const VERSION_3: u32 = 0x2008_0522;
/// Stands for the calling thread (`capget(2)`).
const HERE: u32 = 0;

/// Returns the effective, permitted and inheritable capabilities of the calling thread: the lower
/// halves of the three sets, and then the upper ones.
pub(crate) fn capabilities() -> crate::Result<[u32; 6]> {
    let (mut header, mut sets) = ([VERSION_3, HERE], [0; 6]);
    // SAFETY: the kernel reads a header of these two numbers, and writes two times three numbers
    // for this version.
    let done = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
    Errno::result(done).map(|_| sets)
}

/// Makes these sets, in the order of [`capabilities`], those of the calling thread.
pub(crate) fn set_capabilities(sets: &[u32; 6]) -> crate::Result<()> {
    let header = [VERSION_3, HERE];
    // SAFETY: the kernel reads a header of two numbers, and two times three numbers for this
    // version (capset(2)).
    let done = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) };
    Errno::result(done).map(drop)
}

/// Returns the calling thread's umask, which it may share with other threads.
///
/// `umask(2)` tells the umask only by changing it, which other threads would see for a moment. So
/// it is read from `/proc`. A procfs of another PID namespace does not know the thread. Such a
/// thread has entered other namespaces and shares its umask no longer, so there it is changed and
/// set back.
pub fn umask() -> Mode {
    read_umask().unwrap_or_else(|| {
        let found = set_umask(Mode::S_IRWXG | Mode::S_IRWXO);
        set_umask(found);
        found
    })
}

fn read_umask() -> Option<Mode> {
    // The umask is in the second line (proc_pid_status(5)), and the first has at most the name.
    let mut start = [0; 128];
    let length = File::open("/proc/thread-self/status")
        .ok()?
        .read(&mut start)
        .ok()?;
    let text = std::str::from_utf8(&start[..length]).ok()?;
    let octal = text.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    Mode::from_bits(u32::from_str_radix(octal.trim(), 8).ok()?)
}

/// Sets the umask, and returns the earlier one.
pub fn set_umask(mask: Mode) -> Mode {
    nix::sys::stat::umask(mask)
}

/// The id of a process's first thread, and the address at which libc keeps this id.
#[derive(Clone, Copy)]
pub struct FirstThread {
    address: usize,
    id: i32,
}

impl FirstThread {
    /// Returns the calling thread, which must be the first of its process; nothing if the kernel
    /// does not tell the address.
    pub fn current() -> Option<FirstThread> {
        let mut address = 0usize;
        // Kernels without CONFIG_CHECKPOINT_RESTORE lack this request (prctl(2)).
        // SAFETY: the kernel writes an address, if it knows the request.
        let done = unsafe { libc::prctl(libc::PR_GET_TID_ADDRESS, &raw mut address) };
        let id = std::process::id().cast_signed();
        (done == 0 && address != 0).then_some(FirstThread { address, id })
    }

    /// Makes libc take the thread for one that no process has, in a copy of the process.
    ///
    /// In a copy of another thread, libc still lists the first thread. When all threads are to
    /// change their user, libc signals each by its id (glibc, nptl/nptl_setxid.c), and the id may
    /// belong to another process by then.
    pub fn disown(self) {
        let place = ptr::with_exposed_provenance_mut::<i32>(self.address);
        // SAFETY: the kernel was told to write to this address when the thread ends, so it is there
        // as long as the thread. It is only written to if it has what libc put there; nobody else
        // looks at it meanwhile.
        unsafe {
            if place.read() == self.id {
                place.write(i32::MAX);
            }
        }
    }
}

/// Names the calling thread for `ps` and debuggers, which see fifteen bytes of the name
/// (`prctl(2)`, PR_SET_NAME).
pub fn show_as(name: &str) {
    if let Ok(name) = CString::new(name) {
        show_as_before(&name);
    }
}

/// Gives the calling thread the name that [`shown_as`] returned.
#[inline]
pub fn show_as_before(name: &CStr) {
    let _ = nix::sys::prctl::set_name(name);
}

/// Returns the name of the calling thread that `ps` and debuggers see.
pub fn shown_as() -> CString {
    nix::sys::prctl::get_name().unwrap_or_default()
}

/// Moves the calling thread back into the namespaces of this process's first thread.
///
/// # Errors
/// The thread may not enter one of them.
pub fn go_home(process: &OwnedFd) -> crate::Result<()> {
    let kinds = CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWPID;
    // The user namespace is left out: a process with several threads cannot change it (setns(2)).
    setns(process, kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_umask_is_read_as_it_was_set() {
        // A thread of its own, whose umask is nobody else's.
        std::thread::spawn(|| {
            nix::sched::unshare(CloneFlags::CLONE_FS).unwrap();
            for bits in [0o027, 0, 0o777] {
                let mask = Mode::from_bits(bits).unwrap();
                set_umask(mask);
                assert_eq!(umask(), mask);
                assert_eq!(read_umask(), Some(mask));
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_thread_that_blocks_a_signal_or_leaves_a_core_is_another() {
        let before = ThreadTraits::current().unwrap();
        assert_eq!(before, ThreadTraits::current().unwrap());
        std::thread::spawn(move || {
            assert_eq!(before, ThreadTraits::current().unwrap());
            let blocked: SigSet = [nix::sys::signal::Signal::SIGUSR2].into_iter().collect();
            blocked.thread_block().unwrap();
            assert_ne!(before, ThreadTraits::current().unwrap());
            blocked.thread_unblock().unwrap();
            assert_eq!(before, ThreadTraits::current().unwrap());
            nix::sys::prctl::set_no_new_privs().unwrap();
            assert_ne!(before, ThreadTraits::current().unwrap());
        })
        .join()
        .unwrap();
    }
}
