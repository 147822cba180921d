//! What a power cut of a node does to its links.

use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::kernel::netlink::Batch;
use crate::kernel::sync::Lock;
use crate::lab::error::Result;
use crate::lab::link::services::LinkServices;
use crate::lab::link::state::LinkState;
use crate::lab::stack::power::{NeighbourInterface, PluggedCable};
use crate::lab::stack::stack::Stack;
use crate::model::nat::Nat;
use crate::model::side::Side;

impl PluggedCable for Lock<LinkState> {
    fn power_off(&self, stack: &Arc<Stack>) -> Result<()> {
        let mut state = self.lock();
        let sides = state.sides_in(stack);
        // The shortcut ends first, as in `LinkState::take_down`.
        let carried = state.carried.without_shortcut()?;
        let ends = carried.ends();
        for side in sides.iter().copied() {
            let mut batch = Batch::new();
            batch.set_down(ends.device(side));
            ends.execute(side, batch)?;
        }
        // The kernel's mappings go with the namespace of the router, and these go as well.
        if let Some(nat) = ends.nat().filter(|_| sides.contains(&Side::A)) {
            nat.with(|translators| translators.v4.as_mut().map(Nat::flush));
        }
        Ok(())
    }

    fn move_to(&self, stack: &Arc<Stack>, netns: BorrowedFd<'_>) -> Result<()> {
        let state = self.lock();
        let mut sides = state.sides_in(stack).into_iter();
        sides.try_for_each(|side| state.ends().move_to(side, netns))
    }

    fn power_on(&self, stack: &Arc<Stack>) -> Result<()> {
        let mut state = self.lock();
        let sides = state.sides_in(stack);
        if sides.is_empty() {
            return Ok(());
        }
        // Faults come back before the interfaces are up: no packet may slip through a cut or a
        // partition.
        state.reapply_faults(&sides)?;
        let ends = state.ends();
        for side in sides.iter().copied() {
            ends.give_settings(side)?;
        }
        if state.is_down() {
            return sides_down(&state, &sides);
        }
        ends.await_up(&Side::BOTH)?;
        state.reattach_monitors_at(&sides)?;
        // Neighbours may know a MAC address that a program gave the interface before the cut.
        let ends = state.ends();
        sides
            .iter()
            .try_for_each(|side| ends.announce_addresses(*side))
    }

    fn interfaces(&self, stack: &Arc<Stack>) -> Vec<NeighbourInterface> {
        let state = self.lock();
        let ends = state.ends();
        let interface = |side| {
            let interface = ends.interface(side)?;
            Some(NeighbourInterface {
                mac: interface.mac,
                ips: interface.addresses.iter().map(|it| it.ip).collect(),
            })
        };
        state
            .sides_in(stack)
            .into_iter()
            .filter_map(interface)
            .collect()
    }

    fn readdress(&self, stack: &Arc<Stack>, index: u32, address: Option<Ipv4Addr>) {
        let state = self.lock();
        let ends = state.ends();
        // The place of a NAT is at the first end.
        let here = |side: &Side| *side == Side::A && ends.device(*side).index == index;
        if let Some(nat) = ends
            .nat()
            .filter(|_| state.sides_in(stack).iter().any(here))
        {
            nat.with(|translators| {
                if let Some(v4) = &mut translators.v4 {
                    v4.set_uplink(address.as_slice());
                }
            });
        }
    }

    fn all_of_lab(&self) -> Vec<Arc<dyn PluggedCable>> {
        // The lock of this cable is not held while the others are looked at.
        let services = self.lock().services().clone();
        services.cables()
    }

    fn renew_neighbours(&self, interfaces: &[NeighbourInterface], are_there: bool) {
        let state = self.lock();
        if state.is_removed() {
            return;
        }
        for side in Side::BOTH {
            // An interface that is down has no neighbours, and gets them when it comes up.
            let _ = match are_there {
                true => state.ends().add_neighbours(side, interfaces),
                false => state.ends().remove_neighbours(side, interfaces),
            };
        }
    }
}

impl LinkState {
    /// Returns the sides at which the link ends in a stack; none if the link was removed.
    pub(crate) fn sides_in(&self, stack: &Arc<Stack>) -> Vec<Side> {
        if self.is_removed() {
            return Vec::new();
        }
        let is_there = |side: &Side| {
            let there = self.ends().stack(*side);
            there.is_some_and(|there| Arc::ptr_eq(there, stack))
        };
        Side::BOTH.into_iter().filter(is_there).collect()
    }

    pub(crate) fn services(&self) -> &LinkServices {
        &self.services
    }

    /// Makes cuts and partitions again at interfaces that are in another namespace now.
    pub(crate) fn reapply_faults(&mut self, sides: &[Side]) -> Result<()> {
        // A wire cuts where it is, and has not moved.
        if !self.carried.has_wire() {
            self.cuts.detach();
            self.cuts.reapply(&self.carried.without_shortcut()?)?;
        }
        for side in sides.iter().copied() {
            if let Some(stack) = self.ends().stack(side) {
                stack.reattach_filters(self.ends().device(side).index)?;
            }
        }
        Ok(())
    }

    /// Attaches monitors again at interfaces that are in another namespace now.
    pub(crate) fn reattach_monitors_at(&mut self, sides: &[Side]) -> Result<()> {
        for side in sides.iter().copied() {
            if let Some(stack) = self.ends().stack(side) {
                stack.reattach_monitors(self.ends().device(side))?;
            }
        }
        // A monitor of what the kernel carries sits at the first end; a wire's is where the wire
        // is.
        if !self.carried.has_wire() && sides.contains(&Side::A) {
            self.reattach_monitors()?;
        }
        Ok(())
    }
}

/// Takes interfaces down again whose link is down. They had to be up for their settings, as when a
/// link that is down gets another carrier.
fn sides_down(state: &LinkState, sides: &[Side]) -> Result<()> {
    // At a switch only the port was taken down, and the port is not in a stack.
    if state.ends().only_port().is_some() {
        return Ok(());
    }
    for side in sides.iter().copied() {
        let mut batch = Batch::new();
        batch.set_down(state.ends().device(side));
        state.ends().execute(side, batch)?;
    }
    Ok(())
}
