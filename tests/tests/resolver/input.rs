//! Messages that no client sends.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use simple_dns::{Packet, TYPE};
use snowglobe::prelude::*;

use crate::names::{look, pair};
use crate::query::{ask, ask_by_tcp, message};

#[snowglobe::test]
fn no_message_ends_a_server() -> TestResult {
    let (lab, names, client) = pair()?;
    let server = lab[names].ip();
    let good = message("www.example.org", TYPE::A);
    let socket = lab[client].run(|| {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect((server, 53))?;
        std::io::Result::Ok(socket)
    })?;
    let mut runner = TestRunner::new(Config {
        cases: 2000,
        failure_persistence: None,
        ..Config::default()
    });
    let noise = proptest::collection::vec(any::<u8>(), 0..200);
    let changes = proptest::collection::vec((0..good.len(), any::<u8>()), 0..6);
    runner.run(
        &(any::<bool>(), noise, changes),
        |(whole, noise, changes)| {
            let mut bytes = good.clone();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            // Noise alone, or a message with noise behind.
            if whole {
                bytes.clear();
            }
            bytes.extend(noise);
            // The port is open for as long as the server lives.
            prop_assert!(socket.send(&bytes).is_ok());
            Ok(())
        },
    )?;
    let said = ask(&lab[client], server, &good, Duration::from_secs(5))?;
    assert!(said.is_some());
    Ok(())
}

#[snowglobe::test]
fn a_connection_that_says_nothing_holds_up_nobody() -> TestResult {
    let (lab, names, client) = pair()?;
    let server = lab[names].ip();
    // More than a server keeps, each with half a message.
    let idle: Vec<TcpStream> = lab[client].run(|| {
        let open = |_| {
            let mut stream = TcpStream::connect((server, 53))?;
            stream.write_all(&[0, 200, 1])?;
            std::io::Result::Ok(stream)
        };
        (0..200).map(open).collect::<std::io::Result<_>>()
    })?;
    let said = ask_by_tcp(&lab[client], server, &message("client", TYPE::A))?;
    assert_eq!(Packet::parse(&said)?.answers.len(), 1);
    assert!(look(&lab[client], "names").is_ok());
    drop(idle);
    Ok(())
}
