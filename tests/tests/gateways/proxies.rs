//! An office from which only its proxy reaches the Internet: tinyproxy for HTTP, microsocks for
//! SOCKS.

use std::io;

use snowglobe::lab::Node;
use snowglobe::prelude::*;
use snowglobe::topology::{Firewall, FirewallAction, FirewallRule, NodeId, StartCommand};

use crate::probe::{PATIENCE, get, page_of, page_with_its_name};

/// Long enough for an answer that is never to come.
const IMPATIENCE: Duration = Duration::from_secs(1);
/// The address of the proxy in the office.
const PROXY: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 2);

struct Office {
    lab: Lab,
    desk: NodeId,
    server: SocketAddr,
    _dir: tempfile::TempDir,
}

/// Starts an office with a proxy, and a web server on the Internet.
fn office(proxy: NodeSpec) -> TestResult<Office> {
    let dir = snowglobe_tests::shared_dir();
    let mut topology = Topology::new();
    let internet = topology.internet();
    let server = NodeSpec::new("server").rootfs(&Fixture::find("busybox")?);
    let server = topology.node(page_with_its_name(server, dir.path(), 80)?);
    topology.link(server, internet);
    let firewall = Firewall {
        outbound: FirewallAction::Drop,
        ..Firewall::inbound_block()
    };
    let proxies = FirewallRule::outbound(FirewallAction::Accept).from(PROXY);
    let office = RouterSpec::home("office").firewall(firewall.rule(proxies));
    let office = topology.router(office);
    topology.uplink(office, internet);
    let lan = topology.switch(SwitchSpec::new("lan").subnet("10.7.0.0/24"));
    topology.plug(office, lan);
    let proxy = topology.node(proxy);
    let end = snowglobe::topology::EndSpec::new().address(PROXY);
    topology.plug_with(proxy, lan, LinkSpec::new().a(end));
    let desk = topology.node("desk");
    topology.plug(desk, lan);
    let lab = topology.start()?;
    let server = (lab[server].ipv4().ok_or("no IPv4")?, 80).into();
    let office = Office {
        lab,
        desk,
        server,
        _dir: dir,
    };
    let direct = get(&office.lab[desk], office.server, IMPATIENCE);
    assert!(direct.is_err(), "the firewall lets {direct:?} out");
    Ok(office)
}

/// Connects from a node to a port of the proxy, and sends what `first` says before the request
/// itself. Returns the page.
fn by_proxy(
    node: &Node,
    port: u16,
    request: &str,
    first: impl FnOnce(&mut TcpStream) -> io::Result<()> + Send,
) -> TestResult<String> {
    let answer = node.run(|| -> io::Result<String> {
        let mut stream = TcpStream::connect((PROXY, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        first(&mut stream)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })?;
    Ok(page_of(&answer).ok_or(answer)?)
}

/// Reads the head of an answer, up to its empty line.
fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[snowglobe::test(fixtures("tinyproxy", "busybox"))]
fn a_desk_gets_pages_and_tunnels_by_tinyproxy_and_by_no_other_way() -> TestResult {
    let dir = snowglobe_tests::shared_dir();
    let configuration = "Port 8888\nTimeout 60\nMaxClients 20\nLogLevel Notice\n";
    std::fs::write(dir.path().join("tinyproxy.conf"), configuration)?;
    let serve = StartCommand::new("tinyproxy")
        .args(["-d", "-c", "/run/conf/tinyproxy.conf"])
        .ready_port(8888);
    let proxy = NodeSpec::new("proxy")
        .rootfs(&Fixture::find("tinyproxy")?)
        .bind_read_only("/run/conf", dir.path())
        .command(serve);
    let office = office(proxy)?;
    let (desk, server) = (&office.lab[office.desk], office.server);
    // A name, which the proxy looks up.
    let request = "GET http://server/index.html HTTP/1.0\r\nHost: server\r\n\r\n";
    assert_eq!(by_proxy(desk, 8888, request, |_| Ok(()))?, "server");
    let connect = |stream: &mut TcpStream| {
        write!(stream, "CONNECT {server} HTTP/1.0\r\n\r\n")?;
        let head = head(stream)?;
        let is_connected = head.split(' ').nth(1) == Some("200");
        is_connected.then_some(()).ok_or(io::Error::other(head))
    };
    let request = "GET /index.html HTTP/1.0\r\n\r\n";
    assert_eq!(by_proxy(desk, 8888, request, connect)?, "server");
    Ok(())
}

#[snowglobe::test(fixtures("microsocks", "busybox"))]
fn a_desk_gets_pages_by_a_socks_proxy_and_by_no_other_way() -> TestResult {
    let serve = StartCommand::new("microsocks")
        .args(["-i", "0.0.0.0", "-p", "1080"])
        .ready_port(1080);
    let proxy = NodeSpec::new("proxy")
        .rootfs(&Fixture::find("microsocks")?)
        .command(serve);
    let office = office(proxy)?;
    // RFC 1928: version 5, no authentication, CONNECT to a name, which the proxy looks up.
    let connect = |stream: &mut TcpStream| {
        stream.write_all(&[5, 1, 0])?;
        let mut method = [0; 2];
        stream.read_exact(&mut method)?;
        assert_eq!(method, [5, 0], "no authentication");
        stream.write_all(b"\x05\x01\x00\x03\x06server\x00\x50")?;
        let mut answer = [0; 10];
        stream.read_exact(&mut answer)?;
        assert_eq!(answer[..2], [5, 0], "connected");
        Ok(())
    };
    let request = "GET /index.html HTTP/1.0\r\n\r\n";
    let page = by_proxy(&office.lab[office.desk], 1080, request, connect)?;
    assert_eq!(page, "server");
    Ok(())
}
