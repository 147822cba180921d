//! The start of a program as a child of a node's first process.
//!
//! `fork` succeeds long before it is known whether there is such a program. A test should be told
//! at once that there is none, and why, so the child reports a failure over a pipe that a
//! successful `execve` closes, as std's `Command` does.

use std::ffi::{CStr, CString};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use crate::kernel::errno::Errno;
use crate::kernel::fd::{pipe, write};
use crate::kernel::process::user::{Gid, Uid, setgroups, setresgid, setresuid};
use crate::kernel::process::{ForkResult, chdir, execve, lead_process_group};

use crate::kernel::fd::replace_standard;
use crate::kernel::process;
use crate::kernel::process::limits;
use crate::kernel::process::signal;
use crate::sandbox::protocol::node::Program;

/// Directories that are searched after those of `PATH`: a `PATH` that was made for the trial's
/// files may name none of a node's root filesystem.
const USUAL: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Forks and executes. Returns the program's process id when the program has begun.
pub(super) fn start(program: &Program, streams: [OwnedFd; 3]) -> crate::kernel::Result<i32> {
    // A successful execve closes it; until then the child can say why there is none.
    let (failure, told) = pipe()?;
    match process::fork()? {
        ForkResult::Child => {
            let errno = become_program(program, &streams);
            let _ = write(&told, &(errno as i32).to_le_bytes());
            process::exit_now(127)
        }
        ForkResult::Parent { child } => {
            drop((told, streams));
            let mut errno = [0; 4];
            match std::fs::File::from(failure).read_exact(&mut errno) {
                // The child ends, and is reaped as one that nobody knows.
                Ok(()) => Err(Errno::from_raw(i32::from_le_bytes(errno))),
                Err(_) => Ok(child.as_raw()),
            }
        }
    }
}

/// Becomes the program. Returns only where that fails, with the reason.
fn become_program(program: &Program, streams: &[OwnedFd; 3]) -> Errno {
    prepare(program, streams)
        .and_then(|()| execute(program))
        .err()
        .unwrap_or(Errno::EPROTO)
}

fn prepare(program: &Program, streams: &[OwnedFd; 3]) -> crate::kernel::Result<()> {
    // A process group of its own, so that a test can signal the whole of it.
    lead_process_group()?;
    for (to, from) in (0..).zip(streams) {
        replace_standard(from.as_fd(), to)?;
    }
    if chdir(program.dir.as_c_str()).is_err() {
        if program.strict_dir {
            return Err(Errno::last());
        }
        chdir("/")?;
    }
    if let Some((uid, gid)) = program.ids {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        // Where a single id is mapped, setgroups is denied (user_namespaces(7),
        // /proc/PID/setgroups).
        let _ = setgroups(&[]);
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)?;
    }
    limits::give_back_open_files()?;
    // Ignored signals and the mask are inherited across execve (execve(2)), and few programs expect
    // either.
    signal::default_children()?;
    signal::unblock_all()
}

/// Executes the program. A name without a slash is searched for, as a shell does.
fn execute(program: &Program) -> crate::kernel::Result<()> {
    let run = |path: &CStr| execve(path, &program.args, &program.env).map(|never| match never {});
    let name = program.program.as_bytes();
    if name.contains(&b'/') {
        return run(&program.program);
    }
    let path = program
        .env
        .iter()
        .find_map(|variable| variable.as_bytes().strip_prefix(b"PATH="))
        .unwrap_or_default();
    let mut refusal = Errno::ENOENT;
    for dir in path
        .split(|byte| *byte == b':')
        .chain(USUAL.as_bytes().split(|byte| *byte == b':'))
    {
        if dir.is_empty() {
            continue;
        }
        let Ok(candidate) = CString::new([dir, b"/", name].concat()) else {
            return Err(Errno::EINVAL);
        };
        match run(&candidate) {
            Err(Errno::ENOENT | Errno::ENOTDIR) | Ok(()) => {}
            // As execvp(3) does: a program that may not be executed is searched for further, and
            // remembered as the reason if there is no other.
            Err(errno) => refusal = errno,
        }
    }
    Err(refusal)
}
