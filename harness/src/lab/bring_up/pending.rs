//! The order in which a lab is brought up, while its nodes appear one after the other.
//!
//! The trial's init makes nodes, and the test's own thread lays cables and gives settings. Both
//! work at the same time. So a cable is laid as soon as both its stacks are there, and a stack gets
//! its settings as soon as all its new cables are laid.

use std::collections::BTreeMap;

use crate::lab::bring_up::new_parts::NewParts;
use crate::topology::LinkId;
use crate::topology::plan::{InterfaceId, NetnsId, Plan, StackId};

/// Cables and stacks that wait for others.
pub(crate) struct Pending {
    /// Cables that are not laid, each with the stacks at its ends.
    cables: Vec<(LinkId, Vec<StackId>)>,
    /// Stacks with new interfaces, each with the number of its cables that are not laid.
    unsettled: BTreeMap<StackId, usize>,
    /// All stacks with new interfaces, and these interfaces.
    touched: BTreeMap<StackId, Vec<InterfaceId>>,
}

/// Cables whose stacks are there, and stacks all of whose new cables are laid.
pub(crate) struct Ready {
    pub(crate) cables: Vec<LinkId>,
    pub(crate) settled: Vec<(StackId, Vec<InterfaceId>)>,
}

impl Pending {
    pub(crate) fn new(plan: &Plan, new: &NewParts) -> Self {
        let mut touched = BTreeMap::<StackId, Vec<InterfaceId>>::new();
        let mut cables = Vec::new();
        for link in new.cables() {
            let mut stacks = Vec::new();
            for end in &plan[link].ends {
                // An end at a switch needs nothing: the hub is made first.
                if let (NetnsId::Stack(stack), Some(interface)) = (end.netns, end.interface) {
                    stacks.push(stack);
                    touched.entry(stack).or_default().push(interface);
                }
            }
            cables.push((link, stacks));
        }
        let unsettled = touched
            .iter()
            .map(|(stack, interfaces)| (*stack, interfaces.len()))
            .collect();
        Self {
            cables,
            unsettled,
            touched,
        }
    }

    /// Returns all stacks with new interfaces, and these interfaces.
    pub(crate) fn touched(&self) -> &BTreeMap<StackId, Vec<InterfaceId>> {
        &self.touched
    }

    /// Takes out what is ready when some stacks are there.
    pub(crate) fn take_ready(&mut self, there: impl Fn(StackId) -> bool) -> Ready {
        let possible =
            |(_, stacks): &mut (LinkId, Vec<StackId>)| stacks.iter().all(|stack| there(*stack));
        // The order of the plan is kept, so that the same topology gives the same order of
        // requests.
        let cables: Vec<_> = self.cables.extract_if(.., possible).collect();
        for stack in cables.iter().flat_map(|(_, stacks)| stacks) {
            if let Some(missing) = self.unsettled.get_mut(stack) {
                *missing -= 1;
            }
        }
        let mut settled = Vec::new();
        // A stack gets its settings once, with all its cables: its routes may lead over any of
        // them.
        self.unsettled.retain(|stack, missing| {
            if *missing == 0 {
                settled.push((*stack, self.touched[stack].clone()));
            }
            *missing > 0
        });
        let cables = cables.into_iter().map(|(link, _)| link).collect();
        Ready { cables, settled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::shape;

    #[test]
    fn each_cable_is_laid_once_when_both_ends_are_there_and_then_its_ends_are_settled() {
        let plan = shape::line(3).plan().unwrap();
        let new = NewParts::all(&plan);
        let mut pending = Pending::new(&plan, &new);
        let mut step = |there: &[usize]| {
            let ready = pending.take_ready(|stack| there.contains(&stack.index()));
            let settled: Vec<usize> = ready
                .settled
                .iter()
                .map(|(stack, _)| stack.index())
                .collect();
            let cables: Vec<usize> = ready.cables.iter().map(|link| link.index()).collect();
            (cables, settled)
        };
        assert_eq!(step(&[0]), (vec![], vec![]));
        assert_eq!(step(&[0, 1]), (vec![0], vec![0]));
        assert_eq!(step(&[0, 1, 2]), (vec![1], vec![1, 2]));
        assert_eq!(step(&[0, 1, 2]), (vec![], vec![]));
    }
}
