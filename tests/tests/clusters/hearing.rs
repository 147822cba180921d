//! A round of datagrams tells which node hears which.

use std::collections::BTreeSet;
use std::net::UdpSocket;

use snowglobe::Lab;
use snowglobe::prelude::*;

use crate::MS;

/// A socket in each node of a lab.
pub(crate) struct Ears {
    sockets: Vec<UdpSocket>,
}

/// Time for which a node listens. A datagram on a switch takes microseconds; a fault that lets one
/// pass late would be found too.
const LISTENS: Duration = Duration::from_millis(150);

impl Ears {
    pub(crate) fn new(lab: &Lab) -> TestResult<Self> {
        let socket = |node: &snowglobe::lab::Node| -> TestResult<UdpSocket> {
            let socket = node.run(|| UdpSocket::bind("0.0.0.0:7000"))?;
            Ok(socket)
        };
        let ears = Self {
            sockets: lab.nodes().map(socket).collect::<TestResult<_>>()?,
        };
        // All know each other's hardware address from here on: a request for it may be lost.
        ears.pairs(lab)?;
        Ok(ears)
    }

    /// Sends from each node to each other, and returns who was heard by whom, as `1>2`.
    pub(crate) fn pairs(&self, lab: &Lab) -> TestResult<BTreeSet<String>> {
        // What came late to an earlier round is not of this one.
        self.read(1 * MS)?;
        for (from, socket) in self.sockets.iter().enumerate() {
            for (to, node) in lab.nodes().enumerate().filter(|(to, _)| *to != from) {
                let pair = format!("{}>{}", from + 1, to + 1);
                socket.send_to(pair.as_bytes(), (node.ip(), 7000))?;
            }
        }
        self.read(LISTENS)
    }

    fn read(&self, limit: Duration) -> TestResult<BTreeSet<String>> {
        let mut heard = BTreeSet::new();
        for socket in &self.sockets {
            socket.set_read_timeout(Some(limit))?;
            let mut buffer = [0; 16];
            while let Ok(length) = socket.recv(&mut buffer) {
                heard.insert(String::from_utf8(buffer[..length].to_vec())?);
            }
        }
        Ok(heard)
    }
}

/// Returns all pairs of so many nodes.
pub(crate) fn all(number: usize) -> BTreeSet<String> {
    let pairs = (1..=number).flat_map(|a| (1..=number).map(move |b| (a, b)));
    let pairs = pairs.filter(|(a, b)| a != b);
    pairs.map(|(a, b)| format!("{a}>{b}")).collect()
}
