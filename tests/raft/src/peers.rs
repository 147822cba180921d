//! Messages of Raft, as datagrams between the members.
//!
//! Raft repeats what is lost, so that datagrams are enough. After a partition, there is no
//! connection that first has to notice that it is there again.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::mpsc::Sender;
use std::thread;

use protobuf::Message as _;
use raft::eraftpb::Message;

use crate::member::Input;
use crate::options::Options;

const PORT: u16 = 7001;

/// Largest datagram of UDP over IPv4.
const LARGEST: usize = 65_507;

/// The other members, as far as they can be sent something.
pub(crate) struct Peers {
    socket: UdpSocket,
    /// Addresses in the order of the members' numbers.
    addresses: Vec<SocketAddr>,
}

/// Opens the socket, and starts the thread that hands on what comes.
///
/// # Errors
/// The port is taken, or the name of a member has no address.
pub(crate) fn open(options: &Options, inputs: Sender<Input>) -> io::Result<Peers> {
    let addresses = options.members.iter().map(|name| address_of(name));
    let addresses = addresses.collect::<io::Result<_>>()?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
    let heard = socket.try_clone()?;
    thread::spawn(move || hear(&heard, &inputs));
    Ok(Peers { socket, addresses })
}

fn address_of(name: &str) -> io::Result<SocketAddr> {
    let mut addresses = (name, PORT).to_socket_addrs()?;
    let found = addresses.find(SocketAddr::is_ipv4);
    found.ok_or_else(|| io::Error::other(format!("{name} has no IPv4 address")))
}

fn hear(socket: &UdpSocket, inputs: &Sender<Input>) {
    let mut buffer = [0; LARGEST];
    loop {
        // An ICMP error that an earlier datagram brought about is no reason to stop.
        let Ok(length) = socket.recv(&mut buffer) else {
            continue;
        };
        let Ok(message) = Message::parse_from_bytes(&buffer[..length]) else {
            continue;
        };
        if inputs.send(Input::Peer(message)).is_err() {
            return;
        }
    }
}

impl Peers {
    /// Sends messages, each to the member to which it is addressed.
    pub(crate) fn send(&self, messages: Vec<Message>) {
        for message in messages {
            let Ok(bytes) = message.write_to_bytes() else {
                continue;
            };
            // What cannot be sent is lost, as it might be on its way.
            let _ = self
                .socket
                .send_to(&bytes, self.addresses[message.to as usize - 1]);
        }
    }
}
