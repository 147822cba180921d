//! What has to be known of a frame's headers to cut it.

use super::vnet::Vnet;

/// Where the headers of a super-frame are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) ip: Ip,
    /// Where the IP header begins.
    pub(crate) network: usize,
    pub(crate) transport: Transport,
    /// Where the transport header begins.
    pub(crate) transport_at: usize,
    /// Where the payload begins.
    pub(crate) payload: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ip {
    V4,
    V6,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

impl Layout {
    /// That of a super-frame; nothing if its headers are not what its virtio-net header says.
    ///
    /// The length of the headers is not taken from there: Linux gives it as a hint only.
    pub(crate) fn of(vnet: &Vnet, frame: &[u8]) -> Option<Layout> {
        let (ethertype, network) = network(frame)?;
        let ip = match ethertype {
            [0x08, 0x00] => Ip::V4,
            [0x86, 0xdd] => Ip::V6,
            _ => return None,
        };
        let transport = vnet.transport()?;
        let shortest = match ip {
            Ip::V4 => 20.max(usize::from(frame.get(network)? & 0x0f) * 4),
            Ip::V6 => 40,
        };
        let transport_at = vnet.checksum_start()?;
        if transport_at < network + shortest {
            return None;
        }
        let length = match transport {
            Transport::Tcp => usize::from(frame.get(transport_at + 12)? >> 4) * 4,
            Transport::Udp => 8,
        };
        let payload = transport_at + length;
        let whole = length >= transport.shortest() && payload <= frame.len();
        whole.then_some(Layout {
            ip,
            network,
            transport,
            transport_at,
            payload,
        })
    }

    /// That of a plain frame with nothing but one whole datagram in it, whose checksum is yet to be completed.
    pub(crate) fn of_datagram(vnet: &Vnet, frame: &[u8]) -> Option<Layout> {
        let (ethertype, network) = network(frame)?;
        let packet = frame.get(network..)?;
        let number = |at: usize| {
            Some(usize::from(u16::from_be_bytes([
                *packet.get(at)?,
                *packet.get(at + 1)?,
            ])))
        };
        let (ip, headers, length, protocol) = match ethertype {
            // No options, no fragment.
            [0x08, 0x00] if *packet.first()? == 0x45 && number(6)? & 0x3fff == 0 => {
                (Ip::V4, 20, number(2)?, packet.get(9)?)
            }
            [0x86, 0xdd] => (Ip::V6, 40, 40 + number(4)?, packet.get(6)?),
            _ => return None,
        };
        let transport_at = network + headers;
        let layout = Layout {
            ip,
            network,
            transport: Transport::Udp,
            transport_at,
            payload: transport_at + 8,
        };
        let is_datagram = usize::from(*protocol) == usize::from(Transport::Udp.number())
            && length == packet.len()
            && number(headers + 4)? == length - headers
            && frame.len() > layout.payload
            && vnet.is_plain_but_for_checksum(transport_at, Transport::Udp.checksum_at());
        is_datagram.then_some(layout)
    }
}

impl Transport {
    fn shortest(self) -> usize {
        match self {
            Transport::Tcp => 20,
            Transport::Udp => 8,
        }
    }

    /// The protocol's number.
    pub(crate) fn number(self) -> u16 {
        match self {
            Transport::Tcp => 6,
            Transport::Udp => 17,
        }
    }

    /// Where the checksum stands in the header.
    pub(crate) fn checksum_at(self) -> usize {
        match self {
            Transport::Tcp => 16,
            Transport::Udp => 6,
        }
    }
}

/// The type of what is behind any VLAN tags, and where that begins.
fn network(frame: &[u8]) -> Option<([u8; 2], usize)> {
    const VLAN: [[u8; 2]; 2] = [[0x81, 0x00], [0x88, 0xa8]];
    let mut at = 12;
    loop {
        let ethertype = *frame.get(at..)?.first_chunk::<2>()?;
        if !VLAN.contains(&ethertype) {
            return Some((ethertype, at + 2));
        }
        at += 4;
    }
}
