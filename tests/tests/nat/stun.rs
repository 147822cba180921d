//! A small client of STUN (RFC 8489) that finds out the behaviours of a NAT (RFC 5780).

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::Instant;

use snowglobe::prelude::*;
use snowglobe::topology::nat::Dependence;

use crate::world::PATIENCE;

const COOKIE: [u8; 4] = 0x2112_a442_u32.to_be_bytes();
const CHANGE_REQUEST: u16 = 0x0003;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const OTHER_ADDRESS: u16 = 0x802c;

/// The bits of a CHANGE-REQUEST (RFC 5780, section 7.2).
const CHANGE_PORT: u8 = 2;
const CHANGE_ADDRESS: u8 = 4;

/// An answer of a server.
pub(crate) struct Answer {
    /// The address and port by which the server sees the client.
    pub(crate) mapped: SocketAddr,
    /// The other address and port of the server.
    pub(crate) other: Option<SocketAddr>,
}

/// Sends a binding request with these bits of CHANGE-REQUEST and this number.
fn ask(socket: &UdpSocket, server: SocketAddr, change: u8, number: u8) {
    let mut message = vec![0, 1, 0, 8];
    message.extend(COOKIE);
    message.extend([number; 12]);
    message.extend(CHANGE_REQUEST.to_be_bytes());
    message.extend([0, 4, 0, 0, 0, change]);
    socket.send_to(&message, server).expect("sent");
}

/// Reads an answer, with the number of its request.
fn read(bytes: &[u8]) -> Option<(u8, Answer)> {
    let (header, mut rest) = bytes.split_first_chunk::<20>()?;
    if header[..2] != [1, 1] || header[4..8] != COOKIE {
        return None;
    }
    let (mut mapped, mut other) = (None, None);
    while let Some((&[a, b, c, d], more)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([c, d]));
        let value = more.get(..length)?;
        match u16::from_be_bytes([a, b]) {
            // The cookie and the number of the transaction.
            XOR_MAPPED_ADDRESS => mapped = address(value, header.last_chunk()?),
            OTHER_ADDRESS => other = address(value, &[0; 16]),
            _ => {}
        }
        rest = more.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Some((
        header[8],
        Answer {
            mapped: mapped?,
            other,
        },
    ))
}

/// Reads an address of either family, each byte of which is exchanged by a byte of the mask (RFC
/// 8489, section 14.2).
fn address(value: &[u8], mask: &[u8; 16]) -> Option<SocketAddr> {
    let [_, family, p, q, ip @ ..] = value else {
        return None;
    };
    let port = u16::from_be_bytes([p ^ mask[0], q ^ mask[1]]);
    let ip: Vec<u8> = ip
        .iter()
        .zip(mask)
        .map(|(byte, mask)| byte ^ mask)
        .collect();
    let ip: IpAddr = match family {
        1 => <[u8; 4]>::try_from(ip).ok()?.into(),
        2 => <[u8; 16]>::try_from(ip).ok()?.into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Asks a server until it answers, as a client does whose requests may be lost. Returns the answer
/// to the request with this number, and adds the numbers of all other answers to `others`.
///
/// A server that starts slowly answers a request and its repetitions as well, so that an answer may
/// come when the client has long asked for something else. Its number tells it from the others
/// (RFC 8489, section 6.3.3).
fn binding(
    socket: &UdpSocket,
    server: SocketAddr,
    number: u8,
    others: &mut BTreeSet<u8>,
) -> Answer {
    socket
        .set_read_timeout(Some(Duration::from_millis(100)))
        .expect("a time-out");
    let deadline = Instant::now() + PATIENCE;
    ask(socket, server, 0, number);
    loop {
        let mut buffer = [0; 600];
        match socket.recv(&mut buffer) {
            Ok(length) => match read(&buffer[..length]) {
                Some((answered, answer)) if answered == number => return answer,
                other => others.extend(other.map(|(answered, _)| answered)),
            },
            // The server has not opened its port yet, or a packet was lost.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionRefused | ErrorKind::WouldBlock
                ) =>
            {
                ask(socket, server, 0, number);
            }
            Err(error) => panic!("{error}"),
        }
        assert!(Instant::now() < deadline, "{server} does not answer");
    }
}

/// Finds out what mappings depend on (RFC 5780, section 4.3).
pub(crate) fn mapping(socket: &UdpSocket, server: SocketAddr) -> Dependence {
    let late = &mut BTreeSet::new();
    let first = binding(socket, server, 1, late);
    let other = first.other.expect("the server has another address");
    let second = SocketAddr::new(other.ip(), server.port());
    let second = binding(socket, second, 2, late);
    if second.mapped == first.mapped {
        return Dependence::EndpointIndependent;
    }
    match binding(socket, other, 3, late).mapped == second.mapped {
        true => Dependence::AddressDependent,
        false => Dependence::AddressAndPortDependent,
    }
}

/// Finds out from whom packets are let in (RFC 5780, section 4.4).
///
/// The answers of the other address and port may be kept out. coturn sends them by its event loop,
/// soon after it has answered what was asked last, and on a busy machine one may come late. So the
/// client asks for them again and again, and waits for an ordinary answer after each request. Who
/// is never heard among so many ordinary answers is kept out.
pub(crate) fn filtering(socket: &UdpSocket, server: SocketAddr) -> Dependence {
    const OTHER_ADDRESS_AND_PORT: u8 = 2;
    const OTHER_PORT: u8 = 3;
    let mut heard = BTreeSet::new();
    binding(socket, server, 1, &mut heard);
    for number in 10..30 {
        let change = CHANGE_ADDRESS | CHANGE_PORT;
        ask(socket, server, change, OTHER_ADDRESS_AND_PORT);
        ask(socket, server, CHANGE_PORT, OTHER_PORT);
        binding(socket, server, number, &mut heard);
        if heard.contains(&OTHER_ADDRESS_AND_PORT) {
            return Dependence::EndpointIndependent;
        }
    }
    match heard.contains(&OTHER_PORT) {
        true => Dependence::AddressDependent,
        false => Dependence::AddressAndPortDependent,
    }
}
