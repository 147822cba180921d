//! Behaviour discovery (RFC 5780) with coturn on the Internet.

use snowglobe::prelude::*;
use snowglobe::topology::nat::{Dependence, NatSpec, PortAssignment, preset};
use snowglobe::topology::{EndSpec, PrefixTranslation, StartCommand, V6Nat};

use crate::stun;
use crate::world::{SERVER, World};

const PORT: u16 = 3478;

/// Returns a node that runs coturn at both of the server's addresses and two ports.
pub(crate) fn turnserver(addresses: [IpAddr; 2]) -> TestResult<NodeSpec> {
    let [first, second] = addresses;
    let serve = StartCommand::new("turnserver")
        .args(["-n", "--stun-only", "--no-tls", "--no-dtls", "--no-cli"])
        .args(["--log-file=stdout", "--pidfile=/tmp/turnserver.pid"])
        // One thread, so that answers keep the order of requests.
        .args(["--relay-threads=0", "--db=/tmp/turndb"])
        .args(["--listening-port=3478", "--alt-listening-port=3479"])
        .args([
            format!("--listening-ip={first}"),
            format!("--listening-ip={second}"),
        ]);
    Ok(NodeSpec::new("server")
        .rootfs(&Fixture::find("coturn")?)
        .command(serve))
}

/// Returns the mapping and the filtering that STUN finds out behind a NAT.
fn discovered(nat: NatSpec) -> TestResult<[Dependence; 2]> {
    let world = World::with_server(nat, turnserver(SERVER.map(IpAddr::from))?)?;
    let server = SocketAddr::from((SERVER[0], PORT));
    let mapping = stun::mapping(&world.inside(), server);
    // Another socket, whose mapping has sent to nobody else yet.
    Ok([mapping, stun::filtering(&world.inside(), server)])
}

#[snowglobe::test(fixtures("coturn"))]
fn stun_finds_out_each_of_the_nine_behaviours() -> TestResult {
    for mapping in Dependence::ALL {
        for filtering in Dependence::ALL {
            let nat = NatSpec {
                ports: PortAssignment::Random,
                ..NatSpec::new(mapping, filtering)
            };
            assert_eq!(discovered(nat)?, [mapping, filtering]);
        }
    }
    Ok(())
}

#[snowglobe::test(fixtures("coturn"))]
fn stun_finds_out_each_preset() -> TestResult {
    for (name, preset) in preset::ALL {
        let nat = preset();
        // A port that is kept for each remote host looks as if there were one mapping.
        let mapping = match nat.ports {
            PortAssignment::Overloading => Dependence::EndpointIndependent,
            _ => nat.mapping,
        };
        let expected = [mapping, nat.filtering];
        assert_eq!(discovered(nat)?, expected, "{name}");
    }
    Ok(())
}

/// An exchange of prefixes hides nobody. A masquerade is that of Linux: it keeps the port, so that
/// there seems to be one mapping for all, and lets nobody in but whoever was asked.
#[snowglobe::test(fixtures("coturn"))]
fn stun_finds_out_each_translation_of_ipv6() -> TestResult {
    let addresses = ["2001:db8:77::10", "2001:db8:77::11"];
    let parsed: [IpAddr; 2] = [addresses[0].parse()?, addresses[1].parse()?];
    let prefixes = PrefixTranslation::new("fd01:203:405::/48", "2001:db8:1::/48");
    let open = [Dependence::EndpointIndependent; 2];
    for (nat, expected) in [
        (V6Nat::None, open),
        (V6Nat::Prefix(prefixes), open),
        (
            V6Nat::Masquerade,
            [
                Dependence::EndpointIndependent,
                Dependence::AddressAndPortDependent,
            ],
        ),
    ] {
        let mut topology = Topology::new();
        let internet = topology.internet();
        let router = topology.router(RouterSpec::new("router").nat_v6(nat.clone()));
        topology.uplink(router, internet);
        let inside = topology.node("inside");
        let lan = LinkSpec::new().subnet("fd01:203:405:1::/64");
        topology.link_with(inside, router, lan);
        let server = topology.node(turnserver(parsed)?);
        let end = addresses.iter().fold(EndSpec::new(), |end, address| {
            end.address(format!("{address}/64"))
        });
        let link = LinkSpec::new().subnet("2001:db8:77::/64").a(end);
        topology.link_with(server, internet, link);
        let lab = topology.start()?;
        let socket = || lab[inside].run(|| UdpSocket::bind("[::]:0"));
        let server = SocketAddr::new(parsed[0], PORT);
        let mapping = stun::mapping(&socket()?, server);
        let filtering = stun::filtering(&socket()?, server);
        assert_eq!([mapping, filtering], expected, "{nat:?}");
    }
    Ok(())
}
