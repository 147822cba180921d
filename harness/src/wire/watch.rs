//! Who has a word on a wire's packets, and who wants to hear of them.

use std::fmt::Display;
use std::sync::Arc;

use crate::impair::Direction;
use crate::observe::{FrameEvent, FrameFate, Listener, RuleBook};

/// The rules and the listeners of one wire.
pub(super) struct Watch {
    pub(super) link: Arc<str>,
    pub(super) rules: Arc<RuleBook>,
    pub(super) listeners: Vec<Arc<dyn Listener>>,
}

impl Watch {
    /// Whether nobody looks at single packets.
    pub(super) fn is_idle(&self) -> bool {
        self.listeners.is_empty() && self.rules.is_empty()
    }

    pub(super) fn tell(
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
