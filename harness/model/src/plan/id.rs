//! Ids of what a plan holds, so that a stack is never taken for a segment.

use crate::topology::id::id;

id! {
    /// A network stack of a plan: a node that is in no pod, or a pod.
    StackId
}
id! {
    /// A segment of a plan: everything that an Ethernet broadcast reaches.
    SegmentId
}
id! {
    /// An interface of one stack.
    InterfaceId
}

/// A network namespace of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NetnsId {
    /// The namespace with the bridges, which no node sees.
    Hub,
    /// The namespace of a stack.
    Stack(StackId),
}
