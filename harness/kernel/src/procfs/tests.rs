//! Texts of procfs, as the kernel writes them, and this process's own.

use super::*;

#[test]
fn a_process_is_taken_apart() {
    let status = "Name:\ta b\nState:\tZ (zombie)\nPid:\t7\nPPid:\t1\nUid:\t0\t33\t33\t33\n";
    let process = processes::parse(7, status, b"").expect("well-formed");
    let expected = ProcessEntry {
        pid: 7,
        ppid: 1,
        comm: "a b".into(),
        cmdline: vec![],
        state: "zombie".into(),
        uid: 33,
    };
    assert_eq!(process, expected);
}

#[test]
fn empty_arguments_are_kept() {
    let process = processes::parse(
        7,
        "Name:\tx\nState:\tR\nPPid:\t1\nUid:\t0\t0\t0\t0\n",
        b"x\0\0y\0",
    )
    .expect("well-formed");
    assert_eq!(process.cmdline, ["x", "", "y"]);
}

#[test]
fn a_mount_with_a_space_in_its_name_is_taken_apart() {
    let mount = mounts::parse(
        r"36 35 98:0 /mnt1 /a\040b rw,noatime master:1 - ext3 /dev/root rw,errors=continue",
    )
    .expect("well-formed");
    assert_eq!(
        (mount.target.as_str(), mount.kind.as_str()),
        ("/a b", "ext3")
    );
    assert_eq!(mount.propagation, ["master:1"]);
    assert_eq!(mount.super_options, ["rw", "errors=continue"]);
}

#[test]
fn this_process_finds_itself_and_its_root() {
    let procfs = Procfs::open(Path::new("/proc")).expect("procfs is mounted");
    let me = std::process::id() as i32;
    let processes = procfs.processes().expect("processes can be read");
    assert!(
        processes
            .iter()
            .any(|process| process.pid == me && !process.cmdline.is_empty())
    );
    assert!(
        procfs
            .mounts(me)
            .expect("mounts can be read")
            .iter()
            .any(|mount| mount.target == "/")
    );
}
