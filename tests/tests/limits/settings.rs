//! Settings that a new network namespace would inherit from the host.
//!
//! A test cannot change those of the host, and must not. So these tests compare what trials and
//! nodes have with the values that the documentation promises, on whatever host they run.

use std::path::Path;

use snowglobe::lab::SettingEntry;
use snowglobe::prelude::*;

/// Settings on which tests of network software depend, and their promised values.
const PROMISED: &[(&str, &str)] = &[
    ("net.ipv4.ip_forward", "0"),
    ("net.ipv4.conf.all.forwarding", "0"),
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.all.arp_ignore", "0"),
    ("net.ipv4.conf.all.arp_announce", "0"),
    ("net.ipv4.conf.all.arp_filter", "0"),
    ("net.ipv4.conf.all.arp_notify", "0"),
    ("net.ipv4.conf.all.proxy_arp", "0"),
    ("net.ipv4.conf.all.accept_local", "0"),
    ("net.ipv4.conf.all.route_localnet", "0"),
    ("net.ipv4.conf.all.accept_redirects", "1"),
    ("net.ipv4.conf.all.send_redirects", "1"),
    ("net.ipv4.conf.all.accept_source_route", "0"),
    ("net.ipv4.conf.all.log_martians", "0"),
    ("net.ipv4.conf.all.promote_secondaries", "0"),
    ("net.ipv4.conf.default.forwarding", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    ("net.ipv4.conf.default.arp_ignore", "0"),
    ("net.ipv4.conf.default.accept_source_route", "1"),
    ("net.ipv4.conf.default.promote_secondaries", "0"),
    ("net.ipv4.conf.lo.forwarding", "0"),
    ("net.ipv4.conf.lo.rp_filter", "0"),
    ("net.ipv6.conf.all.disable_ipv6", "0"),
    ("net.ipv6.conf.all.forwarding", "0"),
    ("net.ipv6.conf.default.disable_ipv6", "0"),
    ("net.ipv6.conf.default.accept_ra", "1"),
    ("net.ipv6.conf.lo.disable_ipv6", "0"),
    ("net.ipv4.tcp_rmem", "4096 131072 33554432"),
    ("net.ipv4.tcp_wmem", "4096 16384 4194304"),
];

/// Settings that the guide promises for an interface of a node.
const PROMISED_OF_ETH0: &[(&str, &str)] = &[
    ("net.ipv4.conf.eth0.forwarding", "0"),
    ("net.ipv4.conf.eth0.rp_filter", "0"),
    ("net.ipv4.conf.eth0.arp_ignore", "0"),
    ("net.ipv6.conf.eth0.disable_ipv6", "0"),
    ("net.ipv4.neigh.eth0.retrans_time_ms", "1000"),
    ("net.ipv4.neigh.eth0.delay_first_probe_time", "5"),
    ("net.ipv4.neigh.eth0.gc_stale_time", "60"),
    ("net.ipv4.neigh.eth0.locktime", "100"),
    ("net.ipv4.neigh.eth0.mcast_solicit", "3"),
    ("net.ipv4.neigh.eth0.ucast_solicit", "3"),
    ("net.ipv4.neigh.eth0.unres_qlen_bytes", "212992"),
    ("net.ipv6.neigh.eth0.locktime", "0"),
    ("net.ipv6.neigh.eth0.mcast_solicit", "3"),
];

/// Returns a setting of the calling thread's network; nothing if this kernel does not have it.
fn setting(name: &str) -> Option<String> {
    let path = Path::new("/proc/sys").join(name.replace('.', "/"));
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[track_caller]
fn is_as_promised(promised: &[(&str, &str)]) {
    for (name, value) in promised {
        let found = setting(name);
        assert!(
            found.as_deref().is_none_or(|found| found == *value),
            "{name} is {found:?}, and {value} is promised"
        );
    }
}

/// Returns whether a host lets everybody choose TCP's usual congestion control.
fn cubic_is_permitted() -> bool {
    setting("net.ipv4.tcp_allowed_congestion_control")
        .is_some_and(|allowed| allowed.split(' ').any(|word| word == "cubic"))
}

#[snowglobe::test]
fn the_network_of_a_trial_has_the_documented_settings() {
    is_as_promised(PROMISED);
    if cubic_is_permitted() {
        is_as_promised(&[("net.ipv4.tcp_congestion_control", "cubic")]);
    }
}

#[snowglobe::test]
fn the_network_of_a_node_has_the_documented_settings() -> TestResult {
    let mut topology = Topology::new();
    // It lies between two networks, and would forward if nobody said otherwise.
    let a = topology.node(NodeSpec::new("a").forward(false));
    let b = topology.node("b");
    let pod = topology.pod("pod");
    let inside = topology.container(pod, "inside");
    let lan = topology.switch("lan");
    topology.plug(a, lan);
    topology.plug(pod, lan);
    topology.link(a, b);
    let lab = topology.start()?;
    for node in [a, b, inside] {
        lab[node].run(|| {
            is_as_promised(PROMISED);
            is_as_promised(PROMISED_OF_ETH0);
        });
    }
    Ok(())
}

/// What differs is what the topology has asked for, and nothing that the host has.
#[snowglobe::test]
fn an_inspection_shows_which_settings_differ() -> TestResult {
    let mut topology = Topology::new();
    let plain = topology.node(NodeSpec::new("plain").forward(false));
    let router = topology.node(
        NodeSpec::new("router")
            .forward(true)
            .sysctl("net.ipv4.conf.all.rp_filter", 1)
            .sysctl("net.ipv4.tcp_rmem", "4096 8192 16384"),
    );
    topology.link(plain, router);
    let lab = topology.start()?;
    let differing = |node| -> TestResult<Vec<SettingEntry>> {
        let mut settings = lab.inspect(node)?.settings;
        if !cubic_is_permitted() {
            settings.retain(|it| it.name != "net.ipv4.tcp_congestion_control");
        }
        Ok(settings)
    };
    assert_eq!(differing(plain)?, []);
    let of_router = differing(router)?;
    for (name, value, baseline) in [
        ("net.ipv4.conf.all.forwarding", "1", "0"),
        ("net.ipv4.conf.eth0.forwarding", "1", "0"),
        ("net.ipv4.conf.all.rp_filter", "1", "0"),
        (
            "net.ipv4.tcp_rmem",
            "4096 8192 16384",
            "4096 131072 33554432",
        ),
    ] {
        let expected = SettingEntry {
            name: name.to_owned(),
            value: value.to_owned(),
            baseline: baseline.to_owned(),
        };
        assert!(
            of_router.contains(&expected),
            "no {expected:?} in {of_router:?}"
        );
    }
    Ok(())
}

/// A node keeps what a test has changed when its processes are started again, and begins anew after
/// a power cut.
#[snowglobe::test]
fn a_restart_keeps_the_settings_of_the_network_and_a_crash_does_not() -> TestResult {
    let lab = shape::pair().start()?;
    let bob = lab.node("bob").unwrap();
    bob.command("sh")
        .args(["-c", "echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter"])
        .status()?;
    let after = || bob.run(|| setting("net.ipv4.conf.all.rp_filter"));
    bob.kill_processes()?;
    bob.restart()?;
    assert_eq!(after().as_deref(), Some("1"));
    bob.crash()?;
    bob.restart()?;
    assert_eq!(after().as_deref(), Some("0"));
    bob.run(|| is_as_promised(PROMISED));
    Ok(())
}
