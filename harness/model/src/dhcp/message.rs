//! Messages of DHCP, as values and as bytes (RFC 2131, section 2; RFC 2132).

use std::net::Ipv4Addr;

/// Bytes in front of the options, and the four that tell that options follow.
const FIXED: usize = 236;
const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// The least bytes of a message: some relays and clients drop shorter ones (RFC 1542, section 2.1).
const LEAST: usize = 300;

/// The kind of a message (RFC 2132, section 9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// A client looks for servers.
    Discover,
    /// A server offers an address.
    Offer,
    /// A client asks for an address, or for more time.
    Request,
    /// A client has found that another has the address.
    Decline,
    /// A server gives the address.
    Ack,
    /// A server refuses the address.
    Nak,
    /// A client gives the address back.
    Release,
    /// A client has an address, and asks for the rest.
    Inform,
}

impl MessageKind {
    const ALL: [Self; 8] = [
        Self::Discover,
        Self::Offer,
        Self::Request,
        Self::Decline,
        Self::Ack,
        Self::Nak,
        Self::Release,
        Self::Inform,
    ];

    fn number(self) -> u8 {
        // The numbers go from 1 in this order.
        self as u8 + 1
    }

    fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Returns whether servers send such messages.
    pub fn is_of_servers(self) -> bool {
        matches!(self, Self::Offer | Self::Ack | Self::Nak)
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DhcpMessage {
    /// The kind.
    pub kind: MessageKind,
    /// The number by which a client knows the answers to its question.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// Whether the client wants the answer as a broadcast.
    pub broadcast: bool,
    /// The address that the client has (`ciaddr`).
    pub client: Ipv4Addr,
    /// The address that the client gets (`yiaddr`).
    pub yours: Ipv4Addr,
    /// The address of a relay (`giaddr`).
    pub relay: Ipv4Addr,
    /// The MAC address of the client.
    pub mac: [u8; 6],
    /// The address that the client asks for (option 50).
    pub requested: Option<Ipv4Addr>,
    /// The server (option 54).
    pub server: Option<Ipv4Addr>,
    /// Seconds for which the client has the address, then until it asks this server for more, then
    /// until it asks any (options 51, 58, 59).
    pub times: [Option<u32>; 3],
    /// The length of the prefix of the network (option 1).
    pub prefix: Option<u8>,
    /// The routers (option 3).
    pub routers: Vec<Ipv4Addr>,
    /// The name servers (option 6).
    pub dns: Vec<Ipv4Addr>,
    /// The domain (option 15).
    pub domain: Option<String>,
    /// The name of the client (option 12).
    pub hostname: Option<String>,
    /// The name by which the client is known instead of its MAC address (option 61).
    pub identity: Option<Vec<u8>>,
}

impl DhcpMessage {
    /// Returns a message of a client without further content.
    pub fn new(kind: MessageKind, xid: u32, mac: [u8; 6]) -> Self {
        Self {
            kind,
            xid,
            secs: 0,
            broadcast: false,
            client: Ipv4Addr::UNSPECIFIED,
            yours: Ipv4Addr::UNSPECIFIED,
            relay: Ipv4Addr::UNSPECIFIED,
            mac,
            requested: None,
            server: None,
            times: [None; 3],
            prefix: None,
            routers: Vec::new(),
            dns: Vec::new(),
            domain: None,
            hostname: None,
            identity: None,
        }
    }

    /// Reads a message of an Ethernet host; nothing if the bytes are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_first_chunk::<FIXED>()?;
        let mut options = rest.strip_prefix(&COOKIE)?;
        let [operation, hardware, length, ..] = *fixed;
        if hardware != 1 || length != 6 {
            return None;
        }
        let address = |at: usize| {
            let four = [fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]];
            Ipv4Addr::from(four)
        };
        let xid = u32::from(address(4));
        let mut message = Self::new(MessageKind::Discover, xid, *fixed[28..].first_chunk()?);
        message.secs = u16::from_be_bytes([fixed[8], fixed[9]]);
        message.broadcast = fixed[10] & 0x80 != 0;
        message.client = address(12);
        message.yours = address(16);
        message.relay = address(24);
        let mut kind = None;
        while let Some((&code, rest)) = options.split_first() {
            match code {
                0 => {
                    options = rest;
                    continue;
                }
                255 => break,
                _ => {}
            }
            let (&length, rest) = rest.split_first()?;
            let (value, rest) = rest.split_at_checked(usize::from(length))?;
            options = rest;
            if code == 53 {
                kind = MessageKind::of(*value.first()?);
            } else {
                message.take_option(code, value);
            }
        }
        message.kind = kind?;
        // A message of a server is an answer (BOOTREPLY), and a client's is none.
        (message.kind.is_of_servers() == (operation == 2)).then_some(message)
    }

    fn take_option(&mut self, code: u8, value: &[u8]) {
        let address = || value.first_chunk::<4>().copied().map(Ipv4Addr::from);
        let addresses = || {
            let (addresses, _) = value.as_chunks::<4>();
            addresses.iter().copied().map(Ipv4Addr::from).collect()
        };
        let number = || value.first_chunk().copied().map(u32::from_be_bytes);
        let text = || {
            Some(
                String::from_utf8_lossy(value)
                    .trim_end_matches('\0')
                    .to_owned(),
            )
        };
        match code {
            1 => {
                self.prefix = address().map(u32::from).and_then(|mask| {
                    let ones = mask.leading_ones();
                    (ones == mask.count_ones()).then_some(ones as u8)
                });
            }
            3 => self.routers = addresses(),
            6 => self.dns = addresses(),
            12 => self.hostname = text(),
            15 => self.domain = text(),
            50 => self.requested = address(),
            51 => self.times[0] = number(),
            54 => self.server = address(),
            58 => self.times[1] = number(),
            59 => self.times[2] = number(),
            61 => self.identity = Some(value.to_vec()),
            _ => {}
        }
    }

    /// Writes the message.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; FIXED];
        let operation = if self.kind.is_of_servers() { 2 } else { 1 };
        bytes[..3].copy_from_slice(&[operation, 1, 6]);
        bytes[4..8].copy_from_slice(&self.xid.to_be_bytes());
        bytes[8..10].copy_from_slice(&self.secs.to_be_bytes());
        bytes[10] = if self.broadcast { 0x80 } else { 0 };
        bytes[12..16].copy_from_slice(&self.client.octets());
        bytes[16..20].copy_from_slice(&self.yours.octets());
        bytes[24..28].copy_from_slice(&self.relay.octets());
        bytes[28..34].copy_from_slice(&self.mac);
        bytes.extend(COOKIE);
        let mut option = |code: u8, value: &[u8]| {
            // A value that is longer than an option is left out: nobody has such a name.
            if let Ok(length) = u8::try_from(value.len()) {
                bytes.extend([code, length]);
                bytes.extend(value);
            }
        };
        option(53, &[self.kind.number()]);
        if let Some(server) = self.server {
            option(54, &server.octets());
        }
        if let Some(requested) = self.requested {
            option(50, &requested.octets());
        }
        for (code, seconds) in [51, 58, 59].into_iter().zip(self.times) {
            if let Some(seconds) = seconds {
                option(code, &seconds.to_be_bytes());
            }
        }
        if let Some(prefix) = self.prefix {
            let mask = u32::MAX
                .checked_shl(32 - u32::from(prefix.min(32)))
                .unwrap_or(0);
            option(1, &mask.to_be_bytes());
        }
        for (code, addresses) in [(3, &self.routers), (6, &self.dns)] {
            let octets: Vec<u8> = addresses.iter().flat_map(Ipv4Addr::octets).collect();
            if !octets.is_empty() {
                option(code, &octets);
            }
        }
        for (code, text) in [(12, &self.hostname), (15, &self.domain)] {
            if let Some(text) = text {
                option(code, text.as_bytes());
            }
        }
        if let Some(identity) = &self.identity {
            option(61, identity);
        }
        if !self.kind.is_of_servers() {
            // What the client wants to know (option 55).
            option(55, &[1, 3, 6, 15, 51, 58, 59]);
        }
        bytes.push(255);
        bytes.resize(bytes.len().max(LEAST), 0);
        bytes
    }
}
