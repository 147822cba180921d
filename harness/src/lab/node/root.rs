//! The root filesystem of a node: its files, and another one from the next start on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Fixture;
use crate::lab::attempt::{FileAttempt, NodeAttempt};
use crate::lab::error::{LabError, Result, Subject};
use crate::lab::node::node::Node;
use crate::sandbox::protocol::node::{NodeRequest, NodeRoot};
use crate::topology::Rootfs;

impl Node {
    /// Sets the root filesystem that the node has from its next [`restart`](Node::restart) on, in
    /// the place of that of its [`NodeSpec`](crate::topology::NodeSpec::rootfs): another version.
    ///
    /// What the node has written stays, as it does when packages are upgraded. A file that the node
    /// has written or removed hides that of the new root filesystem.
    ///
    /// ```no_run
    /// use snowglobe::Cluster;
    /// use snowglobe::fault::{Fault, Nemesis, NodeRef};
    /// use snowglobe::prelude::*;
    /// use snowglobe::topology::StartCommand;
    ///
    /// #[snowglobe::test(fixtures("store-1", "store-2"))]
    /// fn survives_upgrades_under_fire() -> TestResult {
    ///     let (old, new) = (Fixture::find("store-1")?, Fixture::find("store-2")?);
    ///     let cluster = Cluster::of(3, |i| {
    ///         let store = StartCommand::new("store").ready_port(7000);
    ///         NodeSpec::new(format!("s{i}")).rootfs(&old).command(store)
    ///     });
    ///     let cluster = cluster.start()?;
    ///     cluster.action("upgrade", move |_, node| -> TestResult {
    ///         let node = node.ok_or("an upgrade is of a node")?;
    ///         node.set_rootfs(&new)?;
    ///         Ok(node.restart()?)
    ///     });
    ///     let nemesis = Nemesis::new(Duration::from_secs(20))
    ///         .rolling(1, Fault::action_on(NodeRef::any(), "upgrade"))
    ///         .fault(1, Fault::isolate(NodeRef::any()));
    ///     cluster.nemesis(&nemesis)?.wait()?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// There is no such directory or fixture. The node keeps what it has then.
    pub fn set_rootfs(&self, rootfs: impl Into<Rootfs>) -> Result<()> {
        let rootfs = rootfs.into();
        rootfs.check((self.id(), self.name()))?;
        self.set_root(Some(&rootfs))
    }

    /// Sets the root filesystem from the next start on; nothing for that of the trial.
    pub(crate) fn set_root(&self, rootfs: Option<&Rootfs>) -> Result<()> {
        let layers = match rootfs {
            Some(rootfs) => layers_of(rootfs, self.name())?,
            None => Vec::new(),
        };
        *self.next_layers().lock() = Some(layers);
        Ok(())
    }

    /// Returns the request by which the node is made again, with the root filesystem that was set.
    pub(crate) fn next_request(&self) -> Result<Arc<NodeRequest>> {
        let Some(layers) = self.next_layers().lock().take() else {
            return Ok(self.request());
        };
        let mut request = NodeRequest::clone(&self.request());
        if let Some(etc) = &request.etc {
            // The node, or the test, may have changed how names are looked up, and an upgrade of
            // packages leaves such a file as it is.
            let now = fs::read_to_string(&etc.services).unwrap_or_default();
            let hosts = now.lines().find(|line| is_of_hosts(line));
            let text = name_services(&layers, hosts);
            fs::write(&etc.services, text)
                .map_err(|e| LabError::io(FileAttempt::Write(etc.services.clone()), &e))?;
        }
        let before = request.root.take();
        // A node that had the trial's files has nowhere to write to yet.
        if !layers.is_empty() {
            let disk = self.root_disk().to_owned();
            fs::create_dir_all(&disk)
                .map_err(|e| LabError::io(FileAttempt::MakeDir(disk.clone()), &e))?;
            request.root = Some(NodeRoot {
                layers,
                disk,
                upgrades: before.map_or(0, |root| root.upgrades + 1),
            });
        }
        Ok(self.replace_request(request))
    }
}

/// Finds the directories of a root filesystem, the uppermost first.
pub(crate) fn layers_of(rootfs: &Rootfs, node: &str) -> Result<Vec<PathBuf>> {
    let path = match rootfs {
        Rootfs::Path(path) => found(path, node)?,
        Rootfs::Fixture(name) => {
            // Merged: the trees of single packages know nothing of each other's links.
            let fixture = fixture(name, node)?;
            let root = fixture.rootfs().map_err(|error| useless(node, error))?;
            root.to_owned()
        }
    };
    // A file would be refused by the mount, where a running node has ended by then.
    fs::read_dir(&path).map_err(|e| not_found(&path, node, &e))?;
    Ok(vec![path])
}

/// Finds a file or directory that a node is to have.
pub(crate) fn found(path: &Path, node: &str) -> Result<PathBuf> {
    // The node's first process has another working directory and other symbolic links.
    path.canonicalize().map_err(|e| not_found(path, node, &e))
}

fn not_found(path: &Path, node: &str, error: &std::io::Error) -> LabError {
    let path = path.to_owned();
    let what = NodeAttempt::FindMounted { path }.with(node);
    LabError::io(what, error).about(subject(node))
}

/// Finds a fixture that a node is given.
pub(crate) fn fixture(name: &str, node: &str) -> Result<Fixture> {
    Fixture::find(name).map_err(|error| useless(node, error))
}

fn useless(node: &str, error: snowglobe_fixtures::Error) -> LabError {
    LabError::invalid_value(subject(node), None, error)
}

fn subject(node: &str) -> Subject {
    Subject::Node(node.to_owned())
}

/// Returns the text of a node's `/etc/nsswitch.conf`: that of its root filesystem, with another
/// line of where names of hosts are looked for.
pub(crate) fn name_services(root: &[PathBuf], hosts: Option<&str>) -> String {
    let roots = if root.is_empty() {
        &[PathBuf::from("/")][..]
    } else {
        root
    };
    let there = roots
        .iter()
        .find_map(|root| fs::read_to_string(root.join("etc/nsswitch.conf")).ok());
    let there = there.unwrap_or_default();
    let others = there.lines().filter(|line| !is_of_hosts(line));
    others.chain(hosts).flat_map(|line| [line, "\n"]).collect()
}

fn is_of_hosts(line: &str) -> bool {
    line.trim_start().starts_with("hosts:")
}
