//! The trial's init as the factory of nodes.
//!
//! To make a node costs a fork and its namespaces, if no program has to be started for it. The init
//! can fork with `clone3` and no `exec`, because nobody else is awake in its memory. It does no
//! more than that: the node's own first process ([`super::first_process`]) makes the node, while
//! the init clones the next one.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::kernel::errno::Errno;
use crate::kernel::process::ForkResult;
use crate::kernel::process::signal::Signal;

use super::first_process::{self, Origin};
use super::user_namespaces::{limited_kinds, retry_while_limits_settle, while_permitted};
use crate::kernel::id_map::{GroupChange, IdMap};
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::namespace::{self, CloneFlags, NamespaceKind, Task};
use crate::kernel::poll;
use crate::kernel::process;
use crate::kernel::process::clone::{Cloned, clone_into, clone_sibling};
use crate::kernel::process::signal::SignalFd;
use crate::sandbox::disk;
use crate::sandbox::process_numbers::TrialNumbers;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::node::{IDS_MAPPED, Joins, NodeReply, NodeRequest};
use crate::sandbox::refused::{self, Doing, Refused, SetupStep};
use crate::sandbox::trial::mounts::SandboxSpec;

/// The user namespace of the process that makes nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FactoryPlace {
    /// The process is the init of the trial, in the user namespace of the trial.
    Init,
    /// The process is in a user namespace that the body came with.
    Apart,
}

/// Makes nodes for whoever holds the other end of its channel.
pub(crate) struct Factory<'a> {
    /// Channel on which a test process asks for nodes.
    pub(crate) requests: &'a MessageChannel,
    /// Sandbox of the trial, of which a node's is a variant.
    pub(crate) spec: &'a SandboxSpec<'a>,
    /// Signals that wait for the calling process, whichever that is.
    pub(crate) signals: &'a SignalFd,
    /// Numbers that the processes of the trial have.
    pub(crate) numbers: TrialNumbers,
    /// Number of nodes that were made, of which some may have died.
    pub(crate) made: &'a Cell<u32>,
    /// Channels to the servers of disks, on which they hear of programs that make disks durable.
    pub(crate) disks: &'a RefCell<Vec<MessageChannel>>,
    /// The user namespace in which the calling process is.
    pub(crate) place: FactoryPlace,
}

impl Factory<'_> {
    /// Makes the nodes that have been asked for, or refuses them for a reason. Never waits for a
    /// request. Returns false if nothing will be asked for any more.
    pub(crate) fn serve(&self, refused: Option<&Refused>) -> bool {
        // Each message is freed before this returns: the heap is the zygote's.
        while let Ok(Some((message, passed))) = self.requests.try_receive_whole_with() {
            let mut passed = passed.into_iter();
            let Some(channel) = passed.next().map(MessageChannel::from) else {
                // The other end is gone, or talks nonsense.
                return false;
            };
            // A node that is started again is another one: its programs do not have the numbers of
            // those before.
            self.made.update(|made| made.wrapping_add(1));
            let spawned = match (refused, NodeRequest::decode(&message)) {
                (Some(refused), _) => Err(refused.clone()),
                (None, Some(request)) => self.spawn(&request, &channel, passed.next()),
                (None, None) => Err(Errno::EPROTO).doing("read an order"),
            };
            if let Err(refused) = spawned {
                refuse(&channel, refused);
            }
        }
        true
    }

    /// Clones the first process of a node.
    fn spawn(
        &self,
        request: &NodeRequest,
        channel: &MessageChannel,
        joined: Option<OwnedFd>,
    ) -> Result<(), Refused> {
        if request.serves_disk {
            return self.spawn_disk(request, channel);
        }
        if let (Some(network), Some(_), Joins::Network | Joins::Owner) =
            (&joined, request.ids, request.joins)
        {
            return self.spawn_from_between(request, channel, network, enter_users);
        }
        let joins_pids = request.joins == Joins::PodAndPids;
        let own_pids = match (&joined, joins_pids) {
            // The processes of the trial are not of this user namespace, so that there is no way
            // back to them.
            (Some(pod), true) if self.place == FactoryPlace::Apart => {
                let enter = |pod: &OwnedFd| enter_pids(pod).map(drop);
                return self.spawn_from_between(request, channel, pod, enter);
            }
            (Some(pod), true) => Some(enter_pids(pod)?),
            _ => None,
        };
        let limited = limited_kinds(flags(request), self.spec.nested);
        let cloned = retry_while_limits_settle(limited, || self.clone_for(request));
        // To enter a PID namespace changes where children are made and not the caller itself
        // (setns(2)), so the init can come back: the next node is another's.
        if let Some(own_pids) = own_pids
            && !matches!(cloned, Ok(Cloned::Child))
        {
            namespace::enter(own_pids.as_fd(), CloneFlags::CLONE_NEWPID)
                .doing("come back to the trial's processes")?;
        }
        let step = SetupStep::Clone(refused::NewProcess::Node, flags(request));
        match cloned.doing(step)? {
            Cloned::Child => self.live(request, channel, joined.as_ref()),
            Cloned::Parent { pid, pidfd } => {
                // The ids are mapped from outside, where the init still has the privileges that the
                // node's users lack.
                if request.ids.is_some() {
                    map_ids(request, pid, &pidfd)?;
                }
                announce(channel, pid, &pidfd);
                Ok(())
            }
        }
    }

    /// Clones the first process of a node from within namespaces from which there is no way back:
    /// those of a node that has lived before, whose users are its own and own its network.
    ///
    /// Only a member of a user namespace can clone processes into it without making another one. A
    /// process that has entered one cannot come back: that takes CAP_SYS_ADMIN in the old one,
    /// which it has lost (`setns(2)`). So a process in between enters the namespace, clones, and
    /// ends.
    fn spawn_from_between(
        &self,
        request: &NodeRequest,
        channel: &MessageChannel,
        joined: &OwnedFd,
        enter: impl FnOnce(&OwnedFd) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        match process::fork().doing("fork a node")? {
            ForkResult::Parent { .. } => Ok(()),
            ForkResult::Child => process::never_return(|| {
                // A sibling, so that the init is the parent of the node's first process and reaps
                // it.
                let cloned = enter(joined).and_then(|()| {
                    let step = SetupStep::Clone(refused::NewProcess::Node, flags(request));
                    clone_sibling(flags(request)).doing(step)
                });
                match cloned {
                    Ok(Cloned::Child) => self.live(request, channel, Some(joined)),
                    Ok(Cloned::Parent { pid, pidfd }) => announce(channel, pid, &pidfd),
                    Err(refused) => refuse(channel, refused),
                }
            }),
        }
    }

    /// Lives as the first process of a node.
    fn live(&self, request: &NodeRequest, channel: &MessageChannel, joined: Option<&OwnedFd>) -> ! {
        let origin = Origin {
            request,
            spec: self.spec,
            joined,
            first_number: self.numbers.of_node(self.made.get()),
            place: self.place,
        };
        first_process::live(&origin, channel, self.signals)
    }

    /// Forks the process that serves a disk. It has the namespaces of the trial.
    fn spawn_disk(&self, request: &NodeRequest, channel: &MessageChannel) -> Result<(), Refused> {
        let (ours, theirs) = MessageChannel::pair().doing("make a channel to a disk")?;
        match process::fork().doing("fork the server of a disk")? {
            ForkResult::Child => {
                process::never_return(|| disk::live(&request.name, channel, theirs));
            }
            ForkResult::Parent { child } => {
                // The id is still the child's, for nobody but this process can reap it.
                let pidfd =
                    process::pidfd_open(child.as_raw()).doing("open the server of a disk")?;
                let mut disks = self.disks.borrow_mut();
                // Nothing is ever sent to us: a channel that is readable is closed, its disk gone.
                disks.retain(|disk| !poll::is_readable(disk.as_fd()));
                disks.push(ours);
                announce(channel, child.as_raw(), &pidfd);
                Ok(())
            }
        }
    }

    fn clone_for(&self, request: &NodeRequest) -> crate::kernel::Result<Cloned> {
        let makes_users = flags(request).contains(CloneFlags::CLONE_NEWUSER);
        while_permitted(self.spec.nested || !makes_users, || {
            clone_into(flags(request))
        })
    }
}

fn announce(channel: &MessageChannel, pid: i32, pidfd: &OwnedFd) {
    let _ = channel.send_with(&NodeReply::Cloned(pid).encode(), &[pidfd.as_raw_fd()]);
}

fn refuse(channel: &MessageChannel, refused: Refused) {
    let _ = channel.send(&NodeReply::Refused(refused).encode());
}

/// Becomes root of the user namespace that owns a network namespace (`ioctl_ns(2)`, NS_GET_USERNS).
fn enter_users(network: &OwnedFd) -> Result<(), Refused> {
    namespace::owner_of(network.as_fd())
        .and_then(|users| namespace::enter(users.as_fd(), CloneFlags::CLONE_NEWUSER))
        .doing("enter the node's user namespace")
}

/// Returns the kinds of namespaces that the first process of a node does not share with the init.
fn flags(request: &NodeRequest) -> CloneFlags {
    let mut flags = CloneFlags::empty();
    let own_network = matches!(request.joins, Joins::Nothing | Joins::Owner);
    flags.set(CloneFlags::CLONE_NEWNET, own_network);
    flags.set(CloneFlags::CLONE_NEWUTS, request.hostname.is_some());
    flags.set(CloneFlags::CLONE_NEWIPC, request.hostname.is_some());
    flags.set(CloneFlags::CLONE_NEWPID, request.own_pids);
    flags.set(CloneFlags::CLONE_NEWNS, request.own_mounts);
    let new_users = request.ids.is_some() && request.joins == Joins::Nothing;
    flags.set(CloneFlags::CLONE_NEWUSER, new_users);
    flags
}

/// Makes the next child one of the pod's processes. Returns the way back.
fn enter_pids(pod: &OwnedFd) -> Result<OwnedFd, Refused> {
    let own = Task::Process
        .namespace(NamespaceKind::Pid)
        .doing("open our PID namespace")?;
    namespace::enter(pod.as_fd(), CloneFlags::CLONE_NEWPID)
        .doing("enter the pod's PID namespace")?;
    Ok(own.into())
}

/// Maps the ids of a node whose first process waits for them.
fn map_ids(request: &NodeRequest, pid: i32, pidfd: &OwnedFd) -> Result<(), Refused> {
    let map = IdMap {
        outside: 0,
        count: request.ids.unwrap_or(1),
    };
    let written = map
        .write(map, pid, GroupChange::Permitted)
        .or_else(|_| map.write(map, pid, GroupChange::Denied));
    // A process whose ids are never mapped would wait for ever.
    let signal = if written.is_ok() {
        IDS_MAPPED as i32
    } else {
        Signal::SIGKILL as i32
    };
    let _ = process::pidfd_kill(pidfd, signal);
    written.doing("map the ids of a node")
}
