//! Addresses that come over the wire, at an interface that leads to another network.

use std::sync::Arc;

use crate::lab::error::Result;
use crate::lab::lab::Lab;
use crate::model::dhcp::AddressSource;
use crate::model::side::Side;
use crate::topology::LinkId;
use crate::topology::plan::NetnsId;

impl Lab {
    /// Lets the node at a side of a link ask for its addresses anew, and returns when it has them.
    /// A program that asks sees the carrier go and come back.
    pub(super) fn ask_anew(&self, link: LinkId, side: Side) -> Result<()> {
        let plan = self.plan();
        let NetnsId::Stack(id) = plan[link].ends[side].netns else {
            return Ok(());
        };
        let mut asking = plan[id].asking();
        let asking = asking.find(|it| (it.link, it.side) == (link, side));
        // A machine without power asks when it starts again, and over a link that is down there is
        // nobody to ask.
        let Some(interface) = asking.filter(|_| self.stack(id).has_power()) else {
            return Ok(());
        };
        if self[link].is_down() {
            return Ok(());
        }
        let nodes = self.all_nodes().iter().zip(&plan.nodes);
        let here = nodes.filter(|(node, _)| Arc::ptr_eq(node.stack(), self.stack(id)));
        for (node, planned) in here.filter(|(node, _)| node.is_running()) {
            let sources = [planned.addresses, planned.addresses_v6];
            let by_others = sources.iter().any(|it| *it != AddressSource::Plan);
            if !by_others && !plan[id].autoconfigures {
                continue;
            }
            // The kernel's addresses go first: a client that asks anew would find those of the old
            // network there still, and the lab would take them for new ones.
            node.own_services().give_up_lease(interface.index);
            self[link].ends().set_down_and_up(side)?;
            node.own_services().ask_anew(interface.index);
            node.await_services()?;
        }
        Ok(())
    }
}
