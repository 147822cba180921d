//! Parts of a topology as sentences name them.

use crate::side::Side;
use crate::topology::id::{Endpoint, LinkId, Owner};
use crate::topology::problem::{LinkEnd, LinkLabel, NamedPart};
use crate::topology::value::{LinkEntry, Topology};

impl Topology {
    /// Returns a node, a pod or a switch with its name; a container by `pod/container`.
    pub(crate) fn named(&self, part: impl Into<Endpoint>) -> NamedPart {
        let part = part.into();
        let name = self.end_name(part);
        match part {
            Endpoint::Node(_) => NamedPart::Node(name),
            Endpoint::Pod(_) => NamedPart::Pod(name),
            Endpoint::Switch(_) => NamedPart::Switch(name),
        }
    }

    /// Returns the node or pod of a stack with its name.
    pub(crate) fn named_owner(&self, owner: Owner) -> NamedPart {
        match owner {
            Owner::Node(id) => self.named(id),
            Owner::Pod(id) => self.named(id),
        }
    }

    /// Returns a link with its name, or with those of its ends.
    pub(crate) fn named_link(&self, id: LinkId) -> NamedPart {
        NamedPart::Link(self.link_label(id))
    }

    /// Returns a link without the word "link", for sentences that have the word already.
    pub(crate) fn link_label(&self, id: LinkId) -> LinkLabel {
        let LinkEntry { ends, spec } = &self.links[id.index()];
        match &spec.name {
            Some(name) => LinkLabel::Named(name.clone()),
            None if self.link_name(id).ends_with(')') => LinkLabel::Numbered(self.link_name(id)),
            None => LinkLabel::Between(ends.map(|end| self.end_name(end))),
        }
    }

    /// Returns the end of a link with the name of what it is plugged into.
    pub(crate) fn link_end(&self, link: LinkId, side: Side) -> LinkEnd {
        LinkEnd {
            at: self.end_name(self.links[link.index()].ends[side]),
            link: self.link_label(link),
        }
    }
}
