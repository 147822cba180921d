//! A client under test: busybox's `udhcpc`.

use snowglobe::dhcp::{AddressSource, DhcpSpec};
use snowglobe::prelude::*;

/// The script to which `udhcpc` says what has happened.
const SCRIPT: &str = r#"#!/bin/busybox sh
echo "lease: $1 $ip $router $dns $domain"
case $1 in
deconfig) busybox ip -4 address flush dev $interface ;;
bound) busybox ip address add $ip/$mask dev $interface ;;
esac
"#;

#[snowglobe::test(fixtures("busybox"), timeout = "90s")]
fn udhcpc_gets_renews_and_loses_a_lease() -> TestResult {
    let busybox = Fixture::find("busybox")?;
    // The shortest lease that udhcpc takes at its word (networking/udhcp/dhcpc.c).
    let dhcp = DhcpSpec::new().lease(Duration::from_secs(16));
    let mut topology = Topology::new();
    let names = snowglobe::dns::DnsSpec::new();
    let server = NodeSpec::new("server").forward(true).dns(names);
    let server = topology.node(server.dhcp(dhcp.clone().pool("10.0.0.100-10.0.0.100")));
    let spec = NodeSpec::new("client").addresses(AddressSource::Program);
    let client = topology.node(spec.rootfs(&busybox));
    topology.link(server, client);
    let lab = topology.start()?;
    assert_eq!(lab[client].ipv4(), None);
    lab.set_patience(Duration::from_secs(40));
    lab[client].run(|| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write("/run/script", SCRIPT)?;
        std::fs::set_permissions("/run/script", std::fs::Permissions::from_mode(0o755))
    })?;
    let mut udhcpc = lab[client].command("busybox");
    let mut udhcpc = udhcpc
        .args([
            "udhcpc",
            "-f",
            "-i",
            "eth0",
            "-s",
            "/run/script",
            "-A",
            "1",
            "-T",
            "1",
        ])
        .spawn()?;
    udhcpc.wait_for_log("lease: bound 10.0.0.100 10.0.0.1 10.0.0.1 lab")?;
    let leases = || lab[server].dhcp().map(|it| it.leases()).unwrap_or_default();
    assert_eq!(leases().len(), 1);
    // The script speaks before it sets the address.
    lab.wait_until(|| lab[client].ipv4() == Some(Ipv4Addr::new(10, 0, 0, 100)))?;
    // The address works.
    let to: SocketAddr = "10.0.0.100:9".parse()?;
    let refused = lab[server].run(|| TcpStream::connect(to)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

    // SIGUSR1 makes it ask for more time now.
    udhcpc.signal(10)?;
    udhcpc.wait_for_log("lease: renew 10.0.0.100")?;
    let dhcp_server = lab[server].dhcp().ok_or("a server")?;
    dhcp_server.change(dhcp.pool("10.0.0.50-10.0.0.50"))?;
    udhcpc.signal(10)?;
    udhcpc.wait_for_log("lease: nak")?;
    udhcpc.wait_for_log("lease: bound 10.0.0.50")?;

    // Nobody renews the lease, and it ends.
    lab[server].kill_processes()?;
    let lines = || {
        let log = udhcpc.log();
        log.iter()
            .filter(|it| it.text.starts_with("lease: deconfig"))
            .count()
    };
    let before = lines();
    lab.wait_until(|| lines() > before)?;
    lab.wait_until(|| lab[client].ipv4().is_none())?;
    Ok(())
}
