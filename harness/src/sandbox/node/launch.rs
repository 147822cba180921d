//! The start of a program as a child of a node's first process.
//!
//! `fork` succeeds long before it is known whether there is such a program. A test should be told
//! at once that there is none, and why, so the child reports a failure over a pipe that a
//! successful `execve` closes, as std's `Command` does.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use crate::kernel::errno::{Errno, errno};
use crate::kernel::fd::{pipe, write};
use crate::kernel::id_map::{IdKind, is_mapped, show_root_as};
use crate::kernel::namespace::CloneFlags;
use crate::kernel::process::clone::{Cloned, clone_into};
use crate::kernel::process::user::{Gid, Uid, setgroups, setresgid, setresuid};
use crate::kernel::process::{ForkResult, Pid, chdir, execve, lead_process_group};

use super::clock::Tracing;
use super::user_namespaces::{limited_kinds, retry_while_limits_settle, while_permitted};
use crate::kernel::fd::replace_standard;
use crate::kernel::process;
use crate::kernel::process::limits;
use crate::kernel::process::seccomp;
use crate::kernel::process::signal;
use crate::sandbox::protocol::node::{Program, ProgramUser};

/// Directories that are searched after those of `PATH`: a `PATH` that was made for the trial's
/// files may name none of a node's root filesystem.
const USUAL: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Forks and executes. Returns the program's process id when the program has begun.
///
/// Where the node `may_make_users` is false, the trial may make no user namespaces.
pub(super) fn start(
    program: &Program,
    streams: [OwnedFd; 3],
    may_make_users: bool,
    tracing: Option<Tracing<'_>>,
) -> crate::kernel::Result<i32> {
    // A successful execve closes it; until then the child can say why there is none.
    let (failure, told) = pipe()?;
    let users = UserChange::of(program.user);
    let gate = match tracing {
        Some(_) => Some(pipe()?),
        None => None,
    };
    match fork_for(users, may_make_users)? {
        ForkResult::Child => {
            let errno = pass(gate)
                .and_then(|()| become_program(program, users, &streams))
                .err()
                .unwrap_or(Errno::EPROTO);
            let _ = write(&told, &(errno as i32).to_le_bytes());
            process::exit_now(127)
        }
        ForkResult::Parent { child } => {
            drop((told, streams));
            if let (Some(mut tracing), Some((_, open))) = (tracing, &gate) {
                // Where this fails the gate is closed, and the child ends by itself.
                tracing.follow(child.as_raw())?;
                write(open, &[1])?;
                tracing.attend(failure.as_fd());
            }
            let mut told = [0; 4];
            match File::from(failure).read_exact(&mut told) {
                // The child ends, and is reaped as one that nobody knows.
                Ok(()) => Err(Errno::from_raw(i32::from_le_bytes(told))),
                Err(_) => Ok(child.as_raw()),
            }
        }
    }
}

/// Waits until the process is traced, where it is to be, and has its calls for the time shown to
/// the tracer.
fn pass(gate: Option<(OwnedFd, OwnedFd)>) -> crate::kernel::Result<()> {
    let Some((opened, open)) = gate else {
        return Ok(());
    };
    // The pipe must end when the parent does not open the gate.
    drop(open);
    let read = File::from(opened).read_exact(&mut [0]);
    read.map_err(|_| Errno::EPERM)?;
    // The filter is loaded before the user changes: that takes a capability that root has
    // (seccomp(2)).
    seccomp::trace_clock_calls()
}

/// The way in which a program comes to run as another user than root.
#[derive(Clone, Copy)]
enum UserChange {
    /// The program runs as root.
    None,
    /// The ids are mapped, and root becomes that user.
    Become(u32, u32),
    /// An id is not mapped, or root's files are to be the program's. A user namespace of the
    /// program's own shows root as that user.
    ShowAs(u32, u32),
}

impl UserChange {
    fn of(user: ProgramUser) -> Self {
        let (uid, gid) = match user {
            ProgramUser::Root => return Self::None,
            ProgramUser::RootShownAs(uid, gid) => return Self::ShowAs(uid, gid),
            ProgramUser::Ids(uid, gid) => (uid, gid),
        };
        let mapped = |kind, id| is_mapped("self", kind, id).unwrap_or(true);
        if mapped(IdKind::User, uid) && mapped(IdKind::Group, gid) {
            Self::Become(uid, gid)
        } else {
            Self::ShowAs(uid, gid)
        }
    }
}

/// Forks the process that becomes the program, into a user namespace of its own where it needs one.
fn fork_for(users: UserChange, may_make_users: bool) -> crate::kernel::Result<ForkResult> {
    match users {
        UserChange::None | UserChange::Become(..) => process::fork(),
        UserChange::ShowAs(..) => {
            let kind = CloneFlags::CLONE_NEWUSER;
            let cloned = retry_while_limits_settle(limited_kinds(kind, may_make_users), || {
                while_permitted(may_make_users, || clone_into(kind))
            });
            Ok(match cloned? {
                Cloned::Child => ForkResult::Child,
                Cloned::Parent { pid, .. } => ForkResult::Parent {
                    child: Pid::from_raw(pid),
                },
            })
        }
    }
}

/// Becomes the program. Returns only where that fails.
fn become_program(
    program: &Program,
    users: UserChange,
    streams: &[OwnedFd; 3],
) -> crate::kernel::Result<()> {
    prepare(program, users, streams)?;
    execute(program)
}

fn prepare(
    program: &Program,
    users: UserChange,
    streams: &[OwnedFd; 3],
) -> crate::kernel::Result<()> {
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
    change_user(users)?;
    limits::give_back_open_files()?;
    // Ignored signals and the mask are inherited across execve (execve(2)), and few programs expect
    // either.
    signal::default_children()?;
    signal::unblock_all()
}

fn change_user(users: UserChange) -> crate::kernel::Result<()> {
    match users {
        UserChange::None => Ok(()),
        UserChange::Become(uid, gid) => {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            // Where a single id is mapped, setgroups is denied (user_namespaces(7),
            // /proc/PID/setgroups).
            let _ = setgroups(&[]);
            setresgid(gid, gid, gid)?;
            setresuid(uid, uid, uid)
        }
        // The capabilities that the process has in its namespace are lost with the execve(2), for
        // there its id is not root's (capabilities(7)).
        UserChange::ShowAs(uid, gid) => show_root_as(uid, gid).map_err(|e| errno(&e)),
    }
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
