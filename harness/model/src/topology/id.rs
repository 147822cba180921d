//! Ids of the parts of a topology. Each kind of part has an id type of its own, so that a link is
//! never taken for a node.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, snowglobe_derive::Serialize, snowglobe_derive::Deserialize)]
        pub struct $name(u32);

        impl $name {
            /// Returns the id of the thing with this index.
            pub fn new(index: usize) -> Self {
                $name(u32::try_from(index).expect("a topology holds fewer than 2^32 things of a kind"))
            }

            /// Returns the position among things of this kind, in the order in which they were
            /// added, from 0.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id! {
    /// A node of a topology; a container of a pod is one too.
    ///
    /// The id belongs to the topology that gave it, and to that topology's clones.
    NodeId
}
id! {
    /// A cable: between two nodes, from a node to a switch, or between two switches.
    ///
    /// The id belongs to the topology that gave it, and to that topology's clones.
    LinkId
}
id! {
    /// A switch: an Ethernet segment with many ports.
    ///
    /// The id belongs to the topology that gave it, and to that topology's clones.
    SwitchId
}
id! {
    /// A pod: containers that share a network stack.
    ///
    /// The id belongs to the topology that gave it, and to that topology's clones.
    PodId
}

pub(crate) use id;

/// The node or pod that a network stack belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// A node that is in no pod.
    Node(NodeId),
    /// A pod.
    Pod(PodId),
}

/// A thing that a cable can be plugged into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// A node. A container stands for its pod, whose network stack it shares.
    Node(NodeId),
    /// A pod.
    Pod(PodId),
    /// A switch.
    Switch(SwitchId),
}

impl Endpoint {
    /// Returns the switch, if the end is plugged into one.
    pub(crate) fn switch(self) -> Option<SwitchId> {
        match self {
            Self::Switch(id) => Some(id),
            Self::Node(_) | Self::Pod(_) => None,
        }
    }
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
