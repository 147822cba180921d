//! Names in the places of ids, for people who read of a fault.

use super::check::Targets;
use super::fault::Fault;
use super::refs::{LinkRef, NodeRef, means_link};
use super::schedule::{Schedule, ScheduledFault};
use crate::topology::{LinkId, NodeId};

impl Targets {
    /// Returns the name of the node with an id, unless the node was removed.
    pub fn node_by_id(&self, id: NodeId) -> Option<&str> {
        let removed = self.removed_nodes.iter().map(|id| id.index());
        let place = place_without(removed, id.index())?;
        self.nodes.get(place).map(String::as_str)
    }

    /// Returns the name of the link with an id, unless the link was removed. Several links may have
    /// one name.
    pub fn link_by_id(&self, id: LinkId) -> Option<&str> {
        let removed = self.removed_links.iter().map(|id| id.index());
        let place = place_without(removed, id.index())?;
        self.links.get(place).map(|(name, _)| name.as_str())
    }

    /// Returns the fault with the names of nodes and links in the places of their ids. The id of a
    /// link stays where the name does not tell which link is meant, and so do ids of what is not
    /// there.
    pub fn named(&self, fault: &Fault) -> Fault {
        let mut fault = fault.clone();
        for node in fault.nodes_mut() {
            if let NodeRef::Id(id) = node
                && let Some(name) = self.node_by_id(*id)
            {
                *node = NodeRef::from(name);
            }
        }
        for link in fault.links_mut() {
            if let LinkRef::Id(id) = link
                && let Some(name) = self.link_by_id(*id)
                && self.is_name_of_one_link(name)
            {
                *link = LinkRef::from(name);
            }
        }
        fault
    }

    fn is_name_of_one_link(&self, name: &str) -> bool {
        let those = self.links.iter().map(|(other, _)| other);
        those.filter(|other| means_link(name, other)).count() == 1
    }
}

impl Schedule {
    /// Returns the schedule with the names of nodes and links in the places of their ids, as
    /// [`Targets::named`] puts them there.
    #[must_use]
    pub fn named(mut self, targets: &Targets) -> Self {
        let faults = self.faults().iter().map(|scheduled| ScheduledFault {
            fault: targets.named(&scheduled.fault),
            ..scheduled.clone()
        });
        let faults = faults.collect();
        self.replace(faults);
        self
    }
}

/// Returns the place of an id among those that were not removed.
fn place_without(removed: impl Iterator<Item = usize>, id: usize) -> Option<usize> {
    let mut place = id;
    for gone in removed {
        match gone.cmp(&id) {
            std::cmp::Ordering::Less => place -= 1,
            std::cmp::Ordering::Equal => return None,
            std::cmp::Ordering::Greater => {}
        }
    }
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets() -> Targets {
        let link = |name: &str| (name.to_owned(), Vec::new());
        Targets {
            nodes: ["b", "c"].map(str::to_owned).to_vec(),
            links: ["b–c", "twin", "twin"].map(link).to_vec(),
            removed_nodes: vec![NodeId::new(0)],
            removed_links: vec![LinkId::new(1)],
            ..Targets::default()
        }
    }

    #[test]
    fn ids_keep_their_meaning_when_others_are_removed() {
        let told = |fault: Fault| targets().named(&fault).to_string();
        let node = NodeId::new;
        assert_eq!(told(Fault::pause(node(1))), "pause of node `b`");
        assert_eq!(told(Fault::pause(node(2))), "pause of node `c`");
        assert_eq!(told(Fault::pause(node(0))), "pause of node #0");
        assert_eq!(told(Fault::pause(node(3))), "pause of node #3");
        let link = LinkId::new;
        assert_eq!(told(Fault::cut(link(0))), "cut of link `b–c`");
        assert_eq!(told(Fault::cut(link(1))), "cut of link #1");
        assert_eq!(told(Fault::cut(link(2))), "cut of link #2");
    }

    #[test]
    fn a_schedule_by_ids_is_checked_and_told_by_names() {
        let at = std::time::Duration::from_millis(1);
        let of = |id| Schedule::new().then(at, at, Fault::pause(NodeId::new(id)));
        of(2).check(&targets()).unwrap();
        of(0).check(&targets()).unwrap_err();
        let named = of(2).named(&targets());
        assert!(named.to_string().contains("pause of node `c`"), "{named}");
        let both = Fault::partition([NodeId::new(1)], [NodeRef::from("b")]);
        let error = Schedule::new().then(at, at, both).check(&targets());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("partition of `b` from `b`"), "{error}");
    }
}
