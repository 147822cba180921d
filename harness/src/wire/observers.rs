//! Who has a say in a wire's packets, and who is told of them.

use std::fmt::Display;
use std::sync::Arc;

use crate::model::impair::Direction;
use crate::model::packet::{FrameEvent, FrameFate, Listener};
use crate::model::rules::RuleBook;

/// Packet rules and listeners of one wire.
pub(super) struct Observers {
    /// Name of the link, as listeners are told.
    link: Arc<str>,
    rules: Arc<RuleBook>,
    listeners: Vec<Arc<dyn Listener>>,
}

impl Observers {
    /// Makes the observers of the link `link`, without listeners at first.
    pub(super) fn new(link: Arc<str>, rules: Arc<RuleBook>) -> Self {
        Self {
            link,
            rules,
            listeners: Vec::new(),
        }
    }

    /// Returns the packet rules of the wire.
    pub(super) fn rules(&self) -> &RuleBook {
        &self.rules
    }

    /// Returns whether nobody looks at single packets, so that super-frames may pass whole.
    pub(super) fn are_absent(&self) -> bool {
        // This is asked for every batch; without rules the book answers by one atomic load.
        self.listeners.is_empty() && self.rules.is_empty()
    }

    /// Returns whether there are listeners, who are told of single packets.
    pub(super) fn has_listeners(&self) -> bool {
        !self.listeners.is_empty()
    }

    pub(super) fn add_listener(&mut self, listener: Arc<dyn Listener>) {
        self.listeners.push(listener);
    }

    /// Removes the listener whose object is at the address `listener`.
    pub(super) fn remove_listener(&mut self, listener: usize) {
        // By the address alone, for a type may have several vtables, one in each codegen unit
        // (rustc's lint `ambiguous_wide_pointer_comparisons`).
        let is_other = |one: &Arc<dyn Listener>| Arc::as_ptr(one).addr() != listener;
        self.listeners.retain(is_other);
    }

    /// Tells every listener of one frame.
    pub(super) fn notify(
        &self,
        direction: Direction,
        time: u64,
        frame: &[u8],
        fate: FrameFate<'_>,
        remark: Option<&dyn Display>,
    ) {
        for listener in &self.listeners {
            listener.frame(&FrameEvent {
                link: &self.link,
                direction,
                time,
                frame,
                fate,
                remark,
            });
        }
    }
}
