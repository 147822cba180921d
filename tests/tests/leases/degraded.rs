//! A host whose addresses come over a link of its own: the link gets another carrier while servers
//! and clients listen at both of its ends.

use snowglobe::dhcp::{AddressSource, DhcpSpec};
use snowglobe::dhcp6::Dhcp6Spec;
use snowglobe::impair::Impairment;
use snowglobe::ndp::AdvertiseSpec;
use snowglobe::prelude::*;
use snowglobe::topology::nat::preset as nat;
use snowglobe::topology::{LinkId, NodeId};

/// The time after which clients ask again.
const SOON: Duration = Duration::from_secs(1);

fn slow() -> Impairment {
    Impairment {
        delay: Duration::from_millis(5),
        ..Impairment::NONE
    }
}

/// A router and a phone on one cable.
struct Cable {
    lab: Lab,
    router: NodeId,
    phone: NodeId,
    link: LinkId,
}

impl Cable {
    fn new(router: NodeSpec, phone: NodeSpec) -> TestResult<Self> {
        let mut topology = Topology::new();
        let router = topology.node(router.forward(true));
        let phone = topology.node(phone);
        let link = topology.link(phone, router);
        Ok(Self {
            lab: topology.start()?,
            router,
            phone,
            link,
        })
    }
}

/// Checks that the servers of a router are asked again, and that the client has what they give.
fn check_asked_again(lab: &Lab, router: NodeId, client: NodeId) -> TestResult {
    let (v4, v6) = (lab[router].dhcp(), lab[router].dhcp6());
    if let Some(v4) = v4 {
        v4.forget_leases();
        let given = || v4.leases().first().map(|it| it.address);
        lab.wait_until(|| given().is_some_and(|it| lab[client].ipv4() == Some(it)))?;
    }
    if let Some(v6) = v6 {
        v6.forget_leases();
        lab.wait_until(|| !v6.leases().is_empty() && lab[client].ipv6().is_some())?;
    }
    Ok(())
}

fn v4(router: NodeSpec) -> NodeSpec {
    router.dhcp(DhcpSpec::new().renew_after(SOON))
}

fn v6(router: NodeSpec) -> NodeSpec {
    let router = router.advertise(AdvertiseSpec::new().managed());
    router.dhcp6(Dhcp6Spec::new().renew_after(SOON))
}

#[snowglobe::test]
fn leases_are_renewed_over_a_link_that_degrades_and_heals() -> TestResult {
    let router = || NodeSpec::new("router");
    let phone = || NodeSpec::new("phone");
    for (router, phone) in [
        (v4(router()), phone().addresses(AddressSource::Dhcp)),
        (v6(router()), phone().addresses_v6(AddressSource::Dhcp)),
        (
            v4(v6(router())),
            phone()
                .addresses(AddressSource::Dhcp)
                .addresses_v6(AddressSource::Dhcp),
        ),
    ] {
        let cable = Cable::new(router, phone)?;
        let lab = &cable.lab;
        let degraded = lab[cable.link].degrade(slow())?;
        check_asked_again(lab, cable.router, cable.phone)?;
        degraded.heal()?;
        check_asked_again(lab, cable.router, cable.phone)?;
        let to = SocketAddr::new(lab[cable.router].ip(), 80);
        let listener = lab[cable.router].run(|| TcpListener::bind("[::]:80"))?;
        lab[cable.phone].run(|| TcpStream::connect(to))?;
        listener.accept()?;
    }
    Ok(())
}

#[snowglobe::test]
fn a_prefix_is_advertised_over_a_link_that_degrades() -> TestResult {
    let router = NodeSpec::new("router").advertise(AdvertiseSpec::new());
    let cable = Cable::new(router, NodeSpec::new("phone").autoconfigure())?;
    let lab = &cable.lab;
    let _degraded = lab[cable.link].degrade(slow())?;
    let other = AdvertiseSpec::new().prefix("2001:db8:5::/64");
    let advertiser = lab[cable.router].advertiser().ok_or("an advertiser")?;
    advertiser.change(other)?;
    let is_new = |it: Ipv6Addr| it.segments()[..4] == [0x2001, 0xdb8, 5, 0];
    lab.wait_until(|| lab[cable.phone].ipv6().is_some_and(is_new))?;
    Ok(())
}

#[snowglobe::test]
fn a_home_with_a_lease_gets_a_nat_on_the_wire_of_its_uplink() -> TestResult {
    let mut topology = Topology::new();
    let isp = topology.router(RouterSpec::new("isp").node(v4));
    let home = RouterSpec::home("home").node(|node| node.addresses(AddressSource::Dhcp));
    let home = topology.router(home);
    topology.uplink(home, isp);
    let laptop = topology.node("laptop");
    topology.link(laptop, home);
    let mut lab = topology.start()?;
    let listener = lab[isp].run(|| TcpListener::bind("0.0.0.0:80"))?;
    let to = SocketAddr::new(lab[isp].ip(), 80);
    for nat in [nat::full_cone(), nat::home(), nat::symmetric()] {
        lab.change_router(home, |it| it.nat(nat))?;
        check_asked_again(&lab, isp, home)?;
        let _stream = lab[laptop].run(|| TcpStream::connect(to))?;
        let (_, from) = listener.accept()?;
        assert_eq!(Some(from.ip()), lab[home].ipv4().map(IpAddr::V4));
    }
    Ok(())
}
