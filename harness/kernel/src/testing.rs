//! What unit tests of the kernel edge need: namespaces of their own.
#![allow(unsafe_code)]

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

use super::netns::Netns;

/// Runs a test on a thread of its own in a network namespace of its own. An ordinary user gets it
/// in a user namespace, which needs a process of its own: the test binary runs itself again, for
/// that one test.
pub fn sealed(test: fn()) {
    let outcome = std::thread::spawn(move || match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => {
            test();
            true
        }
        Err(Errno::EPERM) => false,
        Err(errno) => panic!("failed to unshare a network namespace: {errno}"),
    });
    match outcome.join() {
        Ok(true) => {}
        Ok(false) => run_again_in_a_user_namespace(),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn run_again_in_a_user_namespace() {
    let name = std::thread::current()
        .name()
        .expect("libtest names its threads")
        .to_owned();
    let mut command = Command::new(std::env::current_exe().expect("a test has an executable"));
    command.args(["--exact", &name, "--nocapture", "--test-threads=1"]);
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let (uid_map, gid_map) = (format!("0 {uid} 1"), format!("0 {gid} 1"));
    // SAFETY: between fork and exec only system calls are made; these short paths need no memory.
    unsafe {
        command.pre_exec(move || {
            unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
            std::fs::write("/proc/self/setgroups", "deny")?;
            std::fs::write("/proc/self/uid_map", &uid_map)?;
            std::fs::write("/proc/self/gid_map", &gid_map)
        });
    }
    assert!(
        command.status().expect("the test binary runs").success(),
        "{name} failed in its user namespace"
    );
}

/// Makes a network namespace.
pub fn netns() -> Netns {
    let made = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
        Netns::current().expect("procfs")
    });
    made.join().expect("a thread")
}
