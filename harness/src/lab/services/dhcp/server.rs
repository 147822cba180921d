//! The sockets of a DHCP server, and the thread that serves them.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;

use crate::events::since_start;
use crate::kernel::frames::{PollEvents, PortSocket};
use crate::kernel::sync::Lock;
use crate::lab::error::Result;
use crate::lab::services::dhcp::dhcp::ServedNetwork;
use crate::lab::services::service::{Control, ServicePlace, ServiceThread, inside, refused};
use crate::model::dhcp::frame::{CLIENT_PORT, EVERYBODY, SERVER_PORT, unwrap, wrap};
use crate::model::dhcp::message::{DhcpMessage, MessageKind};

/// The longest frame of a link with the usual MTU. Longer ones are no messages of DHCP.
const LONGEST: usize = 1514;

/// Starts a DHCP server in a node.
pub(crate) fn start(
    place: &dyn ServicePlace,
    networks: Arc<Lock<Vec<ServedNetwork>>>,
) -> Result<ServiceThread> {
    let indexes: Vec<u32> = networks.lock().iter().map(|it| it.index).collect();
    let opened = inside(place, || {
        // Frames are read by sockets of their own. This one only keeps the kernel from saying that
        // nobody is at the port, which a client that asks for more time would hear.
        let port = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, SERVER_PORT))?;
        let open = |index: &u32| Ok((*index, PortSocket::open(*index, SERVER_PORT)?));
        let sockets = indexes.iter().map(open).collect::<io::Result<Vec<_>>>()?;
        Ok((port, sockets))
    })?;
    let (port, sockets) =
        opened.map_err(|e| refused("open port 67 of the DHCP server", place, &e))?;
    let name = format!("dhcp {}", place.place_name());
    ServiceThread::start(name, move |control| {
        if let Err(errno) = serve(control, &sockets, &networks) {
            eprintln!("a DHCP server of the lab has ended: {errno}");
        }
        drop(port);
    })
}

fn serve(
    control: &Control,
    sockets: &[(u32, PortSocket)],
    networks: &Lock<Vec<ServedNetwork>>,
) -> crate::kernel::Result<()> {
    for (token, (_, socket)) in (0..).zip(sockets) {
        control.poller().add(socket.as_fd(), token)?;
    }
    let mut events = PollEvents::new();
    let mut buffer = vec![0; LONGEST];
    while control.goes_on() {
        control.poller().wait(None, &mut events)?;
        // A paused node says nothing, and hears what has come when it goes on.
        if !control.goes_on() {
            break;
        }
        for token in events.tokens() {
            let Some((index, socket)) = sockets.get(token as usize) else {
                continue;
            };
            // One frame at a time: the set reports a socket with more of them again.
            let Ok(length) = socket.receive(&mut buffer) else {
                continue;
            };
            if let Some(frame) = answer(*index, &buffer[..length], networks) {
                // An answer that cannot be sent is lost, as on any wire; the client asks again.
                let _ = socket.send(&frame);
            }
        }
    }
    Ok(())
}

fn answer(index: u32, frame: &[u8], networks: &Lock<Vec<ServedNetwork>>) -> Option<Vec<u8>> {
    let (_, bytes) = unwrap(frame)?;
    let message = DhcpMessage::decode(bytes)?;
    let mut networks = networks.lock();
    let network = networks.iter_mut().find(|it| it.index == index)?;
    let answer = network.server.hear(&message, since_start())?;
    // RFC 2131, section 4.1: where the answer goes. A client that has no address yet hears it by
    // its MAC address, for it would answer no ARP.
    let (mac, ip) = if answer.broadcast || answer.kind == MessageKind::Nak {
        (EVERYBODY, Ipv4Addr::BROADCAST)
    } else if answer.client.is_unspecified() {
        (answer.mac, answer.yours)
    } else {
        (answer.mac, answer.client)
    };
    wrap(
        [network.mac, mac],
        [network.server.pool().server, ip],
        [SERVER_PORT, CLIENT_PORT],
        &answer.encode(),
    )
}
