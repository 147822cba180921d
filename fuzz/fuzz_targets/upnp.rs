//! Feeds garbage to a router that is an Internet Gateway Device: SSDP, HTTP and SOAP.

#![no_main]

use std::net::{Ipv4Addr, SocketAddrV4};

use snowglobe_model::nat::{Nat, preset};
use snowglobe_model::portmap::PortMappingSpec;
use snowglobe_model::portmap::book::LeaseBook;
use snowglobe_model::portmap::engine::NatNow;
use snowglobe_model::portmap::server::MappingServer;
use snowglobe_model::portmap::upnp::device::Igd;
use snowglobe_model::portmap::upnp::http::{HttpPart, read};
use snowglobe_model::portmap::upnp::{serve, ssdp};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let igd = Igd {
        name: "home".into(),
        mac: [2; 6],
        at: SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 1), 5000),
    };
    for answer in ssdp::hear(&igd, bytes) {
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
    let public = Ipv4Addr::new(203, 0, 113, 1);
    let mut nat = Nat::new(preset::port_restricted_cone(), &[public], [2; 6], 1);
    let mut book = LeaseBook::new(PortMappingSpec::all(), 0);
    let mut answer = |bytes: &[u8]| match read(bytes) {
        HttpPart::More => None,
        HttpPart::Wrong(answer) => Some(answer),
        HttpPart::Whole(request) => {
            let mut engine = NatNow {
                nat: &mut nat,
                now: 0,
            };
            let mut server = MappingServer {
                book: &mut book,
                engine: &mut engine,
                client: Ipv4Addr::new(192, 168, 0, 2),
                now: 0,
            };
            Some(serve(&igd, &mut server, &request))
        }
    };
    // The bytes stand for a request, and for the body of a call.
    let whole = answer(bytes);
    let head = format!(
        "POST /ctl/IPConn HTTP/1.1\r\nSOAPAction: \"urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping\"\r\nContent-Length: {}\r\n\r\n",
        bytes.len()
    );
    let call = answer(&[head.as_bytes(), bytes].concat());
    for answer in whole.into_iter().chain(call) {
        let text = String::from_utf8(answer).expect("UTF-8");
        assert!(text.starts_with("HTTP/1.1 ") && text.contains("\r\n\r\n"));
    }
});
