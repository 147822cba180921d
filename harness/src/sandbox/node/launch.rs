//! Starting a program as a child of a node's first process.

use std::ffi::{CStr, CString};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{
    ForkResult, Gid, Pid, Uid, chdir, execve, pipe2, setgroups, setpgid, setresgid, setresuid,
    write,
};

use crate::kernel::fd::replace_standard;
use crate::kernel::process;
use crate::kernel::process::signal;
use crate::sandbox::protocol::node::Order;

/// Looked through after the directories of `PATH`, which were made for the trial's files.
const USUAL: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Forks and executes; returns when the program has begun, with its number.
pub(super) fn start(order: &Order, streams: [OwnedFd; 3]) -> nix::Result<i32> {
    // Closed by a successful exec; until then the child can say why there is none.
    let (failure, told) = pipe2(OFlag::O_CLOEXEC)?;
    match process::fork()? {
        ForkResult::Child => {
            let errno = become_program(order, &streams);
            let _ = write(&told, &(errno as i32).to_le_bytes());
            process::exit_now(127)
        }
        ForkResult::Parent { child } => {
            drop((told, streams));
            let mut errno = [0; 4];
            match std::fs::File::from(failure).read_exact(&mut errno) {
                // The child is reaped as one that nobody knows.
                Ok(()) => Err(Errno::from_raw(i32::from_le_bytes(errno))),
                Err(_) => Ok(child.as_raw()),
            }
        }
    }
}

/// Only comes back if it failed.
fn become_program(order: &Order, streams: &[OwnedFd; 3]) -> Errno {
    prepare(order, streams)
        .and_then(|()| execute(order))
        .err()
        .unwrap_or(super::first_process::ODD)
}

fn prepare(order: &Order, streams: &[OwnedFd; 3]) -> nix::Result<()> {
    // A group of its own, so that a test can signal the whole of it.
    setpgid(Pid::this(), Pid::this())?;
    for (to, from) in (0..).zip(streams) {
        replace_standard(from.as_fd(), to)?;
    }
    if chdir(order.dir.as_c_str()).is_err() {
        if order.strict_dir {
            return Err(Errno::last());
        }
        chdir("/")?;
    }
    if let Some((uid, gid)) = order.ids {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        // Where a single id is mapped, groups are nobody's to change.
        let _ = setgroups(&[]);
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)?;
    }
    signal::default_children()?;
    signal::unblock_all()
}

/// As a shell would: a name without a slash is looked for.
fn execute(order: &Order) -> nix::Result<()> {
    let run = |path: &CStr| execve(path, &order.args, &order.env).map(|never| match never {});
    let name = order.program.as_bytes();
    if name.contains(&b'/') {
        return run(&order.program);
    }
    let path = order
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
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(errno) => refusal = errno,
            Ok(()) => {}
        }
    }
    Err(refusal)
}
