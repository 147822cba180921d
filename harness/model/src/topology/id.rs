//! Ids: what a topology hands out for each thing that it holds. Each kind has a type of its own, so that a link is
//! never taken for a node.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// It belongs to the topology that gave it (and to that topology's clones).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(u32);

        impl $name {
            /// Returns the id of the thing with this index.
            pub fn new(index: usize) -> Self {
                $name(u32::try_from(index).expect("a topology holds fewer than 2^32 things of a kind"))
            }

            /// Its place in the order in which things of its kind were added, from 0.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id! {
    /// A node of a topology; a container of a pod is one too.
    NodeId
}
id! {
    /// A cable: between two nodes, from a node to a switch, or between two switches.
    LinkId
}
id! {
    /// A switch: an Ethernet segment with many ports.
    SwitchId
}
id! {
    /// A pod: containers that share a network stack.
    PodId
}

/// What a cable can be plugged into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// A node. A container stands for its pod, whose network stack it shares.
    Node(NodeId),
    /// A pod.
    Pod(PodId),
    /// A switch.
    Switch(SwitchId),
}

impl From<NodeId> for Endpoint {
    fn from(id: NodeId) -> Self {
        Endpoint::Node(id)
    }
}

impl From<PodId> for Endpoint {
    fn from(id: PodId) -> Self {
        Endpoint::Pod(id)
    }
}

impl From<SwitchId> for Endpoint {
    fn from(id: SwitchId) -> Self {
        Endpoint::Switch(id)
    }
}
