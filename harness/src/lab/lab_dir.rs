//! The files of a lab: a directory in the trial's `/run`, which nodes do not see.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::lab::error::{LabError, Result};
use crate::sandbox::protocol::node::NodeEtc;
use crate::topology::Plan;
use crate::topology::plan::NodePlan;

/// The directory of one lab, which is removed when dropped.
#[derive(Debug)]
pub(crate) struct LabDir(PathBuf);

static NEXT: AtomicU32 = AtomicU32::new(0);

impl LabDir {
    pub(crate) fn new() -> Result<LabDir> {
        loop {
            // Several labs of one process have a directory each. A process id may have been used
            // before, so that the name may be taken.
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let dir = PathBuf::from(format!(
                "/run/snowglobe/lab-{}-{number}",
                std::process::id()
            ));
            let made = fs::create_dir_all("/run/snowglobe").and_then(|()| fs::create_dir(&dir));
            match made {
                Ok(()) => return Ok(LabDir(dir)),
                // The name is taken: the next number is tried.
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

    /// Makes the files in `/etc` of a new node. Each node has files of its own, so that what one
    /// node writes is not seen in another. `root` has the other root filesystem of the node, the
    /// uppermost layer first.
    pub(crate) fn names_of(
        &self,
        plan: &Plan,
        node: &NodePlan,
        root: &[PathBuf],
    ) -> Result<NodeEtc> {
        self.dir("etc")?;
        // Each node would have a copy of a text that names all nodes.
        let all = plan.hosts.len().saturating_mul(plan.nodes.len());
        let shared = all > OF_THEIR_OWN && plan[node.stack].own_hosts.is_empty();
        let hosts = if shared {
            self.shared_hosts()
        } else {
            self.hosts(node)
        };
        // The shared file is written for the first node that finds it missing.
        if !shared {
            write(&hosts, &plan.hosts_of(node.stack))?;
        } else if !hosts.exists() {
            write(&hosts, &plan.hosts_of_all())?;
        }
        let resolver = self.0.join(format!("etc/{}.resolv.conf", flat(&node.name)));
        write(&resolver, &plan.resolv_conf)?;
        let services = self
            .0
            .join(format!("etc/{}.nsswitch.conf", flat(&node.name)));
        write(&services, &name_services(root))?;
        Ok(NodeEtc {
            hosts,
            hosts_read_only: shared,
            resolver,
            services,
        })
    }

    /// Adds the names to a node's hosts file that were not there before. Plans and nodes are those
    /// of before and of now.
    ///
    /// What the node has written to the file itself stays. Then the new lines come after it.
    pub(crate) fn renew_names(&self, plans: [&Plan; 2], nodes: [&NodePlan; 2]) -> Result<()> {
        let ([before, now], [old, node]) = (plans, nodes);
        let own = self.hosts(node);
        // Which of the two files a node has was decided when the node was made.
        let (path, [before, now]) = if own.exists() {
            (own, [before.hosts_of(old.stack), now.hosts_of(node.stack)])
        } else {
            (self.shared_hosts(), plans.map(Plan::hosts_of_all))
        };
        if before == now {
            return Ok(());
        }
        let failed = |e| LabError::io(format!("read `{}`", path.display()), &e);
        let seen = fs::read_to_string(&path).map_err(failed)?;
        if seen == now {
            return Ok(());
        }
        // Nobody has written to the file, so that it can be replaced as a whole.
        if seen == before {
            return write(&path, &now);
        }
        // Lines of the old names stay: a name of a removed node still resolves, to an address where
        // nobody is.
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

    /// Returns the directory of a volume, which is made when first asked for.
    pub(crate) fn volume(&self, name: &str) -> Result<PathBuf> {
        self.dir(&format!("volumes/{}", flat(name)))
    }

    /// Returns the directory for what a node with another root filesystem writes.
    pub(crate) fn disk(&self, node: &str) -> Result<PathBuf> {
        self.dir(&format!("disks/{}", flat(node)))
    }

    /// Returns the directory that the containers of a pod share at `/dev/shm`.
    pub(crate) fn shared_memory(&self, pod: &str) -> Result<PathBuf> {
        use std::os::unix::fs::PermissionsExt;
        let dir = self.dir(&format!("shm/{}", flat(pod)))?;
        // /dev/shm is for all users, and has the sticky bit as any directory for temporary files.
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

/// Memory that hosts files may take, in bytes. In a lab that would need more, nodes share one file
/// that they can only read: each file names all nodes, so that all files grow with the square of
/// the nodes. Names stand for the same addresses in all of them then.
const OF_THEIR_OWN: usize = 256 << 20;

/// Returns the text of a node's `/etc/nsswitch.conf`, with names looked for in the hosts file and
/// then asked of name servers.
fn name_services(root: &[PathBuf]) -> String {
    /// The hosts file comes last once more. Where no name server answers, as in most labs, glibc
    /// would say "try again" (`EAI_AGAIN`), and the service that is asked last decides: the hosts
    /// file does not have the name (`EAI_NONAME`). An answer of a name server ends the search,
    /// whatever it says. See nsswitch.conf(5), "Actions"; `nss_dns` gives `UNAVAIL` for no answer
    /// (resolv/nss_dns/dns-host.c).
    const HOSTS: &str = "hosts: files dns [NOTFOUND=return] files";
    let roots = if root.is_empty() {
        &[PathBuf::from("/")][..]
    } else {
        root
    };
    let there = roots
        .iter()
        .find_map(|root| fs::read_to_string(root.join("etc/nsswitch.conf")).ok());
    let there = there.unwrap_or_default();
    let others = there
        .lines()
        .filter(|line| !line.trim_start().starts_with("hosts:"));
    others
        .chain([HOSTS])
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// Writes a file in place, so that nodes that have it mounted see the change.
fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|e| LabError::io(format!("write `{}`", path.display()), &e))
}

/// Returns one path component for a name.
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
        // What is left lies in the trial's own /run, which goes with the trial.
        let _ = fs::remove_dir_all(&self.0);
    }
}
