//! Gives network stacks their settings: the one interpreter of [`StackOp`].
//!
//! The settings of a stack are given when the lab starts, when a link is raised and after a power
//! cut, and are changed when the topology changes. All of these take the operations from the plan
//! and hand them to a [`StackRequests`]. An interface that is made anew for another carrier of its
//! link gets what the old one had (`carried`).

use std::os::fd::BorrowedFd;

use crate::kernel::netlink::{Batch, Device, NeighbourRequest, Netlink, RouteRequest};
use crate::kernel::nft::FilterConversation;
use crate::kernel::procfs::sysctls;
use crate::lab::attempt::NetworkAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::packet_filter::netfilter;
use crate::lab::stack::neighbour_tables;
use crate::model::topology::node::PacketFilter;
use crate::topology::plan::{
    Diversion, InterfaceId, NeighbourPlan, NetfilterPlan, OwnSettings, Plan, RoutePlan, SourceRule,
    StackId, StackOp, Sysctl,
};

/// Requests that give a stack its settings, or take them away.
///
/// Most are messages to rtnetlink and go into a batch. The others are carried out by
/// [`DeferredRequests::finish`], when that batch was executed.
pub(crate) struct StackRequests<'b, 'p, D> {
    batch: &'b mut Batch,
    /// Finds the device of an interface.
    device: D,
    deferred: DeferredRequests<'p>,
}

/// Requests that are no messages to rtnetlink.
#[derive(Default)]
pub(crate) struct DeferredRequests<'p> {
    sysctls: Vec<&'p Sysctl>,
    /// The packet filter that the stack is to have from now on, if that changes.
    filter: Option<PacketFilter>,
    /// Work of the packet filter so far besides, and from now on, if that changes.
    netfilter: [Option<NetfilterPlan>; 2],
    /// Tables for certain sources that the stack loses, and those that it gains.
    source_rules: [Vec<SourceRule>; 2],
    /// Packets to addresses of the stack that no longer leave by an uplink, and those that do.
    diversions: [Vec<Diversion>; 2],
}

impl<'b, 'p, D: Fn(InterfaceId) -> Device<'p>> StackRequests<'b, 'p, D> {
    pub(crate) fn new(batch: &'b mut Batch, device: D) -> Self {
        Self {
            batch,
            device,
            deferred: DeferredRequests::default(),
        }
    }

    /// Adds the request that gives the stack a setting.
    pub(crate) fn give(&mut self, op: StackOp<'p>) {
        let Self {
            batch,
            device,
            deferred,
        } = self;
        match op {
            StackOp::Sysctl(sysctl) | StackOp::InterfaceSysctl(_, sysctl) => {
                deferred.sysctls.push(sysctl);
            }
            StackOp::PacketFilter(filter) => deferred.filter = Some(filter.clone()),
            StackOp::SourceRule(rule) => deferred.source_rules[1].push(*rule),
            StackOp::Diversion(it) => deferred.diversions[1].push(it.clone()),
            StackOp::Netfilter(planned) => deferred.netfilter[1] = Some(planned.clone()),
            StackOp::Up(id) => {
                // Addresses that the kernel gives by itself would appear as soon as the interface
                // is up.
                batch.disable_address_generation(device(id));
                for table in neighbour_tables::with_other_parameters() {
                    let own = table.own_parameters();
                    batch.set_neighbour_parameters(device(id), table, &own);
                }
                batch.announce_changes(device(id));
                batch.set_up(device(id));
            }
            StackOp::Altname(id, name) => batch.add_altname(device(id), name),
            StackOp::Mtu(id, mtu) => batch.set_mtu(device(id), mtu),
            StackOp::Address(id, address) => {
                batch.add_address(device(id), address.ip, address.prefix);
            }
            StackOp::KnownNeighbours(id) => batch.keep_neighbours_reachable(device(id)),
            StackOp::Neighbour(id, entry) => batch.add_neighbour(&neighbour(device(id), entry)),
            StackOp::Route(id, planned) => batch.add_route(&route(device(id), planned)),
            StackOp::GroupRoutes(id) => batch.add_group_routes(device(id)),
        }
    }

    /// Adds the request that takes a setting away from the stack.
    ///
    /// A setting of which there is always one (see [`StackOp::is_replaced`]) is never taken away.
    pub(crate) fn take_away(&mut self, op: StackOp<'p>) {
        let Self {
            batch,
            device,
            deferred,
        } = self;
        match op {
            StackOp::Sysctl(_)
            | StackOp::InterfaceSysctl(..)
            | StackOp::KnownNeighbours(_)
            | StackOp::Mtu(..) => {}
            StackOp::PacketFilter(_) => deferred.filter = Some(PacketFilter::default()),
            StackOp::SourceRule(rule) => deferred.source_rules[0].push(*rule),
            StackOp::Diversion(it) => deferred.diversions[0].push(it.clone()),
            StackOp::Netfilter(planned) => deferred.netfilter[0] = Some(planned.clone()),
            StackOp::Up(id) => batch.set_down(device(id)),
            StackOp::Altname(id, name) => batch.delete_altname(device(id), name),
            StackOp::Address(id, address) => {
                batch.delete_address(device(id), address.ip, address.prefix);
            }
            StackOp::Neighbour(id, entry) => batch.delete_neighbour(&neighbour(device(id), entry)),
            StackOp::Route(id, planned) => batch.delete_route(&route(device(id), planned)),
            StackOp::GroupRoutes(id) => batch.delete_group_routes(device(id)),
        }
    }

    /// Returns the requests that are to be carried out when the batch was executed.
    pub(crate) fn deferred(self) -> DeferredRequests<'p> {
        self.deferred
    }
}

impl DeferredRequests<'_> {
    /// Carries the requests out in the network namespace of a stack.
    pub(crate) fn finish(
        self,
        netns: BorrowedFd<'_>,
        conversation: &mut FilterConversation,
        whose: &str,
    ) -> Result<()> {
        let Self {
            sysctls,
            filter,
            netfilter,
            source_rules,
            diversions,
        } = self;
        for Sysctl { path, value } in sysctls {
            let written = sysctls::write_in(netns, path, value);
            written.map_err(|e| {
                let (path, value) = (path.clone(), value.clone());
                let whose = whose.to_owned();
                LabError::refused(NetworkAttempt::SetSysctl { path, value, whose }, e)
            })?;
        }
        if let Some(PacketFilter { tcp, udp }) = filter {
            conversation
                .drop_inbound(netns, tcp.into_iter(), udp.into_iter())
                .map_err(|e| LabError::network(whose, e))?;
        }
        let mut batch = Batch::new();
        let [lost, gained] = source_rules;
        for SourceRule { from, table } in lost {
            batch.delete_source_rule(from.network(), from.prefix(), table);
        }
        for SourceRule { from, table } in gained {
            batch.add_source_rule(from.network(), from.prefix(), table);
        }
        let [lost, gained] = diversions;
        for it in lost {
            batch.end_diversion(it.address, &it.interfaces, it.table);
        }
        for it in gained {
            batch.divert(it.address, &it.interfaces, it.table);
        }
        if !batch.is_empty() {
            Netlink::open_in(netns)
                .and_then(|mut netlink| netlink.execute(batch))
                .map_err(|e| LabError::network(whose, e))?;
        }
        netfilter::install(
            conversation,
            netns,
            netfilter.each_ref().map(Option::as_ref),
        )
        .map_err(|e| LabError::network(whose, e))
    }
}

/// Gives a new stack what is its own, besides what it was made with.
pub(crate) fn give_own(plan: &Plan, stack: StackId, netns: BorrowedFd<'_>) -> Result<()> {
    let ops = plan[stack].own.ops();
    give(
        ops.filter(|op| !op.is_set_at_creation()),
        netns,
        &plan.whose(stack),
    )
}

/// Gives a namespace that was made for a running node what belongs to none of its interfaces.
pub(crate) fn give_own_again(own: &OwnSettings, netns: BorrowedFd<'_>, whose: &str) -> Result<()> {
    // Other sysctls than those of the network belong to namespaces that only a process of the node
    // can write to, and that process writes them when it is made.
    let is_of_process = |op: &StackOp<'_>| matches!(op, StackOp::Sysctl(sysctl) if !sysctl.path.starts_with("net/"));
    give(own.ops().filter(|op| !is_of_process(op)), netns, whose)
}

/// Gives a namespace settings that belong to none of its interfaces.
fn give<'p>(
    ops: impl Iterator<Item = StackOp<'p>>,
    netns: BorrowedFd<'_>,
    whose: &str,
) -> Result<()> {
    let mut ops = ops.peekable();
    // Most stacks have nothing of their own, and are to cost no conversation.
    if ops.peek().is_none() {
        return Ok(());
    }
    let mut batch = Batch::new();
    let no_interface = |_| unreachable!("an operation of the stack as a whole names no interface");
    let mut requests = StackRequests::new(&mut batch, no_interface);
    ops.for_each(|op| requests.give(op));
    let deferred = requests.deferred();
    // Most stacks have sysctls or rules alone, and are to cost no socket of rtnetlink.
    if !batch.is_empty() {
        Netlink::open_in(netns)
            .and_then(|mut netlink| netlink.execute(batch))
            .map_err(|e| LabError::network(whose, e))?;
    }
    // What is new has nothing to delete.
    deferred.finish(netns, &mut FilterConversation::default(), whose)
}

/// Returns the request for a planned neighbour.
pub(crate) fn neighbour<'p>(device: Device<'p>, planned: &NeighbourPlan) -> NeighbourRequest<'p> {
    NeighbourRequest {
        address: planned.ip,
        mac: planned.mac,
        device,
    }
}

fn route<'p>(device: Device<'p>, planned: &RoutePlan) -> RouteRequest<'p> {
    RouteRequest {
        destination: planned.to.network(),
        prefix: planned.to.prefix(),
        via: Some(planned.via),
        device,
        metric: planned.metric,
        table: planned.table,
    }
}
