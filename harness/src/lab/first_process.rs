//! Asking the trial's init for nodes, all at once, and hearing from each.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use crate::kernel::errno::Errno;
use crate::kernel::process::signal::Signal;

use crate::Fixture;
use crate::events::{EventKind, note_in_all};
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process;
use crate::lab::error::{LabError, Result};
use crate::lab::node::files::Place;
use crate::model::topology::IntoRootfs;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::node::{
    CommandReply, Joins, LONGEST_REPLY, MountContent, NodeCommand, NodeMount, NodeReply,
    NodeRequest, NodeRoot,
};
use crate::sandbox::trial::body;
use crate::topology::plan::{NodePlan, StackId, Sysctl};
use crate::topology::{Mount, MountSource, Owner, Plan, Rootfs, Topology, Users, Volume};

/// The first process of a node or pod.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) channel: MessageChannel,
    pub(crate) pidfd: OwnedFd,
    /// As the trial numbers it.
    pub(crate) pid: i32,
}

impl Life {
    pub(crate) fn kill(&self) {
        let _ = process::pidfd_kill(&self.pidfd, Signal::SIGKILL as i32);
    }

    pub(crate) fn ask(&self, command: &NodeCommand, fds: &[i32]) -> crate::kernel::Result<()> {
        self.channel.send_with(&command.encode(), fds)
    }

    /// Sends a command that is answered, and waits for the answer.
    fn request(&self, command: &NodeCommand) -> crate::kernel::Result<()> {
        let (ours, theirs) = MessageChannel::pair()?;
        self.ask(command, &[theirs.as_raw_fd()])?;
        drop(theirs);
        let mut buffer = [0; LONGEST_REPLY];
        match CommandReply::decode(ours.receive(&mut buffer)?) {
            Some(CommandReply::Done) => Ok(()),
            Some(CommandReply::Refused(errno)) => Err(Errno::from_raw(errno)),
            None => Err(Errno::ESRCH),
        }
    }

    /// Waits until the commands before this one have been obeyed.
    pub(crate) fn ping(&self) -> crate::kernel::Result<()> {
        self.request(&NodeCommand::Ping)
    }

    /// Writes a sysctl of its namespaces.
    pub(crate) fn set(&self, sysctl: &Sysctl) -> crate::kernel::Result<()> {
        self.request(&NodeCommand::SetSysctl {
            path: sysctl.path.clone(),
            value: sysctl.value.clone(),
        })
    }
}

/// Who is forgotten is killed: also when a lab fails to start half-way.
impl Drop for Life {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Somebody who lives.
#[derive(Debug)]
pub(crate) struct Born {
    pub(crate) life: Life,
    pub(crate) netns: OwnedFd,
}

/// A birth that has been asked for.
pub(crate) struct Expected {
    channel: Option<MessageChannel>,
    name: String,
}

/// Nobody waits for it any more: it must not be left when the lab has failed to start.
impl Drop for Expected {
    fn drop(&mut self) {
        let Some(channel) = self.channel.take() else {
            return;
        };
        let mut buffer = [0; NodeReply::LONGEST];
        while let Ok((message, passed)) = channel.receive_with(&mut buffer) {
            match (NodeReply::decode(message), passed.into_iter().next()) {
                (Some(NodeReply::Cloned(_)), Some(pidfd)) => {
                    let _ = process::pidfd_kill(&pidfd, Signal::SIGKILL as i32);
                    return;
                }
                (Some(NodeReply::Ready | NodeReply::Note(_)), _) => {}
                _ => return,
            }
        }
    }
}

/// Asks for a node; what it joins comes along.
pub(crate) fn order(birth: &NodeRequest, joined: Option<&OwnedFd>) -> Result<Expected> {
    let failed = |errno| LabError::refused(format!("ask for node `{}`", birth.name), errno);
    let Some(factory) = body::node_factory().map_err(failed)? else {
        return Err(LabError::other(
            "a lab needs a trial to live in; call `start()` in a function with `#[snowglobe::test]`",
        ));
    };
    let (ours, theirs) = MessageChannel::pair().map_err(failed)?;
    let fds: Vec<i32> = [theirs.as_raw_fd()]
        .into_iter()
        .chain(joined.map(AsRawFd::as_raw_fd))
        .collect();
    factory.send_with(&birth.encode(), &fds).map_err(failed)?;
    Ok(Expected {
        channel: Some(ours),
        name: birth.name.clone(),
    })
}

impl Expected {
    /// Waits until it is ready.
    pub(crate) fn wait(mut self) -> Result<Born> {
        let name = std::mem::take(&mut self.name);
        let Some(channel) = &self.channel else {
            return Err(LabError::other(format!(
                "node `{name}` was waited for twice"
            )));
        };
        let mut buffer = [0; NodeReply::LONGEST];
        let (mut process, mut netns) = (None, None);
        loop {
            match (process.take(), netns.take()) {
                (Some((pid, pidfd)), Some(netns)) => {
                    let channel = self.channel.take().expect("it was there above");
                    let life = Life {
                        channel,
                        pidfd,
                        pid,
                    };
                    return Ok(Born { life, netns });
                }
                missing => (process, netns) = missing,
            }
            let failed = |errno| LabError::refused(format!("hear from node `{name}`"), errno);
            let (message, passed) = channel.receive_with(&mut buffer).map_err(failed)?;
            let passed = passed.into_iter().next();
            match (NodeReply::decode(message), passed) {
                (Some(NodeReply::Cloned(pid)), Some(pidfd)) => process = Some((pid, pidfd)),
                (Some(NodeReply::Ready), Some(fd)) => netns = Some(fd),
                (Some(NodeReply::Note(sentence)), _) => note_in_all(EventKind::FellBack {
                    node: name.clone(),
                    sentence,
                }),
                (Some(NodeReply::Refused(refused)), _) => {
                    let what = format!("make node `{name}`: {}", refused.step);
                    return Err(LabError::refused(what, refused.errno));
                }
                _ => {
                    let sentence = format!("failed to make node `{name}`: its first process died");
                    return Err(LabError::other(sentence));
                }
            }
        }
    }
}

/// What a pod needs to be born.
pub(crate) fn of_pod(topology: &Topology, plan: &Plan, stack: StackId) -> NodeRequest {
    let planned = &plan[stack];
    let share_pid = plan
        .nodes
        .iter()
        .any(|node| node.stack == stack && node.share_pid);
    let name = match planned.owner {
        Owner::Pod(pod) => topology[pod].name().to_owned(),
        Owner::Node(node) => topology.node_name(node),
    };
    NodeRequest {
        name,
        hostname: Some(planned.hostname.clone()),
        own_pids: share_pid,
        sysctls: sysctls(&planned.sysctls),
        ..NodeRequest::default()
    }
}

/// What a node needs to be born.
pub(crate) fn of_node(
    topology: &Topology,
    plan: &Plan,
    node: &NodePlan,
    place: &Place,
) -> Result<NodeRequest> {
    let stack = &plan[node.stack];
    let mut mounts = Vec::new();
    let in_pod = match stack.owner {
        Owner::Node(_) => false,
        Owner::Pod(pod) => {
            let memory = place.shared_memory(topology[pod].name())?;
            mounts.push(NodeMount {
                at: "/dev/shm".into(),
                content: MountContent::Path(memory),
                read_only: false,
            });
            true
        }
    };
    for mount in &node.mounts {
        mounts.push(placed(mount, node, place)?);
    }
    Ok(NodeRequest {
        name: node.name.clone(),
        hostname: (!in_pod).then(|| stack.hostname.clone()),
        joins: match (in_pod, node.share_pid) {
            (false, _) => Joins::Nothing,
            (true, false) => Joins::Pod,
            (true, true) => Joins::PodAndPids,
        },
        own_pids: !(in_pod && node.share_pid),
        own_mounts: true,
        ids: ids(node)?,
        sysctls: if in_pod {
            Vec::new()
        } else {
            sysctls(&stack.sysctls)
        },
        etc: Some(place.names_of(plan, node)?),
        mounts,
        root: node
            .rootfs
            .as_ref()
            .map(|rootfs| root(rootfs, node, place))
            .transpose()?,
    })
}

fn sysctls(planned: &[Sysctl]) -> Vec<(String, String)> {
    planned
        .iter()
        .map(|sysctl| (sysctl.path.clone(), sysctl.value.clone()))
        .collect()
}

fn placed(mount: &Mount, node: &NodePlan, place: &Place) -> Result<NodeMount> {
    let source = match &mount.source {
        MountSource::Volume(Volume::Named(name)) => MountContent::Path(place.volume(name)?),
        MountSource::Volume(Volume::Tmpfs(size)) => MountContent::Tmpfs(size.as_bytes()),
        MountSource::Bind(path) => MountContent::Path(found(path, node)?),
    };
    Ok(NodeMount {
        at: PathBuf::from(&mount.at),
        content: source,
        read_only: mount.read_only,
    })
}

fn found(path: &std::path::Path, node: &NodePlan) -> Result<PathBuf> {
    path.canonicalize().map_err(|e| {
        LabError::io(
            format!(
                "find `{}`, which node `{}` mounts",
                path.display(),
                node.name
            ),
            &e,
        )
    })
}

fn root(rootfs: &Rootfs, node: &NodePlan, place: &Place) -> Result<NodeRoot> {
    let layers = match rootfs {
        Rootfs::Path(path) => vec![found(path, node)?],
        Rootfs::Fixture(name) => {
            let explain = |e: snowglobe_fixtures::Error| {
                LabError::other(format!("node `{}`: {e}", node.name))
            };
            let fixture = Fixture::find(name).map_err(explain)?;
            // Merged: the trees of single packages know nothing of each other's links.
            vec![fixture.rootfs().map_err(explain)?.to_owned()]
        }
    };
    Ok(NodeRoot {
        layers,
        disk: place.disk(&node.name)?,
    })
}

/// How many ids a node maps in a user namespace of its own.
fn ids(node: &NodePlan) -> Result<Option<u32>> {
    let wanted = match node.users {
        Users::Trial => return Ok(None),
        Users::One => return Ok(Some(1)),
        Users::Range(count) => count,
    };
    let available = crate::kernel::id_map::own_ids().unwrap_or(1);
    match wanted <= available {
        true => Ok(Some(wanted)),
        false => Err(LabError::other(format!(
            "node `{}` wants {wanted} ids, but the trial has {available}; run the tests as root, or give the user a range in /etc/subuid and /etc/subgid and install `newuidmap` (`cargo xtask doctor` says how), or use `Users::One`",
            node.name
        ))),
    }
}

/// Marks how a fixture becomes a [`Rootfs`].
#[derive(Debug)]
pub enum ByName {}

impl IntoRootfs<ByName> for &Fixture {
    fn into_rootfs(self) -> Rootfs {
        Rootfs::Fixture(self.name().to_owned())
    }
}
