//! PCP, with the crate `crab_nat`, and by hand what a client does not do.

use std::net::SocketAddrV4;
use std::num::NonZeroU16;

use crab_nat::pcp::{BaseMapRequest, Failure, peer_mapping, port_mapping};
use crab_nat::{GatewayAddress, InternetProtocol, PortMapping, PortMappingOptions};
use snowglobe::prelude::*;
use snowglobe::topology::PortMappingSpec;
use snowglobe::topology::nat::NatProtocol;

use crate::world::{ENGINES, HOSTS, Home, PATIENCE, ROUTER, check_lease, socket};

/// Serves PCP alone.
fn pcp() -> PortMappingSpec {
    PortMappingSpec {
        pcp: true,
        ..PortMappingSpec::off()
    }
}

fn port(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a port")
}

fn base(host: Ipv4Addr, inside: u16) -> BaseMapRequest {
    let gateway = GatewayAddress::from(ROUTER);
    let udp = InternetProtocol::Udp;
    BaseMapRequest::new(gateway, host.into(), udp, port(inside))
}

fn options(outside: u16, seconds: u32) -> PortMappingOptions {
    PortMappingOptions {
        external_port: Some(port(outside)),
        lifetime_seconds: Some(seconds),
        timeout_config: None,
    }
}

#[snowglobe::test(fixtures("portmap-clients"))]
async fn a_client_maps_renews_and_drops_a_port() -> TestResult {
    for engine in ENGINES {
        let home = Home::new(engine, pcp())?;
        let mapped = PortMapping::new(
            ROUTER.into(),
            HOSTS[0].into(),
            InternetProtocol::Udp,
            port(4000),
            options(6000, 600),
        );
        let mut mapping = home.host().spawn(mapped).await??;
        assert_eq!(mapping.external_port(), port(6000));
        assert_eq!(mapping.lifetime(), 600);
        let crab_nat::PortMappingType::Pcp { external_ip, .. } = mapping.mapping_type() else {
            panic!("not by PCP: {mapping:?}");
        };
        assert_eq!(external_ip, home.external());
        let lease = home.lease()?.expect("a mapping");
        check_lease(
            &lease,
            NatProtocol::Udp,
            [4000, 6000],
            Duration::from_secs(600),
        );
        home.check_udp(4000, 6000, true)?;
        let renewed = async move { mapping.renew().await.map(|()| mapping) };
        let mapping = home.host().spawn(renewed).await??;
        assert_eq!(mapping.external_port(), port(6000));
        let dropped = async move { mapping.try_drop().await.map_err(|(error, _)| error) };
        home.host().spawn(dropped).await??;
        assert_eq!(home.lease()?, None, "{engine}");
        home.check_udp(4000, 6000, false)?;
    }
    Ok(())
}

#[snowglobe::test(fixtures("portmap-clients"))]
async fn a_client_keeps_the_mapping_for_one_remote_host() -> TestResult {
    for engine in ENGINES {
        let home = Home::new(engine, pcp())?;
        let stranger = socket(&home.lab[home.stranger], 7000);
        let remote = SocketAddr::new(home.lab[home.stranger].ip(), 7000);
        let asked = peer_mapping(base(HOSTS[0], 4000), None, None, remote, options(4000, 600));
        let mapping = home.host().spawn(asked).await??;
        assert_eq!(mapping.external_ip(), home.external());
        assert_eq!(mapping.lifetime_seconds(), 600);
        // The remote host comes in, though nothing was sent to it.
        let host = socket(home.host(), 4000);
        let outside = SocketAddr::new(mapping.external_ip(), mapping.external_port().get());
        stranger.send_to(b"ping", outside)?;
        let (_, from) = host.recv_from(&mut [0; 10])?;
        assert_eq!(from, remote);
        let mappings = home.lab.nat(home.router)?.mappings()?;
        let inside = SocketAddrV4::new(HOSTS[0], 4000);
        let kept = mappings.iter().find(|it| it.inside == inside);
        let kept = kept.expect("a mapping");
        assert!(kept.expires_in > Some(Duration::from_secs(500)), "{kept:?}");
        assert!(
            kept.expires_in <= Some(Duration::from_secs(600)),
            "{kept:?}"
        );
    }
    Ok(())
}

#[snowglobe::test(fixtures("portmap-clients"))]
async fn a_lease_belongs_to_its_nonce() -> TestResult {
    for engine in ENGINES {
        let home = Home::new(engine, pcp())?;
        let ask = |nonce| {
            let asked = port_mapping(base(HOSTS[0], 4000), Some(nonce), None, options(6000, 600));
            home.host().spawn(asked)
        };
        ask([1, 2, 3]).await??;
        let refused = ask([4, 5, 6]).await?.expect_err("another nonce");
        assert!(matches!(refused, Failure::NotAuthorized(_)), "{refused}");
        ask([1, 2, 3]).await??;
        assert_eq!(home.leases()?.len(), 1);
    }
    Ok(())
}

/// A request of PCP, by hand.
struct Request {
    operation: u8,
    lifetime: u32,
    client: Ipv4Addr,
    protocol: u8,
    inside: u16,
    outside: u16,
    options: Vec<u8>,
}

const UDP: u8 = 17;
const MAP: Request = Request {
    operation: 1,
    lifetime: 600,
    client: HOSTS[0],
    protocol: UDP,
    inside: 4000,
    outside: 6000,
    options: Vec::new(),
};

impl Request {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![2, self.operation, 0, 0];
        bytes.extend(self.lifetime.to_be_bytes());
        bytes.extend(self.client.to_ipv6_mapped().octets());
        if self.operation == 0 {
            return bytes;
        }
        bytes.extend([7; 12]);
        bytes.extend([self.protocol, 0, 0, 0]);
        bytes.extend(self.inside.to_be_bytes());
        bytes.extend(self.outside.to_be_bytes());
        bytes.extend(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().octets());
        bytes.extend(&self.options);
        bytes
    }
}

/// Sends a request, and returns the result and the answer.
fn ask(home: &Home, request: &[u8]) -> TestResult<(u8, Vec<u8>)> {
    let answer = home.ask(request)?;
    assert_eq!(answer[..2], [2, request[1] | 128]);
    Ok((answer[3], answer))
}

#[snowglobe::test(fixtures("portmap-clients"))]
fn what_pcp_refuses_has_its_code() -> TestResult {
    let home = Home::new(ENGINES[0], pcp())?;
    let result = |request: Request| ask(&home, &request.bytes()).map(|(result, _)| result);
    // RFC 6887, section 7.4.
    let (unsupported_version, ..) = ask(&home, &[&[9][..], &MAP.bytes()[1..]].concat())?;
    assert_eq!(unsupported_version, 1);
    let cut_off = ask(&home, &MAP.bytes()[..40])?;
    assert_eq!(cut_off.0, 3);
    assert_eq!(
        result(Request {
            operation: 77,
            ..MAP
        })?,
        4
    );
    let third_party = vec![1, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(
        result(Request {
            options: third_party,
            ..MAP
        })?,
        5
    );
    let too_long = vec![2, 0, 0, 9, 1, 2, 3, 4];
    assert_eq!(
        result(Request {
            options: too_long,
            ..MAP
        })?,
        6
    );
    assert_eq!(
        result(Request {
            protocol: 132,
            ..MAP
        })?,
        9,
        "SCTP"
    );
    assert_eq!(
        result(Request {
            client: HOSTS[1],
            ..MAP
        })?,
        12
    );
    assert_eq!(home.lease()?, None);
    // Another host has the port, and no other one will do.
    let other = socket(&home.lab[home.hosts[1]], 0);
    let theirs = Request {
        client: HOSTS[1],
        ..MAP
    };
    other.send_to(&theirs.bytes(), (ROUTER, 5351))?;
    assert_eq!(other.recv(&mut [0; 1100])?, 60);
    let prefer_failure = vec![2, 0, 0, 0];
    assert_eq!(
        result(Request {
            options: prefer_failure.clone(),
            ..MAP
        })?,
        11
    );
    let free = Request {
        options: prefer_failure,
        outside: 6001,
        ..MAP
    };
    let (result, answer) = ask(&home, &free.bytes())?;
    assert_eq!((result, &answer[42..44]), (0, &6001_u16.to_be_bytes()[..]));
    Ok(())
}

#[snowglobe::test(fixtures("portmap-clients"))]
fn the_epoch_and_announcements_tell_that_leases_are_gone() -> TestResult {
    for engine in ENGINES {
        let home = Home::new(engine, PortMappingSpec::all())?;
        let epoch = |home: &Home| -> TestResult<u32> {
            let announce = Request {
                operation: 0,
                ..MAP
            };
            let (result, answer) = ask(home, &announce.bytes())?;
            assert_eq!((result, answer.len()), (0, 24));
            Ok(u32::from_be_bytes([
                answer[8], answer[9], answer[10], answer[11],
            ]))
        };
        ask(&home, &MAP.bytes())?;
        // Time goes on in seconds.
        home.lab
            .wait_until(|| epoch(&home).is_ok_and(|now| now >= 2))?;
        let group = home.host().run(|| -> std::io::Result<UdpSocket> {
            let socket = UdpSocket::bind("0.0.0.0:5350")?;
            socket.join_multicast_v4(&Ipv4Addr::new(224, 0, 0, 1), &HOSTS[0])?;
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok(socket)
        })?;
        let begin = std::time::Instant::now();
        home.lab.nat(home.router)?.flush()?;
        let mut buffer = [0; 100];
        let mut heard = Vec::new();
        for _ in 0..2 {
            let (length, from) = group.recv_from(&mut buffer)?;
            assert_eq!(from, SocketAddr::new(ROUTER.into(), 5351));
            heard.push(buffer[..length].to_vec());
        }
        let IpAddr::V4(external) = home.external() else {
            panic!("no IPv4 address");
        };
        // NAT-PMP tells the external address, PCP that the epoch has begun anew.
        assert_eq!(heard[0][..4], [0, 128, 0, 0]);
        assert_eq!(heard[0][8..], external.octets());
        assert_eq!((&heard[1][..4], heard[1].len()), (&[2, 128, 0, 0][..], 24));
        let told = u32::from_be_bytes([heard[1][8], heard[1][9], heard[1][10], heard[1][11]]);
        // On a busy machine some seconds pass, which count.
        let now = epoch(&home)?;
        assert!(told <= now && u64::from(now) <= begin.elapsed().as_secs());
        assert_eq!(home.lease()?, None);
    }
    Ok(())
}
