//! What a service is, and the threads of those that run in a node.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::kernel::errno::errno;
use crate::kernel::frames::Poller;
use crate::kernel::sync::{Lock, Notifier};
use crate::lab::error::{LabError, Result};

/// Something that runs in a node from its start to its end.
pub(crate) trait Service: fmt::Debug + Send + Sync {
    /// Makes the sockets in the node, and the thread that serves them.
    fn start(&self, place: &dyn ServicePlace) -> Result<ServiceThread>;

    /// Waits until the node has what the service is for.
    fn await_ready(&self, _limit: Duration) -> Result<()> {
        Ok(())
    }
}

/// A node in which services run.
pub(crate) trait ServicePlace {
    /// Returns the name of the node.
    fn place_name(&self) -> &str;

    /// Does something in the node, on another thread.
    fn do_inside(&self, work: &mut (dyn FnMut() + Send)) -> Result<()>;
}

/// Runs `work` in a node, and returns its value.
pub(crate) fn inside<T: Send>(
    place: &dyn ServicePlace,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> Result<io::Result<T>> {
    let (mut work, mut value) = (Some(work), None);
    place.do_inside(&mut || value = work.take().map(|work| work()))?;
    // The node has called the closure, or refused.
    Ok(value.unwrap_or_else(|| Err(io::ErrorKind::Other.into())))
}

/// The services of a node, and the threads of those that run.
#[derive(Debug, Default)]
pub(crate) struct NodeServiceThreads {
    services: Vec<Arc<dyn Service>>,
    running: Lock<Vec<ServiceThread>>,
}

impl NodeServiceThreads {
    pub(crate) fn new(services: Vec<Arc<dyn Service>>) -> Self {
        Self {
            services,
            running: Lock::default(),
        }
    }

    /// Starts all services.
    pub(crate) fn start(&self, place: &dyn ServicePlace) -> Result<()> {
        for service in &self.services {
            // One that cannot start leaves those before it, which end with the node.
            let thread = service.start(place)?;
            self.running.lock().push(thread);
        }
        Ok(())
    }

    /// Waits until the node has what its services are for.
    pub(crate) fn await_ready(&self, limit: Duration) -> Result<()> {
        let mut services = self.services.iter();
        services.try_for_each(|service| service.await_ready(limit))
    }

    /// Ends all services, and returns when their sockets are closed.
    pub(crate) fn end(&self) {
        // Dropped without the lock: the threads are joined.
        let running = std::mem::take(&mut *self.running.lock());
        drop(running);
    }

    /// Stops all services where they are, or lets them go on.
    pub(crate) fn set_paused(&self, paused: bool) {
        for thread in self.running.lock().iter() {
            thread.control.set_paused(paused);
        }
    }
}

/// By what the thread of a service is told to stand still or to end.
#[derive(Debug)]
pub(crate) struct Control {
    poller: Poller,
    state: Lock<ServiceState>,
    changed: Notifier,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServiceState {
    Running,
    Paused,
    Ended,
}

impl Control {
    /// Returns the descriptors for which the thread waits.
    pub(crate) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// Returns whether the thread is to go on, after the time in which it is to stand still.
    pub(crate) fn goes_on(&self) -> bool {
        let mut state = self.state.lock();
        while *state == ServiceState::Paused {
            state = self.changed.wait(state);
        }
        *state == ServiceState::Running
    }

    fn set_paused(&self, paused: bool) {
        let mut state = self.state.lock();
        if *state != ServiceState::Ended {
            *state = if paused {
                ServiceState::Paused
            } else {
                ServiceState::Running
            };
        }
        drop(state);
        // The thread waits for one or the other, and only the thread knows for which.
        self.changed.notify_all();
        self.poller.wake();
    }

    fn end(&self) {
        *self.state.lock() = ServiceState::Ended;
        self.changed.notify_all();
        self.poller.wake();
    }
}

/// The thread of a service, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct ServiceThread {
    control: Arc<Control>,
    thread: Option<JoinHandle<()>>,
}

impl ServiceThread {
    /// Starts a thread that runs `serve`, which returns when it is told to end.
    pub(crate) fn start(
        name: String,
        serve: impl FnOnce(&Control) + Send + 'static,
    ) -> Result<Self> {
        let failed = |e: io::Error| LabError::io(format!("start the thread of {name}"), &e);
        let poller = Poller::new().map_err(|errno| failed(errno.into()))?;
        let control = Arc::new(Control {
            poller,
            state: Lock::new(ServiceState::Running),
            changed: Notifier::new(),
        });
        let own = Arc::clone(&control);
        let thread = std::thread::Builder::new()
            .name(name.clone())
            .spawn(move || serve(&own))
            .map_err(failed)?;
        Ok(Self {
            control,
            thread: Some(thread),
        })
    }
}

impl ServiceThread {
    /// Returns what the thread is told by.
    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
    }
}

impl Drop for ServiceThread {
    fn drop(&mut self) {
        self.control.end();
        if let Some(thread) = self.thread.take() {
            // A panic was printed by the thread, and the service is gone either way.
            let _ = thread.join();
        }
    }
}

/// Returns the error that a socket of a service cannot be had.
pub(crate) fn refused(what: &str, place: &dyn ServicePlace, error: &io::Error) -> LabError {
    let name = place.place_name();
    LabError::refused(format!("{what} in node `{name}`"), errno(error)).about_node(name)
}
