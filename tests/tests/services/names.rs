//! dnsmasq answers for a lab.

use snowglobe::prelude::*;
use snowglobe::topology::StartCommand;

#[snowglobe::test(fixtures("busybox", "dnsmasq"))]
fn dnsmasq_answers_for_the_names_that_it_was_told() -> TestResult {
    let mut topology = Topology::new();
    let serve = StartCommand::new("dnsmasq")
        .args(["--no-daemon", "--user=root", "--no-resolv", "--no-hosts"])
        .args([
            "--address=/shop.test/10.1.2.3",
            "--txt-record=shop.test,open",
        ])
        // dnsmasq listens by TCP as well, by which its readiness is seen.
        .ready_port(53);
    let resolver = topology.node(
        NodeSpec::new("resolver")
            .rootfs(&Fixture::find("dnsmasq")?)
            .command(serve),
    );
    let client = topology.node("client");
    topology.link(client, resolver);
    let lab = topology.start()?;
    let busybox = Fixture::find("busybox")?.command("busybox")?;
    let ask = |kind: &str, name: &str| {
        lab[client]
            .command_like(&busybox)
            .args(["nslookup", &format!("-type={kind}"), name])
            .arg(lab[resolver].ip().to_string())
            .output()
    };
    let answer = ask("a", "till.shop.test")?.stdout_str();
    assert!(answer.contains("Address: 10.1.2.3\n"), "{answer}");
    let answer = ask("txt", "shop.test")?.stdout_str();
    assert!(answer.contains("text = \"open\"\n"), "{answer}");
    let unknown = ask("a", "other.test")?;
    assert_ne!(unknown.status.code(), Some(0), "{unknown:?}");
    Ok(())
}
