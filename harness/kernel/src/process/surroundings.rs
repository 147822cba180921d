//! What a process has from whoever started it, beside arguments, environment and descriptors.
//!
//! Two starts of a program are alike for the program if all of this is. A wrapper before the
//! program may change it for one start: `prlimit`, `taskset`, `nice`, `setpriv`, `systemd-run`.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use crate::namespace::{NamespaceKind, Task};

/// Beginnings of the lines of `/proc/self/status` that a process has from its parent
/// (`proc_pid_status(5)`). Signals that are caught, and those in a queue, are its own.
const INHERITED: [&str; 13] = [
    "Umask:",
    "Uid:",
    "Gid:",
    "Groups:",
    "SigBlk:",
    "SigIgn:",
    "Cap",
    "NoNewPrivs:",
    "Seccomp",
    "Speculation",
    "Cpus_allowed:",
    "Mems_allowed:",
    "THP_enabled:",
];

/// Files in which a process sees what else it has from its parent.
const FILES: [&str; 2] = ["/proc/self/cgroup", "/proc/self/oom_score_adj"];

/// Namespaces of a process.
const NAMESPACES: [NamespaceKind; 8] = [
    NamespaceKind::Mnt,
    NamespaceKind::User,
    NamespaceKind::PidForChildren,
    NamespaceKind::Net,
    NamespaceKind::Uts,
    NamespaceKind::Ipc,
    NamespaceKind::Cgroup,
    NamespaceKind::TimeForChildren,
];

/// Number of the resource limits that Linux has (`RLIM_NLIMITS` of `asm-generic/resource.h`).
const LIMITS: libc::__rlimit_resource_t = 16;

/// Adds what the calling process has from its parent to a hash. Returns nothing where `/proc` does
/// not tell, and where another process traces this one: a tracer wants to see what follows.
pub fn hash_into(hasher: &mut impl Hasher) -> Option<()> {
    let status = text_of("/proc/self/status")?;
    for line in status.lines() {
        if let Some(tracer) = line.strip_prefix("TracerPid:")
            && tracer.trim() != "0"
        {
            return None;
        }
        if INHERITED.iter().any(|start| line.starts_with(start)) {
            line.hash(hasher);
        }
    }
    for path in FILES {
        // A kernel may lack control groups.
        text_of(path).hash(hasher);
    }
    let root = fs::metadata("/").ok();
    root.map(|it| (it.dev(), it.ino())).hash(hasher);
    for kind in NAMESPACES {
        Task::Process.namespace_identity(kind).ok().hash(hasher);
    }
    for resource in 0..LIMITS {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: the kernel writes to the value that it is given.
        unsafe { libc::getrlimit(resource, &raw mut limit) };
        (limit.rlim_cur, limit.rlim_max).hash(hasher);
    }
    // SAFETY: without pointers. An unknown value asks for the personality (personality(2)).
    let numbers = unsafe {
        [
            libc::getpriority(libc::PRIO_PROCESS, 0),
            libc::sched_getscheduler(0),
            libc::personality(0xffff_ffff),
        ]
    };
    numbers.hash(hasher);
    Some(())
}

/// Returns the text of a file of procfs, which has no length before it is read.
fn text_of(path: &str) -> Option<String> {
    // Larger than the text as a rule, so that it is read at once.
    let mut text = String::with_capacity(4096);
    File::open(path).ok()?.read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use super::*;
    use crate::process::fork::code_of_fork;

    fn surroundings() -> u64 {
        let mut hasher = DefaultHasher::new();
        hash_into(&mut hasher).unwrap();
        hasher.finish()
    }

    /// Returns whether a fork of a process finds other surroundings after `change`.
    ///
    /// The process is itself a fork: other tests may change what this one has meanwhile.
    fn differ_after(change: impl FnOnce()) -> bool {
        let code = code_of_fork(|| {
            let before = surroundings();
            code_of_fork(|| {
                change();
                i32::from(surroundings() != before)
            })
        });
        code == 1
    }

    #[test]
    fn what_a_wrapper_changes_makes_other_surroundings() {
        assert!(!differ_after(|| ()));
        assert!(differ_after(|| {
            crate::thread::set_umask(nix::sys::stat::Mode::from_bits_truncate(0o013));
        }));
        assert!(differ_after(|| {
            nix::sys::prctl::set_no_new_privs().unwrap();
        }));
        assert!(differ_after(|| {
            let files = nix::sys::resource::Resource::RLIMIT_NOFILE;
            let (soft, hard) = nix::sys::resource::getrlimit(files).unwrap();
            nix::sys::resource::setrlimit(files, soft - 1, hard).unwrap();
        }));
        // SAFETY: without pointers.
        assert!(differ_after(|| unsafe {
            libc::setpriority(libc::PRIO_PROCESS, 0, 7);
        }));
    }
}
