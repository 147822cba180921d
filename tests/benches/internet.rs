//! Measures what routers, translation and name servers of labs cost: each trial prints its figures,
//! one a line, as `name value`.
//!
//! `NAT` is what translates on the way of a stream: `none`, `nftables` or `userspace`. `HOMES` is
//! the number of homes.

use std::fmt::Display;
use std::hint::black_box;
use std::net::SocketAddrV4;
use std::thread;
use std::time::Instant;

use snowglobe::dns::DnsSpec;
use snowglobe::prelude::*;
use snowglobe::topology::NodeId;
use snowglobe::topology::nat::{Checksums, Nat, NatEngine, NatSpec, PortAssignment, preset};
use snowglobe_tests::{BehindRouter, cubic};

snowglobe::main!();

fn tell(name: &str, value: impl Display) {
    println!("{name} {value}");
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Starts a host behind this router, and this server on the Internet.
fn behind(router: RouterSpec, server: NodeSpec) -> TestResult<BehindRouter> {
    BehindRouter::start(router, LinkSpec::new(), server)
}

/// Measures a TCP stream from a host to a server through a router, in Gbit/s. It uses cubic, for
/// other congestion controls pace themselves.
#[snowglobe::test]
fn stream() -> TestResult {
    const TIME: Duration = Duration::from_secs(1);
    let router = RouterSpec::new("router");
    let router = match std::env::var("NAT").as_deref() {
        Ok("nftables") => router.nat(preset::home()),
        Ok("userspace") => router.nat(preset::full_cone()),
        _ => router,
    };
    let world = behind(router, "server".into())?;
    let server = &world.lab[world.server];
    let to = (server.ipv4().ok_or("no IPv4")?, 80);
    let listener = server.run(|| cubic::listen(to))?;
    let mut sender = world.lab[world.host].run(|| cubic::connect(to))?;
    let (mut receiver, _) = listener.accept()?;
    let begin = Instant::now();
    let sending = thread::spawn(move || {
        let block = vec![7; 128 << 10];
        while begin.elapsed() < TIME && sender.write_all(&block).is_ok() {}
    });
    let (mut block, mut heard) = (vec![0; 256 << 10], 0);
    while let Ok(length @ 1..) = receiver.read(&mut block) {
        heard += length;
    }
    let bits = heard as f64 * 8.0;
    tell("gbit", bits / begin.elapsed().as_secs_f64() / 1e9);
    sending.join().map_err(|_| "the sender panicked")?;
    Ok(())
}

/// Starts a topology, and tells how long that takes and how large it is.
fn tell_start(topology: Topology) -> TestResult {
    let begin = Instant::now();
    let lab = topology.start()?;
    tell("start", milliseconds(begin));
    tell("nodes", lab.nodes().count());
    tell("links", lab.links().count());
    Ok(())
}

/// Returns homes, each a router that translates and a host, with the Internet between them.
fn homes_at_the_internet() -> TestResult<(Topology, NodeId)> {
    let homes: usize = std::env::var("HOMES")?.parse()?;
    let mut topology = Topology::new();
    let internet = topology.internet();
    for home in 0..homes {
        let router = topology.router(RouterSpec::home(format!("home-{home}")));
        topology.uplink(router, internet);
        let host = topology.node(format!("host-{home}"));
        topology.link(host, router);
    }
    Ok((topology, internet))
}

/// Measures the start of homes and of a server; beside a star of as many nodes and links.
#[snowglobe::test(timeout = "120s")]
fn homes() -> TestResult {
    let (mut topology, internet) = homes_at_the_internet()?;
    let server = topology.node("server");
    topology.link(server, internet);
    tell_start(topology)
}

/// Measures the start of homes and of a server behind a router that does not translate, as
/// patchbay's examples have them.
#[snowglobe::test(timeout = "120s")]
fn homes_and_centre() -> TestResult {
    let (mut topology, internet) = homes_at_the_internet()?;
    let centre = topology.router(RouterSpec::new("dc"));
    topology.uplink(centre, internet);
    let server = topology.node("server");
    topology.link(server, centre);
    tell_start(topology)
}

/// Measures the start of a node with cables to as many others as [`homes`] has nodes besides the
/// first.
#[snowglobe::test(timeout = "120s")]
fn cables() -> TestResult {
    let homes: usize = std::env::var("HOMES")?.parse()?;
    let mut topology = Topology::new();
    let middle = topology.node("middle");
    for number in 0..2 * homes + 1 {
        let node = topology.node(format!("n{number}"));
        topology.link(node, middle);
    }
    tell_start(topology)
}

/// Measures a change of the translation of a router that runs, from one behaviour to another of the
/// same engine, in milliseconds.
#[snowglobe::test]
fn change() -> TestResult {
    const CHANGES: usize = 40;
    let random = NatSpec {
        ports: PortAssignment::Random,
        ..preset::home()
    };
    let pairs = [
        ("nftables", NatEngine::Nftables, [preset::home(), random]),
        (
            "userspace",
            NatEngine::Userspace,
            [preset::full_cone(), preset::symmetric()],
        ),
    ];
    for (name, engine, behaviours) in pairs {
        let router = RouterSpec::new("router").nat(behaviours[0].clone());
        let mut world = behind(router, "server".into())?;
        let mut times = Vec::new();
        for number in 1..=CHANGES {
            let nat = behaviours[number % 2].clone();
            let begin = Instant::now();
            let change = |router: RouterSpec| router.nat(nat);
            world.lab.change_router(world.router, change)?;
            times.push(milliseconds(begin));
            assert_eq!(world.lab.nat(world.router)?.engine(), engine);
        }
        tell(name, median(times));
    }
    Ok(())
}

/// Measures how many questions a name server answers in a second, to a client that has some
/// questions under way at a time.
#[snowglobe::test]
fn names() -> TestResult {
    const TIME: Duration = Duration::from_secs(1);
    const AT_A_TIME: u16 = 32;
    let server = NodeSpec::new("server").dns(DnsSpec::new());
    let world = behind(RouterSpec::new("router"), server)?;
    let server = (world.lab[world.server].ipv4().ok_or("no IPv4")?, 53);
    let socket = world.lab[world.host].run(|| UdpSocket::bind("0.0.0.0:0"))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    // RFC 1035, section 4.1, wants an identifier, one question with recursion desired, `router.lab
    // A IN`.
    let ask = |id: u16| {
        let [high, low] = id.to_be_bytes();
        let mut question = vec![high, low, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        question.extend_from_slice(b"\x06router\x03lab\x00\x00\x01\x00\x01");
        socket.send(&question)
    };
    for id in 0..AT_A_TIME {
        ask(id)?;
    }
    let (begin, mut answered, mut answer) = (Instant::now(), 0_u64, [0; 512]);
    while begin.elapsed() < TIME {
        let length = socket.recv(&mut answer)?;
        // No error, and an answer.
        assert!(length > 12 && answer[3] & 15 == 0 && answer[7] > 0);
        answered += 1;
        ask(answered as u16)?;
    }
    tell("answers", answered as f64 / begin.elapsed().as_secs_f64());
    Ok(())
}

/// The one server of [`mappings`].
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 9), 443);

/// Returns a frame with a datagram between two addresses: RFC 791 and RFC 768, without a checksum
/// of UDP.
fn datagram(from: SocketAddrV4, to: SocketAddrV4) -> [u8; 60] {
    let mut frame = [0; 60];
    frame[12..14].copy_from_slice(&[8, 0]);
    frame[14..24].copy_from_slice(&[0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17]);
    frame[26..30].copy_from_slice(&from.ip().octets());
    frame[30..34].copy_from_slice(&to.ip().octets());
    frame[34..36].copy_from_slice(&from.port().to_be_bytes());
    frame[36..38].copy_from_slice(&to.port().to_be_bytes());
    frame[38..40].copy_from_slice(&26_u16.to_be_bytes());
    frame
}

/// Returns a socket behind the NAT by its number.
fn inside(number: u32) -> SocketAddrV4 {
    let [_, b, c, d] = (number / 1000 + 2).to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(10, b, c, d), 2000 + (number % 1000) as u16)
}

/// Measures the memory of a mapping in bytes, as what the process has more than before; and the
/// time of a packet through one of 100 mappings, and through one of 100,000, in nanoseconds.
#[snowglobe::test]
fn mappings() -> TestResult {
    const MANY: u32 = 100_000;
    for (name, count) in [("few", 100), ("many", MANY)] {
        let before = resident()?;
        let spec = NatSpec {
            pool: vec![Ipv4Addr::new(198, 51, 100, 2)],
            ..preset::port_restricted_cone()
        };
        let mut nat = Nat::new(spec, &[Ipv4Addr::new(198, 51, 100, 1)], [2; 6], 1);
        for number in 0..count {
            let mut frame = datagram(inside(number), SERVER);
            nat.outbound(&mut frame, Checksums::Complete, 1);
        }
        assert_eq!(nat.count(), count as usize);
        if count == MANY {
            let bytes = resident()?.saturating_sub(before);
            tell("bytes", bytes as f64 / f64::from(count));
            tell("counted", nat.memory() as f64 / f64::from(count));
        }
        // Packets come in bursts, as a wire hands them to the NAT of a busy router, or one by one.
        for (burst, name) in [(64_u32, name.to_owned()), (1, format!("{name}_alone"))] {
            let bursts = 1_000_000 / burst;
            let mut frames = vec![[0; 60]; burst as usize];
            let begin = Instant::now();
            for first in (0..bursts).map(|number| number * burst) {
                for (packet, frame) in (first..).zip(&mut frames) {
                    // The number is Knuth's multiplier: neighbours in time are not neighbours in
                    // memory.
                    let number = packet.wrapping_mul(2_654_435_761) % count;
                    *frame = datagram(inside(number), SERVER);
                }
                if burst > 1 {
                    nat.fetch_outbound(frames.iter().map(|frame| &frame[..]));
                }
                for frame in &mut frames {
                    black_box(nat.outbound(frame, Checksums::Complete, 2));
                }
            }
            let taken = begin.elapsed().as_nanos() as f64;
            tell(&name, taken / f64::from(bursts * burst));
        }
        assert_eq!(nat.count(), count as usize);
    }
    Ok(())
}

/// Returns the bytes of memory that the process has.
fn resident() -> TestResult<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kilobytes.ok_or("no VmRSS")?.parse::<u64>()? * 1024)
}
