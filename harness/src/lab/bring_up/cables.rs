//! Bridges and cables of a new lab, both ends of each created where they belong.
//!
//! To move an interface to another namespace takes the kernel 13 to 19 ms (an RCU grace period,
//! measured for this project, 2026-08). So each veth is created by one message that names both
//! namespaces: veth(4), `VETH_INFO_PEER`. All messages of a namespace go in one conversation.

use crate::kernel::netlink::{Veth, VethEnd};
use crate::lab::bring_up::builder::{NetworkBuilder, bridge_request};
use crate::lab::bring_up::new_parts::NewParts;
use crate::lab::error::Result;
use crate::lab::stack::device::end_device;
use crate::model::order::sort_by_key;
use crate::model::side::Side;
use crate::topology::LinkId;
use crate::topology::plan::{CablePlan, NetnsId, StackId};

impl NetworkBuilder<'_> {
    /// Makes bridges and the trunks between them.
    pub(crate) fn make_bridges(&mut self, new: &NewParts) -> Result<()> {
        let plan = self.plan();
        for planned in new.bridges(plan) {
            self.batch.add_bridge(&bridge_request(planned));
            // A bridge is made with an MTU of 1500 bytes (ether_setup, net/ethernet/eth.c), so that
            // one request less is needed for most.
            if planned.mtu != 1500 {
                self.batch
                    .set_mtu(bridge_request(planned).device, planned.mtu);
            }
            // An alternative name may have 127 bytes, where a name has 15: ip-link(8).
            if let Some(altname) = &planned.altname {
                self.batch
                    .add_altname(bridge_request(planned).device, altname);
            }
        }
        // Trunks come after the bridges, whose indices the trunks name.
        for trunk in new.trunks(plan) {
            self.lay_in_hub(trunk);
        }
        self.execute_in_hub()
    }

    /// Lays plain cables. The namespaces of their ends are there.
    pub(crate) fn lay(&mut self, cables: &[LinkId]) -> Result<()> {
        self.lay_at_hub(cables)?;
        self.lay_between_stacks(cables)
    }

    /// Lays the cables that have an end at a switch, in one conversation with the hub's namespace.
    fn lay_at_hub(&mut self, cables: &[LinkId]) -> Result<()> {
        let plan = self.plan();
        for cable in cables.iter().map(|link| &plan[*link]) {
            match cable.ends.each_ref().map(|end| end.netns) {
                [NetnsId::Hub, NetnsId::Hub] => self.lay_in_hub(cable),
                [NetnsId::Hub, NetnsId::Stack(stack)] => self.plug(cable, Side::A, stack)?,
                [NetnsId::Stack(stack), NetnsId::Hub] => self.plug(cable, Side::B, stack)?,
                // These are made from where their first end is: see below.
                [NetnsId::Stack(_), NetnsId::Stack(_)] => {}
            }
        }
        self.execute_in_hub()
    }

    /// Requests a cable from a port of the hub to a stack.
    fn plug(&mut self, cable: &CablePlan, port: Side, stack: StackId) -> Result<()> {
        let netns = self.stack_netns(stack)?;
        let mut ends = ends(cable);
        // The port is attached to its bridge by the message that creates it.
        ends[port].master = cable.ends[port].bridge.as_ref().map(|bridge| bridge.index);
        ends[port.other()].netns = Some(netns);
        self.batch.add_veth(&Veth {
            near: ends[port],
            far: ends[port.other()],
        });
        // This is asked before the port is up: the kernel would give a link-local address, and
        // detect duplicates, at each port.
        self.batch.disable_address_generation(ends[port].device);
        self.batch.set_up(ends[port].device);
        Ok(())
    }

    /// Requests a cable between two bridges, over which all that is not for one port has to go.
    fn lay_in_hub(&mut self, cable: &CablePlan) {
        let mut ends = ends(cable);
        let masters = cable
            .ends
            .each_ref()
            .map(|end| end.bridge.as_ref().map(|bridge| bridge.index));
        ends[0].master = masters[0];
        self.batch.add_veth(&Veth {
            near: ends[0],
            far: ends[1],
        });
        // The message that creates a veth can name a bridge for the first end only, as the second
        // is its peer.
        self.batch.set_master(ends[1].device, masters[1]);
        for end in ends {
            self.batch.disable_address_generation(end.device);
            self.batch.set_up(end.device);
            // Whole bridges are behind a trunk, and their memberships are not entered here: all
            // multicast frames go over it.
            self.batch.set_multicast_router(end.device);
        }
    }

    /// Requests the cables between two stacks, each made from where its first end is.
    fn lay_between_stacks(&mut self, cables: &[LinkId]) -> Result<()> {
        let plan = self.plan();
        let mut direct: Vec<(StackId, StackId, &CablePlan)> = cables
            .iter()
            .map(|link| &plan[*link])
            .filter_map(|cable| match cable.ends.each_ref().map(|end| end.netns) {
                [NetnsId::Stack(near), NetnsId::Stack(far)] => Some((near, far, cable)),
                [NetnsId::Hub, _] | [_, NetnsId::Hub] => None,
            })
            .collect();
        // There is one conversation for each namespace: to enter a namespace and to open a socket
        // there costs more than a message.
        sort_by_key(&mut direct, |(near, _, _)| *near);
        for group in direct.chunk_by(|a, b| a.0 == b.0) {
            let near = group[0].0;
            for (_, far, cable) in group {
                let mut ends = ends(cable);
                ends[1].netns = Some(self.stack_netns(*far)?);
                self.batch.add_veth(&Veth {
                    near: ends[0],
                    far: ends[1],
                });
            }
            self.execute_in_stack(near)?;
        }
        Ok(())
    }
}

fn ends(cable: &CablePlan) -> [VethEnd<'_>; 2] {
    cable.ends.each_ref().map(|end| VethEnd {
        mac: Some(end.mac),
        mtu: Some(cable.mtu),
        ..VethEnd::new(end_device(end))
    })
}
