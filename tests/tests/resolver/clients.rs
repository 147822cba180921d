//! Programs with resolvers of their own get their answers without waiting.

use std::ffi::OsString;
use std::path::Path;

use snowglobe::dns::DnsOutcome;
use snowglobe::prelude::*;

use crate::names::pair;

/// Most times that [`at_once`] looks: far more than a busy machine is late in a row.
const ATTEMPTS: usize = 10;

/// Carries `work` out until one attempt asks no question twice: a resolver repeats a question whose
/// answer does not come. Several attempts are made, since answers of a busy machine may be late.
fn at_once(lab: &Lab, mut work: impl FnMut() -> TestResult) -> TestResult {
    let mut again = Vec::new();
    for _ in 0..ATTEMPTS {
        lab.dns().forget_queries();
        work()?;
        let asked = lab.dns().queries();
        assert!(!asked.is_empty(), "the server was asked nothing");
        let key = |it: &snowglobe::dns::DnsQuery| (it.name.clone(), it.kind, it.tcp);
        let mut seen = std::collections::HashSet::new();
        again = asked
            .into_iter()
            .filter(|it| !seen.insert(key(it)))
            .collect();
        if again.is_empty() {
            return Ok(());
        }
    }
    Err(format!("asked again each time: {again:?}").into())
}

#[snowglobe::test]
fn programs_of_glibc_get_their_answers() -> TestResult {
    let (lab, _, client) = pair()?;
    for (database, name, expected) in [
        ("ahosts", "www.example.org", "192.0.2.80"),
        ("ahosts", "a.dev.example.org", "2001:db8::80"),
        ("ahosts", "names", "10.0.0.1"),
        ("hosts", "10.0.0.1", "names.lab"),
    ] {
        at_once(&lab, || {
            let mut getent = lab[client].command("getent");
            let said = getent.args([database, name]).output()?;
            assert!(said.stdout_str().contains(expected), "{name}: {said:?}");
            Ok(())
        })?;
    }
    Ok(())
}

/// Links the program `getaddrinfo.c` with musl, by the compiler that also links this test. Of what
/// the program uses, musl has the layout and the names of the host's headers.
fn with_musl(library: &Path, to: &Path) -> TestResult {
    let source = to.with_extension("c");
    std::fs::write(&source, include_str!("getaddrinfo.c"))?;
    let mut loader = OsString::from("-Wl,--dynamic-linker=");
    loader.push(library);
    let output = std::process::Command::new("cc")
        .arg(source)
        .args(["-no-pie", "-nodefaultlibs"])
        .arg(library)
        .arg(loader)
        .arg("-o")
        .arg(to)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Ok(())
}

/// musl sends the questions for both families at once, from one socket, and waits for both answers.
#[snowglobe::test(fixtures("musl"))]
fn programs_of_musl_get_their_answers() -> TestResult {
    let dir = snowglobe_tests::shared_dir();
    let program = dir.path().join("getaddrinfo");
    let musl = Fixture::find("musl")?;
    // musl's library is its loader as well.
    let library = format!("lib/{}-linux-musl/libc.so", std::env::consts::ARCH);
    with_musl(&musl.rootfs()?.join(library), &program)?;
    let (lab, names, client) = pair()?;
    let asked = ["www.example.org", "names", "nobody.example.org"];
    at_once(&lab, || {
        let output = lab[client].command(&program).args(asked).output()?;
        let said = output.stdout_str();
        for expected in [
            "www.example.org 192.0.2.80",
            "www.example.org 2001:db8::80",
            &format!("names {}", lab[names].ip()),
            "nobody.example.org: Name does not resolve",
        ] {
            assert!(said.contains(expected), "no {expected:?} in {said}");
        }
        Ok(())
    })
}

/// The resolver of Go sends EDNS, asks for both families at once, and reads `resolv.conf` itself.
#[snowglobe::test(fixtures("etcd"))]
fn programs_of_go_get_their_answers() -> TestResult {
    let etcd = Fixture::find("etcd")?;
    let mut topology = Topology::new();
    let names = topology.node(NodeSpec::new("names").dns(snowglobe::dns::DnsSpec::new()));
    let client = topology.node(NodeSpec::new("client").rootfs(&etcd));
    let server = topology.node("server");
    let lan = topology.switch("lan");
    for node in [names, client, server] {
        topology.plug(node, lan);
    }
    let lab = topology.start()?;
    let listener = lab[server].run(|| TcpListener::bind("0.0.0.0:2379"))?;
    let mut etcdctl = lab[client].command("etcdctl");
    etcdctl.env("GODEBUG", "netdns=go").env("ETCDCTL_API", "3");
    let args = [
        "--endpoints=http://server:2379",
        "--dial-timeout=30s",
        "endpoint",
        "status",
    ];
    let mut program = etcdctl.args(args).spawn()?;
    // It connects to the address that it was told.
    let (_, peer) = listener.accept()?;
    assert_eq!(peer.ip(), lab[client].ip());
    let asked = lab.dns().queries();
    assert!(
        asked.iter().any(|it| it.name.starts_with("server")),
        "{asked:?}"
    );
    // No question was left without an answer, for which the program would have waited.
    let is_answer = |it: &DnsOutcome| match it {
        DnsOutcome::Answered(_) | DnsOutcome::NoData | DnsOutcome::NoName => true,
        DnsOutcome::Failed
        | DnsOutcome::Refused
        | DnsOutcome::BadVersion
        | DnsOutcome::Truncated
        | DnsOutcome::Silence => false,
    };
    assert!(asked.iter().all(|it| is_answer(&it.outcome)), "{asked:?}");
    program.kill()?;
    Ok(())
}
