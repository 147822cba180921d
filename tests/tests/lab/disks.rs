//! Volumes, binds and root filesystems.

use std::fs;

use snowglobe::prelude::*;
use snowglobe::topology::Size;

#[snowglobe::test]
fn a_named_volume_is_shared_and_survives_its_nodes() -> TestResult {
    let mut topology = Topology::new();
    let a = topology.node(NodeSpec::new("a").volume("/srv/site", Volume::named("site")));
    let b = topology.node(NodeSpec::new("b").volume("/data", Volume::named("site")));
    let c = topology.node("c");
    let lab = topology.start().map(drop).unwrap_err().to_string();
    // The trial's /srv is the host's, which cannot be written to.
    assert!(
        lab.contains("node `a`") && lab.contains("mount point"),
        "{lab}"
    );
    topology.edit_node(a, |_| {
        NodeSpec::new("a").volume("/tmp/site", Volume::named("site"))
    });
    topology.edit_node(b, |_| {
        NodeSpec::new("b").volume("/run/data", Volume::named("site"))
    });
    let lab = topology.start()?;
    lab[a].run(|| fs::write("/tmp/site/index.html", "hello"))?;
    assert_eq!(
        lab[b].run(|| fs::read_to_string("/run/data/index.html"))?,
        "hello"
    );
    assert!(lab[c].run(|| fs::read_dir("/tmp/site")).is_err());
    lab[a].crash()?;
    lab[b].restart()?;
    assert_eq!(
        lab[b].run(|| fs::read_to_string("/run/data/index.html"))?,
        "hello"
    );
    assert_eq!(
        fs::read_to_string(lab.volume("site")?.join("index.html"))?,
        "hello"
    );
    Ok(())
}

#[snowglobe::test]
fn a_tmpfs_has_the_size_that_it_was_given() -> TestResult {
    let mut topology = Topology::new();
    let a = topology.node(NodeSpec::new("a").volume("/tmp/small", Volume::tmpfs(Size::kib(64))));
    let lab = topology.start()?;
    lab[a].run(|| fs::write("/tmp/small/fits", [0; 32 << 10]))?;
    let error = lab[a]
        .run(|| fs::write("/tmp/small/does-not", [0; 128 << 10]))
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    Ok(())
}

#[snowglobe::test]
fn binds_show_the_workspace_writable_or_not() -> TestResult {
    let dir = snowglobe_tests::shared_dir();
    fs::write(dir.path().join("file"), "from outside")?;
    let mut topology = Topology::new();
    let a = topology.node(
        NodeSpec::new("a")
            .bind("/tmp/rw", dir.path())
            .bind_read_only("/tmp/ro", dir.path()),
    );
    let lab = topology.start()?;
    assert_eq!(
        lab[a].run(|| fs::read_to_string("/tmp/ro/file"))?,
        "from outside"
    );
    assert!(lab[a].run(|| fs::write("/tmp/ro/file", "no")).is_err());
    lab[a].run(|| fs::write("/tmp/rw/file", "from inside"))?;
    assert_eq!(fs::read_to_string(dir.path().join("file"))?, "from inside");

    topology.edit_node(a, |spec| spec.bind("/tmp/none", "no/such/dir"));
    let error = topology.start().map(drop).unwrap_err().to_string();
    assert!(
        error.contains("`no/such/dir`, which node `a` mounts: ENOENT"),
        "{error}"
    );
    Ok(())
}

/// A tiny root filesystem: a static busybox and nothing else.
fn little_root() -> TestResult<tempfile::TempDir> {
    let dir = snowglobe_tests::shared_dir();
    fs::create_dir_all(dir.path().join("bin"))?;
    fs::create_dir_all(dir.path().join("etc"))?;
    fs::write(dir.path().join("etc/os-release"), "ID=little\n")?;
    fs::copy(
        Fixture::find("busybox")?.program("busybox")?,
        dir.path().join("bin/busybox"),
    )?;
    for applet in ["sh", "cat", "ls", "mount", "nslookup", "wget"] {
        std::os::unix::fs::symlink("busybox", dir.path().join("bin").join(applet))?;
    }
    Ok(dir)
}

#[snowglobe::test(fixtures("busybox"))]
fn a_root_filesystem_is_private_and_has_proc_sys_and_dev() -> TestResult {
    let root = little_root()?;
    let mut topology = Topology::new();
    let a = topology.node(
        NodeSpec::new("a")
            .rootfs(root.path())
            .volume("/data", Volume::named("data")),
    );
    let b = topology.node(
        NodeSpec::new("b")
            .rootfs(root.path())
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
    // What is written is the node's own, is kept when it restarts, and is not in the directory below.
    assert_eq!(
        sh("echo mine > /etc/mine; cat /etc/mine; echo all > /data/all")?,
        "mine\n"
    );
    assert!(lab[b].run(|| fs::read("/etc/mine")).is_err());
    assert_eq!(lab[b].run(|| fs::read_to_string("/data/all"))?, "all\n");
    assert!(!root.path().join("etc/mine").exists());
    lab[a].restart()?;
    assert_eq!(sh("cat /etc/mine")?, "mine\n");
    // Names resolve, for static programs and for threads of the test.
    let server = lab[b].run(|| TcpListener::bind("0.0.0.0:80"))?;
    lab[a].run(|| TcpStream::connect("b.lab:80"))?;
    server.accept()?;
    assert!(sh("cat /etc/hosts")?.contains("b b.lab"));
    Ok(())
}
