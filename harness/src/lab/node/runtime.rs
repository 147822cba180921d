//! Futures that run in a node.

use std::future::Future;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering;

use crate::kernel::sync::answer;
use crate::kernel::thread::{self, ThreadTraits, escort};
use crate::lab::attempt::NodeAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::node::node::Node;
use crate::lab::node::visitors::{enter, read_symbols};

/// Handle that waits for the end of a spawned future: tokio's own.
pub use tokio::task::JoinHandle;

/// A runtime on a thread of its own, which is in the node.
#[derive(Debug)]
pub(crate) struct Runtime {
    handle: tokio::runtime::Handle,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Runtime {
    /// Starts a runtime whose thread lives in a node that runs.
    pub(crate) fn start(node: &Node) -> Result<Self> {
        let failed = |e: std::io::Error| {
            LabError::io(NodeAttempt::StartRuntime.with(node.name()), &e).about(node.subject())
        };
        if node.request().root.is_some() {
            read_symbols();
        }
        let (stop, stopped) = tokio::sync::oneshot::channel();
        // The caller waits until the thread is in the node: a future must never run outside of it.
        let (ready, started) = answer();
        let name = node.name().to_owned();
        let (workers, node_name) = (node.runtime_threads().load(Ordering::Relaxed), name.clone());
        // Descriptors of its own: the node may be restarted before the thread has entered.
        let (process, mounts) = node.with_first_process(NodeAttempt::Enter, |first| {
            let copy = |fd: BorrowedFd<'_>| {
                let copy = fd.try_clone_to_owned();
                copy.map_err(|e| crate::kernel::errno::errno(&e))
            };
            Ok((copy(first.pidfd().as_fd())?, copy(first.visitor_mounts()?)?))
        })?;
        let traits = ThreadTraits::current().map_err(|e| failed(e.into()))?;
        let thread = escort::escorted(|| {
            thread::start(name, move || {
                // The thread enters before the runtime is made: the threads that a runtime starts
                // inherit the namespaces.
                let built = enter(process.as_fd(), mounts.as_fd(), &traits)
                    .map_err(std::io::Error::from)
                    .and_then(|()| build(workers, node_name));
                match built {
                    Ok(runtime) => {
                        ready.send(Ok(runtime.handle().clone()));
                        let _ = runtime.block_on(stopped);
                        // What blocks must not hold up the end of the lab.
                        runtime.shutdown_background();
                    }
                    Err(error) => ready.send(Err(error)),
                }
            })
        });
        let thread = thread.map_err(|e| failed(e.into()))?.map_err(failed)?;
        let gone = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let handle = started
            .receive()
            .unwrap_or_else(|| Err(gone()))
            .map_err(failed)?;
        Ok(Runtime {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(future)
    }
}

/// Makes a runtime with this number of worker threads, or one that runs on the calling thread.
fn build(workers: usize, name: String) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = match workers {
        0 => tokio::runtime::Builder::new_current_thread(),
        workers => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(workers);
            builder
        }
    };
    // Workers are threads of the node: they inherit the namespaces of the thread that builds the
    // runtime (clone(2)), and a debugger shows to whom they belong.
    builder.thread_name(name).enable_all().build()
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // The runtime ends when this end of the channel is gone, whether or not a message was sent.
        drop(self.stop.take());
        let Some(thread) = self.thread.take() else {
            return;
        };
        // A lab may be dropped by one of its own futures.
        if thread.thread().id() != std::thread::current().id() {
            let _ = thread.join();
        }
    }
}
