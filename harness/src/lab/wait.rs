//! Waiting for conditions, never for clocks.

use std::fmt::Display;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crate::kernel::errno::Errno;

use crate::kernel::netns::Netns;
use crate::lab::error::{LabError, Result};
use crate::lab::node::node::{Node, Stack};

/// Something that may hold or not: `bool`, `Option` or `Result`.
pub trait Condition {
    /// What there is once it holds.
    type Value;

    /// The value, or a description of what was seen instead.
    fn judge(self) -> Result<Self::Value, String>;
}

impl Condition for bool {
    type Value = ();

    fn judge(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("false".into()) }
    }
}

impl<T> Condition for Option<T> {
    type Value = T;

    fn judge(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing".into())
    }
}

impl<T, E: Display> Condition for Result<T, E> {
    type Value = T;

    fn judge(self) -> Result<T, String> {
        self.map_err(|error| error.to_string())
    }
}

/// Looks at a condition again and again, until it holds or `limit` has passed; the error has what was seen last.
///
/// ```
/// use snowglobe::lab::wait_until;
/// use std::time::Duration;
///
/// let mut tries = 0;
/// let seen = wait_until(Duration::from_secs(5), || {
///     tries += 1;
///     if tries < 3 { Err(format!("only {tries} tries")) } else { Ok(tries) }
/// })?;
/// assert_eq!(seen, 3);
///
/// let error = wait_until(Duration::ZERO, || Err::<(), _>("the door is closed")).unwrap_err();
/// assert!(error.to_string().ends_with("last seen: the door is closed"));
/// # Ok::<(), snowglobe::lab::LabError>(())
/// ```
pub fn wait_until<C: Condition>(
    limit: Duration,
    mut condition: impl FnMut() -> C,
) -> Result<C::Value> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_micros(200);
    loop {
        match condition().judge() {
            Ok(value) => return Ok(value),
            Err(last) if Instant::now() >= deadline => {
                return Err(LabError::timed_out("a condition", limit, last));
            }
            // Nothing tells when an arbitrary condition changes.
            Err(_) => std::thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

impl Node {
    /// Waits until `condition`, looked at in the node, holds.
    ///
    /// # Panics
    /// If `condition` does, or the node is not running.
    pub fn wait_until<C: Condition<Value: Send> + Send>(
        &self,
        condition: impl FnMut() -> C + Send,
    ) -> Result<C::Value> {
        let limit = self.shared.patience();
        self.run(move || wait_until(limit, condition))
    }

    /// Waits until something listens on a TCP port of the node. Nothing is sent to it.
    pub fn wait_for_port(&self, port: u16) -> Result<()> {
        let limit = self.shared.patience();
        let deadline = Instant::now() + limit;
        let failed =
            |e| LabError::refused(format!("look at the sockets of node `{}`", self.name()), e);
        let mut pause = Duration::from_micros(500);
        loop {
            let listening = self.stack().listening_ports().map_err(failed)?;
            if listening.contains(&port) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let what = format!("a listener on TCP port {port} of node `{}`", self.name());
                return Err(LabError::timed_out(what, limit, shown(&listening)));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }
}

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

    #[test]
    fn the_last_state_is_in_the_error() {
        let mut n = 0;
        let error = wait_until(Duration::from_millis(5), || {
            n += 1;
            Err::<(), String>(format!("{n} of 1000000"))
        });
        let error = error.unwrap_err();
        assert!(error.is_timeout());
        assert!(
            error
                .to_string()
                .contains(&format!("last seen: {n} of 1000000")),
            "{error}"
        );
    }
}
