//! Which cables can be laid, and which interfaces addressed, as soon as who is at their ends lives.

use std::collections::BTreeMap;

use crate::lab::bring_up::network::New;
use crate::topology::LinkId;
use crate::topology::plan::{InterfaceId, NetnsId, Plan, StackId};

/// What is still to be done.
pub(crate) struct Works {
    /// Cables by number, each with the stacks at its ends.
    cables: Vec<(LinkId, Vec<StackId>)>,
    /// Stacks with new interfaces, each with how many cables are missing there.
    unsettled: BTreeMap<StackId, usize>,
    /// All stacks with new interfaces, and those.
    pub(crate) touched: BTreeMap<StackId, Vec<InterfaceId>>,
}

/// What can be done now.
pub(crate) struct Possible {
    pub(crate) cables: Vec<LinkId>,
    pub(crate) settled: Vec<(StackId, Vec<InterfaceId>)>,
}

impl Works {
    pub(crate) fn of(plan: &Plan, new: &New) -> Works {
        let mut touched = BTreeMap::<StackId, Vec<InterfaceId>>::new();
        let mut cables = Vec::new();
        for link in new.cables.clone().map(LinkId::new) {
            let mut stacks = Vec::new();
            for end in &plan[link].ends {
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
        Works {
            cables,
            unsettled,
            touched,
        }
    }

    /// Takes out what can be done when those stacks are there.
    pub(crate) fn possible(&mut self, there: impl Fn(StackId) -> bool) -> Possible {
        let possible =
            |(_, stacks): &mut (LinkId, Vec<StackId>)| stacks.iter().all(|stack| there(*stack));
        let cables: Vec<_> = self.cables.extract_if(.., possible).collect();
        for stack in cables.iter().flat_map(|(_, stacks)| stacks) {
            if let Some(missing) = self.unsettled.get_mut(stack) {
                *missing -= 1;
            }
        }
        let mut settled = Vec::new();
        self.unsettled.retain(|stack, missing| {
            if *missing == 0 {
                settled.push((*stack, self.touched[stack].clone()));
            }
            *missing > 0
        });
        let cables = cables.into_iter().map(|(link, _)| link).collect();
        Possible { cables, settled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::shape;

    #[test]
    fn each_cable_is_laid_once_when_both_ends_are_there_and_then_its_ends_are_settled() {
        let plan = shape::line(3).plan().unwrap();
        let new = New {
            switches: 0..0,
            cables: 0..2,
            running: Vec::new(),
        };
        let mut works = Works::of(&plan, &new);
        let mut step = |there: &[usize]| {
            let possible = works.possible(|stack| there.contains(&stack.index()));
            let settled: Vec<usize> = possible
                .settled
                .iter()
                .map(|(stack, _)| stack.index())
                .collect();
            let cables: Vec<usize> = possible.cables.iter().map(|link| link.index()).collect();
            (cables, settled)
        };
        assert_eq!(step(&[0]), (vec![], vec![]));
        assert_eq!(step(&[0, 1]), (vec![0], vec![0]));
        assert_eq!(step(&[0, 1, 2]), (vec![1], vec![1, 2]));
        assert_eq!(step(&[0, 1, 2]), (vec![], vec![]));
    }
}
