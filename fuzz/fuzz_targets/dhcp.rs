//! Feeds garbage to the reader of DHCP frames, to a server and to a client.

#![no_main]

use std::time::Duration;

use snowglobe_model::dhcp::client::DhcpClient;
use snowglobe_model::dhcp::frame::unwrap;
use snowglobe_model::dhcp::message::DhcpMessage;
use snowglobe_model::dhcp::pool::LeasePool;
use snowglobe_model::dhcp::server::DhcpServer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let message = DhcpMessage::decode(bytes)
        .or_else(|| unwrap(bytes).and_then(|(_, bytes)| DhcpMessage::decode(bytes)));
    let Some(message) = message else { return };
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
    if let Some(answer) = server.hear(&message, Duration::ZERO) {
        assert_eq!(DhcpMessage::decode(&answer.encode()), Some(answer));
    }
    DhcpClient::new(message.mac, "bob").hear(&message, Duration::ZERO);
});
