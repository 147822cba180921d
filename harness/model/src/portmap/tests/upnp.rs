//! UPnP: discovery, descriptions and calls.

use super::*;
use crate::portmap::server::MappingServer;
use crate::portmap::upnp::device::Igd;
use crate::portmap::upnp::http::{HttpPart, read};
use crate::portmap::upnp::{serve, ssdp};

const V1: &str = "urn:schemas-upnp-org:service:WANIPConnection:1";
const V2: &str = "urn:schemas-upnp-org:service:WANIPConnection:2";

pub(super) fn igd() -> Igd {
    Igd {
        name: "ho<me".into(),
        mac: [2, 0, 0, 0, 0, 1],
        at: SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 1), 5000),
    }
}

impl Router {
    /// Answers a request of HTTP, unless the request is cut off.
    pub(super) fn hear_http(&mut self, from: Ipv4Addr, bytes: &[u8]) -> Option<Vec<u8>> {
        let request = match read(bytes) {
            HttpPart::More => return None,
            HttpPart::Wrong(answer) => return Some(answer),
            HttpPart::Whole(request) => request,
        };
        let Router { book, nat, now } = self;
        let mut engine = NatNow { nat, now: *now };
        let mut server = MappingServer {
            book,
            engine: &mut engine,
            client: from,
            now: *now,
        };
        Some(serve(&igd(), &mut server, &request))
    }

    pub(super) fn serve(&mut self, from: Ipv4Addr, bytes: &[u8]) -> String {
        let answer = self.hear_http(from, bytes);
        String::from_utf8(answer.expect("a whole request")).expect("UTF-8")
    }

    fn call(
        &mut self,
        from: Ipv4Addr,
        service: &str,
        action: &str,
        arguments: &[(&str, &str)],
    ) -> String {
        let argument = |(name, value): &(&str, &str)| format!("<{name}>{value}</{name}>");
        let arguments: String = arguments.iter().map(argument).collect();
        let body = format!(
            "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"a>b\"><!-- hello --><s:Body><u:{action} xmlns:u='{service}'>{arguments}</u:{action}></s:Body></s:Envelope>\r\n"
        );
        let length = body.len();
        let request = format!(
            "POST /ctl/IPConn HTTP/1.1\r\nHost: router\r\nsoapaction: \"{service}#{action}\"\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.serve(from, request.as_bytes())
    }

    fn add(&mut self, from: Ipv4Addr, action: &str, more: &[(&str, &str)]) -> String {
        let client = from.to_string();
        let mut arguments = vec![
            ("NewRemoteHost", ""),
            ("NewExternalPort", "6000"),
            ("NewProtocol", "UDP"),
            ("NewInternalPort", "4000"),
            ("NewInternalClient", client.as_str()),
            ("NewEnabled", "1"),
            ("NewPortMappingDescription", "a &lt;b&gt; &#x26; c"),
            ("NewLeaseDuration", "600"),
        ];
        for (name, value) in more {
            let known = arguments.iter_mut().find(|it| it.0 == *name);
            known.expect("an argument").1 = value;
        }
        self.call(from, V2, action, &arguments)
    }
}

fn search(target: &str) -> String {
    format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 2\r\nST: {target}\r\n\r\n"
    )
}

#[test]
fn a_search_is_answered_for_what_the_router_is() {
    let found = |target: &str| ssdp::hear(&igd(), search(target).as_bytes());
    assert_eq!(found("ssdp:all").len(), 9);
    for target in [
        "upnp:rootdevice",
        "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
        "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
        V1,
        V2,
    ] {
        let answers = found(target);
        let text = String::from_utf8_lossy(&answers[0]);
        assert_eq!(answers.len(), 1);
        assert!(text.contains(&format!("ST: {target}\r\n")), "{text}");
        assert!(text.contains("LOCATION: http://192.168.0.1:5000/rootDesc.xml\r\n"));
    }
    for other in [
        "urn:schemas-upnp-org:device:InternetGatewayDevice:3",
        "urn:schemas-upnp-org:device:MediaServer:1",
        "upnp:rootdevice:1",
    ] {
        assert!(found(other).is_empty(), "{other}");
    }
    let notify = search("ssdp:all").replace("M-SEARCH", "NOTIFY");
    assert!(ssdp::hear(&igd(), notify.as_bytes()).is_empty());
    assert_eq!(ssdp::alive(&igd()).len(), 9);
}

#[test]
fn descriptions_lead_to_the_actions() {
    let mut router = Router::new(PortMappingSpec::all());
    let root = router.serve(HOST, b"GET /rootDesc.xml HTTP/1.1\r\n\r\n");
    assert!(root.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(
        root.contains("<friendlyName>ho&lt;me</friendlyName>"),
        "{root}"
    );
    assert!(
        root.contains("<controlURL>/ctl/IPConn</controlURL>"),
        "{root}"
    );
    let actions = router.serve(HOST, b"GET /WANIPCn.xml HTTP/1.1\r\n\r\n");
    assert!(
        actions.contains("<name>AddAnyPortMapping</name>"),
        "{actions}"
    );
    let none = router.serve(HOST, b"GET /none HTTP/1.1\r\n\r\n");
    assert!(none.starts_with("HTTP/1.1 404"), "{none}");
}

#[test]
fn a_mapping_is_added_listed_and_deleted() {
    let mut router = Router::new(PortMappingSpec::all());
    let address = router.call(HOST, V1, "GetExternalIPAddress", &[]);
    assert!(
        address.contains("<NewExternalIPAddress>203.0.113.1<"),
        "{address}"
    );
    let added = router.add(HOST, "AddPortMapping", &[]);
    assert!(added.starts_with("HTTP/1.1 200 OK"), "{added}");
    let at = SocketAddrV4::new(HOST, 4000);
    assert_eq!(router.leases(), [(NatProtocol::Udp, at, 6000)]);
    let entry = router.call(
        HOST,
        V1,
        "GetGenericPortMappingEntry",
        &[("NewPortMappingIndex", "0")],
    );
    assert!(
        entry.contains("<NewInternalClient>192.168.0.2</NewInternalClient>"),
        "{entry}"
    );
    assert!(
        entry.contains("<NewPortMappingDescription>a &lt;b&gt; &amp; c<"),
        "{entry}"
    );
    assert!(entry.contains("<NewLeaseDuration>600<"), "{entry}");
    // The same host leads its port elsewhere.
    let moved = router.add(HOST, "AddPortMapping", &[("NewInternalPort", "4001")]);
    assert!(moved.starts_with("HTTP/1.1 200 OK"), "{moved}");
    let at = SocketAddrV4::new(HOST, 4001);
    assert_eq!(router.leases(), [(NatProtocol::Udp, at, 6000)]);
    let key = [
        ("NewRemoteHost", ""),
        ("NewExternalPort", "6000"),
        ("NewProtocol", "UDP"),
    ];
    let entry = router.call(HOST, V2, "GetSpecificPortMappingEntry", &key);
    assert!(
        entry.contains("<NewInternalPort>4001</NewInternalPort>"),
        "{entry}"
    );
    let deleted = router.call(HOST, V2, "DeletePortMapping", &key);
    assert!(deleted.starts_with("HTTP/1.1 200 OK"), "{deleted}");
    assert!(router.leases().is_empty());
}

#[test]
fn calls_are_refused_by_their_codes() {
    let mut router = Router::new(PortMappingSpec::all());
    router.add(OTHER, "AddPortMapping", &[]);
    let mut code = |action: &str, more: &[(&str, &str)]| {
        let answer = router.add(HOST, action, more);
        let (_, code) = answer.split_once("<errorCode>").expect("a refusal");
        code.split_once('<').expect("an end").0.to_owned()
    };
    let add = "AddPortMapping";
    assert_eq!(code(add, &[]), "718");
    assert_eq!(code(add, &[("NewInternalClient", "192.168.0.3")]), "606");
    assert_eq!(code(add, &[("NewInternalClient", "")]), "402");
    assert_eq!(code(add, &[("NewExternalPort", "0")]), "716");
    assert_eq!(code(add, &[("NewExternalPort", "66000")]), "402");
    assert_eq!(code(add, &[("NewInternalPort", "0")]), "732");
    assert_eq!(code(add, &[("NewProtocol", "SCTP")]), "402");
    assert_eq!(code(add, &[("NewRemoteHost", "198.51.100.7")]), "726");
    assert_eq!(code("DeletePortMapping", &[]), "606");
    assert_eq!(
        code("DeletePortMapping", &[("NewExternalPort", "1")]),
        "714"
    );
    assert_eq!(code("Explode", &[]), "401");
    let any = router.add(HOST, "AddAnyPortMapping", &[]);
    assert!(any.contains("<NewReservedPort>"), "{any}");
    assert_eq!(router.leases().len(), 2);
    let index = [("NewPortMappingIndex", "2")];
    let none = router.call(HOST, V1, "GetGenericPortMappingEntry", &index);
    assert!(none.contains("<errorCode>713<"), "{none}");
    let missing = router.call(HOST, V1, "GetGenericPortMappingEntry", &[]);
    assert!(missing.contains("<errorCode>402<"), "{missing}");
}

#[test]
fn a_lease_without_end_is_one_of_the_first_version_alone() {
    let mut router = Router::new(PortMappingSpec::all());
    router.add(HOST, "AddPortMapping", &[("NewLeaseDuration", "0")]);
    let until = |router: &Router| router.book.leases(router.now).next().map(|it| it.until);
    assert_eq!(until(&router), Some(router.now + 86_400 * SECOND));
    let spec = *router.book.spec();
    router.book.set_spec(spec);
    let mut first = Router::new(spec);
    let client = HOST.to_string();
    let arguments = [
        ("NewRemoteHost", ""),
        ("NewExternalPort", "6000"),
        ("NewProtocol", "TCP"),
        ("NewInternalPort", "4000"),
        ("NewInternalClient", client.as_str()),
        ("NewEnabled", "1"),
        ("NewPortMappingDescription", ""),
        ("NewLeaseDuration", "0"),
    ];
    first.call(HOST, V1, "AddPortMapping", &arguments);
    assert_eq!(until(&first), Some(u64::MAX));
    first.wait(1_000_000);
    assert_eq!(first.leases().len(), 1);
}
