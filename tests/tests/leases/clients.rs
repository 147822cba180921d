//! Clients of the lab.

use snowglobe::dhcp::{AddressSource, DhcpSpec};
use snowglobe::events::EventKind;
use snowglobe::observe::Packet;
use snowglobe::prelude::*;
use snowglobe::topology::{Families, NodeId};

/// Returns a lab of a server and two clients on a switch.
fn lab(dhcp: DhcpSpec) -> TestResult<(Lab, NodeId, [NodeId; 2])> {
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    let server = topology.node(NodeSpec::new("server").forward(true).dhcp(dhcp));
    topology.plug(server, lan);
    let clients = ["one", "two"].map(|name| {
        let node = topology.node(NodeSpec::new(name).addresses(AddressSource::Dhcp));
        topology.plug(node, lan);
        node
    });
    Ok((topology.start()?, server, clients))
}

/// Returns a server whose clients soon ask for more time, and whose leases last longer than any
/// busy machine keeps a client from asking.
fn renewed() -> DhcpSpec {
    DhcpSpec::new()
        .lease(Duration::from_secs(600))
        .renew_after(Duration::from_secs(1))
        .pool("10.0.0.100-10.0.0.110")
}

/// Returns the addresses that nodes have lost and got by DHCP so far.
fn changes(lab: &Lab, name: &str) -> Vec<Option<Ipv4Addr>> {
    let events = lab.events().so_far();
    let of_node = events.iter().filter_map(|it| match &it.kind {
        EventKind::Leased { node, address, .. } if node == name => Some(*address),
        _ => None,
    });
    of_node.collect()
}

#[snowglobe::test]
fn a_lab_starts_with_a_lease_for_each_client() -> TestResult {
    let (lab, server, clients) = lab(DhcpSpec::new())?;
    let leases = lab[server].dhcp().ok_or("a server")?.leases();
    let mut addresses: Vec<IpAddr> = clients.iter().map(|id| lab[*id].ip()).collect();
    addresses.sort();
    let given: Vec<IpAddr> = leases.iter().map(|it| it.address.into()).collect();
    assert_eq!(given, addresses);
    assert!(addresses.iter().all(IpAddr::is_ipv4), "{addresses:?}");
    assert_eq!(leases[0].hostname.as_deref().map(str::len), Some(3));

    // The addresses are good for something: on the network, and beyond it by the router.
    let listener = lab[clients[0]].run(|| TcpListener::bind("0.0.0.0:80"))?;
    let to = SocketAddr::new(lab[clients[0]].ip(), 80);
    lab[clients[1]].run(|| TcpStream::connect(to))?;
    assert_eq!(listener.accept()?.1.ip(), lab[clients[1]].ip());
    let routes = lab[clients[0]].run(|| std::fs::read_to_string("/proc/net/route"))?;
    let default = routes
        .lines()
        .any(|it| it.split_whitespace().nth(1) == Some("00000000"));
    assert!(default, "{routes}");
    Ok(())
}

#[snowglobe::test]
fn the_messages_are_on_the_wire() -> TestResult {
    let (mut lab, _, _) = lab(DhcpSpec::new())?;
    let lan = lab.links().next().unwrap().id();
    let seen = lab[lan].record()?;
    // A client that comes later asks everybody on the network.
    let late = lab.grow(|topology| {
        let late = topology.node(NodeSpec::new("late").addresses(AddressSource::Dhcp));
        let lan = topology.find_switch("lan").unwrap();
        topology.plug(late, lan);
        late
    })?;
    assert!(lab[late].ipv4().is_some());
    let ports = |packet: &Packet| [packet.source_port(), packet.destination_port()];
    let packets = seen.packets();
    assert!(
        packets.iter().any(|it| ports(it) == [Some(68), Some(67)]),
        "{packets:?}"
    );
    Ok(())
}

#[snowglobe::test]
fn a_client_renews_and_keeps_its_address() -> TestResult {
    let (lab, server, [one, _]) = lab(renewed())?;
    let before = lab[one].ipv4();
    let dhcp = lab[server].dhcp().ok_or("a server")?;
    let until = |lab: &Lab| {
        let leases = lab[server].dhcp().unwrap().leases();
        let own = leases.iter().find(|it| Some(it.address) == lab[one].ipv4());
        own.map(|it| it.until)
    };
    let first = until(&lab).ok_or("a lease")?;
    // It has asked for more time by then.
    lab.wait_until(|| until(&lab).is_some_and(|it| it > first + Duration::from_secs(1)))?;
    assert_eq!(lab[one].ipv4(), before);
    assert_eq!(changes(&lab, "one"), [before]);
    assert_eq!(dhcp.leases().len(), 2);
    Ok(())
}

#[snowglobe::test]
fn a_client_without_a_server_loses_its_address_and_gets_one_from_the_next() -> TestResult {
    let short = renewed().lease(Duration::from_secs(5));
    let (lab, server, [one, _]) = lab(short)?;
    let before = lab[one].ipv4();
    lab[server].kill_processes()?;
    lab.wait_until(|| lab[one].ipv4().is_none())?;
    let has = |address: Option<Ipv4Addr>| {
        let text = lab[one].run(|| std::fs::read_to_string("/proc/net/fib_trie"))?;
        TestResult::Ok(address.is_some_and(|it| text.contains(&it.to_string())))
    };
    assert!(!has(before)?, "the kernel has it still");
    lab[server].restart()?;
    lab.wait_until(|| lab[one].ipv4().is_some())?;
    // The server has kept its leases, as on a disk, or the time was over: the same client is known.
    // On a busy machine the short lease may end again, but that it ended once is in the journal.
    let said = changes(&lab, "one");
    assert_eq!(said[..2], [before, None]);
    assert!(said[2].is_some(), "{said:?}");
    lab.wait_until(|| has(lab[one].ipv4()).is_ok_and(|has| has))?;
    Ok(())
}

#[snowglobe::test]
fn a_client_that_is_refused_gets_another_address() -> TestResult {
    let (lab, server, [one, _]) = lab(renewed())?;
    let before = lab[one].ipv4();
    let dhcp = lab[server].dhcp().ok_or("a server")?;
    dhcp.change(renewed().pool("10.0.0.50-10.0.0.60"))?;
    lab.wait_until(|| lab[one].ipv4().is_some_and(|it| it.octets()[3] <= 60))?;
    let said = changes(&lab, "one");
    assert_eq!(said, [before, None, lab[one].ipv4()]);

    let wrong = dhcp
        .change(renewed().pool("10.9.0.1-10.9.0.2"))
        .unwrap_err();
    assert!(wrong.to_string().contains("nothing to give"), "{wrong}");
    assert!(dhcp.change(renewed().pool("nonsense")).is_err());
    Ok(())
}

#[snowglobe::test]
fn a_node_that_starts_again_has_a_lease_again() -> TestResult {
    let (lab, _, [one, two]) = lab(DhcpSpec::new())?;
    let before = lab[one].ipv4();
    for crash in [false, true] {
        if crash {
            lab[one].crash()?;
        }
        lab[one].restart()?;
        assert_eq!(lab[one].ipv4(), before, "the server knows it");
        let listener = lab[one].run(|| TcpListener::bind("0.0.0.0:0"))?;
        let to = SocketAddr::new(lab[one].ip(), listener.local_addr()?.port());
        lab[two].run(|| TcpStream::connect(to))?;
    }
    Ok(())
}

#[snowglobe::test]
fn a_node_that_starts_again_gives_up_the_address_that_it_had() -> TestResult {
    let (lab, server, [one, _]) = lab(DhcpSpec::new())?;
    let before = lab[one].ipv4();
    let dhcp = lab[server].dhcp().ok_or("a server")?;
    // The server gives other addresses now, of which the node does not hear for hours.
    dhcp.change(DhcpSpec::new().pool("10.0.0.50-10.0.0.60"))?;
    lab[one].restart()?;
    let now = lab[one].ipv4();
    let of_network = |it: IpAddr| it.is_ipv4() && !it.is_loopback();
    let own: Vec<IpAddr> = lab
        .inspect(one)?
        .addresses
        .iter()
        .map(|it| it.address)
        .collect();
    let own: Vec<IpAddr> = own.into_iter().filter(|it| of_network(*it)).collect();
    assert_eq!(own, Vec::from_iter(now.map(IpAddr::V4)));
    assert_eq!(changes(&lab, "one"), [before, None, now]);
    assert_ne!(now, before);
    Ok(())
}

#[snowglobe::test]
fn a_pool_that_is_too_small_is_an_error_that_names_the_node() -> TestResult {
    let mut topology = Topology::new();
    topology.families(Families::V4);
    let lan = topology.switch("lan");
    let dhcp = DhcpSpec::new().pool("10.0.0.100-10.0.0.100");
    let server = topology.node(NodeSpec::new("server").dhcp(dhcp));
    topology.plug(server, lan);
    let one = topology.node(NodeSpec::new("one").addresses(AddressSource::Dhcp));
    topology.plug(one, lan);
    let mut lab = topology.start()?;
    lab.set_patience(Duration::from_millis(500));
    let error = lab.grow(|topology| {
        let two = topology.node(NodeSpec::new("two").addresses(AddressSource::Dhcp));
        let lan = topology.find_switch("lan").unwrap();
        topology.plug(two, lan);
    });
    let said = error.unwrap_err().to_string();
    assert!(
        said.contains("`two`") && said.contains("no DHCP server has given"),
        "{said}"
    );
    // The lab is as it was.
    assert_eq!(lab.nodes().count(), 2);
    assert!(lab[one].ipv4().is_some());
    Ok(())
}
