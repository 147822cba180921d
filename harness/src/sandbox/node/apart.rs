//! The nodes of a body that is an ordinary user.
//!
//! Such a body is in a user namespace within the trial's, and may do nothing to namespaces that
//! belong to the trial. So its nodes belong to one more user namespace, which is within the body's
//! and whose owner is the body's id: the kernel lets the owner of a user namespace do everything in
//! it, with no capability of its own (`user_namespaces(7)`, "Capabilities"). In there, the owner
//! is root.
//!
//! The init cannot clone processes into that namespace: a process that enters it does not come back
//! (`setns(2)`). So a process of its own is the factory.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::factory::Factory;
use super::user_namespaces::{limited_kinds, retry_while_limits_settle, while_permitted};
use crate::kernel::errno::errno;
use crate::kernel::fd::{close_all_but, pipe, write};
use crate::kernel::id_map::{GroupChange, IdMap};
use crate::kernel::namespace::{self, CloneFlags};
use crate::kernel::poll;
use crate::kernel::process::clone::{Cloned, clone_sibling};
use crate::kernel::process::signal::{Signal, kill};
use crate::kernel::process::user::{getegid, geteuid};
use crate::kernel::process::{
    self, ForkResult, Pid, Reaped, die_with_parent, reap, wait_for_child,
};
use crate::kernel::thread::show_as;
use crate::sandbox::refused::{Doing, NewProcess, Refused, SetupStep};

/// Starts the process that makes nodes for a body in the user namespace `users`.
pub(crate) fn start(factory: &Factory<'_>, users: &OwnedFd) -> crate::kernel::Result<Pid> {
    let (told, tell) = pipe()?;
    // The process in between stays in the body's user namespace, and lowers the limit on user
    // namespaces there again.
    match process::fork()? {
        ForkResult::Child => process::never_return(|| begin(factory, users, tell)),
        ForkResult::Parent { child } => {
            drop(tell);
            let mut pid = [0; 4];
            let heard = File::from(told).read_exact(&mut pid);
            let pid = i32::from_ne_bytes(pid);
            if pid != child.as_raw() {
                wait_for_child(child.as_raw());
            }
            heard.map_err(|e| errno(&e))?;
            Ok(Pid::from_raw(pid))
        }
    }
}

/// Ends the process, and reaps it with the nodes that have ended: they become children of the init,
/// which calls this.
pub(crate) fn end(process: Pid) {
    let _ = kill(process, Signal::SIGKILL);
    wait_for_child(process.as_raw());
    while let Reaped::One(..) = reap() {}
}

/// Makes the process that makes nodes, or lives on as one that refuses them.
fn begin(factory: &Factory<'_>, users: &OwnedFd, tell: OwnedFd) {
    // Descriptors are closed as in the first process of a node: the supervisor takes the end of the
    // init's channels for the end of the trial.
    let signals = factory.signals.as_fd();
    let kept = [
        factory.requests.as_fd(),
        signals,
        users.as_fd(),
        tell.as_fd(),
    ];
    // Nodes number their processes by this descriptor.
    let counter = factory.spec.number_counter.map(AsFd::as_fd);
    let kept: Vec<i32> = kept
        .into_iter()
        .chain(counter)
        .map(|fd| fd.as_raw_fd())
        .collect();
    let closed = close_all_but(&kept).doing("close descriptors");
    let say = |pid: i32| {
        let _ = write(&tell, &pid.to_ne_bytes());
    };
    match closed.and_then(|()| enter_and_clone(users, factory.spec.nested)) {
        Ok((Cloned::Parent { pid, .. }, _)) => say(pid),
        Ok((Cloned::Child, ids)) => {
            drop(tell);
            let owner = become_owner(ids);
            live(factory, owner)
        }
        Err(refused) => {
            say(std::process::id().cast_signed());
            live(factory, Err(refused))
        }
    }
}

/// Enters the body's user namespace, and clones a process into a new one within. Returns also the
/// ids that are to be root's there.
fn enter_and_clone(users: &OwnedFd, nested: bool) -> Result<(Cloned, (u32, u32)), Refused> {
    let kind = CloneFlags::CLONE_NEWUSER;
    namespace::enter(users.as_fd(), kind).doing("enter the user namespace of the test")?;
    let ids = (geteuid().as_raw(), getegid().as_raw());
    // A sibling, so that the init is its parent.
    let limited = limited_kinds(kind, nested);
    let cloned =
        retry_while_limits_settle(limited, || while_permitted(nested, || clone_sibling(kind)));
    Ok((cloned.doing(SetupStep::Clone(NewProcess::Node, kind))?, ids))
}

/// Makes the calling process root of its new user namespace.
fn become_owner((uid, gid): (u32, u32)) -> Result<(), Refused> {
    let map = |outside| IdMap { outside, count: 1 };
    map(uid)
        .write(map(gid), "self", GroupChange::Denied)
        .doing("map the ids of nodes")?;
    die_with_parent().doing("set the parent-death signal")
}

/// Makes nodes until it is killed.
fn live(factory: &Factory<'_>, owner: Result<(), Refused>) {
    show_as("labs");
    let signals = factory.signals.as_fd();
    let mut asking = true;
    loop {
        // When nobody asks any more, the process waits for its init to end it: the init would
        // otherwise not know whom the number belongs to.
        let requests = if asking {
            factory.requests.as_fd()
        } else {
            signals
        };
        let Ok([asked, signalled]) = poll::wait_readable([requests, signals], None) else {
            continue;
        };
        if signalled {
            while factory.signals.next().is_some() {}
            while let Reaped::One(..) = reap() {}
        }
        if asking && asked {
            asking = factory.serve(owner.as_ref().err());
        }
    }
}
