//! Where a lab keeps its files: a directory in the trial's `/run`, which nodes do not see.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::lab::error::{LabError, Result};
use crate::sandbox::protocol::node::NodeEtc;
use crate::topology::Plan;
use crate::topology::plan::NodePlan;

/// The directory of one lab; removed when dropped.
#[derive(Debug)]
pub(crate) struct LabDir(PathBuf);

static NEXT: AtomicU32 = AtomicU32::new(0);

impl LabDir {
    pub(crate) fn new() -> Result<LabDir> {
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let dir = PathBuf::from(format!(
                "/run/snowglobe/lab-{}-{number}",
                std::process::id()
            ));
            let made = fs::create_dir_all("/run/snowglobe").and_then(|()| fs::create_dir(&dir));
            match made {
                Ok(()) => return Ok(LabDir(dir)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(LabError::io(
                        format!("make the lab's directory `{}`", dir.display()),
                        &error,
                    ));
                }
            }
        }
    }

    /// What a new node finds in `/etc`: files of its own, so that what is written in one node is not seen in another.
    pub(crate) fn names_of(&self, plan: &Plan, node: &NodePlan) -> Result<NodeEtc> {
        self.dir("etc")?;
        let all = plan.hosts.len().saturating_mul(plan.nodes.len());
        let shared = all > OF_THEIR_OWN && plan[node.stack].own_hosts.is_empty();
        let hosts = if shared {
            self.shared_hosts()
        } else {
            self.hosts(node)
        };
        let resolver = self.0.join(format!("etc/{}.resolv.conf", flat(&node.name)));
        if !(shared && hosts.exists()) {
            write(&hosts, &plan.hosts_of(node.stack))?;
        }
        write(&resolver, &plan.resolv_conf)?;
        Ok(NodeEtc {
            hosts,
            hosts_read_only: shared,
            resolver,
        })
    }

    /// Tells a node that has been there before the names that it did not know.
    ///
    /// What the node has written to its hosts file itself stays: then the new lines come after it.
    pub(crate) fn renew_names(&self, node: &NodePlan, before: &str, now: &str) -> Result<()> {
        if before == now {
            return Ok(());
        }
        let own = self.hosts(node);
        let path = if own.exists() {
            own
        } else {
            self.shared_hosts()
        };
        let failed = |e| LabError::io(format!("read `{}`", path.display()), &e);
        let seen = fs::read_to_string(&path).map_err(failed)?;
        if seen == now {
            return Ok(());
        }
        if seen == before {
            return write(&path, now);
        }
        let known: HashSet<&str> = seen.lines().collect();
        let new = now.lines().filter(|line| !known.contains(line));
        let lines: String = new.flat_map(|line| [line, "\n"]).collect();
        write(&path, &format!("{}\n{lines}", seen.trim_end_matches('\n')))
    }

    fn hosts(&self, node: &NodePlan) -> PathBuf {
        self.0.join(format!("etc/{}.hosts", flat(&node.name)))
    }

    fn shared_hosts(&self) -> PathBuf {
        self.0.join("etc/hosts")
    }

    /// A volume's directory, made when first asked for.
    pub(crate) fn volume(&self, name: &str) -> Result<PathBuf> {
        self.dir(&format!("volumes/{}", flat(name)))
    }

    /// Where what a node with another root filesystem writes goes.
    pub(crate) fn disk(&self, node: &str) -> Result<PathBuf> {
        self.dir(&format!("disks/{}", flat(node)))
    }

    /// What the containers of a pod share at `/dev/shm`.
    pub(crate) fn shared_memory(&self, pod: &str) -> Result<PathBuf> {
        use std::os::unix::fs::PermissionsExt;
        let dir = self.dir(&format!("shm/{}", flat(pod)))?;
        let open = fs::set_permissions(&dir, fs::Permissions::from_mode(0o1777));
        open.map_err(|e| LabError::io(format!("open `{}` to everybody", dir.display()), &e))?;
        Ok(dir)
    }

    fn dir(&self, name: &str) -> Result<PathBuf> {
        let dir = self.0.join(name);
        fs::create_dir_all(&dir)
            .map_err(|e| LabError::io(format!("make `{}`", dir.display()), &e))?;
        Ok(dir)
    }
}

/// So many bytes of memory may go into hosts files. In a lab that would need more, nodes share one that they can only read: a node
/// knows all others, so the files of all grow with the square of the nodes.
const OF_THEIR_OWN: usize = 256 << 20;

/// In place, so that those who have it mounted see it.
fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|e| LabError::io(format!("write `{}`", path.display()), &e))
}

/// One path component, whatever the name.
fn flat(name: &str) -> String {
    name.replace('%', "%25")
        .replace('/', "%2F")
        .replace("..", "%2E%2E")
}

impl AsRef<Path> for LabDir {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for LabDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
