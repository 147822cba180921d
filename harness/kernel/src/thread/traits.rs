//! What a thread has of its own beside its stack, and hands down to the threads that it starts.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::ptr;

use nix::errno::Errno;
use nix::sched::{CloneFlags, CpuSet, sched_getaffinity, setns};
use nix::sys::signal::SigSet;
use nix::sys::stat::Mode;
use nix::unistd::Pid;

/// By these a thread that has been used differs from a new one, if it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadTraits {
    capabilities: [u32; 6],
    blocked: SigSet,
    cpus: CpuSet,
    no_new_privs: bool,
    filtered: i32,
}

impl ThreadTraits {
    /// Those of the calling thread.
    pub fn current() -> nix::Result<ThreadTraits> {
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
}

fn capabilities() -> nix::Result<[u32; 6]> {
    const VERSION_3: u32 = 0x2008_0522;
    /// The calling thread.
    const HERE: u32 = 0;
    let (mut header, mut sets) = ([VERSION_3, HERE], [0; 6]);
    // SAFETY: the kernel reads a header of these two numbers, and writes two times three numbers
    // for this version.
    let done = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
    Errno::result(done).map(|_| sets)
}

/// The calling thread's umask, which it may share with others.
///
/// So it is not to be had by setting it, as usual. Where `/proc` is another PID namespace's and
/// does not know the thread, that has to do: such a thread has gone there, and has its umask for
/// itself since.
pub fn umask() -> Mode {
    read_umask().unwrap_or_else(|| {
        let found = set_umask(Mode::S_IRWXG | Mode::S_IRWXO);
        set_umask(found);
        found
    })
}

fn read_umask() -> Option<Mode> {
    // It is in the second line; the first has no more than the thread's name.
    let mut start = [0; 128];
    let length = File::open("/proc/thread-self/status")
        .ok()?
        .read(&mut start)
        .ok()?;
    let text = std::str::from_utf8(&start[..length]).ok()?;
    let octal = text.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    Mode::from_bits(u32::from_str_radix(octal.trim(), 8).ok()?)
}

/// Sets it, and returns what it was.
pub fn set_umask(mask: Mode) -> Mode {
    nix::sys::stat::umask(mask)
}

/// Where libc has the number of a process' first thread, and that number.
#[derive(Clone, Copy)]
pub struct FirstThread {
    address: usize,
    id: i32,
}

impl FirstThread {
    /// The calling thread, which is the first of its process; none where the kernel does not tell.
    pub fn current() -> Option<FirstThread> {
        /// `PR_GET_TID_ADDRESS`, which kernels without checkpoints lack.
        const GET_TID_ADDRESS: i32 = 40;
        let mut address = 0usize;
        // SAFETY: the kernel writes an address, if it knows the request.
        let done = unsafe { libc::prctl(GET_TID_ADDRESS, &raw mut address) };
        let id = std::process::id().cast_signed();
        (done == 0 && address != 0).then_some(FirstThread { address, id })
    }

    /// Has libc take it for a thread that no process has, in a copy of the process.
    ///
    /// In copies of *its* other threads libc still knows of it, and would signal whoever has its
    /// number by then when all threads are to change their user.
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

/// Has `ps` and debuggers show the calling thread by this name, of which they see fifteen bytes.
pub fn show_as(name: &str) {
    if let Ok(name) = CString::new(name) {
        let _ = nix::sys::prctl::set_name(&name);
    }
}

/// Takes the calling thread to where this process's first thread is, from whichever namespaces it
/// has entered.
pub fn go_home(process: &OwnedFd) -> nix::Result<()> {
    let kinds = CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWPID;
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
