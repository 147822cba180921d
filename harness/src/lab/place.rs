//! Where a lab keeps its files: a directory in the trial's `/run`, which nodes do not see.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::{LabError, Result};
use crate::topology::Plan;

/// The directory of one lab; removed when dropped.
#[derive(Debug)]
pub(super) struct Place(PathBuf);

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Place {
    pub(super) fn new() -> Result<Place> {
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let dir = PathBuf::from(format!(
                "/run/snowglobe/lab-{}-{number}",
                std::process::id()
            ));
            let made = fs::create_dir_all("/run/snowglobe").and_then(|()| fs::create_dir(&dir));
            match made {
                Ok(()) => return Ok(Place(dir)),
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

    /// Writes, or writes anew, what all nodes find in `/etc`.
    pub(super) fn write_names(&self, plan: &Plan) -> Result<()> {
        self.write("resolv.conf", &plan.resolv_conf)?;
        self.write("hosts", &format!("{LOCALHOST}{}", plan.hosts))?;
        let own = plan
            .stacks
            .iter()
            .enumerate()
            .filter(|(_, stack)| !stack.own_hosts.is_empty());
        for (index, stack) in own {
            self.write(&format!("hosts-{}", stack.hostname), &plan.hosts_of(index))?;
        }
        Ok(())
    }

    /// The hosts file and the `resolv.conf` of a stack.
    pub(super) fn names_of(&self, plan: &Plan, stack: usize) -> [PathBuf; 2] {
        let stack = &plan.stacks[stack];
        let hosts = match stack.own_hosts.is_empty() {
            true => "hosts".to_owned(),
            false => format!("hosts-{}", stack.hostname),
        };
        [self.0.join(hosts), self.0.join("resolv.conf")]
    }

    /// A volume's directory, made when first asked for.
    pub(super) fn volume(&self, name: &str) -> Result<PathBuf> {
        self.dir(&format!("volumes/{}", flat(name)))
    }

    /// Where what a node with another root filesystem writes goes.
    pub(super) fn disk(&self, node: &str) -> Result<PathBuf> {
        self.dir(&format!("disks/{}", flat(node)))
    }

    /// What the containers of a pod share at `/dev/shm`.
    pub(super) fn shared_memory(&self, pod: &str) -> Result<PathBuf> {
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

    /// In place, so that those who have it mounted see it.
    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.0.join(name);
        fs::write(&path, text).map_err(|e| LabError::io(format!("write `{}`", path.display()), &e))
    }
}

/// As [`Plan::hosts_of`] begins.
const LOCALHOST: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

/// One path component, whatever the name.
fn flat(name: &str) -> String {
    name.replace('%', "%25")
        .replace('/', "%2F")
        .replace("..", "%2E%2E")
}

impl AsRef<Path> for Place {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
