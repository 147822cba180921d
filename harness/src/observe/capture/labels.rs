//! How a link or a node's interface is named in a capture.

use crate::model::direction::Direction;

/// Labels of an interface of the file.
pub(crate) struct InterfaceLabels<'a> {
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
    /// Direction in which frames are outbound.
    pub(crate) outbound: Direction,
}
