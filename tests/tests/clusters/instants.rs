//! A partition begins and ends at one instant: no datagram tells a half of it.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use snowglobe::Lab;
use snowglobe::events::EventKind;
use snowglobe::fault::Fault;
use snowglobe::impair::Counters;
use snowglobe::prelude::*;
use snowglobe::topology::plan::Address;

use crate::nodes;

/// Datagrams that are sent one after the other, each when the fate of the one before is decided.
struct Stream {
    sockets: Vec<UdpSocket>,
    /// Who sends to whom, by turns: the places of two sockets, and an address.
    turns: Vec<(usize, usize, SocketAddr)>,
    sent: AtomicUsize,
    over: AtomicBool,
}

const PORT: u16 = 7100;

impl Stream {
    /// Makes a stream over all pairs of nodes whose numbers are on different sides.
    fn across(lab: &Lab, left: &[usize], right: &[usize]) -> TestResult<Self> {
        let bind = |node: &snowglobe::lab::Node| -> TestResult<UdpSocket> {
            let socket = node.run(|| UdpSocket::bind(("0.0.0.0", PORT)))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let mut turns = Vec::new();
        for (a, b) in left
            .iter()
            .flat_map(|a| right.iter().map(move |b| (*a, *b)))
        {
            turns.push((a, b, SocketAddr::new(address(lab, a, b)?, PORT)));
            turns.push((b, a, SocketAddr::new(address(lab, b, a)?, PORT)));
        }
        let stream = Self {
            sockets: lab.nodes().map(bind).collect::<TestResult<_>>()?,
            turns,
            sent: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        };
        Ok(stream)
    }

    /// Sends until the stream is over, and returns which datagrams arrived.
    fn run(&self) -> TestResult<Vec<bool>> {
        // Whoever waits for more datagrams hears that an error has ended the stream.
        let _over = Over(self);
        let mut arrived = Vec::new();
        while !self.over.load(Ordering::Acquire) {
            let number = arrived.len();
            arrived.push(false);
            let (from, to, address) = self.turns[number % self.turns.len()];
            self.sockets[from].send_to(&number.to_ne_bytes(), address)?;
            self.sent.store(number + 1, Ordering::Release);
            await_fate(&self.sockets[from])?;
            self.read(to, &mut arrived);
        }
        // What is decided is in the socket a moment later: after the last datagram of all, each.
        let deadline = Instant::now() + Duration::from_millis(200);
        while Instant::now() < deadline {
            (0..self.sockets.len()).for_each(|at| self.read(at, &mut arrived));
            thread::yield_now();
        }
        Ok(arrived)
    }

    fn read(&self, at: usize, arrived: &mut [bool]) {
        let mut number = [0; 8];
        while let Ok(8) = self.sockets[at].recv(&mut number) {
            arrived[usize::from_ne_bytes(number)] = true;
        }
    }

    /// Waits until so many more datagrams were sent, and returns how many there are.
    fn wait_for(&self, more: usize) -> TestResult<usize> {
        let until = self.sent.load(Ordering::Acquire) + more;
        while self.sent.load(Ordering::Acquire) < until {
            if self.over.load(Ordering::Acquire) {
                return Err("the stream has ended")?;
            }
            thread::yield_now();
        }
        Ok(self.sent.load(Ordering::Acquire))
    }

    /// Parts the two sides while datagrams flow, and heals that. Returns how many datagrams were
    /// sent when the partition had begun, and when it was healed.
    fn part(&self, lab: &Lab, fault: &Fault) -> TestResult<(usize, usize)> {
        self.wait_for(200)?;
        let parted = lab.inject(fault.clone())?;
        let begun = self.wait_for(1)?;
        self.wait_for(200)?;
        parted.heal()?;
        let healed = self.wait_for(1)?;
        self.wait_for(200)?;
        Ok((begun, healed))
    }
}

/// Ends the stream, also when the test fails.
struct Over<'s>(&'s Stream);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Release);
    }
}

/// Returns the address of `to` that is on the same subnet as `from`.
fn address(lab: &Lab, from: usize, to: usize) -> TestResult<IpAddr> {
    let plan = lab.plan();
    let of = |node: usize| {
        let stack = &plan[plan.nodes[node].stack];
        let addresses = stack.interfaces.iter().flat_map(|it| it.addresses.clone());
        addresses
            .filter(|it| it.ip.is_ipv4())
            .collect::<Vec<Address>>()
    };
    let subnet = |it: &Address| match it.ip {
        IpAddr::V4(ip) => ip.to_bits() >> (32 - u32::from(it.prefix)),
        IpAddr::V6(_) => 0,
    };
    let near: Vec<u32> = of(from).iter().map(subnet).collect();
    let found = of(to).into_iter().find(|it| near.contains(&subnet(it)));
    Ok(found.ok_or("no common subnet")?.ip)
}

/// Waits until the kernel has no datagram of a socket any more: the receiver has got it, or it was
/// dropped. Until then it counts for the sender (socket(7), SO_SNDBUF; udp(7), SIOCOUTQ).
#[expect(unsafe_code, reason = "no wrapper has this ioctl")]
fn await_fate(socket: &UdpSocket) -> TestResult {
    loop {
        let mut queued: nix::libc::c_int = 0;
        // SAFETY: the ioctl writes an int to the place that it is given.
        let done =
            unsafe { nix::libc::ioctl(socket.as_raw_fd(), nix::libc::TIOCOUTQ, &raw mut queued) };
        nix::errno::Errno::result(done)?;
        if queued == 0 {
            return Ok(());
        }
        thread::yield_now();
    }
}

/// Parts two sides again and again while datagrams go both ways over all pairs of nodes. Of each
/// partition, the first that is lost is the end of those that pass, and the first that passes the
/// end of those that are lost.
fn all_or_nothing(lab: &Lab, left: &[usize], right: &[usize], fault: &Fault) -> TestResult {
    let stream = Stream::across(lab, left, right)?;
    let mut events = lab.events();
    let mut seen = 0;
    // More rounds where the machine is so busy that a change over several namespaces is late, which
    // the lab tells.
    for round in 0..100 {
        stream.sent.store(0, Ordering::Release);
        stream.over.store(false, Ordering::Release);
        let (arrived, begun, healed) = thread::scope(|scope| {
            let run = scope.spawn(|| stream.run().map_err(|e| e.to_string()));
            let over = Over(&stream);
            let parted = stream.part(lab, fault);
            drop(over);
            // Its error first: it is why there were no more datagrams.
            let arrived = run.join().map_err(|_| "the stream panicked".to_owned())??;
            let (begun, healed) = parted?;
            Ok::<_, snowglobe::Failed>((arrived, begun, healed))
        })?;
        let is_late = |kind: &EventKind| matches!(kind, EventKind::PartitionLate { .. });
        if events.so_far().iter().any(|event| is_late(&event.kind)) {
            continue;
        }
        let changes: Vec<usize> = (1..arrived.len())
            .filter(|at| arrived[*at] != arrived[at - 1])
            .collect();
        let shown = format!("round {round}: {changes:?}, begun by {begun}, healed by {healed}");
        let [lost, found] = changes[..] else {
            return Err(format!("the partition was seen in parts: {shown}"))?;
        };
        assert!(arrived[0] && lost <= begun && found <= healed, "{shown}");
        seen += 1;
        if seen == 10 {
            return Ok(());
        }
    }
    Err(format!("only {seen} of 100 rounds were in time"))?
}

fn halves() -> Fault {
    Fault::partition(["n1", "n2"], ["n3", "n4", "n5"])
}

#[snowglobe::test]
fn a_partition_on_a_switch_is_seen_all_or_not_at_all() -> TestResult {
    all_or_nothing(&nodes(5)?, &[0, 1], &[2, 3, 4], &halves())
}

/// The links end in five namespaces, and no switch sees what crosses them.
#[snowglobe::test]
fn a_partition_over_direct_links_is_seen_all_or_not_at_all() -> TestResult {
    let lab = shape::full_mesh(5).start()?;
    all_or_nothing(&lab, &[0, 1], &[2, 3, 4], &halves())
}

/// Nodes on a switch, two of which have a direct link as well: both kinds of places.
#[snowglobe::test]
fn a_partition_over_links_of_all_kinds_is_seen_all_or_not_at_all() -> TestResult {
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    let all: Vec<_> = (1..=3).map(|n| topology.node(format!("n{n}"))).collect();
    for node in &all {
        topology.plug(*node, lan);
    }
    topology.link(all[1], all[2]);
    let lab = topology.start()?;
    // The way over the switch and the direct one are in different namespaces.
    let fault = Fault::partition(["n1", "n2"], ["n3"]);
    all_or_nothing(&lab, &[0, 1], &[2], &fault)
}

/// A packet that a slow link has on the way when the partition begins does not arrive.
#[snowglobe::test]
fn what_is_under_way_when_a_partition_begins_is_lost() -> TestResult {
    // Question and answer of ARP take twice the delay, and the kernel gives up after three seconds
    // (`mcast_solicit` and `retrans_time_ms`, arp(7)).
    let delay = Duration::from_secs(1);
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    let (a, b) = (topology.node("a"), topology.node("b"));
    topology.plug(a, lan);
    topology.plug_with(b, lan, LinkSpec::new().impair(Impairment::delayed(delay)));
    let lab = topology.start()?;
    let bind = |id: NodeId| lab[id].run(|| UdpSocket::bind(("0.0.0.0", PORT)));
    let (from, to) = (bind(a)?, bind(b)?);
    let limit = Some(Duration::from_secs(30));
    to.set_read_timeout(limit)?;
    let send = |what: u8| from.send_to(&[what], (lab[b].ip(), PORT));
    let mut heard = [0];
    // From here on nobody has to ask for hardware addresses.
    send(0)?;
    to.recv(&mut heard)?;
    let slow = lab.links().nth(1).ok_or("no link")?;
    let towards_b = || slow.counters(Direction::BToA);
    let before = towards_b()?.sent.packets;
    send(1)?;
    let parted = lab.inject(Fault::partition(["a"], ["b"]))?;
    // The packet meets the partition when the link lets it go.
    let is_over = |it: Counters| it.sent.packets > before && it.queued.packets == 0;
    lab.wait_until(|| towards_b().is_ok_and(is_over))?;
    parted.heal()?;
    send(2)?;
    to.recv(&mut heard)?;
    assert_eq!(heard, [2]);
    Ok(())
}
