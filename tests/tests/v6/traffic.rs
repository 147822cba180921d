//! Traffic between nodes.

use snowglobe::lab::Node;
use snowglobe::prelude::*;
pub(crate) use snowglobe_tests::traffic::PATIENCE;
use snowglobe_tests::traffic::{ECHO, answer_each};

/// Long enough for an answer that is never to come.
pub(crate) const IMPATIENCE: Duration = Duration::from_secs(1);
/// The port of [`bulk`].
const BULK: u16 = 19;

/// Returns the address at which a server is reached by both families, if the node has both.
fn any(node: &Node) -> IpAddr {
    match node.ipv6() {
        Some(_) => Ipv6Addr::UNSPECIFIED.into(),
        None => Ipv4Addr::UNSPECIFIED.into(),
    }
}

/// Answers each datagram with the address from which it came, a space and the same bytes, until the
/// process ends.
pub(crate) fn echo(node: &Node) {
    let socket = node.run(|| UdpSocket::bind((any(node), ECHO)).expect("the port is free"));
    answer_each(socket, |bytes, from| {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        [format!("{from} ").as_bytes(), bytes].concat()
    });
}

/// Opens a socket in a node that sends to one address.
pub(crate) fn connected(node: &Node, to: impl Into<SocketAddr>) -> UdpSocket {
    let to = to.into();
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = node.run(|| UdpSocket::bind((any, 0)).expect("a socket"));
    socket.connect(to).expect("a route");
    socket
}

/// Returns the address by which the echo at an address sees the node, or nothing if no answer comes
/// in time. The answer has to have as many bytes as were sent.
pub(crate) fn seen_as(
    node: &Node,
    to: IpAddr,
    bytes: usize,
    patience: Duration,
) -> Option<SocketAddr> {
    let socket = connected(node, (to, ECHO));
    socket.set_read_timeout(Some(patience)).expect("a time-out");
    let question = vec![b'x'; bytes];
    socket.send(&question).ok()?;
    let mut buffer = vec![0; 65_535];
    let length = socket.recv(&mut buffer).ok()?;
    let space = buffer.iter().position(|byte| *byte == b' ')?;
    assert_eq!(buffer[space + 1..length], question[..]);
    std::str::from_utf8(&buffer[..space]).ok()?.parse().ok()
}

/// Takes connections and answers all bytes of each with as many others, until the process ends.
pub(crate) fn bulk(node: &Node) {
    let listener = node.run(|| TcpListener::bind((any(node), BULK)).expect("the port is free"));
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            std::thread::spawn(move || {
                let mut received = Vec::new();
                let _ = client.read_to_end(&mut received);
                let answer: Vec<u8> = received.iter().map(|byte| !byte).collect();
                let _ = client.write_all(&answer);
            });
        }
    });
}

/// Sends some bytes to the bulk server at an address and takes as many back.
pub(crate) fn exchange(node: &Node, to: IpAddr, bytes: usize) -> TestResult {
    let mut stream = node.run(|| TcpStream::connect_timeout(&(to, BULK).into(), PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let sent: Vec<u8> = (0..bytes).map(|at| (at * 31) as u8).collect();
    stream.write_all(&sent)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?;
    let expected: Vec<u8> = sent.iter().map(|byte| !byte).collect();
    assert!(received == expected, "{} bytes came back", received.len());
    Ok(())
}

/// Returns the error that a datagram to a closed port brings about.
pub(crate) fn refused(node: &Node, to: impl Into<SocketAddr>) -> std::io::ErrorKind {
    let socket = connected(node, to);
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    socket.send(b"anybody?").expect("sent");
    socket
        .recv(&mut [0; 10])
        .expect_err("nobody is there")
        .kind()
}

/// Pings an address once from a node, with a program, and returns what it wrote.
pub(crate) fn ping(node: &Node, to: IpAddr) -> TestResult<String> {
    let busybox = Fixture::find("busybox")?.command("busybox")?;
    let family = if to.is_ipv6() { "-6" } else { "-4" };
    let line = ["ping", family, "-c", "1", "-W", "20", &to.to_string()];
    let output = node.command_like(&busybox).args(line).output()?;
    let said = format!("{}{}", output.stdout_str(), output.stderr_str());
    assert!(output.status.success(), "{said}");
    Ok(said)
}
