//! Listeners for the frames of an interface or a link.
//!
//! A capture or recording goes on when a link gets another carrier, and the interface that was
//! sniffed is deleted and made again. So what listens is kept apart from how the frames are seen at
//! present.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::impair::Direction;
use crate::lab::attempt::NetworkAttempt;
use crate::lab::error::{LabError, Result};
use crate::model::packet::{FrameSource, Listener};
use crate::observe::{SniffedInterface, Sniffer};

/// The monitors of a link or a stack, by number.
#[derive(Debug, Default)]
pub(crate) struct Monitors {
    next: u64,
    all: BTreeMap<u64, Monitor>,
}

impl Monitors {
    /// Adds a monitor, and returns the number by which it can be removed.
    pub(crate) fn add(&mut self, monitor: Monitor) -> u64 {
        // Numbers are never used again: a source may be dropped late.
        let number = self.next;
        self.next += 1;
        self.all.insert(number, monitor);
        number
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<Monitor> {
        self.all.remove(&number)
    }

    /// Waits until the listener of a monitor has been told of all frames that have passed by now.
    pub(crate) fn drain(&self, number: u64) {
        let monitor = self.all.get(&number);
        if let Some(sniffer) = monitor.and_then(|monitor| monitor.sniffer.as_ref()) {
            sniffer.drain();
        }
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Monitor> {
        self.all.values_mut()
    }

    /// Detaches the monitors of an interface.
    pub(crate) fn detach(&mut self, index: u32) {
        let concerned = self.iter_mut().filter(|monitor| monitor.index == index);
        concerned.for_each(Monitor::detach);
    }

    /// Attaches the monitors of an interface again that may have been deleted and made again.
    pub(crate) fn reattach(&mut self, netns: BorrowedFd<'_>, index: u32) -> Result<()> {
        let mut concerned = self.iter_mut().filter(|monitor| monitor.index == index);
        concerned.try_for_each(|monitor| monitor.attach(netns))
    }
}

/// A listener that is told of frames, by a sniffer at an interface or by a userspace wire.
#[derive(Debug)]
pub(crate) struct Monitor {
    /// The name of the link or interface, as the listener is told of it.
    label: Arc<str>,
    /// Index of the interface at which the frames are seen.
    index: u32,
    listener: Arc<dyn Listener>,
    sniffer: Option<Sniffer>,
}

impl Monitor {
    /// Makes a monitor that is not attached yet.
    pub(crate) fn new(label: &str, index: u32, listener: Arc<dyn Listener>) -> Self {
        Self {
            label: label.into(),
            index,
            listener,
            sniffer: None,
        }
    }

    pub(crate) fn listener(&self) -> &Arc<dyn Listener> {
        &self.listener
    }

    /// Sniffs an interface in this network namespace from now on.
    pub(crate) fn attach_to(&mut self, netns: BorrowedFd<'_>, index: u32) -> Result<()> {
        self.index = index;
        self.attach(netns)
    }

    /// Sniffs the interface in this network namespace. Frames that leave there go from a to b.
    pub(crate) fn attach(&mut self, netns: BorrowedFd<'_>) -> Result<()> {
        const LOOPBACK: u32 = 1;
        let interface = SniffedInterface {
            link: Arc::clone(&self.label),
            outgoing: Direction::AToB,
            // A frame on `lo` is seen twice by a packet socket, once as it leaves and once as it
            // arrives: packet(7), PACKET_OUTGOING.
            loopback: self.index == LOOPBACK,
            listener: Arc::clone(&self.listener),
        };
        let sniffer = Sniffer::begin(netns, self.index, interface).map_err(|e| {
            let label = self.label.to_string();
            LabError::io(NetworkAttempt::Capture { label }, &e)
        })?;
        self.sniffer = Some(sniffer);
        Ok(())
    }

    /// Stops sniffing, after the listener has been told of what has passed by now.
    pub(crate) fn detach(&mut self) {
        self.sniffer = None;
    }
}
