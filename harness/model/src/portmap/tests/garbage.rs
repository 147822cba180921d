//! Messages that are changed at random: nothing panics, and no answer is wrong.
//!
//! The fuzz targets `portmap` and `upnp` do the same with more patience.

use super::upnp::igd;
use super::*;
use crate::portmap::upnp::ssdp;
use crate::random::splitmix;

/// Number of changed messages of each kind: a second's work.
const ROUNDS: usize = 20_000;

/// Changes, cuts off or doubles some bytes of a message.
fn mutate(message: &[u8], random: &mut u64) -> Vec<u8> {
    let mut bytes = message.to_vec();
    for _ in 0..1 + splitmix(random) % 4 {
        let at = splitmix(random) as usize % (bytes.len() + 1);
        match splitmix(random) % 5 {
            0 => bytes.truncate(at),
            1 => bytes.extend_from_within(at..),
            2 => bytes.insert(at, splitmix(random) as u8),
            _ if at < bytes.len() => bytes[at] = splitmix(random) as u8,
            _ => {}
        }
    }
    bytes
}

#[test]
fn datagrams_of_garbage_are_answered_rightly_or_not_at_all() {
    let mut random = 1;
    let seeds: [&[u8]; 3] = [
        &[0, 0],
        &[0, 1, 0, 0, 15, 160, 23, 112, 0, 0, 0, 100],
        &[
            2, 1, 0, 0, 0, 0, 2, 88, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 168, 0, 2, 7, 7,
            7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 17, 0, 0, 0, 15, 160, 23, 112, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0,
        ],
    ];
    for round in 0..ROUNDS {
        let mut router = Router::new(PortMappingSpec::all());
        let datagram = mutate(seeds[round % seeds.len()], &mut random);
        let Some(answer) = router.hear(HOST, &datagram) else {
            continue;
        };
        assert_eq!(answer[1], datagram[1] | 128, "{datagram:?}");
        match answer[0] {
            0 => assert!([8, 12, 16].contains(&answer.len()), "{datagram:?}"),
            2 => {
                assert!(answer.len() >= 24 && answer.len() <= 1100, "{datagram:?}");
                assert_eq!(answer.len() % 4, 0, "{datagram:?}");
            }
            other => panic!("version {other}: {datagram:?}"),
        }
        router.leases();
    }
}

#[test]
fn requests_of_garbage_are_answered_rightly_or_not_at_all() {
    let mut random = 2;
    let search = "M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\nMX: 2\r\nST: ssdp:all\r\n\r\n";
    let call = "POST /ctl/IPConn HTTP/1.1\r\nSOAPAction: \"urn:schemas-upnp-org:service:WANIPConnection:1#DeletePortMapping\"\r\nContent-Length: 230\r\n\r\n<?xml version=\"1.0\"?><s:Envelope><s:Body><u:DeletePortMapping xmlns:u=\"urn:x\"><NewRemoteHost></NewRemoteHost><NewExternalPort>&#54;000</NewExternalPort><NewProtocol>UDP</NewProtocol></u:DeletePortMapping></s:Body></s:Envelope>      \r\n";
    let mut router = Router::new(PortMappingSpec::all());
    for _ in 0..ROUNDS {
        for answer in ssdp::hear(&igd(), &mutate(search.as_bytes(), &mut random)) {
            assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        }
        let bytes = mutate(call.as_bytes(), &mut random);
        let Some(answer) = router.hear_http(HOST, &bytes) else {
            continue;
        };
        assert!(answer.starts_with(b"HTTP/1.1 "), "{bytes:?}");
        let text = String::from_utf8(answer).expect("UTF-8");
        assert!(text.contains("\r\n\r\n"), "{text}");
    }
}
