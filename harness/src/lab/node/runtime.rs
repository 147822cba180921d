//! Futures that run in a node.

use std::future::Future;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread;

use crate::lab::error::{LabError, Result};
use crate::lab::node::node::Node;

/// What waits for the end of a spawned future: tokio's own.
pub use tokio::task::JoinHandle;

/// A runtime on a thread of its own, which is in the node.
#[derive(Debug)]
pub(crate) struct Runtime {
    handle: tokio::runtime::Handle,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Node {
    /// Runs a future in the node, on a runtime whose thread lives there. That is started by the first call and ends with the lab; a
    /// node in which nothing is spawned has none.
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
    /// If the node is not running.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if runtime.is_none() {
            match self.start_runtime() {
                Ok(started) => *runtime = Some(started),
                Err(error) => panic!("{error}"),
            }
        }
        match &*runtime {
            Some(runtime) => runtime.handle.spawn(future),
            None => unreachable!("it was started above"),
        }
    }

    fn start_runtime(&self) -> Result<Runtime> {
        let failed = |e: std::io::Error| {
            LabError::io(format!("start a runtime in node `{}`", self.name()), &e)
        };
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (ready, started) = mpsc::channel();
        let name = self.name().to_owned();
        let pidfd = self.with_life("enter node", |life| {
            life.pidfd
                .try_clone()
                .map_err(|e| crate::kernel::errno::errno(&e))
        })?;
        let thread = thread::Builder::new()
            .name(name)
            .spawn(move || {
                use std::os::fd::AsFd;
                let built = crate::lab::node::visit::enter(pidfd.as_fd())
                    .map_err(std::io::Error::from)
                    .and_then(|()| {
                        tokio::runtime::Builder::new_current_thread()
                            .enable_all()
                            .build()
                    });
                match built {
                    Ok(runtime) => {
                        let _ = ready.send(Ok(runtime.handle().clone()));
                        let _ = runtime.block_on(stopped);
                        // What blocks must not hold up the end of the lab.
                        runtime.shutdown_background();
                    }
                    Err(error) => drop(ready.send(Err(error))),
                }
            })
            .map_err(failed)?;
        let gone = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let handle = started
            .recv()
            .unwrap_or_else(|_| Err(gone()))
            .map_err(failed)?;
        Ok(Runtime {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        drop(self.stop.take());
        let Some(thread) = self.thread.take() else {
            return;
        };
        // A lab may be dropped by one of its own futures.
        if thread.thread().id() != thread::current().id() {
            let _ = thread.join();
        }
    }
}
