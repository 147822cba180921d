//! Volumes and binds at places that the machine does not have, in nodes with the machine's files.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use snowglobe::prelude::*;
use snowglobe::topology::Size;
use snowglobe_tests::has_fuse;

fn names(directory: &str) -> std::io::Result<BTreeSet<OsString>> {
    std::fs::read_dir(directory)?
        .map(|entry| entry.map(|it| it.file_name()))
        .collect()
}

#[snowglobe::test]
fn a_volume_may_lie_where_the_machine_has_no_directory() -> TestResult {
    let mut topology = Topology::new();
    let a = NodeSpec::new("a")
        .volume("/data", Volume::named("shared"))
        .volume("/data.of.a/deep/down", Volume::tmpfs(Size::mib(1)))
        .volume("/usr/no/such/place", Volume::named("other"))
        .bind_read_only("/opt-of-a/passwd", "/etc/passwd");
    let a = topology.node(a);
    let b = topology.node(NodeSpec::new("b").volume("/srv/shared", Volume::named("shared")));
    let c = topology.node("c");
    topology.link(a, c);
    let lab = topology.start()?;
    let write = "echo text > /data/file; echo more > /usr/no/such/place/file; \
         echo x > /data.of.a/deep/down/file; cmp /etc/passwd /opt-of-a/passwd";
    assert!(lab[a].command("sh").args(["-c", write]).status()?.success());
    // A visitor, a program of another node, and the lab see the same files.
    let read = |path| lab[a].run(move || std::fs::read_to_string(path));
    assert_eq!(read("/data/file")?, "text\n");
    assert_eq!(read("/usr/no/such/place/file")?, "more\n");
    let other = lab[b].command("cat").arg("/srv/shared/file").output()?;
    assert_eq!(other.stdout_str(), "text\n");
    assert_eq!(
        std::fs::read_to_string(lab.volume("shared")?.join("file"))?,
        "text\n"
    );
    // All else is as it was, and as others have it.
    for directory in ["/", "/usr"] {
        let own = names(directory)?;
        let seen = lab[a].run(move || names(directory))?;
        assert_eq!(own.difference(&seen).count(), 0, "{own:?} {seen:?}");
        assert_eq!(lab[c].run(move || names(directory))?, own);
    }
    assert!(lab[a].run(|| std::fs::write("/usr/bin/new", "")).is_err());
    assert!(!Path::new("/data.of.a").exists());
    // The mounts come back with the node, and what the network stack needs is there.
    lab[a].crash()?;
    lab[a].restart()?;
    assert_eq!(read("/data/file")?, "text\n");
    let ping = lab[a].run(|| UdpSocket::bind("0.0.0.0:0"))?;
    ping.connect((lab[c].ip(), 9))?;
    Ok(())
}

#[snowglobe::test]
fn a_disk_with_faults_may_lie_where_the_machine_has_no_directory() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let mut topology = Topology::new();
    let disk = Volume::named("disk").with_faults();
    let a = topology.node(NodeSpec::new("a").volume("/data", disk));
    let lab = topology.start()?;
    let write = "echo synced > /data/synced; sync; echo lost > /data/lost";
    assert!(lab[a].command("sh").args(["-c", write]).status()?.success());
    lab[a].crash()?;
    lab[a].restart()?;
    let seen = lab[a].run(|| names("/data"))?;
    assert_eq!(seen, BTreeSet::from(["synced".into()]));
    Ok(())
}
