//! The nursery: the first process of the outer sandbox, of which the zygotes are copies.
//!
//! It runs no trial itself, unless there is only one, and stays as it was: so that a slot whose zygote had to be killed together
//! with its trial gets another, as good as the first.

use std::os::fd::{AsFd, OwnedFd};

use nix::sched::CloneFlags;

use super::zygote::{Zygote, await_order, refuse};
use crate::kernel::errno::errno;
use crate::kernel::fd::replace_standard;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process;
use crate::kernel::process::clone::{Cloned, clone_into};
use crate::kernel::process::{rseq, signal};
use crate::observe;
use crate::sandbox::protocol::zygote::NurseryOrder;
use crate::sandbox::trial::body;

/// Spawns and kills zygotes as the supervisor orders, until it is done.
///
/// Where there is a single trial, it is the zygote itself.
pub(crate) fn live(zygote: Zygote<'_>, orders: MessageChannel, single: bool) -> ! {
    if prepare().is_err() {
        process::exit_now(1);
    }
    if single {
        zygote.serve(&orders)
    }
    // By slot; killing what is gone already does nothing.
    let mut zygotes: Vec<Option<OwnedFd>> = Vec::new();
    loop {
        match await_order(&orders, zygote.supervisor()) {
            (Some(NurseryOrder::Spawn { slot }), Some(channel)) => {
                let place = place(&mut zygotes, slot);
                kill(place.take());
                match clone_into(CloneFlags::empty()) {
                    Ok(Cloned::Parent { pidfd, .. }) => *place = Some(pidfd),
                    Ok(Cloned::Child) => {
                        drop((orders, zygotes));
                        process::never_return(|| zygote.serve(&MessageChannel::from(channel)))
                    }
                    Err(refused) => {
                        refuse(&MessageChannel::from(channel), "fork a zygote", &refused)
                    }
                }
            }
            (Some(NurseryOrder::Kill { slot }), _) => kill(place(&mut zygotes, slot).take()),
            (Some(NurseryOrder::Spawn { .. }), None) | (None, _) => {}
        }
    }
}

fn place(zygotes: &mut Vec<Option<OwnedFd>>, slot: u32) -> &mut Option<OwnedFd> {
    let slot = slot as usize;
    if slot >= zygotes.len() {
        zygotes.resize_with(slot + 1, || None);
    }
    &mut zygotes[slot]
}

/// A trial's init is killed by the kernel when its zygote dies.
fn kill(zygote: Option<OwnedFd>) {
    if let Some(zygote) = zygote {
        let _ = process::pidfd_kill(&zygote, libc::SIGKILL);
    }
}

/// Does once what would otherwise be done for each trial.
fn prepare() -> nix::Result<()> {
    signal::ignore_children()?;
    // These lead to places that the sandbox hides.
    for key in ["TMPDIR", "XDG_RUNTIME_DIR"] {
        process::remove_env(key);
    }
    let null = std::fs::File::open("/dev/null").map_err(|e| errno(&e))?;
    replace_standard(null.as_fd(), 0)?;
    no_core_files()?;
    rseq::prepare();
    observe::log_keys_of_this_process();
    body::prepare();
    Ok(())
}

/// A test that is meant to crash should not leave a core file in the workspace.
fn no_core_files() -> nix::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE)?;
    match std::env::var_os("SNOWGLOBE_CORE") {
        Some(_) => Ok(()),
        None => setrlimit(Resource::RLIMIT_CORE, 0, hard),
    }
}
