//! A node, seen from outside: what `ip`, `ss`, `ps` and `mount` would show, as values.

use std::os::fd::AsFd;
use std::path::Path;

use snowglobe_derive::Serialize;

use crate::kernel::netlink::{Netlink, sockets};
use crate::kernel::procfs::Procfs;
use crate::lab::attempt::NodeAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::inspect::namespaces::{self, Namespace};
use crate::lab::inspect::settings::{self, SettingEntry};
use crate::lab::lab::Lab;
use crate::topology::NodeId;

pub use crate::kernel::netlink::{
    AddressEntry, InterfaceCounters, InterfaceEntry, IpFamily, NeighbourEntry, RouteEntry,
    SocketEntry,
};
pub use crate::kernel::procfs::{MountEntry, ProcessEntry};

/// All that the kernel says about a node at one moment; made by [`Lab::inspect`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// The name of the node.
    pub node: String,
    /// The interfaces, `lo` included.
    pub interfaces: Vec<InterfaceEntry>,
    /// The addresses of all interfaces.
    pub addresses: Vec<AddressEntry>,
    /// The routes of all tables.
    pub routes: Vec<RouteEntry>,
    /// The neighbour tables of all interfaces.
    pub neighbours: Vec<NeighbourEntry>,
    /// TCP, UDP and Unix sockets in the network namespace.
    pub sockets: Vec<SocketEntry>,
    /// The processes, the first one included; none where the node has crashed.
    pub processes: Vec<ProcessEntry>,
    /// The mounts; none where the node has crashed.
    pub mounts: Vec<MountEntry>,
    /// Settings of the network that are not the kernel's own defaults, with which every network of
    /// a trial begins: what the topology or somebody in the node has changed, and what the host
    /// does not let a node have.
    pub settings: Vec<SettingEntry>,
}

impl Inspection {
    /// Returns the interface of this name.
    pub fn interface(&self, name: &str) -> Option<&InterfaceEntry> {
        self.interfaces.iter().find(|interface| {
            interface.name == name || interface.altnames.iter().any(|alt| alt == name)
        })
    }
}

impl Lab {
    /// Looks at a node, by netlink and procfs, without running anything in the node.
    ///
    /// ```no_run
    /// # #[snowglobe::test]
    /// # fn t() -> snowglobe::TestResult {
    /// # let lab = snowglobe::topology::shape::pair().start()?;
    /// let a = lab.node("alice").unwrap();
    /// let seen = lab.inspect(a.id())?;
    /// assert_eq!(seen.interface("eth0").unwrap().state, "up");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The node was removed, or the kernel refuses to tell.
    pub fn inspect(&self, node: NodeId) -> Result<Inspection> {
        let node = &self[node];
        let whose = format!("node `{}`", node.name());
        let subject = || node.subject();
        let failed = |e| LabError::network(&whose, e).about(subject());
        let Some(netns) = node.stack().netns() else {
            return Err(LabError::removed(subject()));
        };
        let mut netlink = Netlink::open_in(netns.as_fd()).map_err(failed)?;
        let (processes, mounts) = match node.pid() {
            Some(pid) if node.is_running() => {
                look_at_processes(pid.cast_signed()).map_err(|e| {
                    let what = NodeAttempt::LookAtProcesses.with(node.name());
                    LabError::io(what, &e).about(subject())
                })?
            }
            // The network namespace outlives the processes, so that the rest can still be told.
            _ => (Vec::new(), Vec::new()),
        };
        let interfaces = netlink.interfaces().map_err(failed)?;
        let names = interfaces.iter().map(|interface| &*interface.name);
        let settings = settings::differing(netns.as_fd(), names).map_err(|e| {
            let what = NodeAttempt::LookAtSettings.with(node.name());
            LabError::refused(what, e).about(subject())
        })?;
        Ok(Inspection {
            node: node.name().to_owned(),
            interfaces,
            addresses: netlink.addresses().map_err(failed)?,
            routes: netlink.routes().map_err(failed)?,
            neighbours: netlink.neighbours().map_err(failed)?,
            sockets: sockets(netns.as_fd()).map_err(failed)?,
            processes,
            mounts,
            settings,
        })
    }

    /// Returns every namespace in which a node lives, and the network namespace of the switches, by
    /// kind and in the order of the nodes.
    ///
    /// ```no_run
    /// # #[snowglobe::test]
    /// # fn t() -> snowglobe::TestResult {
    /// # let lab = snowglobe::topology::shape::pair().start()?;
    /// for namespace in lab.namespaces()? {
    ///     println!("{:4} {} {}", namespace.kind, namespace.inode, namespace.nodes.join(" "));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A file in `/proc/PID/ns` cannot be opened.
    pub fn namespaces(&self) -> Result<Vec<Namespace>> {
        namespaces::list(self)
    }
}

fn look_at_processes(pid: i32) -> std::io::Result<(Vec<ProcessEntry>, Vec<MountEntry>)> {
    // The /proc of the node numbers processes as the node does.
    let inside = Procfs::open(Path::new(&format!("/proc/{pid}/root/proc")))?;
    // The mounts of a process are shown by any procfs that knows the process.
    let outside = Procfs::open(Path::new("/proc"))?;
    Ok((inside.processes()?, outside.mounts(pid)?))
}
