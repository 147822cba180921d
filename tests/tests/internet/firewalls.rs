//! Firewalls of routers and hosts, with real sockets.

use snowglobe::lab::{Lab, Node};
use snowglobe::prelude::*;
use snowglobe::topology::{Firewall, FirewallAction, FirewallRule, NodeId, TopologyErrorKind};

use crate::traffic::{IMPATIENCE, PATIENCE, echo, listen, patience_if, reaches, seen_as};

/// An office behind a router with a firewall, and a server in front of it.
struct Office {
    lab: Lab,
    router: NodeId,
    desk: NodeId,
    server: NodeId,
}

fn office(firewall: Firewall) -> TestResult<Office> {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let router = topology.router(RouterSpec::new("office").firewall(firewall));
    topology.uplink(router, internet);
    let (desk, server) = (topology.node("desk"), topology.node("server"));
    topology.link(desk, router);
    topology.link(server, internet);
    let lab = topology.start()?;
    for node in [desk, server] {
        echo(&lab[node]);
        listen(&lab[node], &[22, 80, 443]);
    }
    Ok(Office {
        lab,
        router,
        desk,
        server,
    })
}

impl Office {
    /// Checks whether UDP is answered, from the desk to the server and back.
    #[track_caller]
    fn udp(&self, expected: [bool; 2]) {
        self.pass("UDP", expected, |from, ip, patience| {
            seen_as(from, ip, patience).is_some()
        });
    }

    /// Checks whether a TCP port is reached, from the desk to the server and back.
    #[track_caller]
    fn tcp(&self, port: u16, expected: [bool; 2]) {
        self.pass("TCP", expected, |from, ip, patience| {
            reaches(from, ip, port, patience)
        });
    }

    /// A firewall is the same for both families.
    #[track_caller]
    fn pass(
        &self,
        what: &str,
        expected: [bool; 2],
        passes: impl Fn(&Node, IpAddr, Duration) -> bool,
    ) {
        let ways = [(self.desk, self.server), (self.server, self.desk)];
        for ((from, to), expected) in ways.into_iter().zip(expected) {
            let (from, to) = (&self.lab[from], &self.lab[to]);
            let patience = patience_if(expected);
            let found = addresses(to).map(|ip| passes(from, ip, patience));
            let way = format!("{what} from {} to {}", from.name(), to.name());
            assert_eq!(found, [expected; 2], "{way}, by IPv4 and IPv6");
        }
    }
}

fn addresses(node: &Node) -> [IpAddr; 2] {
    let v6 = node.ipv6().expect("both families are spoken");
    [node.ip(), v6.into()]
}

/// Returns how many packets a rule counted.
fn counted(node: &Node, rule: &str) -> TestResult<u64> {
    let counters = node.firewall_counters()?;
    let found = counters.iter().find(|counter| counter.rule == rule);
    let found = found.ok_or_else(|| format!("no counter `{rule}` in {counters:?}"))?;
    Ok(found.packets)
}

#[snowglobe::test]
fn without_a_firewall_everything_passes_both_ways() -> TestResult {
    let office = office(Firewall::open())?;
    office.udp([true, true]);
    office.tcp(80, [true, true]);
    Ok(())
}

#[snowglobe::test]
fn what_begins_outside_is_kept_out_and_answers_are_not() -> TestResult {
    let office = office(Firewall::inbound_block())?;
    office.udp([true, false]);
    office.tcp(80, [true, false]);
    let dropped = counted(&office.lab[office.router], "inbound")?;
    assert!(
        dropped >= 4,
        "two datagrams and two SYNs at least, not {dropped}"
    );
    Ok(())
}

#[snowglobe::test]
fn an_office_without_udp_still_has_tcp() -> TestResult {
    let office = office(Firewall::udp_blocked())?;
    office.udp([false, false]);
    office.tcp(22, [true, false]);
    assert_eq!(counted(&office.lab[office.router], "drop outbound udp")?, 2);
    Ok(())
}

#[snowglobe::test]
fn only_the_web_is_reached_until_a_rule_allows_more() -> TestResult {
    let mut office = office(Firewall::web_only())?;
    office.tcp(443, [true, false]);
    office.tcp(22, [false, false]);
    office.udp([false, false]);
    let to = office.lab[office.server].ip();
    let ssh = FirewallRule::outbound(FirewallAction::Accept)
        .tcp()
        .port_range(20, 25);
    office.lab.set_firewall(
        office.router,
        Firewall::web_only().rule(ssh.to(to).name("ssh")),
    )?;
    assert!(reaches(&office.lab[office.desk], to, 22, PATIENCE));
    let v6 = office.lab[office.server].ipv6().ok_or("no IPv6")?;
    assert!(
        !reaches(&office.lab[office.desk], v6.into(), 22, IMPATIENCE),
        "the rule is for one address"
    );
    assert!(counted(&office.lab[office.router], "ssh")? > 0);
    Ok(())
}

#[snowglobe::test]
fn a_connection_that_is_refused_is_told_so() -> TestResult {
    let reject = FirewallRule::outbound(FirewallAction::Reject);
    let office = office(Firewall::open().rule(reject))?;
    for to in addresses(&office.lab[office.server]) {
        let error = office.lab[office.desk]
            .run(|| TcpStream::connect_timeout(&(to, 80).into(), PATIENCE))
            .expect_err("the firewall refuses");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{to}");
    }
    Ok(())
}

#[snowglobe::test]
fn a_firewall_that_changes_ends_connections_that_it_no_longer_allows() -> TestResult {
    let mut office = office(Firewall::inbound_block())?;
    let to = office.lab[office.server].ip();
    let socket = office.lab[office.desk].run(|| UdpSocket::bind("0.0.0.0:0"))?;
    socket.connect((to, crate::traffic::ECHO))?;
    let ask = |patience| -> std::io::Result<usize> {
        socket.set_read_timeout(Some(patience))?;
        socket.send(b"still there?")?;
        socket.recv(&mut [0; 100])
    };
    ask(PATIENCE)?;
    office
        .lab
        .set_firewall(office.router, Firewall::udp_blocked())?;
    ask(IMPATIENCE).expect_err("the firewall drops UDP now");
    office.lab.set_firewall(office.router, Firewall::open())?;
    ask(PATIENCE)?;
    Ok(())
}

#[snowglobe::test]
fn packets_that_are_dropped_are_events() -> TestResult {
    let office = office(Firewall::udp_blocked().log())?;
    let to = office.lab[office.server].ip();
    let mut events = office.lab.events();
    assert_eq!(seen_as(&office.lab[office.desk], to, IMPATIENCE), None);
    let dropped = events.wait_for("a dropped datagram", |event| {
        matches!(&event.kind, snowglobe::events::EventKind::FirewallDropped {
            node, rule, protocol: 17, destination, ..
        } if **node == *"office" && **rule == *"drop outbound udp" && destination.ip() == to)
    })?;
    let text = dropped.to_string();
    assert!(
        text.contains("the firewall of `office` did not let a packet through: UDP from"),
        "{text}"
    );
    Ok(())
}

#[snowglobe::test]
fn a_host_has_a_firewall_too() -> TestResult {
    let mut topology = Topology::new();
    let only_ssh = FirewallRule::inbound(FirewallAction::Accept)
        .tcp()
        .ports([22]);
    let server = NodeSpec::new("server").firewall(Firewall::inbound_block().rule(only_ssh));
    let (client, server) = (topology.node("client"), topology.node(server));
    topology.link(client, server);
    let lab = topology.start()?;
    for node in [client, server] {
        listen(&lab[node], &[22, 80]);
    }
    for [c, s] in [0, 1].map(|n| [client, server].map(|node| addresses(&lab[node])[n])) {
        assert!(reaches(&lab[client], s, 22, PATIENCE), "{s}");
        assert!(!reaches(&lab[client], s, 80, IMPATIENCE), "{s}");
        assert!(reaches(&lab[server], c, 80, PATIENCE), "out, {c}");
        assert!(reaches(&lab[server], s, 80, PATIENCE), "from itself, {s}");
    }
    Ok(())
}

/// Asks for a page of plain HTTP, and returns the whole answer.
fn page(from: &Node, to: IpAddr) -> std::io::Result<String> {
    ask(from, to, b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
}

/// Sends a request to a web server, and returns the whole answer.
fn ask(from: &Node, to: IpAddr, request: &[u8]) -> std::io::Result<String> {
    from.run(|| {
        let mut stream = TcpStream::connect_timeout(&(to, 80).into(), PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })
}

#[snowglobe::test]
fn a_captive_portal_shows_its_page_until_it_admits_a_guest() -> TestResult {
    let portal = Firewall::captive_portal("<h1>Room number?</h1>");
    let mut office = office(portal.clone())?;
    for to in addresses(&office.lab[office.server]) {
        let answer = page(&office.lab[office.desk], to)?;
        assert!(answer.starts_with("HTTP/1.1 511 "), "{answer}");
        assert!(answer.ends_with("<h1>Room number?</h1>"), "{answer}");
        assert!(!reaches(&office.lab[office.desk], to, 443, IMPATIENCE));
    }
    office.udp([false, false]);
    let guest = office.lab[office.desk].ip();
    office
        .lab
        .set_firewall(office.router, portal.admit(guest))?;
    let to = office.lab[office.server].ip();
    assert!(reaches(&office.lab[office.desk], to, 443, PATIENCE));
    // The listener of the server is no web server: it closes.
    assert_eq!(page(&office.lab[office.desk], to).unwrap_or_default(), "");
    Ok(())
}

#[snowglobe::test]
fn a_captive_portal_answers_each_method_as_http_wants_it() -> TestResult {
    let shown = "<h1>Room number?</h1>";
    let office = office(Firewall::captive_portal(shown))?;
    let (desk, to) = (&office.lab[office.desk], office.lab[office.server].ip());
    let content = "a".repeat(1 << 20);
    let post = format!(
        "POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{content}",
        content.len()
    );
    for (request, status, content) in [
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "511", ""),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "511", shown),
        // A line may end with a line feed alone (RFC 9112, section 2.2).
        ("GET / HTTP/1.0\n\n", "511", shown),
        // The answer comes although the portal wants nothing of the content.
        (&post, "511", shown),
        ("what is this\r\n\r\n", "400", shown),
    ] {
        let said = ask(desk, to, request.as_bytes())?;
        let asked = &request[..request.len().min(20)];
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
        let (head, body) = said.split_once("\r\n\r\n").ok_or("no header")?;
        assert_eq!(body, content, "{asked}");
        let length = format!("\r\nContent-Length: {}\r\n", shown.len());
        assert!(head.contains(&length), "{asked}: {head}");
    }
    Ok(())
}

#[snowglobe::test]
fn a_firewall_has_a_name_in_toml() -> TestResult {
    let text = r#"
        [[router]]
        name = "internet"
        kind = "internet"
        [[router]]
        name = "office"
        firewall = "udp_blocked"
        [[node]]
        name = "desk"
        network.firewall = "inbound_block"
        [[link]]
        ends = ["office", "internet"]
        uplink = true
        [[link]]
        ends = ["desk", "office"]
    "#;
    let topology = Topology::from_toml(text)?;
    let office: NodeSpec = RouterSpec::new("office")
        .firewall(Firewall::udp_blocked())
        .into();
    let desk = NodeSpec::new("desk").firewall(Firewall::inbound_block());
    for spec in [office, desk] {
        let read = topology.find(spec.name()).ok_or("a node")?;
        assert_eq!(topology[read], spec);
    }
    assert_eq!(Topology::from_toml(&topology.to_toml()?)?, topology);
    let error = Topology::from_toml(&text.replace("udp_blocked", "udp_block")).unwrap_err();
    let said = "line 7, column 20: there is no firewall `udp_block`; those with names are open, \
                home, inbound_block, udp_blocked, web_only, and others are tables";
    assert_eq!(error.to_string(), said);
    Ok(())
}

#[snowglobe::test]
fn what_a_firewall_cannot_be_is_refused() {
    let drop = || FirewallRule::outbound(FirewallAction::Drop);
    for (rule, complaint) in [
        (drop().ports([80]), "has ports but neither TCP nor UDP"),
        (
            drop().udp().port_range(9, 5),
            "whose ports 9 to 5 are no range",
        ),
        (
            drop().icmp().ports([80]),
            "has ports but neither TCP nor UDP",
        ),
        (drop().udp().ports([]), "whose list of ports is empty"),
        (
            drop().udp().ports([]).ports([]),
            "whose list of ports is empty",
        ),
        (
            drop().udp().port_range(0, 5),
            "whose ports 0 to 5 are no range",
        ),
        (
            drop().from("10.0.0.0/8").to("2001:db8::/32"),
            "which no packet fits: `10.0.0.0/8` and `2001:db8::/32` are of different families",
        ),
        (
            drop().to("::"),
            "which no packet fits: none goes to `::`; write `::/0`",
        ),
        (
            drop().to("10.0.0.1/8"),
            "which has `10.0.0.1/8`, which is no network",
        ),
        (drop().name(""), "whose name does not have 1 to 100 bytes"),
    ] {
        let mut topology = Topology::new();
        topology.node(NodeSpec::new("host").firewall(Firewall::open().rule(rule)));
        let error = topology.validate().expect_err("the rule is wrong");
        assert_eq!(error.kind(), TopologyErrorKind::Invalid);
        assert!(error.to_string().contains(complaint), "{error}");
    }
    let empty = "[[node]]\nname = \"host\"\nnetwork.firewall = { rules = [\
                 { heading = \"inbound\", action = \"drop\", protocol = \"udp\", ports = [] }] }";
    let error = Topology::from_toml(empty).and_then(|it| it.validate());
    let error = error.expect_err("the rule is wrong").to_string();
    assert!(error.contains("whose list of ports is empty"), "{error}");
    let mut topology = Topology::new();
    topology.router(RouterSpec::new("r").firewall(Firewall::open()));
    let error = topology.validate().expect_err("the router has no uplink");
    assert_eq!(error.kind(), TopologyErrorKind::Missing);
    let mut topology = Topology::new();
    topology.node(NodeSpec::new("host").firewall(Firewall::captive_portal("")));
    let error = topology.validate().expect_err("a host has no guests");
    assert_eq!(error.kind(), TopologyErrorKind::Misplaced);
}
