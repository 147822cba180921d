//! Upgrades: members get another root filesystem and other commands, one by one or by a schedule.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use snowglobe::fault::{Fault, Nemesis, NodeRef, Split};
use snowglobe::lab::{LabErrorKind, Node, RunningCluster};
use snowglobe::prelude::*;
use snowglobe::topology::StartCommand;
use snowglobe::{Cluster, note};

use crate::MS;

/// Makes a root filesystem of a version: busybox, and a program that tells the version.
fn version(number: u32) -> TestResult<tempfile::TempDir> {
    let root = tempfile::tempdir()?;
    let busybox = Fixture::find("busybox")?.program("busybox")?;
    for dir in ["bin", "etc", "var"] {
        fs::create_dir(root.path().join(dir))?;
    }
    fs::copy(busybox, root.path().join("bin/busybox"))?;
    for applet in ["sh", "sleep", "cat", "rm"] {
        symlink("busybox", root.path().join("bin").join(applet))?;
    }
    for file in ["version", "written", "removed"] {
        fs::write(root.path().join("etc").join(file), number.to_string())?;
    }
    fs::write(
        root.path().join("etc/nsswitch.conf"),
        format!("hosts: dns\n# version {number}\n"),
    )?;
    fs::write(root.path().join("etc").join(format!("of-{number}")), "")?;
    Ok(root)
}

/// Returns a member that serves in the version of its root filesystem.
fn member(n: usize, root: &Path) -> NodeSpec {
    let script = "echo serves version $(cat /etc/version); exec sleep 1000";
    let serve = StartCommand::new("sh").args(["-c", script]);
    NodeSpec::new(format!("m{n}"))
        .rootfs(root)
        .volume("/data", Volume::named(format!("data{n}")))
        .command(serve.ready_log("serves"))
}

fn versions(cluster: &RunningCluster) -> Vec<String> {
    let last = |node: &Node| {
        let lines = node.last_lines();
        lines.rsplit(' ').next().unwrap_or_default().to_owned()
    };
    cluster.members().map(last).collect()
}

fn read(node: &Node, path: &'static str) -> std::io::Result<String> {
    node.run(move || fs::read_to_string(path))
}

#[snowglobe::test(fixtures("busybox"))]
fn members_get_another_root_filesystem_one_by_one_and_back() -> TestResult {
    let (old, new) = (version(1)?, version(2)?);
    let cluster = Cluster::of(3, |n| member(n, old.path())).start()?;
    let m1 = cluster.member(1);
    m1.run(|| -> std::io::Result<()> {
        fs::write("/etc/written", "by the node")?;
        fs::write("/var/data", "data")?;
        fs::write("/data/volume", "data")?;
        fs::remove_file("/etc/removed")
    })?;
    cluster.upgrade(1, member(1, new.path()))?;
    assert_eq!(versions(&cluster), ["1", "2", "1"]);
    // What the node wrote stays, as after an upgrade of packages.
    for (path, text) in [
        ("/etc/version", "2"),
        ("/etc/written", "by the node"),
        ("/var/data", "data"),
        ("/data/volume", "data"),
        ("/etc/of-2", ""),
    ] {
        assert_eq!(read(m1, path)?, text, "{path}");
    }
    for path in ["/etc/removed", "/etc/of-1"] {
        let error = read(m1, path).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{path}");
    }
    // Names are found as before, by the rules of the lab and not by those of the new files.
    assert_eq!(
        read(m1, "/etc/nsswitch.conf")?,
        "# version 2\nhosts: files dns [NOTFOUND=return] files\n"
    );
    assert!(read(m1, "/etc/hosts")?.contains("m2"));
    cluster.rolling_upgrade(|n| member(n, new.path()))?;
    assert_eq!(versions(&cluster), ["2", "2", "2"]);
    // A crash keeps the version.
    cluster.member(0).crash()?;
    cluster.member(0).restart()?;
    cluster.wait_ready()?;
    assert_eq!(versions(&cluster), ["2", "2", "2"]);
    cluster.rolling_upgrade(|n| member(n, old.path()))?;
    assert_eq!(versions(&cluster), ["1", "1", "1"]);
    assert_eq!(read(m1, "/var/data")?, "data");
    // The files of the versions are nobody's to change.
    for root in [&old, &new] {
        assert!(root.path().join("etc/removed").exists());
        assert!(!root.path().join("var/data").exists());
    }
    Ok(())
}

#[snowglobe::test(fixtures("busybox", "redis"))]
fn a_node_goes_from_one_fixture_to_another_and_to_the_files_of_the_trial() -> TestResult {
    let (busybox, redis) = (Fixture::find("busybox")?, Fixture::find("redis")?);
    let spec = || NodeSpec::new("store");
    let echo = StartCommand::new("busybox").args(["sh", "-c", "echo first; exec sleep 1000"]);
    let before = spec().rootfs(&busybox).command(echo.ready_log("first"));
    let cluster = Cluster::of(1, |_| before.clone()).start()?;
    let store = cluster.member(0);
    let has = |path: &'static str| store.run(move || Path::new(path).exists());
    assert!(!has("/usr/bin/redis-server"));
    let serve = StartCommand::new("redis-server").args(["--bind", "0.0.0.0"]);
    let after = spec().rootfs(&redis).command(serve.ready_port(6379));
    cluster.upgrade(0, after)?;
    assert!(has("/usr/bin/redis-server"));
    let told = store.command("redis-cli").arg("ping").output()?;
    assert_eq!(told.stdout_str(), "PONG\n");
    // The trial's own files, without a program.
    let home = std::env::current_exe()?;
    assert!(!store.run({
        let home = home.clone();
        move || home.exists()
    }));
    cluster.upgrade(0, spec())?;
    assert!(store.run(move || home.exists()));
    cluster.upgrade(0, before)?;
    assert!(store.last_lines().contains("first"));
    Ok(())
}

#[snowglobe::test(fixtures("busybox"))]
fn what_no_upgrade_can_change_is_refused_by_name() -> TestResult {
    let (old, new) = (version(1)?, version(2)?);
    let cluster = Cluster::of(2, |n| member(n, old.path())).start()?;
    let pids = || cluster.members().map(Node::pid).collect::<Vec<_>>();
    let before = pids();
    let other = |n: usize| member(n, new.path());
    let cases = [
        (other(0), "not its `name`"),
        (
            other(1).volume("/more", Volume::named("more")),
            "not its `mounts`",
        ),
        (other(1).faulty_clock(), "not its `faulty_clock`"),
        (
            other(1).sysctl("net.ipv4.ip_forward", "1"),
            "not its `network`",
        ),
    ];
    for (spec, part) in cases {
        let error = cluster.upgrade(1, spec).unwrap_err();
        assert_eq!(error.kind(), LabErrorKind::InvalidTopology);
        let text = error.to_string();
        assert!(
            text.contains("an upgrade of node `m1`") && text.contains(part),
            "{text}"
        );
    }
    let file = new.path().join("etc/version");
    let gone = new.path().join("gone");
    for root in [
        file.as_path(),
        gone.as_path(),
        Path::new(""),
        Path::new("../up"),
    ] {
        let error = cluster.upgrade(1, member(1, root)).unwrap_err();
        let own = cluster.member(1).set_rootfs(root).unwrap_err();
        assert_eq!(error.to_string(), own.to_string());
        assert!(error.to_string().contains("node `m1`"), "{error}");
    }
    // Nothing of that has ended anybody.
    assert_eq!(pids(), before);
    cluster.rolling_restart()?;
    assert_eq!(versions(&cluster), ["1", "1"]);
    Ok(())
}

/// As an action of a schedule, in the midst of partitions and crashes.
#[snowglobe::test(fixtures("busybox"), seeds = 3)]
fn a_nemesis_upgrades_members_one_by_one_while_others_fail() -> TestResult {
    let (old, new) = (version(1)?, version(2)?);
    let cluster = Cluster::of(3, |n| member(n, old.path())).start()?;
    let to = new.path().to_owned();
    cluster.action("upgrade", move |_, node| -> TestResult {
        let node = node.ok_or("an upgrade is of a node")?;
        node.set_rootfs(to.as_path())?;
        Ok(node.restart()?)
    });
    let upgrades = Nemesis::new(900 * MS)
        .rolling(1, Fault::action_on(NodeRef::any(), "upgrade"))
        .lasts(600 * MS..=800 * MS)
        .quiet(Duration::ZERO..=100 * MS);
    let fire = Nemesis::new(900 * MS)
        .split(2, Split::One)
        .fault(1, Fault::pause(NodeRef::any()))
        .fault(1, Fault::kill_processes(NodeRef::any()))
        .fault(1, Fault::crash(NodeRef::any()))
        .lasts(50 * MS..=200 * MS)
        .quiet(Duration::ZERO..=50 * MS);
    let upgrades = cluster.nemesis(&upgrades)?;
    let fire = cluster.nemesis(&fire)?;
    upgrades.wait()?;
    fire.wait()?;
    cluster.wait_ready()?;
    note(format!("{:?}", versions(&cluster)));
    assert_eq!(versions(&cluster), ["2", "2", "2"]);
    Ok(())
}

#[snowglobe::test(fixtures("busybox"))]
fn an_upgrade_leaves_a_changed_file_of_name_services_as_it_is() -> TestResult {
    const OWN: &str = "passwd: mine\nhosts: files dns\nservices: db\n";
    let (old, new) = (version(1)?, version(2)?);
    let cluster = Cluster::of(2, |n| member(n, old.path())).start()?;
    for (number, root) in [(0, old.path()), (1, new.path())] {
        let node = cluster.member(number);
        node.run(|| fs::write("/etc/nsswitch.conf", OWN))?;
        cluster.upgrade(number, member(number, root))?;
        assert_eq!(read(node, "/etc/nsswitch.conf")?, OWN);
    }
    Ok(())
}
