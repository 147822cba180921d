//! A node whose MAC address changes is found by its neighbours.

use snowglobe::lab::{Lab, Node};
use snowglobe::prelude::*;
use snowglobe::topology::Neighbours;

/// Makes a connection by each family, in less time than a kernel forgets a neighbour by itself.
fn connect(from: &Node, to: &Node) -> TestResult {
    let listener = to.run(|| TcpListener::bind("[::]:80"))?;
    for ip in [to.ipv4().map(IpAddr::from), to.ipv6().map(IpAddr::from)] {
        let address = SocketAddr::new(ip.ok_or("an address")?, 80);
        from.run(|| TcpStream::connect_timeout(&address, Duration::from_secs(10)))
            .map_err(|e| format!("{} to {address}: {e}", from.name()))?;
        listener.accept()?;
    }
    Ok(())
}

fn set_mac(node: &Node, mac: &str) -> TestResult {
    let ip = Fixture::find("iproute2")?.command("ip")?;
    let line = ["link", "set", "dev", "eth0", "address", mac];
    let output = node.command_like(&ip).args(line).output()?;
    assert!(output.status.success(), "{}", output.stderr_str());
    Ok(())
}

fn the_change_is_learned(lab: &Lab, talk_first: bool) -> TestResult {
    let nodes: Vec<&Node> = lab.nodes().collect();
    let (a, b) = (nodes[0], nodes[1]);
    if talk_first {
        connect(a, b)?;
    }
    // Whoever is asked first, by a neighbour that knew the old address or by the changed node.
    set_mac(b, "02:00:00:00:aa:01")?;
    connect(a, b)?;
    connect(b, a)?;
    set_mac(a, "02:00:00:00:aa:02")?;
    connect(a, b)?;
    connect(b, a)?;
    Ok(())
}

#[snowglobe::test(fixtures("iproute2"))]
fn a_changed_mac_address_is_learned_on_a_cable_and_on_a_switch() -> TestResult {
    for talk_first in [false, true] {
        the_change_is_learned(&shape::pair().start()?, talk_first)?;
        the_change_is_learned(&shape::star(3).start()?, talk_first)?;
        let mut fixed = shape::star(3);
        fixed.neighbours(Neighbours::Fixed);
        the_change_is_learned(&fixed.start()?, talk_first)?;
    }
    Ok(())
}

#[snowglobe::test(fixtures("iproute2"))]
fn a_changed_mac_address_is_learned_over_a_link_with_another_carrier() -> TestResult {
    let lab = shape::pair().start()?;
    let link = lab.links().next().ok_or("a link")?;
    link.impair(Impairment::delayed(Duration::from_millis(1)))?;
    the_change_is_learned(&lab, true)
}
