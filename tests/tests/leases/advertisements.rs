//! IPv6 addresses that hosts make of what routers advertise.

use snowglobe::dhcp6::Dhcp6Spec;
use snowglobe::ndp::AdvertiseSpec;
use snowglobe::prelude::*;
use snowglobe::topology::NodeId;

/// The time for which routers are good, who advertise themselves three times in it.
const LIFETIME: Duration = Duration::from_secs(3);

/// Returns a lab of a router and two hosts on a switch.
fn lab() -> TestResult<(Lab, NodeId, [NodeId; 2])> {
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    let router = NodeSpec::new("router")
        .forward(true)
        .advertise(AdvertiseSpec::new());
    let router = topology.node(router);
    topology.plug(router, lan);
    let hosts = ["one", "two"].map(|name| {
        let node = topology.node(NodeSpec::new(name).autoconfigure());
        topology.plug(node, lan);
        node
    });
    Ok((topology.start()?, router, hosts))
}

#[snowglobe::test]
fn hosts_make_addresses_of_the_prefix_and_have_a_default_route() -> TestResult {
    let (lab, router, [one, two]) = lab()?;
    let prefix = |address: Option<Ipv6Addr>| address.map(|it| it.segments()[..4].to_vec());
    assert!(lab[one].ipv6().is_some());
    assert_eq!(prefix(lab[one].ipv6()), prefix(lab[router].ipv6()));
    // From the MAC address (RFC 4291, appendix A).
    let planned = lab.plan().stack(one).interfaces[0].mac;
    let tail = lab[one].ipv6().ok_or("an address")?.segments()[7].to_be_bytes();
    assert_eq!(tail, planned[4..]);
    assert_ne!(lab[one].ipv6(), lab[two].ipv6());

    let listener = lab[one].run(|| TcpListener::bind("[::]:80"))?;
    let to = SocketAddr::new(lab[one].ipv6().ok_or("an address")?.into(), 80);
    lab[two].run(|| TcpStream::connect(to))?;
    let (_, peer) = listener.accept()?;
    assert_eq!(Some(peer.ip()), lab[two].ipv6().map(IpAddr::V6));
    let inspection = lab.inspect(one)?;
    let default = inspection
        .routes
        .iter()
        .find(|it| it.prefix == 0 && it.protocol == "ra");
    let via = default.and_then(|it| it.via).ok_or("a default route")?;
    assert!(
        matches!(via, IpAddr::V6(v6) if v6.is_unicast_link_local()),
        "{via}"
    );
    Ok(())
}

#[snowglobe::test]
fn a_prefix_changes_while_hosts_are_connected() -> TestResult {
    let (lab, router, [one, two]) = lab()?;
    let before = lab[one].ipv6().ok_or("an address")?;
    let listener = lab[one].run(|| TcpListener::bind("[::]:80"))?;
    let mut old = lab[two].run(|| TcpStream::connect((before, 80)))?;
    let (mut accepted, _) = listener.accept()?;

    let advertiser = lab[router].advertiser().ok_or("a router")?;
    advertiser.change(AdvertiseSpec::new().prefix("2001:db8:2::/64"))?;
    let new = |node: NodeId| {
        let address = lab[node].ipv6();
        address.filter(|it| it.segments()[..3] == [0x2001, 0xdb8, 2])
    };
    let now = lab.wait_until(|| new(one))?;
    lab.wait_until(|| new(two))?;
    // New connections are made from the new address, and the old one goes on.
    let fresh = lab[two].run(|| TcpStream::connect((now, 80)))?;
    assert_eq!(
        fresh.local_addr()?.ip(),
        IpAddr::V6(new(two).ok_or("an address")?)
    );
    old.write_all(b"!")?;
    assert_eq!(accepted.read(&mut [0; 1])?, 1);

    let wrong = advertiser.change(AdvertiseSpec::new().prefix("2001:db8::/48"));
    let wrong = wrong.unwrap_err().to_string();
    assert!(wrong.contains("is no /64"), "{wrong}");
    Ok(())
}

#[snowglobe::test]
fn a_host_that_comes_late_or_starts_again_asks_for_a_router() -> TestResult {
    let (mut lab, _, [one, _]) = lab()?;
    let before = lab[one].ipv6();
    lab[one].crash()?;
    lab[one].restart()?;
    assert_eq!(lab[one].ipv6(), before);
    let late = lab.grow(|topology| {
        let late = topology.node(NodeSpec::new("late").autoconfigure());
        let lan = topology.find_switch("lan").unwrap();
        topology.plug(late, lan);
        late
    })?;
    assert!(lab[late].ipv6().is_some());
    Ok(())
}

#[snowglobe::test]
fn advertisements_tell_of_name_servers_and_of_a_server_that_knows_the_rest() -> TestResult {
    let mut topology = Topology::new();
    let router = NodeSpec::new("router")
        .forward(true)
        .dns(snowglobe::dns::DnsSpec::new())
        .dhcp6(Dhcp6Spec::new())
        .advertise(AdvertiseSpec::new().other().lifetime(LIFETIME));
    let router = topology.node(router);
    let host = topology.node("host");
    let link = topology.link(host, router);
    let lab = topology.start()?;
    let recording = lab[link].record()?;
    let advertised = || {
        let packets = recording.packets();
        let last = packets.iter().rev().find(|it| it.icmp() == Some((134, 0)));
        last.map(|it| it.frame()[14 + 40..].to_vec())
    };
    // The next one comes by itself.
    let message = lab.wait_until(advertised)?;
    assert_eq!(
        message[5], 0x40,
        "the flag O and not M (RFC 4861, section 4.2)"
    );
    // RDNSS of one server: RFC 8106, section 5.1.
    let address = lab[router].ipv6().ok_or("an address")?;
    let seconds = u32::try_from(LIFETIME.as_secs())?.to_be_bytes();
    let option = [&[25, 3, 0, 0], &seconds[..], &address.octets()[..]].concat();
    assert!(
        message.windows(option.len()).any(|it| it == option),
        "no {option:?} in {message:?}"
    );
    Ok(())
}
