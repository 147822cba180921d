//! NAT-PMP and PCP: requests as bytes, and the answers.

use super::*;

/// Makes a request of NAT-PMP to map a port.
fn natpmp(operation: u8, inside: u16, outside: u16, lifetime: u32) -> Vec<u8> {
    let mut bytes = vec![0, operation, 0, 0];
    bytes.extend(inside.to_be_bytes());
    bytes.extend(outside.to_be_bytes());
    bytes.extend(lifetime.to_be_bytes());
    bytes
}

#[test]
fn nat_pmp_answers_as_its_rfc_says() {
    let mut router = Router::new(PortMappingSpec::all());
    router.wait(7);
    let answer = router.hear(HOST, &[0, 0]).expect("an answer");
    assert_eq!(answer, [0, 128, 0, 0, 0, 0, 0, 7, 203, 0, 113, 1]);
    let answer = router
        .hear(HOST, &natpmp(1, 4000, 6000, 100))
        .expect("an answer");
    assert_eq!(
        answer,
        [0, 129, 0, 0, 0, 0, 0, 7, 15, 160, 23, 112, 0, 0, 0, 100]
    );
    let at = SocketAddrV4::new(HOST, 4000);
    assert_eq!(router.leases(), [(NatProtocol::Udp, at, 6000)]);
    // The same host asks for TCP, and another host for the same port.
    router
        .hear(HOST, &natpmp(2, 4000, 6000, 50))
        .expect("an answer");
    let answer = router
        .hear(OTHER, &natpmp(1, 4000, 6000, 100))
        .expect("an answer");
    assert_ne!(answer[10..12], 6000_u16.to_be_bytes());
    assert_eq!(router.leases().len(), 3);
    router.wait(60);
    assert_eq!(router.leases().len(), 2, "that of TCP has ended");
    // Prolonged: the port stays, whatever is asked for.
    let answer = router
        .hear(HOST, &natpmp(1, 4000, 9, 100))
        .expect("an answer");
    assert_eq!(answer[10..12], 6000_u16.to_be_bytes());
    router.wait(60);
    assert_eq!(router.leases(), [(NatProtocol::Udp, at, 6000)]);
    // All of a protocol at once.
    let answer = router.hear(HOST, &natpmp(1, 0, 0, 0)).expect("an answer");
    assert_eq!(answer[2..4], [0, 0]);
    assert!(router.leases().is_empty());
    for silent in [&[][..], &[0], &[0, 128], &[0, 1, 0, 0, 1]] {
        assert_eq!(router.hear(HOST, silent), None);
    }
    let no_port = router.hear(HOST, &natpmp(1, 0, 0, 9)).expect("an answer");
    assert_eq!(no_port[2..4], [0, 2]);
}

#[test]
fn a_version_that_is_not_served_is_refused_in_the_other_one() {
    let only = |nat_pmp, pcp| {
        Router::new(PortMappingSpec {
            nat_pmp,
            pcp,
            ..PortMappingSpec::off()
        })
    };
    let answer = only(true, false).hear(HOST, &pcp(1, HOST, 600, &[]));
    assert_eq!(answer, Some(vec![0, 129, 0, 1, 0, 0, 0, 0]));
    let answer = only(false, true).hear(HOST, &[0, 0]).expect("an answer");
    assert_eq!((&answer[..4], answer.len()), (&[2, 128, 0, 1][..], 24));
    assert_eq!(only(false, false).hear(HOST, &[0, 0]), None);
}

/// Makes a request of PCP whose nonce is 7, with options.
fn pcp(operation: u8, client: Ipv4Addr, lifetime: u32, options: &[u8]) -> Vec<u8> {
    pcp_with(operation, client, lifetime, (7, [4000, 6000]), options)
}

fn pcp_with(
    operation: u8,
    client: Ipv4Addr,
    lifetime: u32,
    (nonce, [inside, outside]): (u8, [u16; 2]),
    options: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![2, operation, 0, 0];
    bytes.extend(lifetime.to_be_bytes());
    bytes.extend(client.to_ipv6_mapped().octets());
    bytes.extend([nonce; 12]);
    bytes.extend([17, 0, 0, 0]);
    bytes.extend(inside.to_be_bytes());
    bytes.extend(outside.to_be_bytes());
    bytes.extend([0; 16]);
    bytes.extend(options);
    bytes
}

#[test]
fn pcp_maps_renews_and_deletes() {
    let mut router = Router::new(PortMappingSpec::all());
    router.wait(3);
    let answer = router
        .hear(HOST, &pcp(1, HOST, 600, &[]))
        .expect("an answer");
    let mut expected = vec![2, 129, 0, 0, 0, 0, 2, 88, 0, 0, 0, 3];
    expected.extend([0; 12]);
    expected.extend([7; 12]);
    expected.extend([17, 0, 0, 0, 15, 160, 23, 112]);
    expected.extend(PUBLIC.to_ipv6_mapped().octets());
    assert_eq!(answer, expected);
    // Another nonce is another program, which may neither renew nor delete.
    for lifetime in [600, 0] {
        let other = pcp_with(1, HOST, lifetime, (8, [4000, 6000]), &[]);
        assert_eq!(router.hear(HOST, &other).expect("an answer")[3], 2);
    }
    let all = pcp_with(1, HOST, 0, (8, [0, 0]), &[]);
    assert_eq!(router.hear(HOST, &all).expect("an answer")[3], 0);
    assert_eq!(router.leases().len(), 1);
    let deleted = router.hear(HOST, &pcp(1, HOST, 0, &[])).expect("an answer");
    assert_eq!((deleted[3], &deleted[4..8]), (0, &[0; 4][..]));
    assert!(router.leases().is_empty());
    // What is not there is deleted already.
    assert_eq!(
        router.hear(HOST, &pcp(1, HOST, 0, &[])).expect("an answer")[3],
        0
    );
}

#[test]
fn pcp_refuses_by_its_codes() {
    let mut router = Router::new(PortMappingSpec::all());
    let mut result = |request: &[u8]| router.hear(HOST, request).expect("an answer")[3];
    let map = pcp(1, HOST, 600, &[]);
    assert_eq!(result(&map[..24]), 3);
    assert_eq!(result(&map[..map.len() - 1]), 3);
    assert_eq!(result(&vec![2; 1104][..]), 3);
    assert_eq!(result(&pcp(3, HOST, 600, &[])), 4);
    assert_eq!(result(&pcp(1, HOST, 600, &[3, 0, 0, 0])), 5);
    assert_eq!(result(&pcp(1, HOST, 600, &[2, 0, 0, 8])), 6);
    assert_eq!(result(&pcp(1, HOST, 600, &[2, 0, 0, 0, 2, 0, 0, 0])), 6);
    assert_eq!(result(&pcp(1, OTHER, 600, &[])), 12);
    assert_eq!(result(&pcp_with(1, HOST, 600, (7, [0, 0]), &[])), 9);
    // An option that need not be known is left out.
    assert_eq!(result(&pcp(1, HOST, 600, &[200, 0, 0, 1, 9, 0, 0, 0])), 0);
    let mut all_protocols = map.clone();
    all_protocols[36] = 0;
    assert_eq!(result(&all_protocols), 3);
}

#[test]
fn pcp_prefers_failure_to_another_port() {
    let mut router = Router::new(PortMappingSpec::all());
    router
        .hear(OTHER, &pcp(1, OTHER, 600, &[]))
        .expect("an answer");
    let answer = router
        .hear(HOST, &pcp(1, HOST, 600, &[2, 0, 0, 0]))
        .expect("an answer");
    assert_eq!(answer[3], 11);
    let other = pcp_with(1, HOST, 600, (7, [4000, 6001]), &[2, 0, 0, 0]);
    let answer = router.hear(HOST, &other).expect("an answer");
    assert_eq!(
        (answer[3], &answer[42..44]),
        (0, &6001_u16.to_be_bytes()[..])
    );
    assert_eq!(answer[60..], [2, 0, 0, 0], "the option was heeded");
    let leases = router.book.leases(router.now);
    assert!(
        leases
            .into_iter()
            .all(|it| it.origin == LeaseOrigin::Pcp([7; 12]))
    );
}

#[test]
fn pcp_keeps_traffic_with_a_peer() {
    let mut router = Router::new(PortMappingSpec::all());
    let mut request = pcp(2, HOST, 600, &[]);
    request.extend([0, 80, 0, 0]);
    request.extend(Ipv4Addr::new(198, 51, 100, 7).to_ipv6_mapped().octets());
    let answer = router.hear(HOST, &request).expect("an answer");
    assert_eq!((answer[3], answer.len()), (0, 80));
    assert_eq!(answer[40..44], [15, 160, 15, 160], "the port is kept");
    assert_eq!(answer[60..], request[60..], "the remote end comes back");
    router.wait(599);
    assert_eq!(router.nat.mappings(router.now).len(), 1);
    router.wait(2);
    assert!(router.nat.mappings(router.now).is_empty());
}

#[test]
fn all_hosts_hear_of_a_router_that_has_started() {
    let mut router = Router::new(PortMappingSpec::all());
    router.wait(9);
    let now = router.now;
    let mut engine = NatNow {
        nat: &mut router.nat,
        now,
    };
    router.book.forget(&mut engine, now);
    let told = announcements(&router.book, &engine, now);
    assert_eq!(told[0], [0, 128, 0, 0, 0, 0, 0, 0, 203, 0, 113, 1]);
    assert_eq!(told[1], [&[2, 128][..], &[0; 22]].concat());
}
