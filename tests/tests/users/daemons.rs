//! Programs in nodes as other users, however many ids the trial has.

use snowglobe::prelude::*;
use snowglobe_tests::ids_in;

/// The first two ids are within what root's trials have, the others beyond that. An ordinary user's
/// trial has none of them, and shows them all.
#[snowglobe::test]
fn a_program_runs_as_any_user() -> TestResult {
    let lab = shape::pair().start()?;
    let node = lab.node("alice").ok_or("alice")?;
    for (uid, gid) in [(33, 34), (77_777, 88_888)] {
        let script = "id -u; id -g; grep CapEff /proc/self/status; cd $(mktemp -d); echo x > own; stat -c %u own; chmod 0 own; cat own; ip link set lo down; hostname other; kill -0 $PPID; echo; ls /proc/self/fd > /dev/null && echo ls";
        let run = node
            .command("sh")
            .args(["-c", script])
            .user(uid, gid)
            .output()?;
        assert_eq!(
            run.stdout_str(),
            format!("{uid}\n{gid}\nCapEff:\t0000000000000000\n{uid}\n\nls\n"),
            "{}",
            run.stderr_str()
        );
    }
    Ok(())
}

/// Its files are root's of the node, since a single id has been there all along.
#[snowglobe::test]
fn a_user_who_is_shown_owns_what_root_owns() -> TestResult {
    let lab = shape::pair().start()?;
    let node = lab.node("alice").ok_or("alice")?;
    node.run(|| std::fs::write("/tmp/roots", "x"))?;
    let owner = |uid: u32| -> TestResult<String> {
        let mut stat = node.command("stat");
        let stat = stat.args(["-c", "%u", "/tmp/roots"]).user(uid, uid);
        Ok(stat.output()?.stdout_str().trim().to_owned())
    };
    let map = std::fs::read_to_string("/proc/self/uid_map")?;
    let shown_as_33 = if ids_in(&map) > 33 { "0" } else { "33" };
    assert_eq!(owner(33)?, shown_as_33);
    assert_eq!(owner(77_777)?, "77777");
    Ok(())
}

/// Programs of several nodes raise the limit on user namespaces at the same time.
#[snowglobe::test]
fn many_nodes_show_users_at_the_same_time() -> TestResult {
    let lab = shape::star(6).start()?;
    let nodes: Vec<_> = (1..=6).map(|i| lab.node(&format!("n{i}"))).collect();
    let nodes: Vec<_> = nodes.into_iter().collect::<Option<_>>().ok_or("a node")?;
    std::thread::scope(|scope| -> TestResult {
        let started: Vec<_> = nodes
            .iter()
            .map(|node| {
                scope.spawn(|| -> Result<bool, snowglobe::LabError> {
                    for uid in 100_000..100_020 {
                        let id = node.command("id").arg("-u").user(uid, uid).output()?;
                        if id.stdout_str().trim() != uid.to_string() {
                            return Ok(false);
                        }
                    }
                    Ok(true)
                })
            })
            .collect();
        for thread in started {
            assert!(thread.join().map_err(|_| "a panic")??);
        }
        Ok(())
    })?;
    // The trial's own limit is as it was.
    let limit = std::fs::read_to_string("/proc/sys/user/max_user_namespaces")?;
    assert_eq!(limit, "0\n");
    Ok(())
}

/// The node's users are its own, and nobody but the trial's root may raise the trial's limit.
#[snowglobe::test]
fn a_node_with_users_of_its_own_says_what_it_lacks() -> TestResult {
    let mut topology = Topology::new();
    let users = snowglobe::topology::Users::One;
    let one = topology.node(NodeSpec::new("one").users(users));
    let lab = topology.start()?;
    let error = lab[one]
        .command("id")
        .user(33, 44)
        .output()
        .expect_err("no namespace is permitted")
        .to_string();
    for part in ["uid 33 or gid 44", "option `nested`", "Users::Trial"] {
        assert!(error.contains(part), "{error}");
    }
    Ok(())
}

#[snowglobe::test(nested)]
fn with_nested_a_node_with_users_of_its_own_shows_any_user() -> TestResult {
    let mut topology = Topology::new();
    let users = snowglobe::topology::Users::One;
    let one = topology.node(NodeSpec::new("one").users(users));
    let lab = topology.start()?;
    let id = lab[one].command("id").arg("-u").user(33, 44).output()?;
    assert_eq!(id.stdout_str(), "33\n");
    Ok(())
}
