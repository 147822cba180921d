//! The root filesystem of a node: its files, and another one from the next start on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Fixture;
use crate::kernel::errno::Errno;
use crate::lab::attempt::{FileAttempt, NodeAttempt};
use crate::lab::error::{LabError, Result, Subject};
use crate::lab::node::node::Node;
use crate::sandbox::protocol::node::{NodeRequest, NodeRoot};
use crate::topology::{Rootfs, StartCommand};

/// The root filesystem from the next start of a node on.
#[derive(Debug, Default)]
pub(crate) struct NextRoot {
    /// The directories, where another root filesystem was set: none for that of the trial.
    layers: Option<Vec<PathBuf>>,
    /// Number of other root filesystems that the node has had, without that of the trial.
    upgrades: u32,
}

impl Node {
    /// Sets the root filesystem that the node has from its next [`restart`](Node::restart) on, in
    /// the place of that of its [`NodeSpec`](crate::topology::NodeSpec::rootfs): another version.
    ///
    /// What the node has written stays, as it does when packages are upgraded. A file that the node
    /// has written or removed hides that of the new root filesystem. Where overlayfs is refused and
    /// the node has a copy of its root filesystem, each file of the new one is copied, whatever the
    /// node has done to it, and files that only the old one has stay.
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
        rootfs.check(self.id(), self.name())?;
        self.next_root().lock().layers = Some(layers_of(&rootfs, self.name())?);
        Ok(())
    }

    /// Sets the root filesystem, which is that of the trial where there is none, and the commands
    /// from the next start on.
    pub(crate) fn set_version(
        &self,
        rootfs: Option<&Rootfs>,
        commands: &[StartCommand],
    ) -> Result<()> {
        let layers = match rootfs {
            Some(rootfs) => layers_of(rootfs, self.name())?,
            None => Vec::new(),
        };
        // A heal may start the node at any time, with the files and the commands of one version.
        let _life = self.life().lock();
        self.next_root().lock().layers = Some(layers);
        self.set_commands(commands.iter().cloned());
        Ok(())
    }

    /// Returns the request by which the node is made again, with the root filesystem that was set.
    pub(crate) fn next_request(&self) -> Result<Arc<NodeRequest>> {
        let mut next = self.next_root().lock();
        let now = self.request();
        let layers_now = now.root.as_ref().map_or(&[][..], |root| &root.layers);
        // What was set stays set until the node has it, for a step below may fail.
        let layers = match next.layers.clone() {
            Some(layers) if layers != layers_now => layers,
            _ => {
                next.layers = None;
                return Ok(now);
            }
        };
        let mut request = NodeRequest::clone(&now);
        if let Some(etc) = &request.etc {
            upgrade_name_services(&etc.services, layers_now, &layers)?;
        }
        request.root = None;
        // A node that had the trial's files has nowhere to write to yet.
        if !layers.is_empty() {
            let disk = self.root_disk().to_owned();
            fs::create_dir_all(&disk)
                .map_err(|e| LabError::io(FileAttempt::MakeDir(disk.clone()), &e))?;
            next.upgrades += 1;
            request.root = Some(NodeRoot {
                layers,
                disk,
                upgrades: next.upgrades,
            });
        }
        next.layers = None;
        Ok(self.replace_request(request))
    }
}

/// Brings a node's `/etc/nsswitch.conf` from one root filesystem to another.
fn upgrade_name_services(path: &Path, old: &[PathBuf], new: &[PathBuf]) -> Result<()> {
    let now = fs::read_to_string(path).unwrap_or_default();
    let hosts = now.lines().find(|line| is_of_hosts(line));
    // The node, or the test, may have changed the file, and an upgrade of packages leaves such a
    // file as it is (dpkg(1), --force-confold). The line of hosts is by the lab.
    if now != name_services(old, hosts) {
        return Ok(());
    }
    let text = name_services(new, hosts);
    fs::write(path, text).map_err(|e| LabError::io(FileAttempt::Write(path.to_owned()), &e))
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
    // A file would be refused by the mount, where a running node has ended by then. The directory
    // is not opened: the init mounts it, which may have more rights than the body of an ordinary
    // user.
    let meta = fs::metadata(&path).map_err(|e| not_found(&path, node, &e))?;
    if !meta.is_dir() {
        let no_directory = io::Error::from_raw_os_error(Errno::ENOTDIR as i32);
        return Err(not_found(&path, node, &no_directory));
    }
    Ok(vec![path])
}

/// Finds a file or directory that a node is to have.
pub(crate) fn found(path: &Path, node: &str) -> Result<PathBuf> {
    // The node's first process has another working directory and other symbolic links.
    path.canonicalize().map_err(|e| not_found(path, node, &e))
}

fn not_found(path: &Path, node: &str, error: &io::Error) -> LabError {
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
