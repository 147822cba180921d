//! Feeds garbage to the reader of DHCP frames, to a server, and to a client that has asked.

#![no_main]

use std::time::Duration;

use snowglobe_model::dhcp::client::{DhcpClient, LeaseAction};
use snowglobe_model::dhcp::frame::unwrap;
use snowglobe_model::dhcp::message::DhcpMessage;
use snowglobe_model::dhcp::pool::LeasePool;
use snowglobe_model::dhcp::server::DhcpServer;

/// Length of the part of a message that all have, and the cookie behind it (RFC 2131, section 3).
const FIXED: usize = 236;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let whole = DhcpMessage::decode(bytes)
        .or_else(|| unwrap(bytes).and_then(|(_, bytes)| DhcpMessage::decode(bytes)));
    let mut server = DhcpServer::new(LeasePool {
        server: [10, 0, 0, 1].into(),
        prefix: 24,
        range: [[10, 0, 0, 2].into(), [10, 0, 0, 9].into()],
        taken: Default::default(),
        router: None,
        dns: Vec::new(),
        domain: "lab".into(),
        lease: 60,
        renew_after: 60 / 2,
    });
    let mut client = DhcpClient::new(MAC, "bob");
    // Several messages, some seconds apart: each has its length, the time and the last byte of its
    // MAC address in front, and begins with the addresses of the fixed part.
    let (mut rest, mut now) = (bytes, Duration::ZERO);
    let mut messages = Vec::from_iter(whole);
    while let Some((&[length, seconds, host], more)) = rest.split_first_chunk::<3>() {
        let (bytes, after) = more.split_at(more.len().min(usize::from(length) * 2));
        rest = after;
        messages.extend(message(bytes, host));
        for mut message in messages.drain(..) {
            serve(&mut server, &message, now);
            for action in client.step(now) {
                if let LeaseAction::Send { message: own, .. } = action {
                    (message.xid, message.mac) = (own.xid, MAC);
                }
            }
            client.hear(&message, now);
            // What the client has ends some time, and it does something by then.
            let ends = client.held().map(|held| held.times[2]);
            assert!(ends.is_none_or(|end| client.next() <= end));
        }
        now += Duration::from_secs(seconds.into());
    }
});

/// Returns the message of a host with these addresses and options.
fn message(bytes: &[u8], host: u8) -> Option<DhcpMessage> {
    let (addresses, options) = bytes.split_at(bytes.len().min(16));
    let mut whole = [0; FIXED];
    whole[..3].copy_from_slice(&[1, 1, 6]);
    whole[12..12 + addresses.len()].copy_from_slice(addresses);
    whole[28..34].copy_from_slice(&MAC);
    whole[33] = host;
    DhcpMessage::decode(&[&whole[..], &COOKIE, options].concat())
}

/// Hands a message to the server, and looks at its answer and its leases.
fn serve(server: &mut DhcpServer, message: &DhcpMessage, now: Duration) {
    if let Some(answer) = server.hear(message, now) {
        assert_eq!((answer.xid, answer.mac), (message.xid, message.mac));
        assert_eq!(DhcpMessage::decode(&answer.encode()), Some(answer));
    }
    // No address is leased twice, and every leased address is in the range of the pool.
    let mut given: Vec<_> = server.leases(now).iter().map(|it| it.address).collect();
    let count = given.len();
    given.sort();
    given.dedup();
    assert_eq!(given.len(), count);
    let range = server.pool().range;
    assert!(given.iter().all(|it| range[0] <= *it && *it <= range[1]));
}
