//! What is to be made of a plan: all of it, or what a growing lab does not have yet.

use std::ops::Range;

use crate::topology::LinkId;
use crate::topology::plan::{BridgePlan, CablePlan, Plan};

/// The parts of a plan that are to be made: all, or those that a lab does not have yet.
pub(crate) struct NewParts {
    /// Numbers of the switches that are new as a whole.
    switches: Range<usize>,
    /// Numbers of the cables that are new.
    cables: Range<usize>,
    /// Number of bridges that each other switch has already.
    running: Vec<usize>,
}

impl NewParts {
    /// Returns all parts of a plan.
    pub(crate) fn all(plan: &Plan) -> Self {
        Self {
            switches: 0..plan.switches.len(),
            cables: 0..plan.cables.len(),
            running: Vec::new(),
        }
    }

    /// Returns the parts of a plan that the one before did not have.
    pub(crate) fn since(before: &Plan, plan: &Plan) -> Self {
        Self {
            switches: before.switches.len()..plan.switches.len(),
            cables: before.cables.len()..plan.cables.len(),
            ..Self::nothing(before)
        }
    }

    /// Returns whether a cable is new.
    pub(crate) fn has_cable(&self, link: LinkId) -> bool {
        self.cables.contains(&link.index())
    }

    /// Returns the new cables.
    pub(crate) fn cables(&self) -> impl Iterator<Item = LinkId> + use<> {
        self.cables.clone().map(LinkId::new)
    }

    /// Returns no parts at all.
    pub(crate) fn nothing(plan: &Plan) -> Self {
        Self {
            switches: plan.switches.len()..plan.switches.len(),
            cables: plan.cables.len()..plan.cables.len(),
            running: plan
                .switches
                .iter()
                .map(|switch| switch.bridges.len())
                .collect(),
        }
    }

    /// Returns the number of bridges of a switch that run already.
    fn bridges_of(&self, switch: usize) -> usize {
        if self.switches.contains(&switch) {
            0
        } else {
            self.running[switch]
        }
    }

    /// Returns the bridges that do not run yet.
    pub(crate) fn bridges<'p>(&self, plan: &'p Plan) -> impl Iterator<Item = &'p BridgePlan> {
        let switches = plan.switches.iter().enumerate();
        switches.flat_map(|(index, switch)| &switch.bridges[self.bridges_of(index)..])
    }

    /// Returns the trunks that are not laid yet. Each bridge of a switch but the first has one.
    pub(crate) fn trunks<'p>(&self, plan: &'p Plan) -> impl Iterator<Item = &'p CablePlan> {
        let switches = plan.switches.iter().enumerate();
        switches
            // A switch with one bridge has no trunk; each further bridge brings one.
            .flat_map(|(index, switch)| &switch.trunks[self.bridges_of(index).saturating_sub(1)..])
    }
}
