//! Single calls of ptrace(2), by the thread that traces.
#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use nix::errno::Errno;

use super::family::Purpose;
use super::table::{About, SystemCall};
use crate::procfs::call_of;

/// A thread that the calling thread traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TracedThread(pub(super) i32);

/// A system call that a thread is about to make.
pub(super) struct EnteredCall {
    pub(super) number: i64,
    arguments: [u64; 6],
}

/// The news of a traced thread.
pub(super) enum ThreadNews {
    /// The thread has stopped: the signal, and an event of ptrace in the bits above the lowest
    /// eight.
    Stopped(TracedThread, i32),
    /// The thread has ended.
    Ended(TracedThread),
    /// Nobody has told anything.
    None,
    /// No thread is traced any more.
    Nobody,
}

impl TracedThread {
    /// Begins to trace the thread, without a stop. What it starts is traced too.
    pub(super) fn seize(self) -> crate::Result<()> {
        // Without TRACESYSGOOD a stop at a call looks like a breakpoint of a debugger (ptrace(2)).
        let options = libc::PTRACE_O_TRACESYSGOOD
            | libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_TRACEEXEC
            | libc::PTRACE_O_TRACEFORK
            | libc::PTRACE_O_TRACEVFORK;
        self.call(libc::PTRACE_SEIZE, 0, options as usize).map(drop)
    }

    /// Returns the number that the thread had before it executed a program, at whose stop it
    /// stands: the thread has the number of its process since then (execve(2)).
    pub(super) fn before_exec(self) -> Option<Self> {
        let mut number: libc::c_ulong = 0;
        let at = (&raw mut number) as usize;
        self.call(libc::PTRACE_GETEVENTMSG, 0, at).ok()?;
        i32::try_from(number).ok().map(Self)
    }

    /// Asks the thread to stop. A thread that is gone cannot.
    pub(super) fn interrupt(self) {
        // ESRCH: the thread has ended, which waitpid tells as well (ptrace(2)).
        let _ = self.call(libc::PTRACE_INTERRUPT, 0, 0);
    }

    /// Lets a stopped thread go on to its next system call, with a signal unless that is 0.
    pub(super) fn go_on(self, signal: i32) {
        // A SIGKILL ends a stop at once, so the thread may be gone ("Death under ptrace" in
        // ptrace(2)).
        let _ = self.call(libc::PTRACE_SYSCALL, 0, signal as usize);
    }

    /// Leaves the thread stopped as a signal has stopped it, until another one continues it.
    pub(super) fn stay_stopped(self) {
        let _ = self.call(libc::PTRACE_LISTEN, 0, 0);
    }

    /// Ends the trace of a stopped thread, which goes on, with a signal unless that is 0.
    pub(super) fn let_go(self, signal: i32) {
        // A thread that was killed meanwhile needs no end of its trace.
        let _ = self.call(libc::PTRACE_DETACH, 0, signal as usize);
    }

    /// Returns whether the thread waits in a call that starts a process: in a vfork(2), which
    /// posix_spawn(3) and shells use, until the child has executed a program or ended. Only SIGKILL
    /// ends that wait early (kernel/fork.c, wait_for_vfork_done). A stop takes effect after the
    /// wait, before the thread returns from the call.
    pub(super) fn awaits_child(self) -> bool {
        call_of(self.0.cast_unsigned()).is_some_and(|(number, _)| starts_process(number))
    }

    /// Returns the system call of a thread that has stopped at one, unless it comes back from it.
    pub(super) fn entered(self) -> Option<EnteredCall> {
        // `struct ptrace_syscall_info`: a byte with the kind of the stop, three bytes of padding,
        // the architecture, two pointers, the number and the arguments (ptrace(2)).
        let mut info = [0u64; 12];
        let at = info.as_mut_ptr() as usize;
        let size = size_of_val(&info);
        self.call(libc::PTRACE_GET_SYSCALL_INFO, size, at).ok()?;
        let (kind, architecture) = (info[0] as u8, (info[0] >> 32) as u32);
        // Programs of 32 bits have other numbers.
        let is_ours = architecture == ARCHITECTURE;
        (kind == libc::PTRACE_SYSCALL_INFO_ENTRY && is_ours).then(|| EnteredCall {
            number: info[3].cast_signed(),
            arguments: std::array::from_fn(|at| info[4 + at]),
        })
    }

    /// Returns whether a call is made for a purpose.
    pub(super) fn has_purpose(self, purpose: Purpose, entered: &EnteredCall) -> bool {
        let removes_directory = entered.arguments[2] & libc::AT_REMOVEDIR as u64 != 0;
        match purpose {
            Purpose::Any => true,
            Purpose::RemovesFile => !removes_directory,
            Purpose::RemovesDirectory => removes_directory,
            Purpose::StartsProcess => {
                // The flags are the first argument of clone, and the first field of what that of
                // clone3 points to (clone(2)).
                let flags = match entered.number {
                    libc::SYS_clone3 => self.number_at(entered.arguments[0]),
                    _ => Some(entered.arguments[0]),
                };
                flags.is_some_and(|it| it & libc::CLONE_THREAD as u64 == 0)
            }
        }
    }

    /// Returns the name of the object of a call, if it has one.
    pub(super) fn object(self, call: SystemCall, entered: &EnteredCall) -> Option<String> {
        let arguments = &entered.arguments;
        let here = |path: usize| self.path_at(libc::AT_FDCWD, arguments[path]);
        // The kernel takes the lower half of the register (fs/namei.c, `int dfd`).
        let below = |[directory, path]: [usize; 2]| {
            self.path_at(arguments[directory] as i32, arguments[path])
        };
        // Either may be what the test knows: files are renamed into their places, and out of them.
        let both =
            |old: Option<String>, new: Option<String>| Some(format!("{}` to `{}", old?, new?));
        match call.about {
            About::Nothing => None,
            About::Descriptor(argument) => self.open_file(arguments[argument] as i32),
            About::Path(path) => here(path),
            About::PathAt(directory, path) => below([directory, path]),
            About::Paths(old, new) => both(here(old), here(new)),
            About::PathsAt(old, new) => both(below(old), below(new)),
        }
    }

    /// Returns the path of an open file.
    fn open_file(self, descriptor: i32) -> Option<String> {
        let link = self.link(&format!("fd/{descriptor}"))?;
        Some(link.to_string_lossy().into_owned())
    }

    /// Returns the path of an open directory, or of that in which the thread works.
    fn directory(self, descriptor: i32) -> Option<PathBuf> {
        let name = match descriptor {
            libc::AT_FDCWD => "cwd".to_owned(),
            number => format!("fd/{number}"),
        };
        let path = self.link(&name)?;
        // The kernel adds these words to the path of a directory that was removed (fs/d_path.c). A
        // directory that has them in its name has a link, and a removed one has none (rmdir(2)).
        let is_removed = fs::metadata(self.entry(&name)).is_ok_and(|it| it.nlink() == 0);
        let bare = path.as_os_str().as_bytes().strip_suffix(b" (deleted)");
        match bare {
            Some(bare) if is_removed => Some(PathBuf::from(OsStr::from_bytes(bare))),
            _ => Some(path),
        }
    }

    fn link(self, name: &str) -> Option<PathBuf> {
        fs::read_link(self.entry(name)).ok()
    }

    fn entry(self, name: &str) -> String {
        format!("/proc/{}/{name}", self.0)
    }

    /// Reads a path, and puts the path of its directory ahead of it where it is relative: daemons
    /// work in the directory of their data, and the test knows the whole path.
    fn path_at(self, directory: i32, at: u64) -> Option<String> {
        let path = PathBuf::from(self.text_at(at)?);
        let whole = match path.strip_prefix("/") {
            // A program that has called chroot(2) begins there.
            Ok(inside) => self.link("root")?.join(inside),
            // An empty path is the open file itself (AT_EMPTY_PATH of open(2)).
            Err(_) => self.directory(directory)?.join(path),
        };
        // Without the dots of `./name`.
        let whole: PathBuf = whole.components().collect();
        Some(whole.to_string_lossy().into_owned())
    }

    fn number_at(self, at: u64) -> Option<u64> {
        let memory = File::open(format!("/proc/{}/mem", self.0)).ok()?;
        let mut bytes = [0; 8];
        memory.read_exact_at(&mut bytes, at).ok()?;
        Some(u64::from_ne_bytes(bytes))
    }

    /// Reads a text that ends with a zero.
    fn text_at(self, at: u64) -> Option<String> {
        /// `PATH_MAX` (`linux/limits.h`).
        const LONGEST: usize = 4096;
        let memory = File::open(format!("/proc/{}/mem", self.0)).ok()?;
        let mut bytes = vec![0; LONGEST];
        // The read may be short: the next page need not exist.
        let read = memory.read_at(&mut bytes, at).ok()?;
        let end = bytes[..read].iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }

    fn call(self, request: libc::c_uint, address: usize, data: usize) -> crate::Result<i64> {
        // SAFETY: the data is a number, or points to memory of the size in `address` that lives
        // across the call.
        Errno::result(unsafe { libc::ptrace(request as _, self.0, address, data) })
    }
}

/// Returns whether a call with that number can start a process.
fn starts_process(number: i64) -> bool {
    #[cfg(target_arch = "x86_64")]
    if number == libc::SYS_vfork {
        return true;
    }
    [libc::SYS_clone, libc::SYS_clone3].contains(&number)
}

/// `AUDIT_ARCH_*` (`linux/audit.h`) of this machine.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCHITECTURE: u32 = 0;

/// Returns what a thread that the calling thread traces has told, without a wait.
pub(super) fn news() -> ThreadNews {
    let mut status = 0;
    // __WNOTHREAD: children and tracees of other threads are none of ours (wait(2)).
    let options = libc::WNOHANG | libc::__WALL | libc::__WNOTHREAD;
    // SAFETY: the status is ours and lives across the call.
    match unsafe { libc::waitpid(-1, &raw mut status, options) } {
        0 => ThreadNews::None,
        id if id > 0 && libc::WIFSTOPPED(status) => {
            ThreadNews::Stopped(TracedThread(id), status >> 8)
        }
        id if id > 0 => ThreadNews::Ended(TracedThread(id)),
        _ => ThreadNews::Nobody,
    }
}
