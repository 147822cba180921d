//! Questions as messages, for what no function of std asks.

use std::time::Duration;

use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, TYPE};
use snowglobe::lab::Node;
use snowglobe::prelude::*;

/// Returns the message that asks for a type of record.
pub(crate) fn message(name: &str, kind: TYPE) -> Vec<u8> {
    let mut packet = Packet::new_query(0x1234);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new_unchecked(name);
    let question = Question::new(name, kind.into(), CLASS::IN.into(), false);
    packet.questions.push(question);
    packet.build_bytes_vec().expect("a short message")
}

/// Sends a message by UDP, and returns the answer; none if there is none in time.
pub(crate) fn ask(
    from: &Node,
    server: IpAddr,
    message: &[u8],
    wait: Duration,
) -> std::io::Result<Option<Vec<u8>>> {
    from.run(|| {
        let any: IpAddr = match server {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0))?;
        // Only what comes from the address that was asked is an answer.
        socket.connect((server, 53))?;
        socket.set_read_timeout(Some(wait))?;
        socket.send(message)?;
        let mut buffer = vec![0; 65_535];
        match socket.recv(&mut buffer) {
            Ok(length) => Ok(Some(buffer[..length].to_vec())),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    })
}

/// Sends a message by TCP, and returns the answer.
pub(crate) fn ask_by_tcp(from: &Node, server: IpAddr, message: &[u8]) -> std::io::Result<Vec<u8>> {
    from.run(|| {
        let mut stream = TcpStream::connect((server, 53))?;
        let length = u16::try_from(message.len()).expect("a short message");
        // In two pieces: a server has to wait for the whole of a message.
        stream.write_all(&length.to_be_bytes())?;
        stream.write_all(message)?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    })
}
