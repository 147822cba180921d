//! Sandboxes for one attempt: made, used and gone.
//!
//! The ids are mapped as the runner maps them for trials, so that what is permitted here is
//! permitted there.

use std::fs::File;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getegid, geteuid};

use crate::kernel::errno::errno;
use crate::kernel::id_map::IdMap;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::probe::Refusal;
use crate::kernel::process::clone::{Cloned, clone_into, single_threaded};
use crate::kernel::{loopback, mount, process};
use crate::sandbox::ids::Ids;
use crate::sandbox::outer::become_root;

/// Runs `attempt` as root of fresh namespaces of these `kinds` (and a user namespace), in a
/// process that ends then.
///
/// A network namespace has its `lo` up, and the mounts of a mount namespace are private.
pub(crate) fn within(
    kinds: CloneFlags,
    attempt: impl FnOnce() -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    // One of an ordinary user's ids is enough for all that is tried here.
    let range = match Ids::available() {
        Ids::Range(map) => Some(map),
        Ids::One { .. } | Ids::Subordinate(_) => None,
    };
    let own = (geteuid().as_raw(), getegid().as_raw());
    let (ours, theirs) = pair()?;
    let Some(pid) = cloned(kinds | CloneFlags::CLONE_NEWUSER)? else {
        drop(ours);
        let outcome = settle(range.is_some(), own, kinds, &theirs).and_then(|()| attempt());
        let answer = match outcome {
            Ok(()) => "0\0".to_owned(),
            Err((call, errno)) => format!("{}\0{call}", errno as i32),
        };
        let _ = theirs.send(answer.as_bytes());
        process::exit_now(0)
    };
    drop(theirs);
    let mapped = match range {
        None => Ok(()),
        Some(map) => map_from_outside(pid, map)
            .and_then(|()| ours.send(MAPPED).map_err(step("speak to the probe"))),
    };
    let answer = mapped.and_then(|()| heard(&ours));
    drop(ours);
    let _ = waitpid(Pid::from_raw(pid), None);
    answer
}

/// Does `work` beside a process that waits in a user namespace whose ids are not mapped yet.
pub(crate) fn beside(work: impl FnOnce(i32) -> Result<(), Refusal>) -> Result<(), Refusal> {
    let (ours, theirs) = pair()?;
    let Some(pid) = cloned(CloneFlags::CLONE_NEWUSER)? else {
        drop(ours);
        // Until the other end is closed.
        let _ = theirs.receive(&mut [0; 8]);
        process::exit_now(0)
    };
    drop(theirs);
    let outcome = work(pid);
    drop(ours);
    let _ = waitpid(Pid::from_raw(pid), None);
    outcome
}

/// Maps a range of ids for a process of another user namespace.
pub(crate) fn map_from_outside(pid: i32, map: IdMap) -> Result<(), Refusal> {
    map.write(map, pid, false)
        .map_err(|e| ("map the ids".to_owned(), errno(&e)))
}

/// The user namespace of a process.
pub(crate) fn user_namespace(pid: i32) -> Result<File, Refusal> {
    File::open(proc_dir(pid).join("ns/user"))
        .map_err(|e| ("open the user namespace".to_owned(), errno(&e)))
}

const MAPPED: &[u8] = b"mapped";

fn proc_dir(pid: i32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

fn step(what: &str) -> impl FnOnce(Errno) -> Refusal {
    let what = what.to_owned();
    move |errno| (what, errno)
}

fn pair() -> Result<(MessageChannel, MessageChannel), Refusal> {
    MessageChannel::pair().map_err(step("make a channel"))
}

/// How often to try again where a limit on namespaces is reached, a second in all: those of an
/// earlier probe are given back a little after it has ended.
const PATIENCE: u32 = 10;

/// The new process' id, or nothing in the new process itself.
fn cloned(flags: CloneFlags) -> Result<Option<i32>, Refusal> {
    if !single_threaded() {
        return Err(("probe while other threads run".to_owned(), Errno::EINVAL));
    }
    let mut tried = 0;
    loop {
        match clone_into(flags) {
            Ok(Cloned::Child) => return Ok(None),
            Ok(Cloned::Parent { pid, .. }) => return Ok(Some(pid)),
            Err(error)
                if errno(&error) == Errno::ENOSPC && tried < PATIENCE && !none_permitted(flags) =>
            {
                sleep(Duration::from_millis(1 << tried));
                tried += 1;
            }
            Err(error) => return Err((format!("clone3 {}", names(flags)), errno(&error))),
        }
    }
}

/// Whether there is no use in waiting for one of these.
fn none_permitted(flags: CloneFlags) -> bool {
    let kinds = [
        (CloneFlags::CLONE_NEWUSER, "user"),
        (CloneFlags::CLONE_NEWNET, "net"),
        (CloneFlags::CLONE_NEWNS, "mnt"),
        (CloneFlags::CLONE_NEWPID, "pid"),
        (CloneFlags::CLONE_NEWUTS, "uts"),
        (CloneFlags::CLONE_NEWIPC, "ipc"),
    ];
    kinds.into_iter().any(|(flag, kind)| {
        let limit = format!("/proc/sys/user/max_{kind}_namespaces");
        flags.contains(flag) && std::fs::read_to_string(limit).is_ok_and(|text| text.trim() == "0")
    })
}

/// As in the kernel's headers, with bars in between.
fn names(flags: CloneFlags) -> String {
    let names: Vec<&str> = flags.iter_names().map(|(name, _)| name).collect();
    names.join("|")
}

/// The first steps of the new process.
fn settle(
    mapped_from_outside: bool,
    (uid, gid): (u32, u32),
    kinds: CloneFlags,
    channel: &MessageChannel,
) -> Result<(), Refusal> {
    if mapped_from_outside {
        let mut buffer = [0; 16];
        let heard = channel
            .receive(&mut buffer)
            .map_err(step("await the ids"))?;
        if heard != MAPPED {
            process::exit_now(1);
        }
        become_root().map_err(|(what, errno)| (what.to_owned(), errno))?;
    } else {
        let map = |outside| IdMap { outside, count: 1 };
        map(uid)
            .write(map(gid), "self", true)
            .map_err(|e| ("map the ids".to_owned(), errno(&e)))?;
    }
    if kinds.contains(CloneFlags::CLONE_NEWNET) {
        loopback::bring_up().map_err(step("bring up lo"))?;
    }
    if kinds.contains(CloneFlags::CLONE_NEWNS) {
        mount::make_private().map_err(step("make the mounts private"))?;
    }
    Ok(())
}

fn heard(channel: &MessageChannel) -> Result<(), Refusal> {
    let mut buffer = [0; 512];
    let answer = channel
        .receive(&mut buffer)
        .map_err(step("hear from the probe"))?;
    let answer = String::from_utf8_lossy(answer);
    match answer.split_once('\0') {
        Some(("0", _)) => Ok(()),
        Some((errno, call)) => Err((call.to_owned(), Errno::from_raw(errno.parse().unwrap_or(0)))),
        None => Err(("hear from the probe".to_owned(), Errno::EPIPE)),
    }
}
