//! Who listens on a link, or on an interface of a node. They go on listening when another carrier takes over.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::impair::Direction;
use crate::lab::error::{LabError, Result};
use crate::model::packet::{FrameSource, Listener};
use crate::observe::{SniffedInterface, Sniffer};

/// All who listen on something, by number.
#[derive(Debug, Default)]
pub(crate) struct Ears {
    next: u64,
    all: BTreeMap<u64, Ear>,
}

impl Ears {
    pub(crate) fn add(&mut self, ear: Ear) -> u64 {
        let number = self.next;
        self.next += 1;
        self.all.insert(number, ear);
        number
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<Ear> {
        self.all.remove(&number)
    }

    pub(crate) fn drain(&self, number: u64) {
        let ear = self.all.get(&number);
        if let Some(watch) = ear.and_then(|ear| ear.watch.as_ref()) {
            watch.drain();
        }
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Ear> {
        self.all.values_mut()
    }
}

/// One who listens: at an interface of the kernel, or to a wire.
#[derive(Debug)]
pub(crate) struct Ear {
    /// What the frames are said to be seen on.
    label: Arc<str>,
    pub(crate) index: u32,
    pub(crate) listener: Arc<dyn Listener>,
    watch: Option<Sniffer>,
}

impl Ear {
    /// It hears nothing yet.
    pub(crate) fn new(label: &str, index: u32, listener: Arc<dyn Listener>) -> Ear {
        Ear {
            label: label.into(),
            index,
            listener,
            watch: None,
        }
    }

    /// Looks at its interface in this network namespace; what leaves there goes from a to b.
    pub(crate) fn look(&mut self, netns: BorrowedFd<'_>) -> Result<()> {
        const LOOPBACK: u32 = 1;
        let interface = SniffedInterface {
            link: Arc::clone(&self.label),
            outgoing: Direction::AToB,
            loopback: self.index == LOOPBACK,
            listener: Arc::clone(&self.listener),
        };
        let watch = Sniffer::begin(netns, self.index, interface);
        self.watch =
            Some(watch.map_err(|e| LabError::io(format!("capture `{}`", self.label), &e))?);
        Ok(())
    }

    /// Looks no more, after it has seen what has passed by now.
    pub(crate) fn look_away(&mut self) {
        self.watch = None;
    }
}
