//! Leases as long as the router gives them, and hostile requests.

use std::io::{Read, Write};
use std::net::TcpStream;

use snowglobe::prelude::*;
use snowglobe::topology::PortMappingSpec;
use snowglobe::topology::nat::NatProtocol;

use crate::world::{ENGINES, Home, PATIENCE, ROUTER, check_lease, socket};

#[snowglobe::test(fixtures("portmap-clients"))]
fn a_router_gives_no_lease_longer_or_shorter_than_it_may() -> TestResult {
    for engine in ENGINES {
        let served = PortMappingSpec {
            shortest: Duration::from_secs(100),
            longest: Duration::from_secs(200),
            ..PortMappingSpec::all()
        };
        let home = Home::new(engine, served)?;
        for (asked, least, most) in [("1", 90, 100), ("7200", 190, 200)] {
            home.natpmpc(0, &["-a", "6000", "4000", "udp", asked])?;
            let lease = home.lease()?.expect("a mapping");
            check_lease(
                &lease,
                NatProtocol::Udp,
                [4000, 6000],
                Duration::from_secs(most),
            );
            assert!(
                lease.expires_in > Some(Duration::from_secs(least)),
                "{lease:?}"
            );
        }
    }
    Ok(())
}

#[snowglobe::test(fixtures("portmap-clients"))]
fn a_forwarded_port_is_given_to_nobody() -> TestResult {
    for engine in ENGINES {
        let inside = std::net::SocketAddrV4::new(crate::world::HOSTS[1], 80);
        let nat = crate::world::carried(engine).forward(NatProtocol::Tcp, 6000, inside);
        let home = Home::with_nat(nat, PortMappingSpec::all())?;
        home.natpmpc(0, &["-a", "6000", "4000", "tcp", "600"])?;
        let leases = home.leases()?;
        let mine = leases.iter().find(|it| it.inside.port() == 4000);
        assert_ne!(mine.expect("a mapping").outside.port(), 6000);
        let host = crate::world::HOSTS[0].to_string();
        let told = home.upnpc(0, &["-a", &host, "4001", "6000", "TCP", "600"])?;
        assert!(told.contains("failed with code 718"), "{told}");
    }
    Ok(())
}

/// Sends bytes to the device, and returns the status of its answer, if it answers.
fn status(home: &Home, bytes: &[u8]) -> TestResult<String> {
    let to = SocketAddr::new(ROUTER.into(), 5000);
    let mut stream = home
        .host()
        .run(|| TcpStream::connect_timeout(&to, PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(bytes)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    Ok(answer.split(' ').nth(1).unwrap_or_default().to_owned())
}

#[snowglobe::test(fixtures("portmap-clients"))]
fn hostile_requests_are_refused_and_the_router_serves_on() -> TestResult {
    let home = Home::new(ENGINES[0], PortMappingSpec::all())?;
    for (request, expected) in [
        ("GARBAGE\r\n\r\n", "400"),
        ("GET /nothing HTTP/1.1\r\n\r\n", "404"),
        ("DELETE / HTTP/1.1\r\n\r\n", "405"),
        (
            "POST /ctl/IPConn HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
            "413",
        ),
        (
            "POST /ctl/IPConn HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "411",
        ),
        (
            "POST /ctl/IPConn HTTP/1.1\r\nContent-Length: 4\r\n\r\n<a><",
            "500",
        ),
    ] {
        assert_eq!(status(&home, request.as_bytes())?, expected, "{request}");
    }
    let endless = vec![b'a'; 10_000];
    assert_eq!(status(&home, &endless)?, "431");
    let asker = socket(home.host(), 0);
    for port in [5351, 1900] {
        for length in [0, 1, 2, 3, 11, 24, 60, 1400] {
            asker.send_to(&vec![0xff; length], (ROUTER, port))?;
            asker.send_to(&vec![0; length], (ROUTER, port))?;
            asker.send_to(&vec![2; length], (ROUTER, port))?;
        }
    }
    home.natpmpc(0, &["-a", "6000", "4000", "udp", "600"])?;
    assert_eq!(home.leases()?.len(), 1);
    Ok(())
}
