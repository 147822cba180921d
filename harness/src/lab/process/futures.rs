//! Waits for programs that let other futures run meanwhile.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitStatus;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::attempts::attempts;
use crate::kernel::thread;
use crate::lab::error::{LabError, Result};
use crate::lab::process::launch::not_read;
use crate::lab::process::log::Line;
use crate::lab::process::process::Process;
use crate::lab::process::program::Output;
use crate::lab::stack::listening::ServerSocket;
use crate::trial::patience::Deadline;
use crate::trial::time_scale::stretched;

/// Waits of futures, on a tokio runtime. A wait that is dropped leaves the program as it is.
impl Process {
    /// Waits for the end of the program, as [`wait`](Process::wait) does.
    ///
    /// # Errors
    /// The end of the program cannot be waited for.
    pub async fn wait_async(&mut self) -> Result<ExitStatus> {
        // The longest time that a tokio timer knows is about two years.
        const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        // Whoever waits for the end judges the status.
        self.expect();
        self.wait_timeout_async(FOREVER).await
    }

    /// Waits for the end of the program, as [`wait_timeout`](Process::wait_timeout) does.
    ///
    /// # Errors
    /// The program does not end in time. The error tells what it wrote last.
    pub async fn wait_timeout_async(&mut self, limit: Duration) -> Result<ExitStatus> {
        // The input is closed, as in std: a program that reads its input to the end would wait for
        // ever.
        drop(self.stdin.take());
        let limit = stretched(limit);
        let wait = |at| self.wait_by(Deadline { at, limit });
        attempts(limit, LabError::is_timeout, wait).await
    }

    /// Waits for the end of the program, and returns what came through its pipes meanwhile, as
    /// [`wait_with_output`](Process::wait_with_output) does.
    ///
    /// # Errors
    /// A pipe cannot be read.
    pub async fn wait_with_output_async(mut self) -> Result<Output> {
        drop(self.stdin.take());
        self.expect();
        // Both pipes are read at a time, and before the wait: a program whose pipe is full would
        // never end.
        let (stdout, stderr) = both(
            read_all(self.stdout.take().map(OwnedFd::from)),
            read_all(self.stderr.take().map(OwnedFd::from)),
        )
        .await;
        let failed = |e| not_read(self.label(), &e);
        let (stdout, stderr) = (stdout.map_err(failed)?, stderr.map_err(failed)?);
        Ok(Output {
            status: self.wait_async().await?,
            stdout,
            stderr,
        })
    }

    /// Waits until the program writes a line that contains `text`, as
    /// [`wait_for_log`](Process::wait_for_log) does.
    ///
    /// # Errors
    /// The program ends first, or no such line comes in time.
    pub async fn wait_for_log_async(&self, text: &str) -> Result<Line> {
        self.attempts(|deadline| self.wait_for_log_by(text, deadline))
            .await
    }

    /// Waits until something listens on a TCP port of the program's node, as
    /// [`wait_for_port`](Process::wait_for_port) does.
    ///
    /// # Errors
    /// The program ends first, badly or without a daemon, or nothing listens in time. The error
    /// tells what the program wrote last.
    pub async fn wait_for_port_async(&self, port: u16) -> Result<()> {
        let socket = ServerSocket::Tcp(port);
        self.attempts(|deadline| self.wait_for_server(&socket, deadline))
            .await
    }

    /// Waits until something takes datagrams on a UDP port of the program's node, as
    /// [`wait_for_udp_port`](Process::wait_for_udp_port) does.
    ///
    /// # Errors
    /// The program ends first, badly or without a daemon, or nothing is at the port in time. The
    /// error tells what the program wrote last.
    pub async fn wait_for_udp_port_async(&self, port: u16) -> Result<()> {
        let socket = ServerSocket::Udp(port);
        self.attempts(|deadline| self.wait_for_server(&socket, deadline))
            .await
    }

    /// Waits until something is at a Unix socket of the program's node, as
    /// [`wait_for_socket`](Process::wait_for_socket) does.
    ///
    /// # Errors
    /// The program ends first, badly or without a daemon, or nothing is at the socket in time. The
    /// error tells what the program wrote last.
    pub async fn wait_for_socket_async(&self, path: impl AsRef<Path>) -> Result<()> {
        let socket = ServerSocket::Unix(path.as_ref().to_owned(), self.node_pid());
        self.attempts(|deadline| self.wait_for_server(&socket, deadline))
            .await
    }

    /// Waits until the program says that it is ready, as
    /// [`wait_for_notify`](Process::wait_for_notify) does.
    ///
    /// # Errors
    /// The program was not given a socket for that, ends first, badly or without a daemon, or does
    /// not say so in time. The error tells its last `STATUS=` and what it wrote last.
    pub async fn wait_for_notify_async(&self) -> Result<()> {
        self.attempts(|deadline| self.wait_for_notify_by(deadline))
            .await
    }

    /// Makes attempts for as long as the lab is patient.
    async fn attempts<T>(&self, attempt: impl Fn(Deadline) -> Result<T>) -> Result<T> {
        let limit = self.patience().limit();
        // Each attempt ends at once, and its error names the time that the whole wait has taken.
        let attempt = |at| attempt(Deadline { at, limit });
        attempts(limit, LabError::is_timeout, attempt).await
    }
}

/// Reads a pipe to its end, on a thread of its own.
async fn read_all(fd: Option<OwnedFd>) -> io::Result<Vec<u8>> {
    let Some(fd) = fd else {
        return Ok(Vec::new());
    };
    // The runtime could wait for the pipe by epoll(7). But the part of tokio that does so, with mio
    // and socket2 below it, takes a second of processor time of each first build (debug,
    // 2026-11-30), and nothing else of this crate needs that part. A user who needs it asks for it.
    let (reader, read) = oneshot::channel();
    thread::start("reader of a pipe", move || {
        let mut bytes = Vec::new();
        let all = File::from(fd).read_to_end(&mut bytes).map(|_| bytes);
        // The future that waits for the bytes may have been dropped.
        let _ = reader.send(all);
    })?;
    let gone = || Err(io::ErrorKind::BrokenPipe.into());
    read.await.unwrap_or_else(|_| gone())
}

/// Runs two futures side by side to their ends. `tokio::join!` would do so too, and needs a crate
/// of macros, which takes time to build.
async fn both<A: Future, B: Future>(first: A, second: B) -> (A::Output, B::Output) {
    let (mut first, mut second) = (std::pin::pin!(first), std::pin::pin!(second));
    let (mut of_first, mut of_second) = (None, None);
    std::future::poll_fn(move |context| {
        if of_first.is_none()
            && let Poll::Ready(it) = first.as_mut().poll(context)
        {
            of_first = Some(it);
        }
        if of_second.is_none()
            && let Poll::Ready(it) = second.as_mut().poll(context)
        {
            of_second = Some(it);
        }
        match (of_first.take(), of_second.take()) {
            (Some(first), Some(second)) => Poll::Ready((first, second)),
            (first, second) => {
                (of_first, of_second) = (first, second);
                Poll::Pending
            }
        }
    })
    .await
}
