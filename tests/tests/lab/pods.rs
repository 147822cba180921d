//! The containers of a pod share a network.

use snowglobe::Lab;
use snowglobe::lab::{LabErrorKind, Node, Process};
use snowglobe::prelude::*;
use snowglobe::topology::NodeId;

/// Starts a pod of two, and a node outside of it.
fn pod(spec: PodSpec) -> TestResult<(Lab, [NodeId; 3])> {
    let mut topology = Topology::new();
    let pod = topology.pod(spec);
    let app = topology.container(pod, "app");
    let sidecar = topology.container(pod, "sidecar");
    let outside = topology.node("outside");
    topology.link(pod, outside);
    Ok((topology.start()?, [app, sidecar, outside]))
}

#[snowglobe::test]
fn containers_share_the_network_but_not_processes_and_files() -> TestResult {
    let (lab, [app, sidecar, outside]) = pod(PodSpec::new("web"))?;
    let _server = lab[app].run(|| TcpListener::bind("127.0.0.1:80"))?;
    lab[sidecar].run(|| TcpStream::connect("localhost:80"))?;
    assert!(lab[outside].run(|| TcpStream::connect("web:80")).is_err());

    let mut sleeper = lab[app].command("sleep").arg("1234").spawn()?;
    let ps = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '";
    let seen = |id: NodeId| {
        lab[id]
            .command("sh")
            .args(["-c", ps])
            .output()
            .map(|output| output.stdout_str())
    };
    assert!(seen(app)?.contains("sleep 1234"));
    assert!(!seen(sidecar)?.contains("sleep 1234"));
    sleeper.kill()?;

    lab[app].run(|| std::fs::write("/tmp/mine", "app"))?;
    assert!(lab[sidecar].run(|| std::fs::read("/tmp/mine")).is_err());
    for container in [app, sidecar] {
        assert_eq!(
            lab[container]
                .command("cat")
                .arg("/proc/sys/kernel/hostname")
                .output()?
                .stdout_str(),
            "web\n"
        );
    }
    Ok(())
}

#[snowglobe::test]
fn a_pod_is_reached_from_outside_by_each_of_its_names() -> TestResult {
    let (lab, [app, sidecar, outside]) = pod(PodSpec::new("web"))?;
    let server = lab[app].run(|| TcpListener::bind("0.0.0.0:80"))?;
    for name in ["web:80", "web.lab:80", "app.web:80", "sidecar:80"] {
        lab[outside].run(|| TcpStream::connect(name))?;
        assert_eq!(server.accept()?.1.ip(), lab[outside].ip());
    }
    assert_eq!(lab[app].ip(), lab[sidecar].ip());
    Ok(())
}

#[snowglobe::test]
fn processes_are_shared_on_request() -> TestResult {
    let (lab, [app, sidecar, _]) = pod(PodSpec::new("web").share_pid())?;
    let _sleeper = lab[app].command("sleep").arg("1234").spawn()?;
    let ps = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '";
    assert!(
        lab[sidecar]
            .command("sh")
            .args(["-c", ps])
            .output()?
            .stdout_str()
            .contains("sleep 1234")
    );
    Ok(())
}

#[snowglobe::test]
fn a_container_dies_without_its_pod() -> TestResult {
    for spec in [PodSpec::new("web"), PodSpec::new("web").share_pid()] {
        let (lab, [app, sidecar, outside]) = pod(spec)?;
        let mut theirs = lab[app].command("sleep").arg("1000").spawn()?;
        let mut ours = lab[sidecar].command("sleep").arg("1000").spawn()?;
        let server = lab[sidecar].run(|| TcpListener::bind("0.0.0.0:80"))?;
        lab[app].crash()?;
        assert!(!lab[app].is_running() && lab[sidecar].is_running());
        assert!(
            theirs
                .wait_timeout(Duration::from_secs(20))?
                .code()
                .is_none()
        );
        assert_eq!(ours.try_wait()?, None);
        lab[outside].run(|| TcpStream::connect("web:80"))?;
        server.accept()?;
        lab[app].restart()?;
        lab[app].run(|| TcpStream::connect("localhost:80"))?;
        server.accept()?;
    }
    Ok(())
}

/// The containers of a pod can share memory, by System V and by POSIX.
#[snowglobe::test]
fn memory_is_shared_within_a_pod_and_not_between_nodes() -> TestResult {
    let (lab, [app, sidecar, outside]) = pod(PodSpec::new("web"))?;
    lab[app].run(|| std::fs::write("/dev/shm/memory", "shared"))?;
    assert_eq!(
        lab[sidecar].run(|| std::fs::read_to_string("/dev/shm/memory"))?,
        "shared"
    );
    assert!(
        lab[outside]
            .run(|| std::fs::read("/dev/shm/memory"))
            .is_err()
    );

    let segments = |id: NodeId| {
        let table = lab[id].command("cat").arg("/proc/sysvipc/shm").output()?;
        TestResult::Ok(table.stdout_str().lines().count() - 1)
    };
    assert_eq!((segments(app)?, segments(outside)?), (0, 0));
    assert!(
        lab[app]
            .command("ipcmk")
            .args(["-M", "4096"])
            .status()?
            .success()
    );
    assert_eq!(
        (segments(app)?, segments(sidecar)?, segments(outside)?),
        (1, 1, 0)
    );
    Ok(())
}

/// Returns a program that has ended well and has left no process.
fn ended(node: &Node) -> TestResult<Process> {
    let mut program = node.command("true").spawn()?;
    assert!(program.wait()?.success());
    Ok(program)
}

#[snowglobe::test]
fn a_port_is_waited_for_that_somebody_else_of_the_network_may_open() -> TestResult {
    let (lab, [app, sidecar, outside]) = pod(PodSpec::new("web"))?;
    let (app, sidecar, outside) = (&lab[app], &lab[sidecar], &lab[outside]);
    let waits_in_vain = |program: &Process| {
        lab.set_patience(Duration::from_millis(100));
        let error = program.wait_for_port(80).unwrap_err();
        assert!(error.is_timeout(), "{error}");
        lab.set_patience(Duration::from_secs(20));
    };
    let program = ended(app)?;
    waits_in_vain(&program);
    let server = sidecar.run(|| TcpListener::bind("0.0.0.0:80"))?;
    program.wait_for_port(80)?;
    drop(server);

    // A visit of the test.
    let program = ended(outside)?;
    outside.run(|| waits_in_vain(&program));
    let error = program.wait_for_port(80).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::ProcessEnded, "{error}");
    // A process that a visit has left.
    let sleep = || std::process::Command::new("sleep").arg("1000").spawn();
    let mut child = outside.run(sleep)?;
    waits_in_vain(&program);
    child.kill()?;
    child.wait()?;
    // The programs of the next start of the node.
    outside.restart()?;
    waits_in_vain(&program);
    // Futures.
    let future = outside.spawn(std::future::pending::<()>());
    waits_in_vain(&ended(outside)?);
    future.abort();
    Ok(())
}
