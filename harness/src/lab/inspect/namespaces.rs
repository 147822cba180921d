//! Every namespace of a lab, as `lsns` would list them.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use snowglobe_derive::Serialize;

use crate::kernel::namespace::{self, NamespaceKind, Task};
use crate::lab::attempt::{NetworkAttempt, NodeAttempt};
use crate::lab::error::{LabError, Result};
use crate::lab::lab::Lab;
use crate::model::order::sort_by_key;

/// A namespace of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Namespace {
    /// `net`, `mnt`, `uts`, `ipc`, `pid` or `user`.
    pub kind: String,
    /// The number by which `/proc/PID/ns` knows the namespace.
    pub inode: u64,
    /// The inode of the user namespace that owns this one. Of a user namespace, the inode of the
    /// parent. Nothing if that lies outside of the trial.
    pub owner: Option<u64>,
    /// The nodes that live in the namespace; none for the one with the switches.
    pub nodes: Vec<String>,
    /// The lowest process id in the namespace, as the trial numbers processes.
    pub pid: Option<u32>,
}

const KINDS: [NamespaceKind; 6] = [
    NamespaceKind::Net,
    NamespaceKind::Mnt,
    NamespaceKind::Uts,
    NamespaceKind::Ipc,
    NamespaceKind::Pid,
    NamespaceKind::User,
];

/// Lists the namespaces of a lab: see [`Lab::namespaces`].
pub(crate) fn list(lab: &Lab) -> Result<Vec<Namespace>> {
    let mut order = Vec::new();
    let mut found: BTreeMap<(usize, u64), Namespace> = BTreeMap::new();
    for node in lab.nodes().filter(|node| node.is_running()) {
        let Some(pid) = node.pid() else { continue };
        for (number, kind) in KINDS.into_iter().enumerate() {
            let failed = |e| {
                let what = NodeAttempt::LookAtNamespaces.with(node.name());
                LabError::io(what, &e).about(node.subject())
            };
            // ioctl_ns(2) asks a descriptor of the namespace for the owner.
            let file = Task::Number(pid.cast_signed())
                .namespace(kind)
                .map_err(failed)?;
            let inode = file.metadata().map_err(failed)?.ino();
            let entry = found.entry((number, inode)).or_insert_with(|| {
                order.push((number, inode));
                described(kind, inode, &file, Some(pid))
            });
            // Containers of a pod share namespaces; the lowest process id names them.
            entry.pid = entry.pid.min(Some(pid));
            entry.nodes.push(node.name().to_owned());
        }
    }
    // The sort is stable: within a kind the order of the nodes stays.
    sort_by_key(&mut order, |(number, _)| *number);
    let mut all: Vec<Namespace> = order.iter().filter_map(|key| found.remove(key)).collect();
    if let Some(hub) = lab.hub() {
        let copy = hub.try_clone().map(File::from);
        let file = copy.map_err(|e| LabError::io(NetworkAttempt::LookAtSwitches, &e))?;
        let inode = file
            .metadata()
            .map_err(|e| LabError::io(NetworkAttempt::LookAtSwitches, &e))?
            .ino();
        all.push(described(NamespaceKind::Net, inode, &file, None));
    }
    Ok(all)
}

fn described(kind: NamespaceKind, inode: u64, file: &File, pid: Option<u32>) -> Namespace {
    let owner = if kind == NamespaceKind::User {
        namespace::parent_of(file.as_fd())
    } else {
        namespace::owner_of(file.as_fd())
    };
    // What lies outside of the trial is not ours to see.
    let owner = owner
        .ok()
        .and_then(|owner| File::from(owner).metadata().ok())
        .map(|meta| meta.ino());
    Namespace {
        kind: kind.name().to_owned(),
        inode,
        owner,
        nodes: Vec::new(),
        pid,
    }
}
