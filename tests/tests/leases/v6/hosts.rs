//! Hosts that get their addresses by DHCPv6, because a router says so.

use std::net::SocketAddrV6;

use snowglobe::dhcp6::{AddressSource, Dhcp6Spec};
use snowglobe::events::EventKind;
use snowglobe::ndp::AdvertiseSpec;
use snowglobe::prelude::*;
use snowglobe::topology::NodeId;

/// Returns a lab of a router and two hosts on a switch.
fn lab(router: NodeSpec) -> TestResult<(Lab, NodeId, [NodeId; 2])> {
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    let router = topology.node(router.forward(true));
    topology.plug(router, lan);
    let hosts = ["one", "two"].map(|name| {
        let host = topology.node(NodeSpec::new(name).addresses_v6(AddressSource::Dhcp));
        topology.plug(host, lan);
        host
    });
    let lab = topology.start()?;
    lab.set_patience(Duration::from_secs(40));
    Ok((lab, router, hosts))
}

/// Adds one more host, and returns when it has come up.
fn come_late(lab: &mut Lab) -> TestResult<NodeId> {
    let late = lab.grow(|topology| {
        let late = topology.node(NodeSpec::new("late").addresses_v6(AddressSource::Dhcp));
        let lan = topology.find_switch("lan").unwrap();
        topology.plug(late, lan);
        late
    })?;
    Ok(late)
}

fn managed(lease: u64) -> NodeSpec {
    let dhcp6 = Dhcp6Spec::new().lease(Duration::from_secs(lease));
    let dhcp6 = dhcp6.renew_after(Duration::from_secs(1));
    let router = NodeSpec::new("router").advertise(AdvertiseSpec::new().managed());
    router.dhcp6(dhcp6.pool("fd73:6e6f:77::a0-fd73:6e6f:77::af"))
}

fn in_pool(address: Option<Ipv6Addr>) -> bool {
    address.is_some_and(|it| it.segments()[..7] == [0xfd73, 0x6e6f, 0x77, 0, 0, 0, 0])
        && address.is_some_and(|it| (0xa0..=0xaf).contains(&it.segments()[7]))
}

#[snowglobe::test]
fn hosts_of_a_managed_network_have_an_address_of_the_server_and_no_other() -> TestResult {
    let (lab, router, [one, two]) = lab(managed(600))?;
    let leases = lab[router].dhcp6().ok_or("a server")?.leases();
    assert_eq!(leases.len(), 2);
    for host in [one, two] {
        assert!(in_pool(lab[host].ipv6()), "{:?}", lab[host].ipv6());
        let inspection = lab.inspect(host)?;
        let global = inspection.addresses.iter().filter(|it| {
            matches!(it.address, IpAddr::V6(v6) if !v6.is_unicast_link_local() && !v6.is_loopback())
        });
        assert_eq!(global.count(), 1);
    }
    // The network is on the link by what the router advertises, and so is the way beyond.
    let to = SocketAddr::new(lab[one].ipv6().ok_or("an address")?.into(), 80);
    let listener = lab[one].run(|| TcpListener::bind("[::]:80"))?;
    lab[two].run(|| TcpStream::connect(to))?;
    let (_, peer) = listener.accept()?;
    assert_eq!(Some(peer.ip()), lab[two].ipv6().map(IpAddr::V6));
    let inspection = lab.inspect(one)?;
    let mut routes = inspection.routes.iter();
    assert!(routes.any(|it| it.prefix == 0 && it.protocol == "ra"));
    Ok(())
}

#[snowglobe::test]
fn hosts_of_another_network_make_their_addresses_by_themselves() -> TestResult {
    let router = NodeSpec::new("router").advertise(AdvertiseSpec::new());
    let (lab, _, [one, _]) = lab(router)?;
    assert!(lab[one].ipv6().is_some());
    let events = lab.events().so_far();
    let by_dhcp = |it: &EventKind| matches!(it, EventKind::LeasedV6 { .. });
    assert!(!events.iter().any(|it| by_dhcp(&it.kind)));
    Ok(())
}

#[snowglobe::test]
fn a_host_renews_its_address_and_loses_it_without_a_server() -> TestResult {
    let (lab, router, [one, _]) = lab(managed(8))?;
    let before = lab[one].ipv6();
    let until = || {
        let leases = lab[router].dhcp6().unwrap().leases();
        leases.iter().map(|it| it.until).min()
    };
    let first = until().ok_or("a lease")?;
    // It has asked for more time by then.
    let renewed = || until().is_some_and(|it| it > first + Duration::from_secs(1));
    lab.wait_until(|| renewed() && lab[one].ipv6() == before)?;
    lab[router].kill_processes()?;
    lab.wait_until(|| lab[one].ipv6().is_none())?;
    lab[router].restart()?;
    lab.wait_until(|| in_pool(lab[one].ipv6()))?;
    Ok(())
}

#[snowglobe::test]
fn a_host_that_starts_again_or_comes_late_has_an_address() -> TestResult {
    let (mut lab, _, [one, _]) = lab(managed(600))?;
    let before = lab[one].ipv6();
    lab[one].crash()?;
    lab[one].restart()?;
    assert_eq!(lab[one].ipv6(), before, "the server knows it");
    let late = come_late(&mut lab)?;
    assert!(in_pool(lab[late].ipv6()));
    Ok(())
}

#[snowglobe::test]
fn a_host_that_starts_again_gives_up_the_address_that_it_had() -> TestResult {
    // Nobody asks for more time, and hears of the change thus, while the test runs.
    let spec = || Dhcp6Spec::new().lease(Duration::from_secs(600));
    let router = NodeSpec::new("router").advertise(AdvertiseSpec::new().managed());
    let (mut lab, router, [one, _]) = lab(router.dhcp6(spec()))?;
    let before = lab[one].ipv6();
    lab.set_dhcp6(router, spec().pool("fd73:6e6f:77::a0-fd73:6e6f:77::af"))?;
    lab[one].restart()?;
    let now = lab[one].ipv6();
    assert!(in_pool(now) && now != before, "{before:?}, {now:?}");
    let inspection = lab.inspect(one)?;
    let own = inspection.addresses.iter().map(|it| Some(it.address));
    let own: Vec<_> = own
        .filter(|it| [before, now].map(|it| it.map(IpAddr::V6)).contains(it))
        .collect();
    assert_eq!(own, [now.map(IpAddr::V6)]);
    Ok(())
}

#[snowglobe::test]
fn garbage_neither_stops_a_server_nor_takes_its_addresses() -> TestResult {
    // More addresses than are offered to names that nobody has.
    let server = NodeSpec::new("router").dhcp6(Dhcp6Spec::new());
    let (mut lab, router, [one, _]) = lab(server.advertise(AdvertiseSpec::new().managed()))?;
    lab[one].run(|| {
        let index = std::fs::read_to_string("/sys/class/net/eth0/ifindex")?;
        let index = index.trim().parse().map_err(std::io::Error::other)?;
        let socket = UdpSocket::bind("[::]:0")?;
        let group = SocketAddrV6::new(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2), 547, 0, index);
        // A SOLICIT with the name of a client and an association, cut off and overwritten at each
        // place, and longer than any message.
        let mut solicit = vec![1, 0, 0, 7, 0, 1, 0, 10, 0, 3, 0, 1, 2, 0, 0, 0, 0, 9];
        solicit.extend([0, 3, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        for at in 0..solicit.len() {
            socket.send_to(&solicit[..at], group)?;
            for byte in [0, 12, 255] {
                let mut wrong = solicit.clone();
                wrong[at] = byte;
                socket.send_to(&wrong, group)?;
            }
        }
        socket.send_to(&[1; 9000], group)
    })?;
    // Whoever asks rightly is answered, behind all of that.
    let late = come_late(&mut lab)?;
    assert!(lab[late].ipv6().is_some());
    // What was only offered is no lease.
    assert_eq!(lab[router].dhcp6().ok_or("a server")?.leases().len(), 3);
    Ok(())
}
