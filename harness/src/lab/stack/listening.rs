//! The sockets of a network stack at which something is ready for clients.
//!
//! A test waits until a server is ready. A connection would disturb the server, so the tables of
//! the kernel are read instead: proc_pid_net(5), `/proc/PID/net/tcp`, and sock_diag(7).

use std::fmt;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::kernel::errno::Errno;
use crate::kernel::netlink::{ReadyUnixSocket, SocketFile, ready_unix_sockets};
use crate::kernel::netns::Netns;
use crate::lab::attempt::NetworkAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::stack::stack::Stack;
use crate::trial::patience::Deadline;

/// A socket that is waited for.
#[derive(Clone, Debug)]
pub(crate) enum ServerSocket {
    /// A TCP port on which something listens.
    Tcp(u16),
    /// A UDP port that takes datagrams of everybody.
    Udp(u16),
    /// A Unix socket, by its path or its abstract name with `@` in front, as the process sees it
    /// that has this process id in the trial.
    Unix(PathBuf, Option<u32>),
}

impl ServerSocket {
    /// Returns what is waited for, as a noun.
    pub(crate) fn noun(&self) -> String {
        match self {
            Self::Tcp(port) => format!("a listener on TCP port {port}"),
            Self::Udp(port) => format!("a server on UDP port {port}"),
            Self::Unix(path, _) => format!("a server at Unix socket `{}`", path.display()),
        }
    }

    /// Returns what a server has done when it is there, as a verb.
    pub(crate) fn verb(&self) -> String {
        match self {
            Self::Tcp(port) => format!("listened on TCP port {port}"),
            Self::Udp(port) => format!("was ready on UDP port {port}"),
            Self::Unix(path, _) => format!("was ready at Unix socket `{}`", path.display()),
        }
    }
}

/// The reason why one look does not find a socket.
#[derive(Debug)]
pub(crate) enum SocketMissing {
    /// The kernel does not show the sockets.
    Unknown(Errno),
    /// The kernel shows no such socket. `noun` names the socket.
    Absent {
        noun: String,
        /// All sockets of the kind.
        seen: String,
    },
}

impl fmt::Display for SocketMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(errno) => write!(f, "the sockets cannot be looked at: {errno}"),
            // What is there instead often is the server itself, at another port or address.
            Self::Absent { noun, seen } => write!(f, "{noun} is missing; seen: {seen}"),
        }
    }
}

/// Sockets of the kind that is waited for, as they were seen.
struct SeenSockets {
    found: bool,
    /// All of the kind, for the error of a wait in vain.
    shown: String,
}

impl Stack {
    /// Waits until a socket is there. `look_away` pauses between two looks, and may end the wait by
    /// an error. `whose` names who should have the socket, and `explain` adds to the error of a
    /// wait in vain.
    pub(crate) fn wait_for_socket(
        &self,
        socket: &ServerSocket,
        whose: &str,
        deadline: Deadline,
        mut look_away: impl FnMut(Instant) -> Result<()>,
        explain: impl FnOnce() -> String,
    ) -> Result<()> {
        // The kernel does not tell of new listeners, so that the tables are read again and again.
        let mut pause = Duration::from_micros(500);
        loop {
            let seen = self.look_for(socket).map_err(|errno| {
                let whose = whose.to_owned();
                LabError::refused(NetworkAttempt::LookAtSockets { whose }, errno)
            })?;
            if seen.found {
                return Ok(());
            }
            let now = Instant::now();
            // No pause once the time is over, but the wait may have ended by an error.
            look_away(deadline.at.min(now + pause))?;
            if now >= deadline.at {
                let what = format!("{} of {whose}", socket.noun());
                let seen = seen.shown + &explain();
                return Err(LabError::timed_out(what, deadline.limit, seen));
            }
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }

    /// Looks for a socket once. The error says what is there instead.
    pub(crate) fn look_once(&self, socket: &ServerSocket) -> Result<(), SocketMissing> {
        let seen = self.look_for(socket).map_err(SocketMissing::Unknown)?;
        match seen.found {
            true => Ok(()),
            false => Err(SocketMissing::Absent {
                noun: socket.noun(),
                seen: seen.shown,
            }),
        }
    }

    fn look_for(&self, socket: &ServerSocket) -> crate::kernel::Result<SeenSockets> {
        match socket {
            ServerSocket::Tcp(port) => {
                let ports = self.ports(["tcp", "tcp6"], LISTEN)?;
                Ok(seen_port(*port, &ports, "listener"))
            }
            ServerSocket::Udp(port) => {
                let ports = self.ports(["udp", "udp6"], UNCONNECTED)?;
                Ok(seen_port(*port, &ports, "server"))
            }
            ServerSocket::Unix(path, process) => self.look_for_unix(path, *process),
        }
    }

    /// Returns the ports of some tables whose sockets are in a state.
    fn ports(&self, tables: [&str; 2], state: &str) -> crate::kernel::Result<Vec<u16>> {
        let netns = self.netns().ok_or(Errno::ENOENT)?;
        // /proc/thread-self/net shows the network namespace in which the calling thread is
        // (proc_pid_net(5)): the thread is visiting the stack.
        let read = |name: &str| {
            std::fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default()
        };
        let tables = Netns::visit(netns.as_fd(), || tables.map(read))?;
        let mut ports: Vec<u16> = tables
            .iter()
            .flat_map(|table| table.lines().filter_map(|line| port_in(line, state)))
            .collect();
        // A server that listens on IPv4 and IPv6 stands in both tables.
        ports.sort_unstable();
        ports.dedup();
        Ok(ports)
    }

    fn look_for_unix(
        &self,
        path: &Path,
        process: Option<u32>,
    ) -> crate::kernel::Result<SeenSockets> {
        let netns = self.netns().ok_or(Errno::ENOENT)?;
        let sockets =
            ready_unix_sockets(netns.as_fd()).map_err(|e| e.errno().unwrap_or(Errno::EPROTO))?;
        let name = path.to_string_lossy();
        let has_name = |socket: &&ReadyUnixSocket| socket.name == *name;
        let found = if name.starts_with('@') {
            sockets.iter().any(|socket| has_name(&socket))
        } else {
            // Where the file cannot be told apart (an overlay may number files in its own way), the
            // path has to do.
            let file = process.and_then(|process| SocketFile::find(process, path));
            let is_it = |socket: &ReadyUnixSocket| socket.file == file || has_name(&socket);
            file.is_some() && sockets.iter().any(is_it)
        };
        let names: Vec<&str> = sockets.iter().map(|socket| socket.name.as_str()).collect();
        let shown = match names[..] {
            [] => "no Unix socket is ready at all".to_owned(),
            _ => format!("ready Unix sockets: {}", names.join(", ")),
        };
        Ok(SeenSockets { found, shown })
    }
}

fn seen_port(port: u16, ports: &[u16], kind: &str) -> SeenSockets {
    SeenSockets {
        found: ports.contains(&port),
        shown: match ports {
            [] => format!("no {kind} at all"),
            ports => format!("{kind}s on {ports:?}"),
        },
    }
}

/// State of a TCP socket that listens, in the tables of the kernel (`net/tcp_states.h`).
const LISTEN: &str = "0A";
/// State of a UDP socket that takes datagrams of everybody (`TCP_CLOSE`).
const UNCONNECTED: &str = "07";

/// Returns the port on which the socket of a line listens: `0: 00000000:0050 00000000:0000 0A …`
/// listens on port 80.
fn port_in(line: &str, wanted: &str) -> Option<u16> {
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    // The address is in hexadecimal, and so is the port.
    let (_, port) = local.rsplit_once(':')?;
    (state == wanted)
        .then(|| u16::from_str_radix(port, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_told_from_a_connection() {
        let line = "   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1";
        assert_eq!(port_in(line, LISTEN), Some(80));
        assert_eq!(port_in(&line.replace(" 0A ", " 01 "), LISTEN), None);
        assert_eq!(port_in(line, UNCONNECTED), None);
        assert_eq!(
            port_in("  sl  local_address rem_address   st", LISTEN),
            None
        );
    }
}
