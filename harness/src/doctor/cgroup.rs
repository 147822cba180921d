//! Whether cgroups are delegated to us.
//!
//! The owner and the mode of a directory do not tell, for a container may show cgroups that it does
//! not own. So a cgroup is made, a process is moved into it, and the cgroup is removed again.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::read;
use super::finding::{Evidence, Finding};
use super::sandbox::untried;
use crate::probe::throwaway;
use crate::sandbox::refused::{Doing, Refused};

/// Name of the finding.
const NAME: &str = "cgroup";
/// Loss where cgroups are not delegated.
const LOST: &str = "limits of memory, CPU time and processes";

/// Finds out what can be had of cgroups of version 2. If no sandbox can be made, for the reason in
/// `without`, there is no process to be moved.
pub(super) fn finding(without: Option<&Finding>) -> Finding {
    if let Some(refusal) = without {
        return untried(NAME, LOST, refusal);
    }
    let Some(own) = own() else {
        return Finding::degraded(NAME, Evidence::read("cgroup2 of this process", "none"))
            .lost(LOST)
            .fix("boot with `systemd.unified_cgroup_hierarchy=1`");
    };
    match delegated(&own) {
        Ok(()) => controllers(
            &own,
            &read(&own.join("cgroup.controllers").to_string_lossy()),
        ),
        Err(refused) => Finding::degraded(NAME, Evidence::refused(&refused))
            .lost(LOST)
            .fix("systemd-run --user --scope -p Delegate=yes cargo test"),
    }
}

/// Makes a cgroup below our own and moves a process that is thrown away into it. Only what we are
/// permitted to do to our own cgroup is changed, for a moment.
fn delegated(own: &Path) -> Result<(), Refused> {
    let made = MadeCgroup::below(own)?;
    throwaway::beside(|pid| made.take_in(pid))
}

/// A cgroup, gone with its owner: its process must have ended by then.
struct MadeCgroup(PathBuf);

impl MadeCgroup {
    fn below(own: &Path) -> Result<MadeCgroup, Refused> {
        let made = own.join(format!("snowglobe-doctor.{}", std::process::id()));
        fs::create_dir(&made).doing_with(|| format!("mkdir {}", made.display()).into())?;
        Ok(MadeCgroup(made))
    }

    fn take_in(&self, pid: i32) -> Result<(), Refused> {
        let procs = self.0.join("cgroup.procs");
        fs::write(&procs, pid.to_string())
            .doing_with(|| format!("move a process: {}", procs.display()).into())
    }
}

impl Drop for MadeCgroup {
    fn drop(&mut self) {
        // The group is empty and belongs to this process, so a failure is unlikely, and its reason
        // is of no use.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Judges by what a cgroup that is delegated can limit.
fn controllers(own: &Path, found: &str) -> Finding {
    let has = |kind: &&str| found.split(' ').any(|word| word == *kind);
    if ["memory", "pids", "cpu"].iter().all(has) {
        let call = format!("mkdir and move a process, in {}", own.display());
        return Finding::ok(NAME, Evidence::done(call));
    }
    let read = own.join("cgroup.controllers").display().to_string();
    let value = if found.is_empty() { "none" } else { found };
    Finding::degraded(NAME, Evidence::read(read, value))
        .lost(LOST)
        .fix("boot with `systemd.unified_cgroup_hierarchy=1`: version 1 has the other controllers")
}

/// Returns the directory of this process' cgroup of version 2.
fn own() -> Option<PathBuf> {
    let own = read("/proc/self/cgroup");
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mounts = read("/proc/self/mountinfo");
    // A mount may hide an earlier one, so the last comes first.
    let roots = mounts.lines().rev().filter_map(cgroup2_mount);
    let mut directories = roots.map(|root| Path::new(root).join(path));
    directories.find(|directory| directory.is_dir())
}

/// Returns the mount point in a line of mountinfo, if the line shows a cgroup2 filesystem.
fn cgroup2_mount(line: &str) -> Option<&str> {
    let (mount, filesystem) = line.split_once(" - ")?;
    filesystem.starts_with("cgroup2 ").then_some(())?;
    mount.split(' ').nth(4)
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn version_2_is_found_among_the_mounts() {
        let line = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw";
        assert_eq!(cgroup2_mount(line), Some("/sys/fs/cgroup"));
        let old = "36 24 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu";
        assert_eq!(cgroup2_mount(old), None);
    }

    #[test]
    fn what_is_delegated_without_its_controllers_limits_nothing() {
        let all = controllers(Path::new("/x"), "cpuset cpu io memory hugetlb pids");
        assert_eq!(all.state, State::Ok);
        let some = controllers(Path::new("/x"), "cpuset hugetlb");
        assert_eq!(some.state, State::Degraded);
        assert_eq!(
            some.evidence.to_string(),
            "/x/cgroup.controllers: cpuset hugetlb"
        );
    }
}
