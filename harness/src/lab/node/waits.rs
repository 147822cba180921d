//! Waits for what happens in a node: a condition, or a socket of a server.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::kernel::process::exit_kind::ExitKind;
use crate::kernel::procfs;
use crate::lab::error::{LabError, Result};
use crate::lab::node::node::Node;
use crate::lab::process::running::Running;
use crate::lab::stack::listening::ServerSocket;
use crate::lab::unfit::UnfitProgram;
use crate::lab::wait::{Condition, until};
use crate::trial::patience::Deadline;

impl Node {
    /// Waits until `condition`, which is looked at in the node, holds.
    ///
    /// # Errors
    /// The condition does not hold in time. The error tells what was seen last, and which programs
    /// of the node have ended badly by then.
    ///
    /// # Panics
    /// `condition` panics, or the node is not running.
    pub fn wait_until<C: Condition<Value: Send> + Send>(
        &self,
        condition: impl FnMut() -> C + Send,
    ) -> Result<C::Value> {
        let limit = self.patience().limit();
        let waited = self.run(move || until(limit, condition));
        waited.map_err(|error| error.with_ended(|| self.programs().ended_badly()))
    }

    /// Waits until something listens on a TCP port of the node. Nothing is sent to the port.
    ///
    /// # Errors
    /// Nothing listens in time, the node was removed, or its only program ends badly first.
    pub fn wait_for_port(&self, port: u16) -> Result<()> {
        self.wait_for_server(&ServerSocket::Tcp(port), self.deadline())
    }

    /// Waits until something takes datagrams on a UDP port of the node. Nothing is sent to the
    /// port.
    ///
    /// # Errors
    /// Nothing is at the port in time, the node was removed, or its only program ends badly first.
    pub fn wait_for_udp_port(&self, port: u16) -> Result<()> {
        self.wait_for_server(&ServerSocket::Udp(port), self.deadline())
    }

    /// Waits until something listens, or takes datagrams, at a Unix socket of the node: a path, or
    /// an abstract name with `@` in front. A file that is left of a dead server does not count.
    ///
    /// # Errors
    /// Nothing is at the socket in time, the node was removed, or its only program ends badly
    /// first.
    pub fn wait_for_socket(&self, path: impl AsRef<Path>) -> Result<()> {
        let socket = ServerSocket::Unix(path.as_ref().to_owned(), self.pid());
        self.wait_for_server(&socket, self.deadline())
    }

    /// Returns the end of a wait that begins now.
    fn deadline(&self) -> Deadline {
        Deadline::after(self.patience().limit())
    }

    /// Waits for a socket until `deadline`.
    pub(crate) fn wait_for_server(&self, socket: &ServerSocket, deadline: Deadline) -> Result<()> {
        let look_away = |until: Instant| {
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
            match self.dead_server() {
                Some(dead) => Err(self.died(&dead, socket)),
                None => Ok(()),
            }
        };
        let explain = || match self.programs().is_unused() {
            true => String::new(),
            false => format!("; {}", self.last_lines()),
        };
        let whose = format!("node `{}`", self.name());
        self.stack()
            .wait_for_socket(socket, &whose, deadline, look_away, explain)
    }

    /// Returns a program whose bad end nobody has expected, if nothing else runs in the node. Such
    /// an end fails the trial anyway, so that the wait may end early.
    fn dead_server(&self) -> Option<Arc<Running>> {
        let dead = self.programs().dead()?;
        // A script that fails may have left a daemon.
        procfs::is_childless(self.pid()?.cast_signed()).then_some(dead)
    }

    fn died(&self, dead: &Running, socket: &ServerSocket) -> LabError {
        dead.expect();
        let reason = UnfitProgram::EndedAlone {
            how: dead.ended().map(ExitKind::from),
            event: socket.verb(),
            node: self.name().to_owned(),
            lines: dead.last_lines(),
        };
        LabError::unfit(dead.subject(), reason)
    }
}
