//! A round of datagrams tells which node hears which.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::time::Instant;

use snowglobe::Lab;
use snowglobe::prelude::*;

/// A socket in each node of a lab.
pub(crate) struct Ears {
    sockets: Vec<UdpSocket>,
    /// Number of calls of `pairs` so far: datagrams of an earlier one may come late.
    calls: Cell<u32>,
}

/// Time for which a node listens after what it has heard. A datagram on a switch takes
/// microseconds; a fault that lets one pass late would be found too.
const LISTENS: Duration = Duration::from_millis(150);
/// Time within which as many pairs hear each other as a test expects. A request for a hardware
/// address that was lost is sent again after a second (`retrans_time_ms`, arp(7)).
const PATIENCE: Duration = Duration::from_secs(20);

impl Ears {
    pub(crate) fn new(lab: &Lab) -> TestResult<Self> {
        let socket = |node: &snowglobe::lab::Node| -> TestResult<UdpSocket> {
            let socket = node.run(|| UdpSocket::bind("0.0.0.0:7000"))?;
            Ok(socket)
        };
        let ears = Self {
            sockets: lab.nodes().map(socket).collect::<TestResult<_>>()?,
            calls: Cell::new(0),
        };
        // All know each other's hardware address from here on: a request for it may be lost.
        let number = ears.sockets.len();
        assert_eq!(ears.pairs(lab, number * (number - 1))?, all(number));
        Ok(ears)
    }

    /// Sends from each node to each other until `number` pairs were heard, at most for
    /// [`PATIENCE`]. Returns who was heard by whom, as `1>2`; a pair too many is among them.
    pub(crate) fn pairs(&self, lab: &Lab, number: usize) -> TestResult<BTreeSet<String>> {
        self.calls.set(self.calls.get() + 1);
        let call = format!("{}:", self.calls.get());
        let mut heard = BTreeSet::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            for (from, socket) in self.sockets.iter().enumerate() {
                for (to, node) in lab.nodes().enumerate().filter(|(to, _)| *to != from) {
                    let pair = format!("{call}{}>{}", from + 1, to + 1);
                    socket.send_to(pair.as_bytes(), (node.ip(), 7000))?;
                }
            }
            let more = self.read()?;
            heard.extend(
                more.iter()
                    .filter_map(|it| it.strip_prefix(&call))
                    .map(str::to_owned),
            );
            if heard.len() >= number || Instant::now() > deadline {
                return Ok(heard);
            }
        }
    }

    fn read(&self) -> TestResult<BTreeSet<String>> {
        let mut heard = BTreeSet::new();
        for socket in &self.sockets {
            socket.set_read_timeout(Some(LISTENS))?;
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
