//! Requests from one node to another, and the ways that packets take.

use std::path::Path;
use std::time::Instant;

use snowglobe::lab::Node;
use snowglobe::prelude::*;
use snowglobe::topology::StartCommand;
use snowglobe_tests::traffic::{self, ECHO};

/// Long enough for an answer on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Adds a web server at a port of a node, whose one page is the name of the node. Its files lie in
/// a directory that the node mounts.
pub(crate) fn page_with_its_name(spec: NodeSpec, dir: &Path, port: u16) -> TestResult<NodeSpec> {
    let site = dir.join(spec.name());
    std::fs::create_dir_all(&site)?;
    std::fs::write(site.join("index.html"), spec.name())?;
    let serve = StartCommand::new("busybox")
        .args(["httpd", "-f", "-h", "/run/site", "-p", &port.to_string()])
        .ready_port(port);
    Ok(spec.bind_read_only("/run/site", site).command(serve))
}

/// Asks a web server for its page. The error says what has gone wrong, or what came instead.
pub(crate) fn get(from: &Node, to: SocketAddr, limit: Duration) -> Result<String, String> {
    let asked = from.run(|| -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&to, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    });
    let answer = asked.map_err(|error| error.to_string())?;
    page_of(&answer).ok_or(answer)
}

/// Returns the page of a successful answer.
pub(crate) fn page_of(answer: &str) -> Option<String> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?;
    (status == "200").then(|| body.to_owned())
}

/// Answers each datagram with its own bytes, until the process ends.
pub(crate) fn echo(node: &Node) -> TestResult {
    let socket = node.run(|| UdpSocket::bind(("0.0.0.0", ECHO)))?;
    traffic::answer_each(socket, |bytes, _| bytes.to_vec());
    Ok(())
}

/// Long enough for an answer of [`echo`], and short beside the time in which routes change.
const SOON: Duration = Duration::from_secs(2);

/// Returns the time that a datagram takes to the echo of another node and back: the least of some,
/// as a busy machine only adds to it. Nothing if one is lost.
pub(crate) fn round_trip(from: &Node, to: Ipv4Addr) -> Option<Duration> {
    from.run(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
        socket.connect((to, ECHO)).ok()?;
        socket.set_read_timeout(Some(SOON)).ok()?;
        let times = (0..3_u8).map(|number| {
            let sent = Instant::now();
            socket.send(&[number]).ok()?;
            let mut buffer = [0; 8];
            socket.recv(&mut buffer).ok()?;
            (buffer[0] == number).then(|| sent.elapsed())
        });
        times.collect::<Option<Vec<_>>>()?.into_iter().min()
    })
}

/// Returns the routers on the way to a node with [`echo`], or nothing while routes change.
pub(crate) fn way(from: &Node, to: Ipv4Addr) -> Option<Vec<Ipv4Addr>> {
    traffic::way(from, to, SOON)
}
