//! The thread of a DHCP server.

use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::events::since_start;
use crate::kernel::frames::Poller;
use crate::kernel::sync::Lock;
use crate::lab::error::Result;
use crate::lab::services::dhcp::dhcp::ServedNetwork;
use crate::lab::services::dhcp::sockets::DhcpSockets;
use crate::lab::services::service::{ServicePlace, ServiceThread, ServiceWork, open_inside};
use crate::model::dhcp::frame::{CLIENT_PORT, EVERYBODY, SERVER_PORT};
use crate::model::dhcp::message::MessageKind;

/// Starts a DHCP server in a node.
pub(crate) fn start(
    place: &dyn ServicePlace,
    networks: Arc<Lock<Vec<ServedNetwork>>>,
) -> Result<ServiceThread> {
    let indexes: Vec<u32> = networks.lock().iter().map(|it| it.index).collect();
    let sockets = open_inside(place, "port 67 of the DHCP server", || {
        DhcpSockets::open([SERVER_PORT, CLIENT_PORT], &indexes)
    })?;
    ServiceThread::start("dhcp", place, ServerThread { sockets, networks })
}

struct ServerThread {
    sockets: DhcpSockets,
    /// The networks in the order of the sockets. Further ones may have come since.
    networks: Arc<Lock<Vec<ServedNetwork>>>,
}

impl ServiceWork for ServerThread {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.sockets.descriptors()
    }

    fn hear(&mut self, token: u64, _poller: &Poller) {
        let at = token as usize;
        let Some((_, message)) = self.sockets.receive(at) else {
            return;
        };
        let mut networks = self.networks.lock();
        let Some(ServedNetwork { mac, server, .. }) = networks.get_mut(at) else {
            return;
        };
        let Some(answer) = server.hear(&message, since_start()) else {
            return;
        };
        // RFC 2131, section 4.1: where the answer goes. A client that has no address yet hears it
        // by its MAC address, for it would answer no ARP.
        let (to, ip) = if answer.broadcast || answer.kind == MessageKind::Nak {
            (EVERYBODY, Ipv4Addr::BROADCAST)
        } else if answer.client.is_unspecified() {
            (answer.mac, answer.yours)
        } else {
            (answer.mac, answer.client)
        };
        let ips = [server.pool().server, ip];
        self.sockets.send(at, [*mac, to], ips, &answer);
    }
}
