//! The thread that serves the captive portal of a router, and hears of the packets that a firewall
//! did not let through.
//!
//! Each stack that needs one has a thread, which sleeps while there is nothing to do. The thread
//! ends when the watcher is dropped.

use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::{dropped, firewall, portal};
use crate::events::Journal;
use crate::kernel::errno::Errno;
use crate::kernel::netns::Netns;
use crate::kernel::nft::{LoggedPacket, PacketLog};
use crate::kernel::poll::PollSet;
use crate::kernel::thread;
use crate::lab::attempt::{Attempt, LabAttempt, NetworkAttempt, ThreadPurpose};
use crate::lab::error::{LabError, Result};
use crate::topology::plan::NetfilterPlan;
use crate::topology::{Firewall, PORTAL_PORT};

/// A thread for the firewall of one stack.
#[derive(Debug)]
pub(crate) struct FirewallWatcher {
    firewall: Firewall,
    /// Closing this end ends the thread.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

/// The descriptors that the thread waits for.
struct Watched {
    node: String,
    page: String,
    portal: Option<TcpListener>,
    log: Option<PacketLog>,
    stop: UnixStream,
    journal: Arc<Journal>,
}

impl FirewallWatcher {
    /// Begins to watch for the firewall of a stack, if that needs a watcher.
    pub(crate) fn begin(
        node: &str,
        planned: &NetfilterPlan,
        netns: BorrowedFd<'_>,
        journal: &Arc<Journal>,
    ) -> Result<Option<Self>> {
        let Some(asked) = planned
            .firewall
            .as_ref()
            .filter(|it| it.log || it.portal.is_some())
        else {
            return Ok(None);
        };
        let io = |what: Attempt| move |error| LabError::io(what, &error).about_node(node);
        let (sockets, page) = (
            NetworkAttempt::MakeFirewallSockets,
            NetworkAttempt::ServePortal,
        );
        let start = LabAttempt::StartThread(ThreadPurpose::Firewall);
        let (stop, stopped) = UnixStream::pair().map_err(io(sockets.into()))?;
        let portal = match asked.portal {
            Some(_) => Some(listen(netns).map_err(io(page.into()))?),
            None => None,
        };
        let log = match asked.log {
            true => Some(
                PacketLog::open(netns, firewall::LOG_GROUP).map_err(|error| {
                    LabError::network(format!("node `{node}`"), error).about_node(node)
                })?,
            ),
            false => None,
        };
        let watched = Watched {
            node: node.into(),
            page: asked
                .portal
                .as_ref()
                .map(|it| it.page.clone())
                .unwrap_or_default(),
            portal,
            log,
            stop: stopped,
            journal: Arc::clone(journal),
        };
        let thread = thread::start("firewall", move || watched.run()).map_err(io(start.into()))?;
        Ok(Some(Self {
            firewall: asked.clone(),
            stop: Some(stop),
            thread: Some(thread),
        }))
    }

    /// Returns whether the watcher does what a plan asks for.
    pub(crate) fn fits(&self, planned: Option<&NetfilterPlan>) -> bool {
        planned.and_then(|planned| planned.firewall.as_ref()) == Some(&self.firewall)
    }
}

fn listen(netns: BorrowedFd<'_>) -> std::io::Result<TcpListener> {
    // An IPv6 socket hears IPv4 as well (ipv6(7), IPV6_V6ONLY); std leaves that as it is.
    let made = Netns::visit(netns, || TcpListener::bind(("::", PORTAL_PORT)))
        .map_err(std::io::Error::from)??;
    // A client that gave up meanwhile must not keep the thread in accept(2).
    made.set_nonblocking(true)?;
    Ok(made)
}

impl Watched {
    fn run(self) {
        loop {
            let mut set = PollSet::new();
            set.add_readable(self.stop.as_fd());
            if let Some(portal) = &self.portal {
                set.add_readable(portal.as_fd());
            }
            if let Some(log) = &self.log {
                set.add_readable(log.as_fd());
            }
            let ready = match set.wait(None) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(_) => return,
            };
            let mut others = ready[1..].iter().copied();
            if self.portal.is_some() && others.next() == Some(true) {
                self.serve();
            }
            // What was logged before the end is told too.
            if self.log.is_some() && others.next() == Some(true) {
                self.tell();
            }
            if ready[0] {
                return;
            }
        }
    }

    fn serve(&self) {
        let Some(portal) = &self.portal else { return };
        while let Ok((client, _)) = portal.accept() {
            // The accepted socket of Linux does not take over the flag (accept(2)).
            portal::answer(client, self.page.clone());
        }
    }

    fn tell(&self) {
        let Some(log) = &self.log else { return };
        let told = |packet: LoggedPacket| dropped::event(&self.node, &packet);
        while let Some(packets) = log.read() {
            packets
                .into_iter()
                .filter_map(told)
                .for_each(|event| self.journal.record(event));
        }
    }
}

impl Drop for FirewallWatcher {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed by then.
            let _ = thread.join();
        }
    }
}
