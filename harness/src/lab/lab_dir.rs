//! The files of a lab: a directory in the trial's `/run`, which nodes do not see.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::events::{EventKind, note_in_all};
use crate::kernel::mount;
use crate::kernel::sync::Lock;
use crate::kernel::thread::escort::escorted;
use crate::lab::attempt::FileAttempt;
use crate::lab::disk::DiskServer;
use crate::lab::error::{LabError, Result};
use crate::lab::node::root::name_services;
use crate::sandbox::copy_tree;
use crate::sandbox::protocol::node::NodeEtc;
use crate::topology::plan::NodePlan;
use crate::topology::{Plan, Unsynced};

/// The directory of one lab, which is removed when dropped.
#[derive(Debug)]
pub(crate) struct LabDir {
    path: PathBuf,
    /// Volumes that began as clones of other files.
    clones: Lock<HashSet<PathBuf>>,
    /// Volumes with faults.
    disks: Lock<Vec<Arc<DiskServer>>>,
}

/// The place of a clone among the volumes of a lab.
pub(crate) enum ClonePlace<'a> {
    /// The volume of that name.
    Shared(&'a str),
    /// The volume that a node has alone, at this mount point.
    OfNode(&'a str),
}

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
                Ok(()) => {
                    return Ok(LabDir {
                        path: dir,
                        clones: Lock::new(HashSet::new()),
                        disks: Lock::new(Vec::new()),
                    });
                }
                // The name is taken: the next number is tried.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(LabError::io(FileAttempt::MakeLabDir(dir), &error));
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
        let shared =
            plan.names_in_files && all > OF_THEIR_OWN && plan[node.stack].own_hosts.is_empty();
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
        let resolver = self.resolver(node);
        write(&resolver, &plan.resolv_conf_of(node.stack))?;
        let services = self
            .path
            .join(format!("etc/{}.nsswitch.conf", flat(&node.name)));
        let hosts_line = if plan.name_servers.is_empty() {
            HOSTS
        } else {
            SERVED
        };
        write(&services, &name_services(root, Some(hosts_line)))?;
        Ok(NodeEtc {
            hosts,
            hosts_read_only: shared,
            resolver,
            services,
        })
    }

    /// Updates a node's hosts file from the old names to the new ones. Each array has the old plan
    /// and the new one.
    ///
    /// Lines that the node has written to the file itself stay, and the new lines follow them.
    pub(crate) fn renew_names(&self, plans: [&Plan; 2], nodes: [&NodePlan; 2]) -> Result<()> {
        let ([before, now], [old, node]) = (plans, nodes);
        let resolver = [
            before.resolv_conf_of(old.stack),
            now.resolv_conf_of(node.stack),
        ];
        renew(&self.resolver(node), &resolver)?;
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
        let failed = |e| LabError::io(FileAttempt::Read(path.clone()), &e);
        let seen = fs::read_to_string(&path).map_err(failed)?;
        if seen == now {
            return Ok(());
        }
        // Nobody has written to the file, so that it can be replaced as a whole.
        if seen == before {
            return write(&path, &now);
        }
        // If two lines have a name, the first one counts: nss_files reads the file from its top. So
        // an old line with another address has to be removed.
        let [had, has] = [&before, &now].map(|text| text.lines().collect::<HashSet<&str>>());
        let known: HashSet<&str> = seen.lines().collect();
        let stay = seen.lines();
        let stay = stay.filter(|line| has.contains(line) || !had.contains(line));
        let new = now.lines().filter(|line| !known.contains(line));
        let lines: String = stay.chain(new).flat_map(|line| [line, "\n"]).collect();
        write(&path, &lines)
    }

    fn hosts(&self, node: &NodePlan) -> PathBuf {
        self.path.join(format!("etc/{}.hosts", flat(&node.name)))
    }

    fn resolver(&self, node: &NodePlan) -> PathBuf {
        self.path
            .join(format!("etc/{}.resolv.conf", flat(&node.name)))
    }

    fn shared_hosts(&self) -> PathBuf {
        self.path.join("etc/hosts")
    }

    /// Returns the directory of a volume, which is made when first asked for.
    pub(crate) fn volume(&self, name: &str) -> Result<PathBuf> {
        self.dir(&format!("volumes/{}", flat(name)))
    }

    /// Returns a volume of `node` that begins with the files of the directory `of`. It is made when
    /// first asked for.
    pub(crate) fn clone_of(&self, of: &Path, node: &str, place: ClonePlace<'_>) -> Result<PathBuf> {
        let (disk, volume) = match place {
            ClonePlace::Shared(name) => {
                let name = flat(name);
                (format!("clones/shared/{name}"), format!("volumes/{name}"))
            }
            ClonePlace::OfNode(at) => {
                let name = format!("{}/{}", flat(node), flat(at));
                (format!("clones/own/{name}"), format!("mounted/{name}"))
            }
        };
        let volume_dir = self.path.join(&volume);
        let mut clones = self.clones.lock();
        if clones.contains(&volume_dir) {
            return Ok(volume_dir);
        }
        self.dir(&volume)?;
        let upper = self.dir(&format!("{disk}/upper"))?;
        self.dir(&format!("{disk}/work"))?;
        // The clone is made for this node, whose name the caller knows the volume by.
        let failed = |error| {
            let of = of.to_owned();
            LabError::io(FileAttempt::Clone { of }, &error).about_node(node)
        };
        // The top of an overlay has the mode of the writable layer.
        fs::metadata(of)
            .and_then(|meta| fs::set_permissions(upper, meta.permissions()))
            .map_err(failed)?;
        let layers = [of.to_owned()];
        let disk = self.path.join(disk);
        match escorted(|| mount::overlay(&layers, &disk, &volume_dir)).flatten() {
            Ok(()) => {}
            // Linux before 5.11 permits no overlay in a user namespace, and some filesystems cannot
            // be its writable layer: the clone is a copy then, and takes the time of one.
            Err(refused) => {
                note_in_all(EventKind::FellBack {
                    node: node.to_owned(),
                    sentence: format!(
                        "overlayfs is refused here ({refused}): its clone of `{}` is a copy",
                        of.display()
                    ),
                });
                fs::remove_dir(&volume_dir)
                    .and_then(|()| copy_tree::merge(&[of.to_owned()], &volume_dir))
                    .map_err(failed)?;
            }
        }
        clones.insert(volume_dir.clone());
        Ok(volume_dir)
    }

    /// Returns a volume with faults, the disk of `node`, which begins with the files of the
    /// directory `of`. It is made when first asked for.
    pub(crate) fn disk_with_faults(
        &self,
        (name, node): (&str, &str),
        of: Option<&Path>,
        unsynced: Unsynced,
    ) -> Result<PathBuf> {
        let mut disks = self.disks.lock();
        if let Some(disk) = disks.iter().find(|disk| disk.volume() == name) {
            return Ok(disk.path().to_owned());
        }
        let path = self.volume(name)?;
        let server = DiskServer::start((name, node), path.clone(), unsynced)?;
        if let Some(of) = of {
            copy_tree::copy_dir(of, &path).map_err(|error| {
                let (of, volume) = (of.to_owned(), name.to_owned());
                LabError::io(FileAttempt::Copy { of, volume }, &error).about_node(node)
            })?;
            server.sync()?;
        }
        disks.push(Arc::new(server));
        Ok(path)
    }

    /// Returns the volumes with faults of a node.
    pub(crate) fn disks_of(&self, node: &str) -> Vec<Arc<DiskServer>> {
        let disks = self.disks.lock();
        disks
            .iter()
            .filter(|disk| disk.node() == node)
            .cloned()
            .collect()
    }

    /// Returns the path of the directory for what a node with another root filesystem writes.
    pub(crate) fn disk_path(&self, node: &str) -> PathBuf {
        self.path.join(format!("disks/{}", flat(node)))
    }

    /// Makes the directory for what a node with another root filesystem writes.
    pub(crate) fn disk(&self, node: &str) -> Result<PathBuf> {
        let path = self.disk_path(node);
        make_dir(&path)?;
        Ok(path)
    }

    /// Returns the directory that the containers of a pod share at `/dev/shm`.
    pub(crate) fn shared_memory(&self, pod: &str) -> Result<PathBuf> {
        use std::os::unix::fs::PermissionsExt;
        let dir = self.dir(&format!("shm/{}", flat(pod)))?;
        // /dev/shm is for all users, and has the sticky bit as any directory for temporary files.
        let open = fs::set_permissions(&dir, fs::Permissions::from_mode(0o1777));
        open.map_err(|e| LabError::io(FileAttempt::OpenToEverybody(dir.clone()), &e))?;
        Ok(dir)
    }

    fn dir(&self, name: &str) -> Result<PathBuf> {
        let dir = self.path.join(name);
        make_dir(&dir)?;
        Ok(dir)
    }
}

fn make_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(|e| LabError::io(FileAttempt::MakeDir(dir.to_owned()), &e))
}

/// Memory that hosts files may take, in bytes. In a lab that would need more, nodes share one file
/// that they can only read: each file names all nodes, so that all files grow with the square of
/// the nodes. Names stand for the same addresses in all of them then.
const OF_THEIR_OWN: usize = 256 << 20;

/// Line of a node's `/etc/nsswitch.conf`: names are looked for in the hosts file and then asked of
/// name servers. The hosts file comes last once more. Where no name server answers, as in most
/// labs, glibc would say "try again" (`EAI_AGAIN`), and the service that is asked last decides: the
/// hosts file does not have the name (`EAI_NONAME`). An answer of a name server ends the search,
/// whatever it says. See nsswitch.conf(5), "Actions"; `nss_dns` gives `UNAVAIL` for no answer
/// (resolv/nss_dns/dns-host.c).
const HOSTS: &str = "hosts: files dns [NOTFOUND=return] files";

/// The same line where there is a name server: its failure is a failure, and may be what a test is
/// about.
const SERVED: &str = "hosts: files dns";

/// Replaces the text of a file, from one that it had to one that it is to have. What the node has
/// written there itself stays.
fn renew(path: &Path, [before, now]: &[String; 2]) -> Result<()> {
    if before != now && fs::read_to_string(path).is_ok_and(|seen| seen == *before) {
        write(path, now)?;
    }
    Ok(())
}

/// Writes a file in place, so that nodes that have it mounted see the change.
fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|e| LabError::io(FileAttempt::Write(path.to_owned()), &e))
}

/// Returns one path component for a name.
fn flat(name: &str) -> String {
    name.replace('%', "%25")
        .replace('/', "%2F")
        .replace("..", "%2E%2E")
}

impl AsRef<Path> for LabDir {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl Drop for LabDir {
    fn drop(&mut self) {
        for clone in self.clones.get_mut().iter() {
            // A clone that is a copy is no mount, and one that a process still uses goes with it.
            let _ = escorted(|| mount::detach(clone));
        }
        // The servers end, and their mounts with them. A guard of a fault may have one still, whose
        // end comes with that of the guard.
        self.disks.get_mut().clear();
        // What is left lies in the trial's own /run, which goes with the trial.
        let _ = fs::remove_dir_all(&self.path);
    }
}
