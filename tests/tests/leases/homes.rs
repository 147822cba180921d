//! Home routers that get their own address from a provider, and give addresses to their hosts.

use snowglobe::dhcp::{AddressSource, DhcpSpec};
use snowglobe::dhcp6::Dhcp6Spec;
use snowglobe::ndp::AdvertiseSpec;
use snowglobe::prelude::*;
use snowglobe::topology::nat::{Hairpinning, NatEngine, NatProtocol, NatSpec, preset};
use snowglobe::topology::{NodeId, V6Nat};
use snowglobe_tests::traffic::socket;

/// A provider, a home, a host there, and a server on the Internet.
struct Provided {
    lab: Lab,
    isp: NodeId,
    home: NodeId,
    laptop: NodeId,
    server: NodeId,
    listener: TcpListener,
}

fn provided(nat: NatSpec) -> TestResult<Provided> {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let isp = topology.router(RouterSpec::new("isp").node(|node| node.dhcp(pool(100))));
    topology.uplink(isp, internet);
    let home = RouterSpec::home("home").nat(nat);
    let asks = |node: NodeSpec| node.addresses(AddressSource::Dhcp).dhcp(DhcpSpec::new());
    let home = topology.router(home.node(asks));
    let access = LinkSpec::new().subnet("100.64.0.0/24");
    topology.uplink_with(home, isp, access);
    let lan = topology.switch(SwitchSpec::new("lan").subnet("192.168.1.0/24"));
    topology.plug(home, lan);
    let laptop = topology.node(NodeSpec::new("laptop").addresses(AddressSource::Dhcp));
    topology.plug(laptop, lan);
    let server = topology.node("server");
    topology.link(server, internet);
    let lab = topology.start()?;
    let listener = lab[server].run(|| TcpListener::bind("0.0.0.0:80"))?;
    Ok(Provided {
        lab,
        isp,
        home,
        laptop,
        server,
        listener,
    })
}

/// Returns a server whose clients soon hear of a change.
fn pool(first: u8) -> DhcpSpec {
    DhcpSpec::new()
        .renew_after(Duration::from_secs(1))
        .pool(format!("100.64.0.{first}-100.64.0.{}", first + 9))
}

impl Provided {
    /// Connects the laptop to the server, and returns where the server sees it.
    fn seen(&self) -> TestResult<IpAddr> {
        let to = (self.lab[self.server].ip(), 80);
        let _connected = self.lab[self.laptop].run(|| TcpStream::connect(to))?;
        Ok(self.listener.accept()?.1.ip())
    }
}

#[snowglobe::test]
fn a_home_translates_to_the_address_that_it_is_given_and_follows_it_to_another() -> TestResult {
    for nat in [preset::home(), preset::full_cone()] {
        let nat = nat.forward(NatProtocol::Tcp, 8080, "192.168.1.1:80".parse()?);
        let it = provided(nat)?;
        let (lab, home) = (&it.lab, it.home);
        let own = lab[home].ipv4().ok_or("an address")?;
        assert_eq!(own.octets()[..3], [100, 64, 0]);
        assert!((100..=109).contains(&own.octets()[3]), "{own}");
        // The network behind it is that of the plan, and is served by the home itself.
        let laptop = lab[it.laptop].ipv4().ok_or("an address")?;
        assert_eq!(laptop.octets()[..3], [192, 168, 1]);
        assert_eq!(
            lab[home].dhcp().ok_or("a server")?.leases()[0].address,
            laptop
        );
        assert_eq!(it.seen()?, own);
        let mappings = lab.nat(home)?.mappings()?;
        let of_laptop = mappings.iter().find(|it| *it.inside.ip() == laptop);
        assert_eq!(of_laptop.map(|it| *it.outside.ip()), Some(own));
        let forwarded = mappings.iter().find(|it| it.outside.port() == 8080);
        assert_eq!(forwarded.map(|it| *it.outside.ip()), Some(own));

        let isp = lab[it.isp].dhcp().ok_or("a server")?;
        isp.change(pool(200))?;
        lab.wait_until(|| lab[home].ipv4().is_some_and(|it| it.octets()[3] >= 200))?;
        let now = lab[home].ipv4().map(IpAddr::V4);
        assert_eq!(Some(it.seen()?), now);
    }
    Ok(())
}

#[snowglobe::test]
fn a_home_that_masquerades_without_a_firewall_has_an_address_by_dhcpv6() -> TestResult {
    let mut topology = Topology::new();
    let serves = |node: NodeSpec| {
        let node = node.dhcp6(Dhcp6Spec::new());
        node.advertise(AdvertiseSpec::new().managed())
    };
    let isp = topology.router(RouterSpec::new("isp").node(serves));
    let home = RouterSpec::new("home").nat_v6(V6Nat::Masquerade);
    let home = topology.router(home.node(|node| node.addresses_v6(AddressSource::Dhcp)));
    topology.uplink(home, isp);
    let laptop = topology.node("laptop");
    topology.link(laptop, home);
    let lab = topology.start()?;
    let own = lab[home].ipv6().ok_or("an address")?;
    assert_eq!(lab[isp].dhcp6().ok_or("a server")?.leases().len(), 1);
    let to = SocketAddr::new(lab[isp].ipv6().ok_or("an address")?.into(), 80);
    let listener = lab[isp].run(|| TcpListener::bind("[::]:80"))?;
    let _connected = lab[laptop].run(|| TcpStream::connect(to))?;
    let seen = listener.accept()?.1.ip();
    let inspection = lab.inspect(home)?;
    assert!(inspection.addresses.iter().any(|it| it.address == seen));
    assert_ne!(Some(seen), lab[laptop].ipv6().map(IpAddr::V6), "{own}");
    Ok(())
}

#[snowglobe::test]
fn a_home_that_starts_again_has_an_address_again_whatever_translates() -> TestResult {
    for nat in [preset::home(), preset::full_cone(), preset::hotel()] {
        let it = provided(nat)?;
        let home = &it.lab[it.home];
        let before = it.seen()?;
        home.kill_processes()?;
        home.restart()?;
        assert_eq!(it.seen()?, before);
        home.crash()?;
        home.restart()?;
        assert_eq!(it.seen()?, before);
    }
    Ok(())
}

/// A home whose uplink has its address by DHCP, two hosts there, and a port that leads to the
/// first.
struct Hairpins {
    lab: Lab,
    isp: NodeId,
    home: NodeId,
    host: NodeId,
    other: NodeId,
}

const FORWARDED: u16 = 8000;

/// Returns a NAT of an engine that hairpins in a way.
fn hairpinning(engine: NatEngine, how: Hairpinning) -> TestResult<NatSpec> {
    let nat = match engine {
        NatEngine::Nftables => preset::home(),
        NatEngine::Userspace | NatEngine::Auto => preset::port_restricted_cone(),
    };
    let nat = NatSpec {
        engine,
        hairpinning: how,
        ..nat
    };
    Ok(nat.forward(NatProtocol::Udp, FORWARDED, "192.168.1.2:5000".parse()?))
}

impl Hairpins {
    fn new(nat: NatSpec) -> TestResult<Self> {
        let mut topology = Topology::new();
        let isp = topology.router(RouterSpec::new("isp").node(|node| node.dhcp(pool(100))));
        let home = RouterSpec::home("home").nat(nat);
        let home = topology.router(home.node(|node| node.addresses(AddressSource::Dhcp)));
        let access = LinkSpec::new().subnet("100.64.0.0/24");
        topology.uplink_with(home, isp, access);
        let lan = topology.switch(SwitchSpec::new("lan").subnet("192.168.1.0/24"));
        topology.plug(home, lan);
        let [host, other] = ["host", "other"].map(|name| {
            let node = topology.node(name);
            topology.plug(node, lan);
            node
        });
        Ok(Self {
            lab: topology.start()?,
            isp,
            home,
            host,
            other,
        })
    }

    fn external(&self) -> TestResult<IpAddr> {
        let own = self.lab[self.home].ipv4().ok_or("an address")?;
        Ok(own.into())
    }

    /// Sends a datagram to the forwarded port and an answer back, and returns the address that the
    /// host sees.
    fn meet(&self) -> TestResult<IpAddr> {
        let host = socket(&self.lab[self.host], Ipv4Addr::UNSPECIFIED, 5000);
        let other = socket(&self.lab[self.other], Ipv4Addr::UNSPECIFIED, 0);
        let to = SocketAddr::new(self.external()?, FORWARDED);
        other.send_to(b"ping", to)?;
        let (_, source) = host.recv_from(&mut [0; 9])?;
        host.send_to(b"pong", source)?;
        let (_, answered) = other.recv_from(&mut [0; 9])?;
        assert_eq!(answered, to);
        Ok(source.ip())
    }

    /// Returns the error of a datagram to the forwarded port.
    fn refused(&self) -> TestResult<std::io::ErrorKind> {
        let other = socket(&self.lab[self.other], Ipv4Addr::UNSPECIFIED, 0);
        other.connect((self.external()?, FORWARDED))?;
        other.send(b"ping")?;
        let error = other.recv(&mut [0; 9]).expect_err("nobody answers");
        Ok(error.kind())
    }
}

#[snowglobe::test]
fn hosts_at_home_meet_at_an_address_that_dhcp_has_given() -> TestResult {
    for engine in [NatEngine::Nftables, NatEngine::Userspace] {
        let nat = hairpinning(engine, Hairpinning::ExternalSource)?;
        let mut it = Hairpins::new(nat.clone())?;
        assert_eq!(it.meet()?, it.external()?, "{engine}");
        // Another address is as good.
        it.lab[it.isp].dhcp().ok_or("a server")?.change(pool(200))?;
        let last = |lab: &Lab| lab[it.home].ipv4().map(|ip| ip.octets()[3]);
        it.lab
            .wait_until(|| last(&it.lab).is_some_and(|it| it >= 200))?;
        assert_eq!(it.meet()?, it.external()?, "{engine}");
        // So is the address that the router has after it was started again.
        it.lab[it.home].crash()?;
        it.lab[it.home].restart()?;
        assert_eq!(it.meet()?, it.external()?, "{engine}");
        // The router itself is asked where that is wanted.
        let to_router = hairpinning(engine, Hairpinning::ToRouter)?;
        it.lab
            .change_router(it.home, |router| router.nat(to_router))?;
        assert_eq!(it.refused()?, std::io::ErrorKind::ConnectionRefused);
        it.lab.change_router(it.home, |router| router.nat(nat))?;
        assert_eq!(it.meet()?, it.external()?, "{engine}");
    }
    Ok(())
}

#[snowglobe::test]
fn what_hosts_at_home_send_to_a_leased_address_vanishes_without_hairpinning() -> TestResult {
    for engine in [NatEngine::Nftables, NatEngine::Userspace] {
        let it = Hairpins::new(hairpinning(engine, Hairpinning::Off)?)?;
        let home = &it.lab[it.home];
        let service = home.run(|| TcpListener::bind("0.0.0.0:80"))?;
        let other = socket(&it.lab[it.other], Ipv4Addr::UNSPECIFIED, 0);
        for port in [FORWARDED, 80] {
            other.send_to(b"ping", (it.external()?, port))?;
        }
        let dropped = || -> TestResult<u64> {
            let counters = home.firewall_counters()?;
            let hairpins = counters.iter().filter(|it| it.rule == "nat-hairpin");
            Ok(hairpins.map(|it| it.packets).sum())
        };
        it.lab.wait_until(|| dropped().is_ok_and(|it| it == 2))?;
        // The router has its own address, and hosts reach it by the one inside.
        let own = (it.external()?, 80);
        home.run(|| TcpStream::connect(own))?;
        it.lab[it.other].run(|| TcpStream::connect("192.168.1.1:80"))?;
        for _ in 0..2 {
            service.accept()?;
        }
        assert!(other.take_error()?.is_none(), "{engine}");
    }
    Ok(())
}
