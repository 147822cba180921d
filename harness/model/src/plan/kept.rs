//! What stays as it is when the plan of a running lab changes.

use std::collections::BTreeSet;

use super::plan::{BridgeInterface, GroupForwarding, Plan};
use crate::side::Side;
use crate::topology::id::{Endpoint, LinkId, SwitchId};

/// The plan that a lab has carried out, and the differences that are allowed.
pub(crate) struct Kept<'a> {
    pub(crate) plan: &'a Plan,
    /// Cables that are gone. No route leads over them.
    pub(crate) removed: &'a BTreeSet<LinkId>,
    /// A cable that is plugged into another switch now.
    pub(crate) moved: Option<LinkId>,
}

impl Kept<'_> {
    /// Returns the bridge that an end was plugged into before. An end that was moved gets the last
    /// bridge of its new switch.
    pub(crate) fn bridge(
        &self,
        link: LinkId,
        side: Side,
        now: Endpoint,
    ) -> Option<BridgeInterface> {
        let before = &self.plan.cables.get(link.index())?.ends[side].bridge;
        match (self.moved == Some(link), now) {
            (true, Endpoint::Switch(to)) => {
                let bridges = &self.plan.switches.get(to.index())?.bridges;
                Some(bridges.last()?.interface.clone())
            }
            _ => before.clone(),
        }
    }

    /// Returns the number of bridges of a switch, for which `enough` bridges would do now.
    pub(crate) fn bridges(&self, switch: SwitchId, enough: usize) -> usize {
        let before = self.plan.switches.get(switch.index());
        match (before.map(|switch| switch.bridges.len()), self.moved) {
            (Some(before), Some(_)) => before,
            (before, _) => enough.max(before.unwrap_or(0)),
        }
    }

    /// Returns where a switch that was there before sends frames to multicast groups.
    pub(crate) fn groups(&self, switch: SwitchId) -> Option<GroupForwarding> {
        let bridges = &self.plan.switches.get(switch.index())?.bridges;
        bridges.first().map(|bridge| bridge.groups)
    }
}
