//! Bridges and cables, both ends of each born where they belong.

use crate::kernel::netlink::{Veth, VethEnd};
use crate::lab::bring_up::network::{Builder, New, bridge, device};
use crate::lab::error::{LabError, Result};
use crate::model::side::Side;
use crate::topology::LinkId;
use crate::topology::plan::{CablePlan, NetnsId, StackId};

impl Builder<'_> {
    /// Makes bridges and the trunks between them.
    pub(crate) fn make_bridges(&mut self, new: &New) -> Result<()> {
        let Some(mut hub) = self.open_hub()? else {
            return Ok(());
        };
        let plan = self.plan;
        for planned in new.bridges(plan) {
            self.batch.add_bridge(&bridge(planned));
            if planned.mtu != 1500 {
                self.batch.set_mtu(bridge(planned).device, planned.mtu);
            }
            if let Some(altname) = &planned.altname {
                self.batch.add_altname(bridge(planned).device, altname);
            }
        }
        for trunk in new.trunks(plan) {
            self.lay_in_hub(trunk);
        }
        hub.execute_reusing(&mut self.batch)
            .map_err(|e| self.explain(NetnsId::Hub, e))
    }

    pub(crate) fn lay_at_hub(&mut self, cables: &[LinkId]) -> Result<()> {
        let plan = self.plan;
        for cable in cables.iter().map(|link| &plan[*link]) {
            match cable.ends.each_ref().map(|end| end.netns) {
                [NetnsId::Hub, NetnsId::Hub] => self.lay_in_hub(cable),
                [NetnsId::Hub, NetnsId::Stack(stack)] => self.plug(cable, Side::A, stack)?,
                [NetnsId::Stack(stack), NetnsId::Hub] => self.plug(cable, Side::B, stack)?,
                _ => {}
            }
        }
        match self.open_hub()? {
            Some(mut hub) => hub
                .execute_reusing(&mut self.batch)
                .map_err(|e| self.explain(NetnsId::Hub, e)),
            None => Ok(()),
        }
    }

    /// A cable from a port of the hub to a stack.
    fn plug(&mut self, cable: &CablePlan, port: Side, stack: StackId) -> Result<()> {
        let Some(netns) = self.places.stacks[stack.index()] else {
            return Err(LabError::other(format!(
                "{} was removed from the lab",
                self.whose(stack)
            )));
        };
        let mut ends = ends(cable);
        ends[port].master = cable.ends[port].bridge.as_ref().map(|bridge| bridge.index);
        ends[port.other()].netns = Some(netns);
        self.batch.add_veth(&Veth {
            near: ends[port],
            far: ends[port.other()],
        });
        self.batch.give_no_addresses(ends[port].device);
        self.batch.set_up(ends[port].device);
        Ok(())
    }

    /// A cable between two bridges, over which all that is not for one port has to go.
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
        self.batch.set_master(ends[1].device, masters[1]);
        for end in ends {
            self.batch.give_no_addresses(end.device);
            self.batch.set_up(end.device);
            self.batch.set_multicast_router(end.device);
        }
    }

    /// The cables between two stacks, each made from where its first end is.
    pub(crate) fn lay_between_stacks(&mut self, cables: &[LinkId]) -> Result<()> {
        let plan = self.plan;
        let mut direct: Vec<(StackId, StackId, &CablePlan)> = cables
            .iter()
            .map(|link| &plan[*link])
            .filter_map(|cable| match cable.ends.each_ref().map(|end| end.netns) {
                [NetnsId::Stack(near), NetnsId::Stack(far)] => Some((near, far, cable)),
                _ => None,
            })
            .collect();
        direct.sort_by_key(|(near, _, _)| *near);
        for group in direct.chunk_by(|a, b| a.0 == b.0) {
            let near = group[0].0;
            let mut netlink = self.open_stack(near)?;
            for (_, far, cable) in group {
                let mut ends = ends(cable);
                ends[1].netns = self.places.stacks[far.index()];
                if ends[1].netns.is_none() {
                    return Err(LabError::other(format!(
                        "{} was removed from the lab",
                        self.whose(*far)
                    )));
                }
                self.batch.add_veth(&Veth {
                    near: ends[0],
                    far: ends[1],
                });
            }
            netlink
                .execute_reusing(&mut self.batch)
                .map_err(|e| self.explain(NetnsId::Stack(near), e))?;
        }
        Ok(())
    }
}

fn ends(cable: &CablePlan) -> [VethEnd<'_>; 2] {
    cable.ends.each_ref().map(|end| VethEnd {
        mac: Some(end.mac),
        mtu: Some(cable.mtu),
        ..VethEnd::new(device(end))
    })
}
