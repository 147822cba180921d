//! Hosts whose addresses come over the wire, and whose links move, go and come back.

use snowglobe::dhcp::{AddressSource, DhcpSpec};
use snowglobe::dhcp6::Dhcp6Spec;
use snowglobe::events::EventKind;
use snowglobe::ndp::AdvertiseSpec;
use snowglobe::prelude::*;
use snowglobe::topology::{LinkId, NodeId, Subnet, SwitchId};

/// The subnets of two networks.
const SUBNETS: [[&str; 2]; 2] = [
    ["10.1.0.0/24", "2001:db8:1::/64"],
    ["10.2.0.0/24", "2001:db8:2::/64"],
];

/// Two networks with a router each, and a server on the Internet that tells who asks.
struct Networks {
    topology: Topology,
    lans: [SwitchId; 2],
    server: NodeId,
}

/// Makes the networks, whose routers are like this.
fn networks(router: impl Fn(NodeSpec) -> NodeSpec) -> Networks {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let lans = [("wifi", SUBNETS[0]), ("mobile", SUBNETS[1])];
    let lans = lans.map(|(name, [v4, v6])| {
        let home = topology.router(RouterSpec::home(name).node(&router));
        topology.uplink(home, internet);
        let lan = SwitchSpec::new(format!("{name}-lan"));
        let lan = topology.switch(lan.subnet(v4).subnet(v6));
        topology.plug(home, lan);
        lan
    });
    let server = topology.node("server");
    topology.link(server, internet);
    Networks {
        topology,
        lans,
        server,
    }
}

/// Makes the server answer with the address that it sees.
fn serve(lab: &Lab, server: NodeId) -> TestResult {
    let listener = lab[server].run(|| TcpListener::bind("[::]:80"))?;
    std::thread::spawn(move || {
        while let Ok((mut stream, from)) = listener.accept() {
            // Who is gone needs no answer.
            let _ = write!(stream, "{}", from.ip().to_canonical());
        }
    });
    Ok(())
}

/// Returns the address from which a host speaks to the server, and as which the server sees it.
fn speaks(lab: &Lab, host: NodeId, server: impl Into<IpAddr>) -> TestResult<[IpAddr; 2]> {
    let to = SocketAddr::new(server.into(), 80);
    let mut stream = lab[host].run(|| TcpStream::connect(to))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut seen = String::new();
    stream.read_to_string(&mut seen)?;
    Ok([stream.local_addr()?.ip(), seen.parse()?])
}

/// Returns the addresses of a host on one of the networks.
fn on(lab: &Lab, host: NodeId, network: usize) -> TestResult<Vec<IpAddr>> {
    let subnets: Vec<Subnet> = SUBNETS[network]
        .iter()
        .map(|it| it.parse())
        .collect::<Result<_, _>>()?;
    let inspection = lab.inspect(host)?;
    let all = inspection.addresses.iter().map(|it| it.address);
    let here = all.filter(|it| subnets.iter().any(|subnet| subnet.contains(*it)));
    Ok(here.collect())
}

/// Returns the IPv4 address of a host on one of the networks.
fn v4_on(lab: &Lab, host: NodeId, network: usize) -> TestResult<IpAddr> {
    let all = on(lab, host, network)?;
    let v4 = all.into_iter().find(IpAddr::is_ipv4);
    Ok(v4.ok_or("an address")?)
}

/// Returns a phone that gets all its addresses over the wire.
fn phone() -> NodeSpec {
    let phone = NodeSpec::new("phone").addresses(AddressSource::Dhcp);
    phone.addresses_v6(AddressSource::Dhcp)
}

#[snowglobe::test]
fn a_phone_that_moves_to_another_network_has_addresses_of_it_and_none_of_the_old_one() -> TestResult
{
    let managed = |node: NodeSpec| {
        let node = node.dhcp(DhcpSpec::new()).dhcp6(Dhcp6Spec::new());
        node.advertise(AdvertiseSpec::new().managed())
    };
    let plain = |node: NodeSpec| node.dhcp(DhcpSpec::new()).advertise(AdvertiseSpec::new());
    for router in [&managed as &dyn Fn(NodeSpec) -> NodeSpec, &plain] {
        let Networks {
            mut topology,
            lans,
            server,
        } = networks(router);
        let phone = topology.node(phone());
        let cable = topology.plug(phone, lans[0]);
        let mut lab = topology.start()?;
        serve(&lab, server)?;
        let server_has = [
            IpAddr::from(lab[server].ipv4().ok_or("an address")?),
            lab[server].ipv6().ok_or("an address")?.into(),
        ];
        for (here, there) in [(0, 1), (1, 0)] {
            assert_eq!(on(&lab, phone, here)?.len(), 2);
            lab.move_link(cable, lans[there])?;
            let own = on(&lab, phone, there)?;
            assert_eq!(own.len(), 2, "{own:?}");
            assert!(on(&lab, phone, here)?.is_empty());
            assert!(own.contains(&lab[phone].ip()), "{own:?}");
            for server in server_has {
                let [from, seen] = speaks(&lab, phone, server)?;
                assert!(own.contains(&from), "{own:?} {from}");
                // IPv4 is translated, and IPv6 is not.
                assert_eq!(from == seen, server.is_ipv6());
            }
        }
    }
    Ok(())
}

/// Returns a lab whose phone is on both networks.
fn on_both() -> TestResult<(Lab, NodeId, [LinkId; 2], NodeId)> {
    let Networks {
        mut topology,
        lans,
        server,
    } = networks(|node| node.dhcp(DhcpSpec::new()).advertise(AdvertiseSpec::new()));
    let phone = NodeSpec::new("phone").addresses(AddressSource::Dhcp);
    let phone = topology.node(phone.autoconfigure());
    let links = lans.map(|lan| topology.plug(phone, lan));
    let lab = topology.start()?;
    serve(&lab, server)?;
    Ok((lab, phone, links, server))
}

#[snowglobe::test]
fn a_phone_with_two_leases_leaves_by_the_one_with_the_lower_metric() -> TestResult {
    let (mut lab, phone, [wifi, _], server) = on_both()?;
    // The address of a network may come after that of the other one.
    lab.wait_until(|| (0..2).all(|it| on(&lab, phone, it).is_ok_and(|own| own.len() == 2)))?;
    let own = [on(&lab, phone, 0)?, on(&lab, phone, 1)?];
    let servers = [
        lab[server].ipv4().ok_or("an address")?.into(),
        IpAddr::from(lab[server].ipv6().ok_or("an address")?),
    ];
    for (metric, expected) in [(100, 0), (900, 1), (50, 0)] {
        lab.set_metric(wifi, metric)?;
        for server in servers {
            let [from, _] = speaks(&lab, phone, server)?;
            assert!(own[expected].contains(&from), "metric {metric}: {from}");
        }
    }
    let error = lab.set_metric(wifi, 200).unwrap_err().to_string();
    assert!(error.contains("two default routes"), "{error}");
    Ok(())
}

#[snowglobe::test]
fn nobody_waits_for_a_router_that_cannot_be_heard() -> TestResult {
    let (mut lab, phone, [wifi, _], server) = on_both()?;
    // The address of the kernel comes with the route whose metric is to change.
    lab.wait_until(|| on(&lab, phone, 0).is_ok_and(|own| own.len() == 2))?;
    let other = v4_on(&lab, phone, 1)?;
    // The time of the trial would be over before.
    lab.set_patience(Duration::from_secs(3600));
    let cut = lab[wifi].cut()?;
    lab.set_metric(wifi, 900)?;
    // What a server has given has the new metric all the same.
    let server = lab[server].ipv4().ok_or("an address")?;
    assert_eq!(speaks(&lab, phone, server)?[0], other);
    cut.heal()?;
    Ok(())
}

#[snowglobe::test]
fn nobody_waits_for_the_lease_of_an_interface_that_is_gone() -> TestResult {
    let (mut lab, phone, [wifi, _], server) = on_both()?;
    let by_mobile = v4_on(&lab, phone, 1)?;
    lab.remove_link(wifi)?;
    assert_eq!(lab[phone].ip(), by_mobile);
    let server = lab[server].ip();
    assert_eq!(speaks(&lab, phone, server)?[0], by_mobile);
    // No surprise of the client is printed: it gave the address up when the link went.
    let events = lab.events().so_far();
    let lost = |it: &EventKind| matches!(it, EventKind::Leased { address: None, .. });
    assert_eq!(events.iter().filter(|it| lost(&it.kind)).count(), 1);
    lab[phone].crash()?;
    // Otherwise it would wait for as long as the lab waits for anything.
    lab[phone].restart()?;
    assert_eq!(speaks(&lab, phone, server)?[0], by_mobile);
    Ok(())
}

#[snowglobe::test]
fn a_host_whose_cable_is_put_back_has_what_it_was_given() -> TestResult {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let serves = |node: NodeSpec| {
        let node = node.dhcp(DhcpSpec::new()).dhcp6(Dhcp6Spec::new());
        node.advertise(AdvertiseSpec::new().managed())
    };
    let home = topology.router(RouterSpec::home("home").node(serves));
    topology.uplink(home, internet);
    let host = topology.node(phone());
    let cable = topology.link(host, home);
    let server = topology.node("server");
    topology.link(server, internet);
    let lab = topology.start()?;
    serve(&lab, server)?;
    let before = [
        lab[host].ipv4().map(IpAddr::V4),
        lab[host].ipv6().map(IpAddr::V6),
    ];
    lab[cable].down()?;
    lab[cable].up()?;
    let v4 = lab[server].ipv4().ok_or("an address")?;
    assert_eq!(Some(speaks(&lab, host, v4)?[0]), before[0]);
    assert_eq!(lab[host].ipv6().map(IpAddr::V6), before[1]);
    // The way out is what the router advertises when it is asked, which the kernel does soon.
    let v6 = lab[server].ipv6().ok_or("an address")?;
    lab.wait_until(|| speaks(&lab, host, v6).is_ok())?;
    Ok(())
}
