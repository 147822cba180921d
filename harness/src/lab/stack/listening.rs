//! The TCP ports of a network stack on which something listens.
//!
//! A test waits until a server listens. A connection would disturb the server, so the tables of the
//! kernel are read instead: proc_pid_net(5), `/proc/PID/net/tcp`.

use std::os::fd::AsFd;

use crate::kernel::errno::Errno;
use crate::kernel::netns::Netns;
use crate::lab::stack::stack::Stack;

impl Stack {
    /// The TCP ports on which something listens.
    pub(crate) fn listening_ports(&self) -> crate::kernel::Result<Vec<u16>> {
        let Some(netns) = self.netns() else {
            return Err(Errno::ENOENT);
        };
        // Of the thread, and therefore of where it is at the moment.
        let read = |name| {
            std::fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default()
        };
        let tables = Netns::visit(netns.as_fd(), || [read("tcp"), read("tcp6")])?;
        let mut ports: Vec<u16> = tables
            .iter()
            .flat_map(|table| table.lines().filter_map(listener))
            .collect();
        // A server that listens on IPv4 and IPv6 stands in both tables.
        ports.sort_unstable();
        ports.dedup();
        Ok(ports)
    }
}

pub(crate) fn shown(ports: &[u16]) -> String {
    match ports {
        [] => "no listener at all".to_owned(),
        ports => format!("listeners on {ports:?}"),
    }
}

/// `0: 00000000:0050 00000000:0000 0A …` listens on port 80.
fn listener(line: &str) -> Option<u16> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    // The address is in hexadecimal, and so is the port.
    let (_, port) = local.rsplit_once(':')?;
    (state == LISTEN)
        .then(|| u16::from_str_radix(port, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_told_from_a_connection() {
        let line = "   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1";
        assert_eq!(listener(line), Some(80));
        assert_eq!(listener(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(listener("  sl  local_address rem_address   st"), None);
    }
}
