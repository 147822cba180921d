//! A node can have a root filesystem of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use snowglobe::prelude::*;

/// Makes a tiny root filesystem: a static busybox and nothing else.
fn little_root() -> TestResult<tempfile::TempDir> {
    let dir = snowglobe_tests::shared_dir();
    fs::create_dir_all(dir.path().join("bin"))?;
    fs::create_dir_all(dir.path().join("etc"))?;
    fs::write(dir.path().join("etc/os-release"), "ID=little\n")?;
    fs::copy(
        Fixture::find("busybox")?.program("busybox")?,
        dir.path().join("bin/busybox"),
    )?;
    for applet in ["sh", "cat", "ls"] {
        std::os::unix::fs::symlink("busybox", dir.path().join("bin").join(applet))?;
    }
    Ok(dir)
}

/// Checks all that is promised of a root filesystem, on one that has a little root at its bottom.
fn is_private_and_has_proc_sys_and_dev(root: &Path) -> TestResult {
    let mut topology = Topology::new();
    let a = topology.node(
        NodeSpec::new("a")
            .rootfs(root)
            .volume("/data", Volume::named("data")),
    );
    let b = topology.node(
        NodeSpec::new("b")
            .rootfs(root)
            .volume("/data", Volume::named("data")),
    );
    topology.link(a, b);
    let lab = topology.start()?;
    let sh = |line: &str| {
        lab[a]
            .command("sh")
            .args(["-c", line])
            .output()
            .map(|output| output.stdout_str() + &output.stderr_str())
    };
    assert_eq!(
        sh("cat /etc/os-release; ls /")?,
        "ID=little\nbin\ndata\ndev\netc\nproc\nrun\nsys\ntmp\n"
    );
    assert_eq!(
        sh(
            "echo x > /dev/null; ls /dev/pts /dev/shm /sys/class/net; cat /proc/sys/kernel/hostname"
        )?,
        "/dev/pts:\nptmx\n\n/dev/shm:\n\n/sys/class/net:\neth0\nlo\na\n"
    );
    assert_eq!(
        sh("for d in null zero random urandom tty; do [ -c /dev/$d ] || echo $d; done")?,
        ""
    );
    // A written file is the node's own, is kept when the node restarts, and is not in the directory
    // below.
    assert_eq!(
        sh("echo mine > /etc/mine; cat /etc/mine; echo all > /data/all")?,
        "mine\n"
    );
    assert!(lab[b].run(|| fs::read("/etc/mine")).is_err());
    assert_eq!(lab[b].run(|| fs::read_to_string("/data/all"))?, "all\n");
    assert!(!root.join("etc/mine").exists());
    lab[a].restart()?;
    assert_eq!(sh("cat /etc/mine")?, "mine\n");
    // Names resolve, for static programs and for threads of the test.
    let server = lab[b].run(|| TcpListener::bind("0.0.0.0:80"))?;
    lab[a].run(|| TcpStream::connect("b.lab:80"))?;
    server.accept()?;
    assert!(sh("cat /etc/hosts")?.contains("b b.lab"));
    Ok(())
}

#[snowglobe::test(fixtures("busybox"))]
fn a_root_filesystem_is_private_and_has_proc_sys_and_dev() -> TestResult {
    is_private_and_has_proc_sys_and_dev(little_root()?.path())
}

/// Overlays may be stacked upon each other twice. A directory in the second is refused to the
/// overlay of a node.
#[snowglobe::test(fixtures("busybox"), ignore = "a sample")]
fn sample_of_a_root_that_cannot_be_overlaid() -> TestResult {
    let root = little_root()?;
    fs::create_dir("/tmp/empty")?;
    let mut top = root.path().to_owned();
    for next in ["/tmp/first", "/tmp/second"] {
        fs::create_dir(next)?;
        let options = format!("userxattr,lowerdir={}:/tmp/empty", top.display());
        let mounted = Command::new("mount")
            .args(["-t", "overlay", "none", "-o", &options, next])
            .status()?;
        if !mounted.success() {
            // Then no overlay is permitted here at all, which serves as well.
            break;
        }
        top = next.into();
    }
    is_private_and_has_proc_sys_and_dev(&top)
}

#[snowglobe::test(fixtures("busybox"), nested)]
fn where_overlays_are_refused_a_root_filesystem_is_copied() {
    let run = snowglobe_tests::sample("roots::sample_of_a_root_that_cannot_be_overlaid");
    run.passed_with(&[
        "(note: node `a`: overlayfs is refused here (EINVAL",
        "its root filesystem is a copy",
    ]);
}
