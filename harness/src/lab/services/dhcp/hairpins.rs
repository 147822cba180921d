//! Hairpins at the addresses that DHCP gives to the uplinks of a router.
//!
//! The plan has the rules and routes that lead hosts inside to external addresses which it knows.
//! Those of a lease come and go with the lease.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;

use super::client::device;
use crate::kernel::netlink::{Batch, Netlink, NetlinkError, RouteRequest};
use crate::kernel::nft::HookRule;
use crate::lab::packet_filter::netfilter;
use crate::lab::stack::stack::Stack;
use crate::model::dhcp::client::Held;
use crate::topology::plan::{Diversion, StackPlan};

/// The hairpins of a router, and what the kernel has of them.
#[derive(Debug)]
pub(super) struct LeasedHairpins {
    /// The plan of the stack of a router that translates addresses.
    plan: Option<StackPlan>,
    /// The leases of the uplinks, by the index of the interface.
    leased: BTreeMap<u32, Held>,
    rules: Vec<HookRule>,
    diverted: Vec<LeasedDiversion>,
    /// Whether the kernel may lack some of these rules and routes, or may have former ones.
    is_stale: bool,
}

/// A diversion of packets to a leased address, over the router that came with the lease.
#[derive(Debug, PartialEq)]
struct LeasedDiversion {
    index: u32,
    via: Ipv4Addr,
    diversion: Diversion,
}

impl LeasedHairpins {
    pub(super) fn new(plan: &StackPlan) -> Self {
        Self {
            plan: translates(plan).then(|| plan.clone()),
            leased: BTreeMap::new(),
            rules: Vec::new(),
            diverted: Vec::new(),
            is_stale: false,
        }
    }

    /// Takes over what a changed plan says.
    pub(super) fn refresh(&mut self, plan: &StackPlan, stack: &Stack) -> Result<(), NetlinkError> {
        self.plan = translates(plan).then(|| plan.clone());
        self.apply(stack)
    }

    /// Forgets the leases: the node has started again, perhaps with a network that has nothing of
    /// them.
    pub(super) fn forget(&mut self, stack: &Stack) -> Result<(), NetlinkError> {
        self.leased.clear();
        self.is_stale |= !self.rules.is_empty() || !self.diverted.is_empty();
        self.apply(stack)
    }

    /// Gives the kernel the routes over an uplink once more: the kernel has dropped them when the
    /// interface went down (net/ipv4/fib_frontend.c, fib_disable_ip). Rules stay.
    pub(super) fn restore(&mut self, index: u32, stack: &Stack) -> Result<(), NetlinkError> {
        let mut batch = Batch::new();
        for lost in self.diverted.iter().filter(|it| it.index == index) {
            lost.end(&mut batch);
            lost.begin(&mut batch);
        }
        execute(stack, batch)
    }

    /// Takes over the lease that an interface has now.
    pub(super) fn set(
        &mut self,
        index: u32,
        held: Option<&Held>,
        stack: &Stack,
    ) -> Result<(), NetlinkError> {
        match held {
            Some(held) => drop(self.leased.insert(index, held.clone())),
            None => drop(self.leased.remove(&index)),
        }
        self.apply(stack)
    }

    /// Brings the kernel to what the plan says of the leases.
    fn apply(&mut self, stack: &Stack) -> Result<(), NetlinkError> {
        let Some(netns) = stack.netns() else {
            return Ok(());
        };
        let uplinks = self.plan.iter().flat_map(|plan| &plan.interfaces);
        let uplinks = uplinks.filter(|it| it.uplink);
        let leased = uplinks.filter_map(|it| Some((it.index, self.leased.get(&it.index)?)));
        let leased: Vec<(u32, &Held)> = leased.collect();
        let netfilter = self
            .plan
            .as_ref()
            .and_then(|plan| plan.own.netfilter.as_ref());
        let rules = netfilter.map(|netfilter| {
            let addresses: Vec<_> = leased
                .iter()
                .map(|(index, it)| (*index, it.address))
                .collect();
            netfilter::hairpins(netfilter, &addresses)
        });
        let rules = rules.unwrap_or_default();
        // An exchange of rules sets their counters to zero, so rules that are in place stay.
        if self.is_stale || rules != self.rules {
            let mut filter = stack.packet_filter().lock();
            netfilter::install_hairpins(&mut filter, netns.as_fd(), &rules)?;
        }
        let diverted = leased.iter().filter_map(|(index, held)| {
            Some(LeasedDiversion {
                index: *index,
                via: held.router?,
                diversion: self.plan.as_ref()?.diversion_of_lease(held.address)?,
            })
        });
        let diverted: Vec<LeasedDiversion> = diverted.collect();
        self.rules = rules;
        // Routes that are in place stay, too: without its route, a packet would come to the router
        // itself, whose kernel resets the connection.
        if !self.is_stale && diverted == self.diverted {
            return Ok(());
        }
        // What the kernel refuses is tried again at the next change.
        self.is_stale = true;
        let before = std::mem::replace(&mut self.diverted, diverted);
        let mut batch = Batch::new();
        // What was there goes first: a new lease may have the old address, with another router.
        before.iter().for_each(|it| it.end(&mut batch));
        self.diverted.iter().for_each(|it| it.begin(&mut batch));
        execute(stack, batch)?;
        self.is_stale = false;
        Ok(())
    }
}

fn execute(stack: &Stack, batch: Batch) -> Result<(), NetlinkError> {
    match stack.netns().filter(|_| !batch.is_empty()) {
        None => Ok(()),
        Some(netns) => Netlink::open_in(netns.as_fd())?.execute(batch),
    }
}

/// Returns whether a stack translates addresses of IPv4.
fn translates(plan: &StackPlan) -> bool {
    let netfilter = plan.own.netfilter.as_ref();
    let router = netfilter.and_then(|it| it.router.as_ref());
    router.is_some_and(|router| router.nat.is_some())
}

impl LeasedDiversion {
    /// Adds the requests that lead packets to the address out by the uplink.
    fn begin(&self, batch: &mut Batch) {
        let Diversion {
            address,
            interfaces,
            table,
        } = &self.diversion;
        // A node that was started again may have kept the route.
        batch.delete_route(&self.route());
        batch.add_route(&self.route());
        batch.divert(*address, interfaces, *table);
    }

    /// Adds the requests that undo [`begin`](Self::begin).
    fn end(&self, batch: &mut Batch) {
        let Diversion {
            address,
            interfaces,
            table,
        } = &self.diversion;
        batch.end_diversion(*address, interfaces, *table);
        batch.delete_route(&self.route());
    }

    fn route(&self) -> RouteRequest<'static> {
        RouteRequest {
            destination: self.diversion.address.into(),
            prefix: 32,
            via: Some(self.via.into()),
            device: device(self.index),
            metric: None,
            table: Some(self.diversion.table),
        }
    }
}
