//! Forwarded ports and hairpinning, by both engines: from outside, and from hosts behind the same
//! router.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use snowglobe::lab::{Lab, Node};
use snowglobe::prelude::*;
use snowglobe::topology::nat::{Hairpinning, NatEngine, NatProtocol, NatSpec, preset};
use snowglobe::topology::{EndSpec, Firewall, FirewallAction, FirewallRule, NodeId};

use crate::changes::check_hairpins;
use crate::world::{PATIENCE, World, socket};

/// The forwarded ports, of UDP and of TCP, and the port of the host that they lead to.
const OUTSIDE: [u16; 2] = [8000, 8001];
const INSIDE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 7, 2), 5000);

/// Two hosts behind a router with forwarded ports, and a host in front of it.
struct Home {
    lab: Lab,
    router: NodeId,
    host: NodeId,
    other: NodeId,
    stranger: NodeId,
}

/// Returns a NAT that an engine carries, and that hairpins as asked.
fn carried(engine: NatEngine, hairpinning: Hairpinning) -> NatSpec {
    let nat = match engine {
        NatEngine::Nftables => preset::home(),
        NatEngine::Userspace | NatEngine::Auto => preset::port_restricted_cone(),
    };
    NatSpec {
        engine,
        hairpinning,
        ..nat
    }
}

impl Home {
    fn new(nat: NatSpec, firewall: Option<Firewall>) -> TestResult<Home> {
        let nat = nat.forward(NatProtocol::Udp, OUTSIDE[0], INSIDE).forward(
            NatProtocol::Tcp,
            OUTSIDE[1],
            INSIDE,
        );
        Self::with(nat, firewall)
    }

    /// Starts the home without forwarded ports.
    fn with(nat: NatSpec, firewall: Option<Firewall>) -> TestResult<Home> {
        let mut router = RouterSpec::new("router").nat(nat);
        if let Some(firewall) = firewall {
            router = router.firewall(firewall);
        }
        let mut topology = Topology::new();
        let internet = topology.internet();
        let router = topology.router(router);
        topology.uplink(router, internet);
        let lan = topology.switch(SwitchSpec::new("lan").subnet("192.168.7.0/24"));
        topology.plug(router, lan);
        let [host, other] = [("host", 2), ("other", 3)].map(|(name, number)| {
            let node = topology.node(name);
            let end = EndSpec::new().address(format!("192.168.7.{number}/24"));
            topology.plug_with(node, lan, LinkSpec::new().a(end));
            node
        });
        let stranger = topology.node("stranger");
        topology.link(stranger, internet);
        Ok(Home {
            lab: topology.start()?,
            router,
            host,
            other,
            stranger,
        })
    }

    /// Returns the external address and one of the forwarded ports.
    fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.lab[self.router].ip(), port)
    }

    /// Sends a datagram to the forwarded port and an answer back, and returns the address that the
    /// host sees.
    fn by_udp(&self, from: &Node) -> TestResult<IpAddr> {
        let host = socket(&self.lab[self.host], Ipv4Addr::UNSPECIFIED, INSIDE.port());
        let asker = socket(from, Ipv4Addr::UNSPECIFIED, 0);
        asker.send_to(b"ping", self.at(OUTSIDE[0]))?;
        let mut buffer = [0; 100];
        let (_, source) = host.recv_from(&mut buffer)?;
        host.send_to(b"pong", source)?;
        let (_, answered) = asker.recv_from(&mut buffer)?;
        assert_eq!(answered, self.at(OUTSIDE[0]), "the answer comes from there");
        Ok(source.ip())
    }

    /// Connects to the forwarded port, and returns the address that the host sees.
    fn by_tcp(&self, from: &Node) -> TestResult<IpAddr> {
        let listener = self.lab[self.host].run(|| TcpListener::bind(("0.0.0.0", INSIDE.port())))?;
        let to = self.at(OUTSIDE[1]);
        let mut stream = from.run(|| TcpStream::connect_timeout(&to, PATIENCE))?;
        let (mut accepted, source) = listener.accept()?;
        accepted.write_all(b"hello")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.read_exact(&mut [0; 5])?;
        Ok(source.ip())
    }
}

const ENGINES: [NatEngine; 2] = [NatEngine::Nftables, NatEngine::Userspace];

#[snowglobe::test]
fn forwarded_ports_lead_in_from_outside_past_the_firewall() -> TestResult {
    for engine in ENGINES {
        for firewall in [None, Some(Firewall::inbound_block())] {
            let home = Home::new(carried(engine, Hairpinning::Off), firewall)?;
            assert_eq!(home.lab.nat(home.router)?.engine(), engine);
            let stranger = &home.lab[home.stranger];
            assert_eq!(home.by_udp(stranger)?, stranger.ip(), "{engine}");
            assert_eq!(home.by_tcp(stranger)?, stranger.ip(), "{engine}");
        }
    }
    Ok(())
}

/// The rules of so many ports are longer than what a netlink socket takes by default.
#[snowglobe::test]
fn five_hundred_ports_are_forwarded() -> TestResult {
    for engine in ENGINES {
        let mut nat = carried(engine, Hairpinning::ToRouter);
        for port in 20_000..20_500 {
            let to = SocketAddrV4::new(*INSIDE.ip(), port);
            nat = nat.forward(NatProtocol::Tcp, port, to);
        }
        let home = Home::new(nat, None)?;
        let listener = home.lab[home.host].run(|| TcpListener::bind("0.0.0.0:20499"))?;
        let to = home.at(20_499);
        home.lab[home.stranger].run(|| TcpStream::connect_timeout(&to, PATIENCE))?;
        listener.accept()?;
    }
    Ok(())
}

#[snowglobe::test]
fn forwarded_ports_lead_in_by_hairpin_at_the_address_of_the_uplink() -> TestResult {
    for engine in ENGINES {
        for firewall in [None, Some(Firewall::inbound_block())] {
            let home = Home::new(carried(engine, Hairpinning::ExternalSource), firewall)?;
            let (other, router) = (&home.lab[home.other], &home.lab[home.router]);
            assert_eq!(home.by_udp(other)?, router.ip(), "{engine}");
            assert_eq!(home.by_tcp(other)?, router.ip(), "{engine}");
            // Outside all is as it was.
            let stranger = &home.lab[home.stranger];
            assert_eq!(home.by_udp(stranger)?, stranger.ip(), "{engine}");
        }
    }
    Ok(())
}

#[snowglobe::test]
fn a_hairpin_keeps_the_source_where_that_is_asked_for() -> TestResult {
    for engine in ENGINES {
        let home = Home::new(carried(engine, Hairpinning::InternalSource), None)?;
        let (host, other) = (&home.lab[home.host], &home.lab[home.other]);
        let host = socket(host, Ipv4Addr::UNSPECIFIED, INSIDE.port());
        let asker = socket(other, Ipv4Addr::UNSPECIFIED, 0);
        asker.send_to(b"ping", home.at(OUTSIDE[0]))?;
        let (_, source) = host.recv_from(&mut [0; 100])?;
        assert_eq!(source.ip(), other.ip(), "{engine}");
    }
    Ok(())
}

#[snowglobe::test]
fn a_host_inside_hears_of_a_datagram_that_came_back_and_was_refused() -> TestResult {
    for engine in ENGINES {
        // Nobody listens at the forwarded port.
        let home = Home::new(carried(engine, Hairpinning::ExternalSource), None)?;
        let asker = socket(&home.lab[home.other], Ipv4Addr::UNSPECIFIED, 0);
        asker.connect(home.at(OUTSIDE[0]))?;
        asker.send(b"anybody?")?;
        let error = asker.recv(&mut [0; 10]).expect_err("port unreachable");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{engine}");
    }
    Ok(())
}

/// Returns the NAT of [`Home`] that hairpins as asked, with its forwarded ports.
fn forwarding(engine: NatEngine, hairpinning: Hairpinning) -> NatSpec {
    carried(engine, hairpinning)
        .forward(NatProtocol::Udp, OUTSIDE[0], INSIDE)
        .forward(NatProtocol::Tcp, OUTSIDE[1], INSIDE)
}

#[snowglobe::test]
fn hairpins_are_switched_to_the_router_itself_and_back() -> TestResult {
    for engine in ENGINES {
        let mut home = Home::new(carried(engine, Hairpinning::ExternalSource), None)?;
        let (udp, tcp) = (home.at(OUTSIDE[0]), home.at(OUTSIDE[1]));
        home.by_tcp(&home.lab[home.other])?;
        let nat = forwarding(engine, Hairpinning::ToRouter);
        home.lab.change_router(home.router, |it| it.nat(nat))?;
        let other = &home.lab[home.other];
        // Nobody listens in the router itself, and its kernel says so.
        let asker = socket(other, Ipv4Addr::UNSPECIFIED, 0);
        asker.connect(udp)?;
        asker.send(b"ping")?;
        let error = asker.recv(&mut [0; 10]).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{engine}");
        let error = other.run(|| TcpStream::connect_timeout(&tcp, PATIENCE));
        let error = error.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{engine}");
        let nat = forwarding(engine, Hairpinning::ExternalSource);
        home.lab.change_router(home.router, |it| it.nat(nat))?;
        assert_eq!(home.by_udp(&home.lab[home.other])?, udp.ip(), "{engine}");
    }
    Ok(())
}

/// The rule by which a router drops packets of hosts inside to its external address.
const HAIRPIN: &str = "nat-hairpin";

/// Returns how many packets a router has dropped by a rule.
fn dropped(router: &Node, rule: &str) -> TestResult<u64> {
    let counters = router.firewall_counters()?;
    let counted = counters.iter().filter(|it| it.rule == rule);
    Ok(counted.map(|it| it.packets).sum())
}

/// Waits until a router has dropped a number of packets by a rule.
fn wait_for_drops(router: &Node, rule: &str, wanted: u64) -> TestResult {
    let until = Instant::now() + PATIENCE;
    while dropped(router, rule)? < wanted {
        assert!(Instant::now() < until, "{wanted} packets are dropped");
        thread::yield_now();
    }
    Ok(())
}

#[snowglobe::test]
fn without_hairpinning_packets_to_the_external_address_vanish() -> TestResult {
    for engine in ENGINES {
        let mut home = Home::new(carried(engine, Hairpinning::ExternalSource), None)?;
        let (udp, tcp) = (home.at(OUTSIDE[0]), home.at(OUTSIDE[1]));
        home.by_tcp(&home.lab[home.other])?;
        let nat = forwarding(engine, Hairpinning::Off);
        home.lab.change_router(home.router, |it| it.nat(nat))?;
        let (other, router) = (&home.lab[home.other], &home.lab[home.router]);
        let service = router.run(|| TcpListener::bind(("0.0.0.0", 80)))?;
        let asker = socket(other, Ipv4Addr::UNSPECIFIED, 0);
        asker.connect(udp)?;
        asker.send(b"ping")?;
        wait_for_drops(router, HAIRPIN, 1)?;
        for to in [tcp, SocketAddr::new(tcp.ip(), 80)] {
            let patience = Duration::from_millis(50);
            let error = other.run(|| TcpStream::connect_timeout(&to, patience));
            assert_eq!(error.expect_err("silence").kind(), ErrorKind::TimedOut);
        }
        wait_for_drops(router, HAIRPIN, 3)?;
        // A refusal of the datagram would have come before the answer to the next question.
        let inside = SocketAddr::new(Ipv4Addr::new(192, 168, 7, 1).into(), 80);
        other.run(|| TcpStream::connect_timeout(&inside, PATIENCE))?;
        service.accept()?;
        assert!(asker.take_error()?.is_none(), "{engine}");
        // The router reaches its own address, and is reached from outside, where nothing else has
        // the port.
        let own = SocketAddr::new(tcp.ip(), 80);
        router.run(|| TcpStream::connect_timeout(&own, PATIENCE))?;
        let stranger = &home.lab[home.stranger];
        assert_eq!(home.by_udp(stranger)?, stranger.ip(), "{engine}");
        // Switched on again, all is as it was.
        let nat = forwarding(engine, Hairpinning::ExternalSource);
        home.lab.change_router(home.router, |it| it.nat(nat))?;
        assert_eq!(home.by_udp(&home.lab[home.other])?, udp.ip(), "{engine}");
    }
    Ok(())
}

#[snowglobe::test]
fn two_hosts_behind_a_cone_meet_at_the_address_of_the_uplink() -> TestResult {
    check_hairpins(false)
}

#[snowglobe::test]
fn a_service_of_the_router_is_reached_at_its_external_address_from_inside() -> TestResult {
    let world = World::new(preset::full_cone())?;
    let router = &world.lab[world.router];
    let listener = router.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let to = SocketAddr::new(router.ip(), 80);
    let stream = world.lab[world.inside].run(|| TcpStream::connect_timeout(&to, PATIENCE))?;
    let (mut accepted, from) = listener.accept()?;
    accepted.write_all(b"hello")?;
    (&stream).read_exact(&mut [0; 5])?;
    assert_eq!(from.port(), stream.local_addr()?.port());
    Ok(())
}

#[snowglobe::test]
fn a_service_of_the_router_gets_fragments_at_its_external_address_from_inside() -> TestResult {
    for engine in ENGINES {
        let home = Home::new(carried(engine, Hairpinning::ExternalSource), None)?;
        let service = socket(&home.lab[home.router], Ipv4Addr::UNSPECIFIED, 53);
        let asker = socket(&home.lab[home.other], Ipv4Addr::UNSPECIFIED, 0);
        asker.send_to(&[7; 3000], home.at(53))?;
        let mut buffer = [0; 4000];
        let (length, from) = service.recv_from(&mut buffer)?;
        assert_eq!((length, from.ip()), (3000, home.lab[home.other].ip()));
        // A refusal of what the service has sent reaches the kernel of the router.
        drop(asker);
        let service = home.lab[home.router].run(|| UdpSocket::bind(home.at(54)))?;
        service.set_read_timeout(Some(PATIENCE))?;
        service.connect(from)?;
        service.send(b"late")?;
        let error = service.recv(&mut buffer).expect_err("port unreachable");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{engine}");
    }
    Ok(())
}

/// Returns what is said of a port that a router forwards to an address: behind the router are a
/// network of its own and one behind another router, and a network is joined to neither.
fn forwarded_to(to: &str) -> TestResult<Result<(), String>> {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let nat = preset::home().forward(NatProtocol::Tcp, 8080, to.parse()?);
    let home = topology.router(RouterSpec::home("home").nat(nat));
    let uplink = LinkSpec::new().addresses("198.51.100.2/24", "198.51.100.1");
    topology.uplink_with(home, internet, uplink);
    let lan = topology.switch(SwitchSpec::new("lan").subnet("192.168.7.0/24"));
    topology.plug(home, lan);
    let lab = topology.router("cellar");
    topology.uplink_with(lab, home, LinkSpec::new().subnet("192.168.8.0/30"));
    let host = topology.node("host");
    topology.link_with(host, lab, LinkSpec::new().subnet("192.168.9.0/24"));
    Ok(topology.validate().map_err(|error| error.to_string()))
}

#[snowglobe::test]
fn a_port_that_is_forwarded_to_nobody_is_refused() -> TestResult {
    for somebody in [
        "192.168.7.1:80",
        "192.168.7.200:80",
        "192.168.8.2:80",
        "192.168.9.5:80",
    ] {
        assert_eq!(forwarded_to(somebody)?, Ok(()), "{somebody}");
    }
    for nobody in [
        "192.168.6.2:80",
        "192.168.7.255:80",
        "192.168.9.0:80",
        "198.51.100.1:80",
        "127.0.0.1:80",
        "0.0.0.0:80",
        "224.0.0.1:80",
    ] {
        let error = forwarded_to(nobody)?.expect_err(nobody);
        let said = format!("node `home` forwards port 8080 to `{nobody}`");
        assert!(error.contains(&said), "{error}");
        assert!(error.contains("`192.168.7.0/24`"), "{error}");
    }
    Ok(())
}

#[snowglobe::test]
fn a_running_router_forwards_no_port_to_nobody() -> TestResult {
    let mut home = Home::new(carried(NatEngine::Userspace, Hairpinning::Off), None)?;
    let nat = preset::home().forward(NatProtocol::Udp, 1, "10.77.0.1:1".parse()?);
    let error = home.lab.change_router(home.router, |it| it.nat(nat));
    let error = error.expect_err("nobody is there").to_string();
    assert!(error.contains("no host behind the router"), "{error}");
    assert_eq!(
        home.by_udp(&home.lab[home.stranger])?,
        home.lab[home.stranger].ip()
    );
    let nat = NatSpec::one_to_one("10.77.0.1".parse()?);
    let error = home.lab.change_router(home.router, |it| it.nat(nat));
    let error = error.expect_err("nobody is there").to_string();
    assert!(error.contains("packets to `10.77.0.1`"), "{error}");
    // A router that loses a network keeps the ports that lead there.
    let link = home.lab.topology().links().last().ok_or("a link")?;
    home.lab.remove_link(link)?;
    Ok(())
}

#[snowglobe::test]
fn a_host_with_an_address_of_its_own_outside_is_reached_at_all_ports() -> TestResult {
    let nat = NatSpec::one_to_one(*INSIDE.ip());
    let kept_out = Firewall::inbound_block();
    // A firewall that keeps strangers out does so for this host as for any other, until a rule lets
    // them in.
    let open = FirewallRule::inbound(FirewallAction::Accept)
        .tcp()
        .ports([443]);
    for (firewall, is_reached) in [
        (None, true),
        (Some(Firewall::home()), true),
        (Some(kept_out.clone()), false),
        (Some(kept_out.rule(open)), true),
    ] {
        let home = Home::with(nat.clone(), firewall)?;
        assert_eq!(home.lab.nat(home.router)?.engine(), NatEngine::Userspace);
        let (host, stranger) = (&home.lab[home.host], &home.lab[home.stranger]);
        let external = home.lab[home.router].ip();
        // The host is known by the external address and its own port.
        let one = socket(host, Ipv4Addr::UNSPECIFIED, 4001);
        let two = socket(stranger, Ipv4Addr::UNSPECIFIED, 4002);
        one.send_to(b"hello", (stranger.ip(), 4002))?;
        let (_, from) = two.recv_from(&mut [0; 10])?;
        assert_eq!(from, SocketAddr::new(external, 4001));
        // It is reached where it has said nothing, from inside in any case.
        let listener = host.run(|| TcpListener::bind("0.0.0.0:443"))?;
        let to = SocketAddr::new(external, 443);
        home.lab[home.other].run(|| TcpStream::connect_timeout(&to, PATIENCE))?;
        listener.accept()?;
        if is_reached {
            stranger.run(|| TcpStream::connect_timeout(&to, PATIENCE))?;
            continue;
        }
        // The counter tells that the firewall has kept the connection out, not the time.
        let router = &home.lab[home.router];
        let before = dropped(router, "inbound")?;
        let briefly = Duration::from_millis(50);
        let error = stranger.run(|| TcpStream::connect_timeout(&to, briefly));
        assert_eq!(error.expect_err("silence").kind(), ErrorKind::TimedOut);
        wait_for_drops(router, "inbound", before + 1)?;
    }
    Ok(())
}
