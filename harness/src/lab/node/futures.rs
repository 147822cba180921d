//! Futures that run in a node, and waits that let other futures run meanwhile.

use std::path::Path;
use std::sync::atomic::Ordering;

use crate::attempts::attempts;
use crate::lab::attempt::NodeAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::node::node::Node;
use crate::lab::node::runtime::{JoinHandle, Runtime};
use crate::lab::stack::listening::ServerSocket;
use crate::lab::unfit::UnfitNode;
use crate::lab::wait::{Condition, until_async};
use crate::trial::patience::Deadline;

impl Node {
    /// Runs a future in the node, on a runtime whose threads live there.
    ///
    /// The first call starts the runtime, which ends with the lab. A node in which nothing is
    /// spawned has none. The runtime has one thread, unless
    /// [`set_runtime_threads`](Node::set_runtime_threads) has been called before.
    ///
    /// ```no_run
    /// # use snowglobe::TestResult;
    /// # #[snowglobe::test]
    /// # async fn t() -> TestResult {
    /// # let lab = snowglobe::topology::shape::pair().start()?;
    /// let a = lab.node("alice").unwrap();
    /// let server = a.spawn(async {
    ///     let listener = tokio::net::TcpListener::bind("0.0.0.0:80").await?;
    ///     listener.accept().await.map(|(_, peer)| peer)
    /// });
    /// # server.abort();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// The node is not running.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut runtime = self.runtime().lock();
        let runtime = match &mut *runtime {
            Some(runtime) => runtime,
            none => match Runtime::start(self) {
                Ok(started) => none.insert(started),
                Err(error) => panic!("{error}"),
            },
        };
        runtime.spawn(future)
    }

    /// Gives the runtime of the node this number of worker threads, as `worker_threads` gives them
    /// to a test's own. Futures may then block in `tokio::task::block_in_place`, and run at the
    /// same time as others of the node.
    ///
    /// With 0, as without this call, all futures of the node share one thread.
    ///
    /// # Errors
    /// A future was spawned in the node already, and its runtime runs.
    pub fn set_runtime_threads(&self, threads: usize) -> Result<()> {
        // The lock is held, so that no future is spawned meanwhile.
        let runtime = self.runtime().lock();
        if runtime.is_some() {
            let subject = self.subject();
            return Err(LabError::unfit(subject, UnfitNode::RuntimeRuns));
        }
        self.runtime_threads().store(threads, Ordering::Relaxed);
        Ok(())
    }

    /// Waits until `condition` holds, whose futures run in the node, as [`spawn`](Node::spawn) runs
    /// them there.
    ///
    /// ```no_run
    /// # use tokio::net::TcpStream;
    /// # #[snowglobe::test]
    /// # async fn t() -> snowglobe::TestResult {
    /// # let lab = snowglobe::topology::shape::pair().start()?;
    /// let a = lab.node("alice").unwrap();
    /// let connection = a.wait_until_async(|| TcpStream::connect("bob:80")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`wait_until`](Node::wait_until).
    ///
    /// # Panics
    /// `condition` panics, or the node is not running.
    pub async fn wait_until_async<C, F>(
        &self,
        condition: impl FnMut() -> F + Send + 'static,
    ) -> Result<C::Value>
    where
        C: Condition<Value: Send + 'static> + Send + 'static,
        F: Future<Output = C> + Send + 'static,
    {
        let waiting = self.spawn(until_async(self.patience().limit(), condition));
        // A test that waits for the first of several futures drops the others (`tokio::select!`).
        let _abort = AbortOnDrop(waiting.abort_handle());
        match waiting.await {
            Ok(outcome) => {
                outcome.map_err(|error| error.with_ended(|| self.programs().ended_badly()))
            }
            // A panic of the condition is one of its caller, as in `run`.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ended: the node has crashed or was removed.
                Err(_) => {
                    self.with_first_process(NodeAttempt::Wait, |_| Ok(()))?;
                    let subject = self.subject();
                    Err(LabError::unfit(subject, UnfitNode::FuturesStopped))
                }
            },
        }
    }

    /// Waits until something listens on a TCP port of the node, as
    /// [`wait_for_port`](Node::wait_for_port) does, and lets other futures run meanwhile.
    ///
    /// # Errors
    /// Nothing listens in time, the node was removed, or its only program ends badly first.
    ///
    /// # Panics
    /// There is no tokio runtime around.
    pub async fn wait_for_port_async(&self, port: u16) -> Result<()> {
        self.attempts(&ServerSocket::Tcp(port)).await
    }

    /// Waits until something takes datagrams on a UDP port of the node, as
    /// [`wait_for_udp_port`](Node::wait_for_udp_port) does, and lets other futures run meanwhile.
    ///
    /// # Errors
    /// Nothing is at the port in time, the node was removed, or its only program ends badly first.
    ///
    /// # Panics
    /// There is no tokio runtime around.
    pub async fn wait_for_udp_port_async(&self, port: u16) -> Result<()> {
        self.attempts(&ServerSocket::Udp(port)).await
    }

    /// Waits until something is at a Unix socket of the node, as
    /// [`wait_for_socket`](Node::wait_for_socket) does, and lets other futures run meanwhile.
    ///
    /// # Errors
    /// Nothing is at the socket in time, the node was removed, or its only program ends badly
    /// first.
    ///
    /// # Panics
    /// There is no tokio runtime around.
    pub async fn wait_for_socket_async(&self, path: impl AsRef<Path>) -> Result<()> {
        let socket = ServerSocket::Unix(path.as_ref().to_owned(), self.pid());
        self.attempts(&socket).await
    }

    /// Looks for a socket for as long as the lab is patient.
    async fn attempts(&self, socket: &ServerSocket) -> Result<()> {
        let limit = self.patience().limit();
        // Each attempt ends at once, and its error names the time that the whole wait has taken.
        let wait = |at| self.wait_for_server(socket, Deadline { at, limit });
        attempts(limit, LabError::is_timeout, wait).await
    }
}

/// Stops a wait in a node for which nobody waits any more.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
