//! TCP simultaneous open between each pair of presets, written as a program would do it.
//!
//! Two hosts learn from a server how the other one is seen. From the port by which each has asked,
//! it connects to there, and it listens at that port as well (RFC 5128, section 3.4). The
//! prediction follows from what RFC 5382 says of NATs: one that maps by endpoint gives the
//! connection the port that the server has seen, and any other one a port of which the other host
//! knows nothing (REQ-1). A SYN comes in by whom a host has sent to (REQ-2 and REQ-3), and one that
//! comes too early is dropped without an answer, as all presets do (REQ-4). So a pair connects
//! where both NATs map by endpoint; and where one does not, if the filter of the other one does not
//! look at ports: then the SYN from the unforeseen port meets the listener. Ford, Srisuresh and
//! Kegel ("Peer-to-Peer Communication Across Network Address Translators", 2005, section 5.2) found
//! the same for UDP and TCP.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};

use snowglobe::prelude::*;
use snowglobe::topology::nat::{Dependence, NatSpec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::punching::{Class, peers};
use crate::world::{PATIENCE, SERVER, World, add_server};

/// The port at which the server tells whom it sees.
const RENDEZVOUS: u16 = 9000;

/// The time for which a pair tries that is predicted to fail: a SYN that is lost comes again after
/// one second and after three (RFC 6298, section 2.1).
const ATTEMPT: Duration = Duration::from_millis(3500);

type IoResult<T> = std::io::Result<T>;

/// Opens a socket at a port, which others of the same program have too.
fn at_port(port: u16) -> IoResult<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))?;
    Ok(socket)
}

/// Tells the other host who this is, and hears who the other one is.
async fn greet(mut stream: TcpStream, pair: u16) -> IoResult<bool> {
    stream.write_u16(pair).await?;
    Ok(stream.read_u16().await? == pair)
}

/// Asks the server for the other host of a pair, and connects to it. Returns whether that worked.
async fn open(pair: u16, port: u16, limit: Duration) -> IoResult<bool> {
    // Before the other host may know of this one: its SYN may come first, and without a listener
    // the kernel would answer it by a RST.
    let listener = at_port(port)?.listen(4)?;
    let server = SocketAddr::new(SERVER[0].into(), RENDEZVOUS);
    let mut asked = at_port(port)?.connect(server).await?;
    asked.write_all(format!("{pair}\n").as_bytes()).await?;
    let mut told = [0; 32];
    let length = asked.read(&mut told).await?;
    let other = String::from_utf8_lossy(&told[..length]);
    let other: SocketAddr = other.trim().parse().expect("an address");
    let meet = async {
        let connect = at_port(port)?.connect(other);
        tokio::pin!(connect);
        let mut refused = false;
        loop {
            let stream = tokio::select! {
                accepted = listener.accept() => accepted.map(|(stream, _)| stream),
                connected = &mut connect, if !refused => connected,
            };
            // Where this one fails, the other side may still come in.
            refused = true;
            if let Ok(stream) = stream
                && let Ok(true) = greet(stream, pair).await
            {
                return IoResult::Ok(true);
            }
        }
    };
    // The connection to the server lives until then: its mapping is that of a symmetric NAT only.
    let met = timeout(limit, meet).await;
    drop(asked);
    Ok(matches!(met, Ok(Ok(true))))
}

/// Tells each of two hosts that name the same pair how the other one is seen.
fn introduce(listener: &TcpListener, pairs: usize) -> IoResult<()> {
    let mut waiting = HashMap::new();
    let mut introduced = 0;
    while introduced < pairs {
        let (mut stream, seen) = listener.accept()?;
        let mut pair = String::new();
        BufReader::new(&stream).read_line(&mut pair)?;
        match waiting.remove(&pair) {
            None => drop(waiting.insert(pair, (stream, seen))),
            Some((mut first, seen_first)) => {
                stream.write_all(seen_first.to_string().as_bytes())?;
                first.write_all(seen.to_string().as_bytes())?;
                // Both connections live on: the hosts close them.
                waiting.insert(format!("{introduced} is introduced"), (stream, seen));
                waiting.insert(format!("{introduced} as well"), (first, seen_first));
                introduced += 1;
            }
        }
    }
    Ok(())
}

#[snowglobe::test(timeout = "5m")]
async fn tcp_opens_simultaneously_between_the_presets_for_which_it_is_predicted() -> TestResult {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let peers = peers(&mut topology, internet);
    let server = add_server(&mut topology, internet, NodeSpec::new("server"));
    let lab = topology.start()?;
    let count = peers.names.len();
    let listener = lab[server].run(|| TcpListener::bind((SERVER[0], RENDEZVOUS)))?;
    let server = std::thread::spawn(move || introduce(&listener, count * count));
    let classes: Vec<Class> = peers.specs.iter().map(Class::of).collect();
    let predicted = |a: usize, b: usize| classes[a].meets(classes[b]);
    // All pairs at once, each with ports of its own.
    let mut attempts = Vec::new();
    for a in 0..count {
        for b in 0..count {
            let pair = (a * count + b) as u16;
            let limit = if predicted(a, b) { PATIENCE } else { ATTEMPT };
            let sides = [peers.hosts[a][0], peers.hosts[b][1]];
            attempts.push(sides.map(|host| lab[host].spawn(open(pair, 20_000 + pair, limit))));
        }
    }
    let mut table = String::new();
    let mut wrong = Vec::new();
    for (number, [left, right]) in attempts.into_iter().enumerate() {
        let (a, b) = (number / count, number % count);
        let works = [left.await??, right.await??] == [true; 2];
        if b == 0 {
            table.push_str(&format!("\n{:>26}", peers.names[a]));
        }
        table.push_str(if works { "  yes" } else { "   no" });
        if works != predicted(a, b) {
            wrong.push(format!(
                "{} and {}: {works}",
                peers.names[a], peers.names[b]
            ));
        }
    }
    println!("columns in the order of the rows{table}");
    assert!(wrong.is_empty(), "not as predicted: {wrong:?}");
    server.join().expect("no panic")?;
    Ok(())
}

/// A host that nobody has asked connects to the port by which a host inside has asked a server, and
/// both hear each other: what the host inside answers leaves by the same mapping.
#[snowglobe::test]
async fn strangers_connect_to_a_full_cone_of_tcp_whatever_mappings_depend_on() -> TestResult {
    for mapping in Dependence::ALL {
        let world = World::new(NatSpec {
            tcp_filtering: Some(Dependence::EndpointIndependent),
            ..NatSpec::new(mapping, mapping)
        })?;
        let server = &world.lab[world.server];
        let listener = server.run(|| TcpListener::bind((SERVER[0], RENDEZVOUS)))?;
        let inside = world.lab[world.inside].spawn(async {
            let listener = at_port(5000)?.listen(4)?;
            let server = SocketAddr::new(SERVER[0].into(), RENDEZVOUS);
            let asked = at_port(5000)?.connect(server).await?;
            let (mut stream, _) = listener.accept().await?;
            stream.write_u8(7).await?;
            IoResult::Ok((stream.read_u8().await?, asked))
        });
        let (_asked, outside) = listener.accept()?;
        let mut stranger = server.run(|| std::net::TcpStream::connect(outside))?;
        stranger.write_all(&[8])?;
        let mut heard = [0];
        Read::read_exact(&mut stranger, &mut heard)?;
        assert_eq!((heard[0], inside.await??.0), (7, 8), "{mapping:?}");
    }
    Ok(())
}
