//! From a plan to a network: bridges, cables, addresses, and the wait until packets pass.
//!
//! Everything is asked of the kernel in batches, one conversation for each network namespace, and
//! both ends of a cable are born where they belong. The order matters: see
//! `kernel::netlink::bridge` for why bridges start last.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::kernel::netlink::{Batch, BridgeRequest, Device, Netlink, NetlinkError};
use crate::kernel::netns::Netns;
use crate::lab::error::{LabError, Result};
use crate::topology::LinkId;
use crate::topology::plan::{
    BridgeInterface, BridgePlan, CableEndPlan, CablePlan, InterfaceId, NetnsId, Plan, StackId,
};

/// The network namespaces of a lab, by place.
pub(crate) struct Places<'a> {
    /// The one with the bridges, if there are any.
    pub(crate) hub: Option<BorrowedFd<'a>>,
    /// By number of the stack; `None` for one that is gone.
    pub(crate) stacks: Vec<Option<BorrowedFd<'a>>>,
}

/// Which parts of a plan are to be made: all, or what a lab does not have yet.
pub(crate) struct New {
    pub(crate) switches: std::ops::Range<usize>,
    pub(crate) cables: std::ops::Range<usize>,
    /// Bridges that a switch has already, which keep running.
    pub(crate) running: Vec<usize>,
}

impl New {
    /// Nothing.
    pub(crate) fn nothing(plan: &Plan) -> New {
        New {
            switches: plan.switches.len()..plan.switches.len(),
            cables: plan.cables.len()..plan.cables.len(),
            running: plan
                .switches
                .iter()
                .map(|switch| switch.bridges.len())
                .collect(),
        }
    }

    /// How many bridges of a switch run already.
    fn bridges_of(&self, switch: usize) -> usize {
        match self.switches.contains(&switch) {
            true => 0,
            false => self.running[switch],
        }
    }

    /// The bridges that do not run yet.
    pub(crate) fn bridges<'p>(&self, plan: &'p Plan) -> impl Iterator<Item = &'p BridgePlan> {
        let switches = plan.switches.iter().enumerate();
        switches.flat_map(|(index, switch)| &switch.bridges[self.bridges_of(index)..])
    }

    /// The trunks that are not laid yet.
    pub(crate) fn trunks<'p>(&self, plan: &'p Plan) -> impl Iterator<Item = &'p CablePlan> {
        let switches = plan.switches.iter().enumerate();
        switches
            .flat_map(|(index, switch)| &switch.trunks[self.bridges_of(index).saturating_sub(1)..])
    }
}

pub(crate) fn device(end: &CableEndPlan) -> Device<'_> {
    Device {
        index: end.index,
        name: &end.name,
    }
}

pub(crate) fn bridge_device(bridge: &BridgeInterface) -> Device<'_> {
    Device {
        index: bridge.index,
        name: &bridge.name,
    }
}

pub(crate) fn bridge(planned: &BridgePlan) -> BridgeRequest<'_> {
    BridgeRequest {
        device: bridge_device(&planned.interface),
        mac: planned.mac,
    }
}

/// Builds, and returns when packets pass.
pub(crate) struct Builder<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) places: Places<'a>,
    pub(crate) home: Netns,
    pub(crate) batch: Batch,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(plan: &'a Plan, places: Places<'a>) -> Result<Builder<'a>> {
        let home = Netns::current()
            .map_err(|e| LabError::refused("look up the thread's network namespace", e))?;
        let batch = Batch::new();
        Ok(Builder {
            plan,
            places,
            home,
            batch,
        })
    }

    /// Lays these cables; whoever is at their ends is there.
    pub(crate) fn lay(&mut self, cables: &[LinkId]) -> Result<()> {
        self.lay_at_hub(cables)?;
        self.lay_between_stacks(cables)
    }

    /// Waits until packets pass all that was made.
    pub(crate) fn await_ready(
        &mut self,
        touched: &BTreeMap<StackId, Vec<InterfaceId>>,
        new: &New,
    ) -> Result<()> {
        self.await_stacks(touched)?;
        self.start_bridges(new)
    }

    pub(crate) fn open_hub(&self) -> Result<Option<Netlink>> {
        self.places
            .hub
            .map(|hub| self.open(hub, "the switches"))
            .transpose()
    }

    fn open(&self, netns: BorrowedFd<'_>, whose: &str) -> Result<Netlink> {
        let failed = |e| LabError::refused(format!("enter the network namespace of {whose}"), e);
        let opened = self.home.excursion(netns, Netlink::open).map_err(failed)?;
        opened.map_err(|e| LabError::network(whose, e))
    }

    pub(crate) fn open_stack(&self, stack: StackId) -> Result<Netlink> {
        let whose = self.whose(stack);
        match self.places.stacks[stack.index()] {
            Some(netns) => self.open(netns, &whose),
            None => Err(LabError::other(format!("{whose} was removed from the lab"))),
        }
    }

    pub(crate) fn whose(&self, stack: StackId) -> String {
        self.plan.whose(stack)
    }

    /// An error about an interface, with the link that it is an end of.
    pub(crate) fn explain(&self, place: NetnsId, error: NetlinkError) -> LabError {
        let ends = |cable: &&CablePlan| {
            cable
                .ends
                .iter()
                .any(|end| end.netns == place && end.name == error.subject())
        };
        let whose = match place {
            NetnsId::Hub => "the switches".to_owned(),
            NetnsId::Stack(stack) => self.whose(stack),
        };
        let link = self
            .plan
            .cables
            .iter()
            .find(ends)
            .map(|cable| format!(", link `{}`", cable.name));
        LabError::network(format!("{whose}{}", link.unwrap_or_default()), error)
    }
}
/// A network namespace that no process lives in.
pub(crate) fn new_place(for_what: &str) -> Result<OwnedFd> {
    let failed = |e| LabError::refused(format!("make a network namespace for {for_what}"), e);
    let home = Netns::current().map_err(failed)?;
    let place = home
        .excursion_to_new(|| {
            crate::kernel::loopback::bring_up()?;
            Netns::current()
        })
        .map_err(failed)?
        .map_err(failed)?;
    Ok(place.into())
}

impl Places<'_> {
    /// All are known.
    pub(crate) fn of<'a>(
        hub: Option<&'a OwnedFd>,
        stacks: impl Iterator<Item = Option<&'a OwnedFd>>,
    ) -> Places<'a> {
        Places {
            hub: hub.map(AsFd::as_fd),
            stacks: stacks.map(|netns| netns.map(AsFd::as_fd)).collect(),
        }
    }
}
