//! A register on two nodes, with a switch for a bug. This test program is the server as well.
//!
//! The primary holds the value, and sends each write to the replica as a copy, without waiting. The
//! replica asks the primary for each read. With the bug it answers reads from its copy.

use std::io::{BufRead, BufReader, Error, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use snowglobe::prelude::*;

/// Variable with the role of the server: `primary`, `replica`, or `stale-replica`.
pub(crate) const ROLE: &str = "REGISTER_ROLE";

/// Variable with the address of the other server.
const PEER: &str = "REGISTER_PEER";

const PORT: u16 = 80;

/// Time for which one side waits for the other: shorter than any partition of the tests.
const ANSWER: Duration = Duration::from_millis(500);

/// Starts a server in a node.
pub(crate) fn start(lab: &Lab, node: &str, role: &str, peer: &str) -> TestResult {
    let peer = lab.node(peer).ok_or("peer")?.ip();
    let server = lab
        .node(node)
        .ok_or("node")?
        .command(std::env::current_exe()?)
        .env(ROLE, role)
        .env(PEER, SocketAddr::new(peer, PORT).to_string())
        .spawn()?;
    server.wait_for_port(PORT)?;
    Ok(())
}

/// Runs a server until it is killed.
pub(crate) fn run(role: &str) -> ExitCode {
    let served = std::env::var(PEER)
        .map_err(Error::other)
        .and_then(|peer| serve(role, peer.parse().map_err(Error::other)?));
    eprintln!("{role}: {served:?}");
    ExitCode::FAILURE
}

struct Server {
    role: String,
    peer: SocketAddr,
    value: Mutex<u64>,
    copies: Sender<u64>,
}

fn serve(role: &str, peer: SocketAddr) -> Result<()> {
    let (copies, to_send) = channel();
    let server = Arc::new(Server {
        role: role.to_owned(),
        peer,
        value: Mutex::new(0),
        copies,
    });
    if role == "primary" {
        std::thread::spawn(move || send_copies(peer, &to_send));
    }
    for connection in TcpListener::bind(("0.0.0.0", PORT))?.incoming() {
        let (server, connection) = (Arc::clone(&server), connection?);
        std::thread::spawn(move || server.talk(&connection));
    }
    Ok(())
}

/// Sends each value to the replica, and the last one again and again until it has come.
fn send_copies(peer: SocketAddr, to_send: &Receiver<u64>) {
    for first in to_send.iter() {
        let mut value = first;
        while ask(peer, &format!("copy {value}")).is_err() {
            value = to_send.try_iter().last().unwrap_or(value);
        }
    }
}

impl Server {
    fn talk(&self, connection: &TcpStream) -> Result<()> {
        for line in BufReader::new(connection).lines() {
            let answer = match self.answer(&line?) {
                Ok(answer) => answer,
                Err(error) => format!("error {error}"),
            };
            writeln!(&*connection, "{answer}")?;
        }
        Ok(())
    }

    fn answer(&self, line: &str) -> Result<String> {
        let mut value = self.value.lock().map_err(|_| Error::other("poisoned"))?;
        let number = || {
            let number = line.split(' ').nth(1).unwrap_or_default().parse();
            number.map_err(Error::other)
        };
        let verb = line.split(' ').next().unwrap_or_default();
        match (verb, self.role.as_str()) {
            ("read", "primary" | "stale-replica") => Ok(value.to_string()),
            ("write", "primary") => {
                *value = number()?;
                // The thread that sends copies lives as long as this process.
                let _ = self.copies.send(*value);
                Ok("done".to_owned())
            }
            ("copy", _) => {
                *value = number()?;
                Ok("done".to_owned())
            }
            _ => {
                drop(value);
                ask(self.peer, line)
            }
        }
    }
}

/// Sends one line to a server, and returns the answer.
pub(crate) fn ask(to: SocketAddr, line: &str) -> Result<String> {
    let connection = TcpStream::connect_timeout(&to, ANSWER)?;
    connection.set_read_timeout(Some(2 * ANSWER))?;
    writeln!(&connection, "{line}")?;
    let mut answer = String::new();
    BufReader::new(&connection).read_line(&mut answer)?;
    match answer.trim_end() {
        "" => Err(Error::other("the connection has ended")),
        error if error.starts_with("error") => Err(Error::other(error.to_owned())),
        answer => Ok(answer.to_owned()),
    }
}

/// Asks the server of a node, from another node.
pub(crate) fn ask_from(lab: &Lab, from: &str, node: &str, line: &str) -> Result<String> {
    let missing = || Error::other("no such node");
    let to = lab.node(node).ok_or_else(missing)?.ip();
    let from = lab.node(from).ok_or_else(missing)?;
    from.run(|| ask(SocketAddr::new(to, PORT), line))
}
