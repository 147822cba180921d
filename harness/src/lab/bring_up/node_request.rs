//! What the trial's init is asked for: a node or pod of the plan, as a request for its first
//! process.

use std::path::PathBuf;

use crate::lab::error::{LabError, Result, Subject};
use crate::lab::lab_dir::{ClonePlace, LabDir};
use crate::lab::node::root::{fixture, found, layers_of};
use crate::lab::unfit::UnfitNode;
use crate::sandbox::protocol::node::{Joins, MountContent, NodeMount, NodeRequest, NodeRoot};
use crate::sandbox::trial::body;
use crate::topology::plan::{NodePlan, StackId, Sysctl};
use crate::topology::{Mount, MountSource, Owner, Plan, Rootfs, Topology, Users, Volume};
use crate::trial::running;

/// Bytes that a home directory of a node holds at most, as many as its `/tmp`.
const HOME_SIZE: u64 = 1 << 30;

/// Describes the process that holds the namespaces of a pod.
pub(crate) fn for_pod(topology: &Topology, plan: &Plan, stack: StackId) -> NodeRequest {
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
        sysctls: sysctls(&planned.own.sysctls),
        ..NodeRequest::default()
    }
}

/// Describes the first process of a node, and makes the files and directories that the node mounts.
pub(crate) fn for_node(
    topology: &Topology,
    plan: &Plan,
    node: &NodePlan,
    dir: &LabDir,
) -> Result<NodeRequest> {
    let stack = &plan[node.stack];
    let mut mounts = Vec::new();
    let in_pod = match stack.owner {
        Owner::Node(_) => false,
        Owner::Pod(pod) => {
            // Containers of a pod share an IPC namespace, and POSIX shared memory lies in /dev/shm:
            // shm_overview(7).
            let memory = dir.shared_memory(topology[pod].name())?;
            mounts.push(NodeMount {
                at: "/dev/shm".into(),
                content: MountContent::Path(memory),
                read_only: false,
            });
            true
        }
    };
    // A node has a `/run` of its own, without the home directory that the trial has there.
    if let Some(home) = body::private_home() {
        mounts.push(NodeMount {
            at: home.to_owned(),
            content: MountContent::Tmpfs(HOME_SIZE),
            read_only: false,
        });
    }
    for mount in &node.mounts {
        mounts.push(placed(mount, node, dir)?);
    }
    let root = match &node.rootfs {
        Some(rootfs) => Some(root(rootfs, node, dir)?),
        None => None,
    };
    let layers = root.as_ref().map_or(&[][..], |root| &root.layers);
    Ok(NodeRequest {
        name: node.name.clone(),
        // A container has the UTS namespace of its pod, whose hostname is set already.
        hostname: (!in_pod).then(|| stack.hostname.clone()),
        joins: match (in_pod, node.share_pid) {
            (false, _) => Joins::Nothing,
            (true, false) => Joins::Pod,
            (true, true) => Joins::PodAndPids,
        },
        // A pod whose containers share processes has the PID namespace, and its containers join it.
        own_pids: !(in_pod && node.share_pid),
        own_mounts: true,
        ids: ids(node)?,
        // The network and IPC namespaces of a container belong to its pod, which has written these
        // sysctls.
        sysctls: if in_pod {
            Vec::new()
        } else {
            sysctls(&stack.own.sysctls)
        },
        etc: Some(dir.names_of(plan, node, layers)?),
        mounts,
        root,
        faulty_clock: node.faulty_clock,
        serves_disk: false,
    })
}

fn sysctls(planned: &[Sysctl]) -> Vec<(String, String)> {
    planned
        .iter()
        .map(|sysctl| (sysctl.path.clone(), sysctl.value.clone()))
        .collect()
}

fn placed(mount: &Mount, node: &NodePlan, dir: &LabDir) -> Result<NodeMount> {
    let source = match &mount.source {
        MountSource::Volume(Volume::Named(name)) => MountContent::Path(dir.volume(name)?),
        MountSource::Volume(Volume::Faulty { of, unsynced }) => {
            let beginning = match of.as_ref() {
                Volume::Clone { of, .. } => Some(tree(of, node)?),
                Volume::Named(_) | Volume::Tmpfs(_) | Volume::Faulty { .. } => None,
            };
            // The checks of the topology refuse one without a name.
            let name = of.name().unwrap_or_default();
            let path = dir.disk_with_faults((name, &node.name), beginning.as_deref(), *unsynced)?;
            MountContent::Path(path)
        }
        MountSource::Volume(Volume::Clone { of, name }) => {
            let of = tree(of, node)?;
            let place = match name {
                Some(name) => ClonePlace::Shared(name),
                None => ClonePlace::OfNode(&mount.at),
            };
            MountContent::Path(dir.clone_of(&of, &node.name, place)?)
        }
        MountSource::Volume(Volume::Tmpfs(size)) => MountContent::Tmpfs(size.as_bytes()),
        MountSource::Bind(path) => MountContent::Path(found(path, &node.name)?),
    };
    Ok(NodeMount {
        at: PathBuf::from(&mount.at),
        content: source,
        read_only: mount.read_only,
    })
}

/// Finds the files with which a volume begins.
fn tree(of: &Rootfs, node: &NodePlan) -> Result<PathBuf> {
    match of {
        Rootfs::Path(path) => found(path, &node.name),
        Rootfs::Fixture(name) => Ok(fixture(name, &node.name)?.path().to_owned()),
    }
}

fn root(rootfs: &Rootfs, node: &NodePlan, dir: &LabDir) -> Result<NodeRoot> {
    Ok(NodeRoot {
        layers: layers_of(rootfs, &node.name)?,
        disk: dir.disk(&node.name)?,
        upgrades: 0,
    })
}

/// Returns the number of ids that a node maps in a user namespace of its own.
fn ids(node: &NodePlan) -> Result<Option<u32>> {
    let wanted = match node.users {
        Users::Trial => return Ok(None),
        Users::One => 1,
        Users::Range(count) => count,
    };
    let is_ordinary = running::is_ordinary_user();
    if is_ordinary && may_make_no_user_namespaces() {
        return Err(LabError::unfit(subject(node), UnfitNode::NoUserNamespace));
    }
    let available = match is_ordinary {
        true => 1,
        false => crate::kernel::id_map::own_ids().unwrap_or(1),
    };
    if wanted <= available.max(1) {
        return Ok(Some(wanted));
    }
    let reason = UnfitNode::TooManyIds { wanted, available };
    Err(LabError::unfit(subject(node), reason))
}

/// Returns whether the user namespace of the test has a limit of zero (`namespaces(7)`,
/// `/proc/sys/user`).
fn may_make_no_user_namespaces() -> bool {
    crate::kernel::procfs::sysctls::number("user/max_user_namespaces") == Some(0)
}

fn subject(node: &NodePlan) -> Subject {
    Subject::Node(node.name.clone())
}
