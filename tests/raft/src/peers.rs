//! Messages of Raft, as datagrams between the members.
//!
//! A datagram says in which round it was sent, by whom, and which one of the round it is. At the
//! end of a round, each member tells each other how many there were. So a member knows when it has
//! all of a round, and reacts to them in the same order in each run. A member from which nothing
//! comes is cut off; Raft repeats what is lost.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use protobuf::Message as _;
use raft::eraftpb::Message;

use crate::options::Options;

const PORT: u16 = 7001;

/// Largest datagram of UDP over IPv4.
const LARGEST: usize = 65_507;

/// Bytes in front of a message: the round, the sender, and the place of the message in the round.
const HEADER: usize = 24;

/// The place of the datagram that has the number of the others instead of a message.
const LAST: u64 = u64::MAX;

/// The other members, as far as they can be sent something.
pub(crate) struct Peers {
    id: u64,
    socket: UdpSocket,
    /// Addresses in the order of the members' numbers.
    addresses: Vec<SocketAddr>,
    round: u64,
    /// Numbers of messages that were sent in this round to each of the members.
    sent: Vec<u64>,
    /// The messages that were gathered, for the next round.
    gathered: Vec<Message>,
}

/// Messages of a member in a round, as far as they have come.
#[derive(Default)]
struct FromPeer {
    messages: BTreeMap<u64, Message>,
    number: Option<u64>,
}

impl FromPeer {
    fn is_whole(&self) -> bool {
        self.number == Some(self.messages.len() as u64)
    }
}

impl Peers {
    /// Opens the socket.
    ///
    /// # Errors
    /// The port is taken, or the name of a member has no address.
    pub(crate) fn open(options: &Options) -> io::Result<Self> {
        let addresses = options.members.iter().map(|name| address_of(name));
        Ok(Self {
            id: options.id,
            addresses: addresses.collect::<io::Result<_>>()?,
            socket: UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT))?,
            round: 0,
            sent: Vec::new(),
            gathered: Vec::new(),
        })
    }

    /// Begins a round.
    pub(crate) fn begin(&mut self, round: u64) {
        self.round = round;
        self.sent = vec![0; self.addresses.len()];
    }

    /// Returns the messages of the round before, by sender.
    pub(crate) fn take_gathered(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.gathered)
    }

    /// Sends messages, each to the member to which it is addressed.
    ///
    /// # Errors
    /// A message cannot be encoded.
    pub(crate) fn send(&mut self, messages: Vec<Message>) -> io::Result<()> {
        for message in messages {
            let to = message.to as usize - 1;
            self.send_to(to, self.sent[to], &message.write_to_bytes()?);
            self.sent[to] += 1;
        }
        Ok(())
    }

    /// Tells each other member how many messages of this round it was sent.
    pub(crate) fn end(&self) {
        for (to, sent) in self.sent.iter().enumerate() {
            if to as u64 + 1 != self.id {
                self.send_to(to, LAST, &sent.to_le_bytes());
            }
        }
    }

    fn send_to(&self, to: usize, place: u64, message: &[u8]) {
        let header = [self.round, self.id, place].map(u64::to_le_bytes).concat();
        let datagram = [&header[..], message].concat();
        // What cannot be sent is lost, as it might be on its way.
        let _ = self.socket.send_to(&datagram, self.addresses[to]);
    }

    /// Takes in what these members have sent in this round. Those that are not heard to the end
    /// within a time are given up. Returns those that were heard.
    ///
    /// # Errors
    /// A message came in another round than its own: somebody was given up too early.
    pub(crate) fn gather(&mut self, from: &[u64], patience: Duration) -> io::Result<Vec<u64>> {
        let end = Instant::now() + patience;
        let mut heard: BTreeMap<u64, FromPeer> = BTreeMap::new();
        let is_whole = |heard: &BTreeMap<u64, FromPeer>, id: &u64| {
            heard.get(id).is_some_and(FromPeer::is_whole)
        };
        let mut buffer = [0; LARGEST];
        while !from.iter().all(|id| is_whole(&heard, id)) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.socket.set_read_timeout(Some(left))?;
            let length = match self.socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // An ICMP error that an earlier datagram brought about is no reason to stop.
                Err(_) => continue,
            };
            self.take_in(&buffer[..length], &mut heard)?;
        }
        heard.retain(|_, it| it.is_whole());
        let ids = heard.keys().copied().collect();
        let messages = heard.into_values().flat_map(|it| it.messages.into_values());
        self.gathered = messages.collect();
        Ok(ids)
    }

    fn take_in(&self, datagram: &[u8], heard: &mut BTreeMap<u64, FromPeer>) -> io::Result<()> {
        let Some((header, rest)) = datagram.split_at_checked(HEADER) else {
            return Ok(());
        };
        let mut words = header
            .as_chunks()
            .0
            .iter()
            .map(|it| u64::from_le_bytes(*it));
        let (Some(round), Some(sender), Some(place)) = (words.next(), words.next(), words.next())
        else {
            return Ok(());
        };
        if round != self.round {
            return Err(io::Error::other(format!(
                "a message of round {round} came in round {}: the machine is too busy",
                self.round
            )));
        }
        let from = heard.entry(sender).or_default();
        match place {
            LAST => from.number = rest.first_chunk().map(|it| u64::from_le_bytes(*it)),
            place => drop(
                from.messages
                    .insert(place, Message::parse_from_bytes(rest)?),
            ),
        }
        Ok(())
    }
}

fn address_of(name: &str) -> io::Result<SocketAddr> {
    let mut addresses = (name, PORT).to_socket_addrs()?;
    let found = addresses.find(SocketAddr::is_ipv4);
    found.ok_or_else(|| io::Error::other(format!("{name} has no IPv4 address")))
}
