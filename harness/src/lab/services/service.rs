//! What a service is, and the threads of those that run in a node.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::events::{EventKind, note_in_all};
use crate::kernel::errno::errno;
use crate::kernel::frames::{PollEvents, Poller};
use crate::kernel::sync::{Lock, Notifier};
use crate::kernel::thread;
use crate::lab::attempt::{LabAttempt, NodeAttempt, ThreadPurpose};
use crate::lab::error::{LabError, Result};

/// Something that runs in a node from its start to its end.
pub(crate) trait Service: fmt::Debug + Send + Sync {
    /// Makes the sockets in the node, and the thread that serves them.
    fn start(&self, place: &dyn ServicePlace) -> Result<ServiceThread>;

    /// Waits until the node has what the service is for, or the services of the node have ended.
    /// `have_ended` tells whether they have: a service that waits looks again when it is told that
    /// its thread has [`ended`](Self::ended).
    fn await_ready(&self, _limit: Duration, _have_ended: &dyn Fn() -> bool) -> Result<()> {
        Ok(())
    }

    /// Returns whether there is something to serve. A changed plan may change that.
    fn is_wanted(&self) -> bool {
        true
    }

    /// Returns the number of networks that there are to serve. The thread has sockets in those that
    /// were there when it started, and another thread takes its place when there are others.
    fn networks(&self) -> usize {
        0
    }

    /// Returns whether the thread serves something else than it is to serve, beside networks.
    fn is_outdated(&self) -> bool {
        false
    }

    /// Notes that the thread has ended, and that none takes its place.
    fn ended(&self) {}
}

/// A node in which services run.
pub(crate) trait ServicePlace {
    /// Returns the name of the node.
    fn place_name(&self) -> &str;

    /// Does something in the node, on another thread.
    fn do_inside(&self, work: &mut (dyn FnMut() + Send)) -> Result<()>;
}

/// Opens sockets in a node, and returns them. `sockets` says which, for the error.
pub(crate) fn open_inside<T: Send>(
    place: &dyn ServicePlace,
    sockets: &str,
    open: impl FnOnce() -> io::Result<T> + Send,
) -> Result<T> {
    let (mut open, mut opened) = (Some(open), None);
    place.do_inside(&mut || opened = open.take().map(|open| open()))?;
    // The node has called the closure, or refused.
    let opened = opened.unwrap_or_else(|| Err(io::ErrorKind::Other.into()));
    opened.map_err(|error| {
        let name = place.place_name();
        let sockets = sockets.to_owned();
        let what = NodeAttempt::OpenSockets { sockets }.with(name);
        LabError::refused(what, errno(&error)).about_node(name)
    })
}

/// The work of a service's thread.
pub(crate) trait ServiceWork: Send {
    /// Returns the descriptors for which the thread waits. Their tokens are their places.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>>;

    /// Does what is due, and returns the time until more is; nothing where that takes a message.
    fn step(&mut self) -> Option<Duration> {
        None
    }

    /// Takes what has come to the descriptor with a token. Descriptors may be added to the set,
    /// with tokens of their own.
    fn hear(&mut self, token: u64, poller: &Poller);
}

/// The services of a node, and the threads of those that run.
#[derive(Debug, Default)]
pub(crate) struct NodeServiceThreads {
    services: Vec<Arc<dyn Service>>,
    /// Threads that run, by the numbers of the services; nothing while the node does not run.
    running: Lock<Option<BTreeMap<usize, RunningService>>>,
}

#[derive(Debug)]
struct RunningService {
    thread: ServiceThread,
    /// The number of networks that the thread serves.
    networks: usize,
}

impl NodeServiceThreads {
    pub(crate) fn new(services: Vec<Arc<dyn Service>>) -> Self {
        Self {
            services,
            running: Lock::default(),
        }
    }

    /// Starts all services that have something to serve.
    pub(crate) fn start(&self, place: &dyn ServicePlace) -> Result<()> {
        self.running.lock().get_or_insert_default();
        for (number, service) in self.services.iter().enumerate() {
            // Where a service cannot start, those before it go on, and end with the node.
            // A service that is wanted later is started by a change of the plan.
            if service.is_wanted() {
                self.begin(number, service, place)?;
            }
        }
        Ok(())
    }

    fn begin(
        &self,
        number: usize,
        service: &Arc<dyn Service>,
        place: &dyn ServicePlace,
    ) -> Result<()> {
        // The networks are noted before the start: the thread may have a network more, and never
        // one less.
        let networks = service.networks();
        let thread = service.start(place)?;
        let started = RunningService { thread, networks };
        // Somebody may have stopped the node since, and has ended the threads that were known.
        let other = match &mut *self.running.lock() {
            Some(running) => running.insert(number, started),
            None => Some(started),
        };
        // Dropped without the lock: the thread is joined.
        drop(other);
        Ok(())
    }

    /// Starts, ends and changes services as a changed plan asks for, in a node that runs.
    pub(crate) fn follow(&self, place: &dyn ServicePlace) -> Result<()> {
        for (number, service) in self.services.iter().enumerate() {
            let (wanted, outdated) = (service.is_wanted(), service.is_outdated());
            let networks = service.networks();
            let before = match &mut *self.running.lock() {
                // A service of a node that does not run waits for its start.
                None => return Ok(()),
                Some(running) => {
                    let known = running.get(&number).map_or(0, |it| it.networks);
                    if wanted && !outdated && networks == known {
                        continue;
                    }
                    running.remove(&number)
                }
            };
            // The old thread has the ports of the new one until it is joined.
            let ended = before.is_some();
            drop(before);
            if wanted {
                self.begin(number, service, place)?;
            } else if ended {
                service.ended();
            }
        }
        Ok(())
    }

    /// Waits until the node has what its services are for, or they have ended.
    pub(crate) fn await_ready(&self, limit: Duration) -> Result<()> {
        let have_ended = || self.have_ended();
        let mut services = self.services.iter();
        services.try_for_each(|service| service.await_ready(limit, &have_ended))
    }

    /// Returns whether the services have ended, as those of a node that was stopped.
    pub(crate) fn have_ended(&self) -> bool {
        self.running.lock().is_none()
    }

    /// Ends all services, and returns when their sockets are closed.
    pub(crate) fn end(&self) {
        // Dropped without the lock: the threads are joined.
        let running = self.running.lock().take();
        drop(running);
        self.services.iter().for_each(|service| service.ended());
    }

    /// Stops all services where they are, or lets them go on.
    pub(crate) fn set_paused(&self, paused: bool) {
        let running = self.running.lock();
        for service in running.iter().flat_map(BTreeMap::values) {
            service.thread.control.set_paused(paused);
        }
    }
}

/// Switch by which the thread of a service is told to stand still or to end.
#[derive(Debug)]
struct Control {
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
    /// Serves until the thread is told to end.
    fn serve(&self, work: &mut impl ServiceWork) -> crate::kernel::Result<()> {
        for (token, descriptor) in (0..).zip(work.descriptors()) {
            self.poller.add(descriptor, token)?;
        }
        let mut events = PollEvents::new();
        while self.goes_on() {
            // The service makes a step before the first wait: a client begins by itself, and hosts
            // that are up have asked for a router before there was somebody to answer.
            let left = work.step();
            let left = left.map(|left| u64::try_from(left.as_nanos()).unwrap_or(u64::MAX));
            self.poller.wait(left, &mut events)?;
            // A paused node says nothing, and hears what has come when it goes on.
            if !self.goes_on() {
                break;
            }
            for token in events.tokens() {
                work.hear(token, &self.poller);
            }
        }
        Ok(())
    }

    /// Returns whether the thread is to go on, after the time in which it is to stand still.
    fn goes_on(&self) -> bool {
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
    /// Starts the thread of a service of some kind, such as `dns`, of a node.
    pub(crate) fn start(
        kind: &str,
        place: &dyn ServicePlace,
        mut work: impl ServiceWork + 'static,
    ) -> Result<Self> {
        let name = format!("{kind} {}", place.place_name());
        let failed = |e: io::Error| {
            // The kernel keeps 15 bytes of a thread's name (PR_SET_NAME, prctl(2)); users need all.
            let node = place.place_name();
            let purpose = ThreadPurpose::Service {
                kind: kind.to_owned(),
                node: node.to_owned(),
            };
            LabError::io(LabAttempt::StartThread(purpose), &e).about_node(node)
        };
        let poller = Poller::new().map_err(|errno| failed(errno.into()))?;
        let control = Arc::new(Control {
            poller,
            state: Lock::new(ServiceState::Running),
            changed: Notifier::new(),
        });
        let own = Arc::clone(&control);
        let said = name.clone();
        // The work and its sockets are dropped by the thread, before a join of it returns.
        let serve = move || {
            // The descriptors are in no other set, and the set has room: nothing is refused.
            if let Err(errno) = own.serve(&mut work) {
                note_in_all(EventKind::ServiceFailed {
                    service: format!("the thread of {said} has ended"),
                    error: errno.to_string(),
                });
            }
        };
        let thread = thread::start(name.clone(), serve).map_err(failed)?;
        Ok(Self {
            control,
            thread: Some(thread),
        })
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

/// A way by which a service wakes its thread, as long as there is one.
#[derive(Debug, Default)]
pub(crate) struct ThreadWaker(Lock<Weak<Control>>);

impl ThreadWaker {
    /// Wakes this thread from now on, and no other.
    pub(crate) fn set(&self, thread: &ServiceThread) {
        *self.0.lock() = Arc::downgrade(&thread.control);
    }

    /// Wakes the thread, which then looks at what is due.
    pub(crate) fn wake(&self) {
        if let Some(control) = self.0.lock().upgrade() {
            control.poller.wake();
        }
    }
}
