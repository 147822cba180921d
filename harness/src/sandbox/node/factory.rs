//! The trial's init as the factory of nodes.
//!
//! It can be that because nobody else is awake in its memory: it forks with `clone3` and no `exec`, so that a
//! node costs a fork and its namespaces. What a node is made of is done by the node's own first
//! process ([`super::first_process`]), while the init is at the next one.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::unistd::ForkResult;

use super::first_process;
use crate::kernel::errno::errno;
use crate::kernel::id_map::IdMap;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process::clone::{Cloned, clone_into, clone_sibling};
use crate::kernel::process::signal::Pending;
use crate::kernel::{namespace, process};
use crate::sandbox::protocol::node::{Birth, Cry, Joins};
use crate::sandbox::trial::mounts::{Refused, World};

/// Makes nodes for whoever holds the other end of its channel.
pub(crate) struct Factory<'a> {
    pub(crate) orders: &'a MessageChannel,
    pub(crate) world: &'a World<'a>,
    pub(crate) signals: &'a Pending,
}

impl Factory<'_> {
    /// Does what has been asked, and never waits; false if nothing will be asked any more.
    pub(crate) fn serve(&self) -> bool {
        let mut buffer = vec![0; crate::kernel::message_channel::MESSAGE_MAX];
        while let Ok(Some((message, passed))) = self.orders.try_receive_with(&mut buffer) {
            let mut passed = passed.into_iter();
            let Some(channel) = passed.next().map(MessageChannel::from) else {
                // The other end is gone, or talks nonsense.
                return false;
            };
            let born = match serde_json::from_slice::<Birth>(message) {
                Ok(birth) => self.bear(&birth, &channel, passed.next()),
                Err(_) => Err(("read an order", Errno::EPROTO)),
            };
            if let Err(refused) = born {
                refuse(&channel, refused);
            }
        }
        true
    }

    fn bear(
        &self,
        birth: &Birth,
        channel: &MessageChannel,
        joined: Option<OwnedFd>,
    ) -> Result<(), Refused> {
        if let (Some(network), Some(_), Joins::Network) = (&joined, birth.ids, birth.joins) {
            return self.bear_again(birth, channel, network);
        }
        let joins_pids = birth.joins == Joins::PodAndPids;
        let home = match (&joined, joins_pids) {
            (Some(pod), true) => Some(enter_pids(pod)?),
            _ => None,
        };
        let cloned = retry_while_limits_settle(|| self.clone_for(birth));
        if let Some(home) = home
            && !matches!(cloned, Ok(Cloned::Child))
        {
            setns(home, CloneFlags::CLONE_NEWPID)
                .map_err(|e| ("come back to the trial's processes", e))?;
        }
        match cloned.map_err(|e| ("clone3 a node", e))? {
            Cloned::Child => {
                first_process::live(birth, self.world, channel, joined.as_ref(), self.signals)
            }
            Cloned::Parent { pid, pidfd } => {
                if birth.ids.is_some() {
                    map_ids(birth, pid, &pidfd)?;
                }
                announce(channel, pid, &pidfd);
                Ok(())
            }
        }
    }

    /// A node whose users are its own, and who own the network that it had before: its processes have to be made by one of them, and
    /// nobody who has become that comes back.
    fn bear_again(
        &self,
        birth: &Birth,
        channel: &MessageChannel,
        network: &OwnedFd,
    ) -> Result<(), Refused> {
        match process::fork().map_err(|e| ("fork a node", e))? {
            ForkResult::Parent { .. } => Ok(()),
            ForkResult::Child => process::never_return(|| {
                let cloned = enter_users(network).and_then(|()| {
                    clone_sibling(flags(birth)).map_err(|e| ("clone3 a node", errno(&e)))
                });
                match cloned {
                    Ok(Cloned::Child) => {
                        first_process::live(birth, self.world, channel, Some(network), self.signals)
                    }
                    Ok(Cloned::Parent { pid, pidfd }) => announce(channel, pid, &pidfd),
                    Err(refused) => refuse(channel, refused),
                }
            }),
        }
    }

    fn clone_for(&self, birth: &Birth) -> nix::Result<Cloned> {
        // The trial may make no user namespaces, but its init may for a moment.
        let closed = birth.ids.is_some() && !self.world.nested;
        if closed {
            user_namespaces("2147483647");
        }
        let cloned = clone_into(flags(birth)).map_err(|e| errno(&e));
        if closed && !matches!(cloned, Ok(Cloned::Child)) {
            user_namespaces("0");
        }
        cloned
    }
}

fn announce(channel: &MessageChannel, pid: i32, pidfd: &OwnedFd) {
    let _ = channel.send_with(&Cry::Born(pid).encode(), &[pidfd.as_raw_fd()]);
}

fn refuse(channel: &MessageChannel, (step, errno): Refused) {
    let refused = Cry::Refused {
        step: step.to_owned(),
        errno: errno as i32,
    };
    let _ = channel.send(&refused.encode());
}

/// Becomes the root of those who own a network.
fn enter_users(network: &OwnedFd) -> Result<(), Refused> {
    namespace::owner_of(network.as_fd())
        .and_then(|users| setns(users, CloneFlags::CLONE_NEWUSER))
        .map_err(|e| ("enter the node's user namespace", e))
}

fn user_namespaces(most: &str) {
    let _ = crate::kernel::fd::write_file(c"/proc/sys/user/max_user_namespaces", most);
}

fn flags(birth: &Birth) -> CloneFlags {
    let mut flags = CloneFlags::empty();
    flags.set(CloneFlags::CLONE_NEWNET, birth.joins == Joins::Nothing);
    flags.set(CloneFlags::CLONE_NEWUTS, birth.hostname.is_some());
    flags.set(CloneFlags::CLONE_NEWIPC, birth.hostname.is_some());
    flags.set(CloneFlags::CLONE_NEWPID, birth.own_pids);
    flags.set(CloneFlags::CLONE_NEWNS, birth.own_mounts);
    let new_users = birth.ids.is_some() && birth.joins == Joins::Nothing;
    flags.set(CloneFlags::CLONE_NEWUSER, new_users);
    flags
}

/// The next child will be one of the pod's processes; a way back.
fn enter_pids(pod: &OwnedFd) -> Result<OwnedFd, Refused> {
    let home = std::fs::File::open("/proc/self/ns/pid")
        .map_err(|e| ("open our PID namespace", errno(&e)))?;
    setns(pod.as_fd(), CloneFlags::CLONE_NEWPID)
        .map_err(|e| ("enter the pod's PID namespace", e))?;
    Ok(home.into())
}

/// The kernel gives back what namespaces counted against a limit only after a while.
fn retry_while_limits_settle(
    mut clone: impl FnMut() -> nix::Result<Cloned>,
) -> nix::Result<Cloned> {
    for pause in [1, 2, 4, 8, 16, 32, 64, 128] {
        match clone() {
            Err(Errno::ENOSPC | Errno::EAGAIN) => {
                std::thread::sleep(std::time::Duration::from_millis(pause));
            }
            other => return other,
        }
    }
    clone()
}

/// The newborn waits for its ids.
fn map_ids(birth: &Birth, pid: i32, pidfd: &OwnedFd) -> Result<(), Refused> {
    let map = IdMap {
        outside: 0,
        count: birth.ids.unwrap_or(1),
    };
    let written = map
        .write(map, pid, false)
        .or_else(|_| map.write(map, pid, true));
    // Whoever waits in vain for its ids would wait for ever.
    let signal = if written.is_ok() {
        crate::sandbox::trial::init::MAPPED as i32
    } else {
        libc::SIGKILL
    };
    let _ = process::pidfd_kill(pidfd, signal);
    written.map_err(|e| ("map the ids of a node", errno(&e)))
}
