//! A client under test: ISC's `dhclient`.

use std::os::unix::fs::PermissionsExt;

use snowglobe::dhcp6::AddressSource;
use snowglobe::dhcp6::Dhcp6Spec;
use snowglobe::lab::{Node, Process};
use snowglobe::ndp::AdvertiseSpec;
use snowglobe::prelude::*;

/// The script to which `dhclient` says what has happened (dhclient-script(8)).
const SCRIPT: &str = r#"#!/bin/busybox sh
echo "lease: $reason $new_ip6_address$new_ip6_prefix dns=$new_dhcp6_name_servers" >&2
case $reason in
BOUND6) [ -z "$new_ip6_address" ] || /bin/busybox ip address add $new_ip6_address/128 dev $interface ;;
esac
exit 0
"#;

/// Lets `dhclient` ask for this over IPv6, in the foreground, with the script and the configuration
/// of the test.
fn ask(client: &Node, what: &[&str]) -> TestResult<Process> {
    let mut dhclient = client.command("/sbin/dhclient");
    dhclient.args(["-6", "-v", "-d"]).args(what);
    dhclient.args(["-cf", "/run/dhclient.conf", "-lf", "/run/leases"]);
    dhclient.args(["-pf", "/run/pid", "-sf", "/run/script", "eth0"]);
    Ok(dhclient.spawn()?)
}

#[snowglobe::test(fixtures("dhclient"), timeout = "120s")]
fn dhclient_gets_an_address_and_a_prefix_and_gives_them_back() -> TestResult {
    let dhclient = Fixture::find("dhclient")?;
    let dhcp6 = Dhcp6Spec::new().delegate("2001:db8:100::/40", 56);
    let router = NodeSpec::new("router").forward(true).dhcp6(dhcp6.clone());
    let router = router.dns(snowglobe::dns::DnsSpec::new());
    let mut topology = Topology::new();
    let router = topology.node(router.advertise(AdvertiseSpec::new().managed()));
    let spec = NodeSpec::new("client").addresses_v6(AddressSource::Program);
    let client = topology.node(spec.rootfs(&dhclient));
    topology.link(client, router);
    let mut lab = topology.start()?;
    assert_eq!(lab[client].ipv6(), None);
    lab.set_patience(Duration::from_secs(60));
    lab[client].run(|| {
        std::fs::write("/run/script", SCRIPT)?;
        std::fs::set_permissions("/run/script", std::fs::Permissions::from_mode(0o755))?;
        std::fs::write("/run/dhclient.conf", "request dhcp6.name-servers;\n")
    })?;
    let mut process = ask(&lab[client], &["-N", "-P"])?;
    // An address of the network, a prefix of the range, and the name server.
    process.wait_for_log("lease: BOUND6 fd73:6e6f:77::1000 dns=fd73:6e6f:77::")?;
    process.wait_for_log("lease: BOUND6 2001:db8:100::/56 dns=fd73:6e6f:77::")?;
    let leases = || {
        let leases = lab[router]
            .dhcp6()
            .map(|it| it.leases())
            .unwrap_or_default();
        leases
            .iter()
            .map(|it| it.range.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(leases(), ["2001:db8:100::/56", "fd73:6e6f:77::1000/128"]);
    let to: SocketAddr = "[fd73:6e6f:77::1000]:9".parse()?;
    let refused = lab[router].run(|| TcpStream::connect(to)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(lab[client].ipv6().is_some());
    let released = ask(&lab[client], &["-r", "-N", "-P"])?;
    lab.wait_until(|| leases().is_empty())?;
    // The second one has ended the first.
    process.wait()?;
    drop((process, released));

    // Another range is what a client that asks anew gets.
    lab.set_dhcp6(router, dhcp6.delegate("2001:db8:200::/40", 60))?;
    let process = ask(&lab[client], &["-P"])?;
    process.wait_for_log("2001:db8:200::/60")?;
    drop(process);
    // The rest alone, without a lease (INFORMATION-REQUEST).
    let process = ask(&lab[client], &["-S"])?;
    process.wait_for_log(" dns=fd73:6e6f:77::")?;
    Ok(())
}
