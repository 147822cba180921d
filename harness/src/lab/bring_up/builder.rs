//! From a plan to a network: bridges, cables, addresses, and the wait until packets pass.
//!
//! Everything is asked of the kernel in batches, one conversation for each network namespace, and
//! both ends of a cable are born where they belong. The order matters: see
//! `kernel::netlink::bridge` for why bridges start last.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::kernel::netlink::{Batch, BridgeRequest, Netlink, NetlinkError, Querier};
use crate::kernel::netns::Netns;
use crate::lab::attempt::NetworkAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::lab::Lab;
use crate::lab::stack::device::bridge_device;
use crate::lab::stack::stack::stack_subject;
use crate::topology::plan::{BridgePlan, CablePlan, GroupForwarding, NetnsId, Plan, StackId};

/// The network namespaces of a lab.
pub(crate) struct Namespaces<'a> {
    /// The one with the bridges, if there are any.
    hub: Option<BorrowedFd<'a>>,
    /// The stacks, in the order of the plan; nothing for one that is gone or not made yet.
    stacks: Vec<Option<BorrowedFd<'a>>>,
}

/// Returns the request for a bridge.
pub(crate) fn bridge_request(planned: &BridgePlan) -> BridgeRequest<'_> {
    BridgeRequest {
        device: bridge_device(&planned.interface),
        mac: planned.mac,
        querier: match planned.groups {
            GroupForwarding::Flood => None,
            GroupForwarding::Snoop => Some(Querier::Current),
            GroupForwarding::SnoopQuietly => Some(Querier::Quiet),
        },
    }
}

/// A conversation with the kernel about the parts of a plan.
pub(crate) struct NetworkBuilder<'a> {
    plan: &'a Plan,
    namespaces: Namespaces<'a>,
    home: Netns,
    pub(crate) batch: Batch,
}

impl<'a> NetworkBuilder<'a> {
    pub(crate) fn new(plan: &'a Plan, namespaces: Namespaces<'a>) -> Result<NetworkBuilder<'a>> {
        // The thread goes from this namespace to each other one and back: setns(2). The descriptor
        // is opened once for all of these excursions.
        let home = Netns::current().map_err(|e| LabError::refused(NetworkAttempt::LookUpOwn, e))?;
        let batch = Batch::new();
        Ok(NetworkBuilder {
            plan,
            namespaces,
            home,
            batch,
        })
    }

    pub(crate) fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// Returns the network namespace of a stack, or the error that the stack was removed.
    pub(crate) fn stack_netns(&self, stack: StackId) -> Result<BorrowedFd<'a>> {
        let netns = self.namespaces.stacks[stack.index()];
        netns.ok_or_else(|| LabError::removed(stack_subject(self.plan, stack)))
    }

    /// Carries the batch out in the namespace of all switches, if there is one.
    pub(crate) fn execute_in_hub(&mut self) -> Result<()> {
        match self.open_hub()? {
            Some(mut hub) => hub
                // The batch keeps its memory for the next namespace.
                .execute_reusing(&mut self.batch)
                .map_err(|e| self.explain(NetnsId::Hub, e)),
            None => Ok(()),
        }
    }

    /// Carries the batch out in the namespace of a stack.
    pub(crate) fn execute_in_stack(&mut self, stack: StackId) -> Result<()> {
        let mut netlink = self.open_stack(stack)?;
        netlink
            .execute_reusing(&mut self.batch)
            .map_err(|e| self.explain(NetnsId::Stack(stack), e))
    }

    pub(crate) fn open_hub(&self) -> Result<Option<Netlink>> {
        self.namespaces
            .hub
            .map(|hub| self.open(hub, "the switches"))
            .transpose()
    }

    fn open(&self, netns: BorrowedFd<'_>, whose: &str) -> Result<Netlink> {
        let enter = || NetworkAttempt::Enter {
            whose: whose.to_owned(),
        };
        let failed = |e| LabError::refused(enter(), e);
        let opened = self.home.excursion(netns, Netlink::open).map_err(failed)?;
        opened.map_err(|e| LabError::network(whose, e))
    }

    pub(crate) fn open_stack(&self, stack: StackId) -> Result<Netlink> {
        self.open(self.stack_netns(stack)?, &self.whose(stack))
    }

    pub(crate) fn whose(&self, stack: StackId) -> String {
        self.plan.whose(stack)
    }

    /// Makes the error for a refused request about an interface, with the link to which it belongs.
    pub(crate) fn explain(&self, place: NetnsId, error: NetlinkError) -> LabError {
        // The error names an interface. People know it by the link to which it belongs.
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
        let cable = self.plan.cables.iter().find(ends);
        let link = cable.map(|cable| format!(", link `{}`", cable.name));
        let explained = LabError::network(format!("{whose}{}", link.unwrap_or_default()), error);
        match (cable, place) {
            (Some(cable), _) => explained.about_link(&cable.name),
            (None, NetnsId::Stack(stack)) => explained.about(stack_subject(self.plan, stack)),
            (None, NetnsId::Hub) => explained,
        }
    }
}

impl Namespaces<'_> {
    /// Names the namespaces of a lab whose stacks are all made.
    pub(crate) fn of_lab(lab: &Lab) -> Namespaces<'_> {
        Self::new(
            lab.hub().map(AsRef::as_ref),
            lab.stacks().iter().map(|stack| stack.netns()),
        )
    }

    /// Names the namespaces one by one.
    pub(crate) fn new<'a>(
        hub: Option<&'a OwnedFd>,
        stacks: impl Iterator<Item = Option<&'a OwnedFd>>,
    ) -> Namespaces<'a> {
        Namespaces {
            hub: hub.map(AsFd::as_fd),
            stacks: stacks.map(|netns| netns.map(AsFd::as_fd)).collect(),
        }
    }
}
