//! Behaviour discovery (RFC 5780) with coturn on the Internet.

use std::net::SocketAddrV4;

use snowglobe::prelude::*;
use snowglobe::topology::StartCommand;
use snowglobe::topology::nat::{Dependence, NatSpec, PortAssignment, preset};

use crate::stun;
use crate::world::{SERVER, World};

const PORT: u16 = 3478;

/// Returns a node that runs coturn at both of the server's addresses and two ports.
fn turnserver() -> Result<NodeSpec, Box<dyn std::error::Error + Send + Sync>> {
    let [first, second] = SERVER.map(|address| address.to_string());
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
fn discovered(nat: NatSpec) -> Result<[Dependence; 2], Box<dyn std::error::Error + Send + Sync>> {
    let world = World::with_server(nat, turnserver()?)?;
    let server = SocketAddrV4::new(SERVER[0], PORT);
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
