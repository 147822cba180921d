//! A network stack of a running lab: the network namespace of a node, or of all containers of a
//! pod.
//!
//! A stack outlives the processes of its node: its interfaces stay. So the stack, and not the node,
//! owns what is attached to interfaces: the filters of partitions and the monitors of captures.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crate::kernel::netlink::{AddressEntry, Device, Netlink, NetlinkError};
use crate::kernel::nft::{DropTime, FilterConversation, SenderDrop, Senders};
use crate::kernel::procfs::sysctls;
use crate::kernel::sync::{Lock, SharedLock};
use crate::lab::error::{LabError, Result, Subject};
use crate::lab::first_process::FirstProcessHandle;
use crate::lab::stack::ingress_filter::{IngressFilter, IngressFilters};
use crate::lab::stack::monitors::{Monitor, Monitors};
use crate::lab::stack::power::PluggedCable;
use crate::model::order::sort_by_key;
use crate::model::packet::FrameSource;
use crate::topology::Owner;
use crate::topology::plan::{OwnSettings, Plan, StackId, StackPlan};

/// A network stack.
#[derive(Debug)]
pub(crate) struct Stack {
    owner: Owner,
    /// The network namespace. The descriptor refers to another one after a power cut: see
    /// `stack::power`.
    netns: OwnedFd,
    /// Settings of a namespace that takes the place of this one.
    own: SharedLock<OwnSettings>,
    powered: AtomicBool,
    cables: Lock<Vec<Weak<dyn PluggedCable>>>,
    /// The process that holds the namespaces of a pod.
    pod: Option<FirstProcessHandle>,
    /// The addresses that the name stands for. The addresses change when a cable is laid or moved.
    primary: SharedLock<Vec<IpAddr>>,
    /// The interfaces whose IPv4 addresses are no business of the plan.
    asking: SharedLock<Vec<u32>>,
    /// The addresses that DHCP has given, by the index of the interface.
    leased: SharedLock<BTreeMap<u32, Ipv4Addr>>,
    /// The clients of the stack, which know what servers have given to its interfaces.
    keepers: Lock<Vec<Weak<dyn AddressClient>>>,
    /// Whether the kernel makes the IPv6 addresses of what routers advertise.
    autoconfigures: bool,
    removed: AtomicBool,
    monitors: Lock<Monitors>,
    filters: IngressFilters,
    packet_filter: Lock<FilterConversation>,
}

/// A client of servers, which knows what the interfaces of a stack have been given.
pub(crate) trait AddressClient: Debug + Send + Sync {
    /// Gives an interface that is up again its addresses and routes: the kernel has taken them when
    /// it went down.
    fn give_back(&self, index: u32);
}

impl Stack {
    pub(crate) fn new(plan: &StackPlan, netns: OwnedFd, pod: Option<FirstProcessHandle>) -> Self {
        Self {
            owner: plan.owner,
            netns,
            own: SharedLock::new(plan.own.clone()),
            powered: AtomicBool::new(true),
            cables: Lock::default(),
            pod,
            primary: SharedLock::new(plan.primary().collect()),
            asking: SharedLock::new(asking(plan)),
            leased: SharedLock::default(),
            keepers: Lock::default(),
            autoconfigures: plan.autoconfigures,
            removed: AtomicBool::new(false),
            monitors: Lock::default(),
            filters: IngressFilters::default(),
            packet_filter: Lock::default(),
        }
    }

    /// Returns the node or pod to which the stack belongs.
    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// Returns the addresses that the name stands for: of each family, the first.
    pub(crate) fn primary(&self) -> Vec<IpAddr> {
        let planned = self.primary.read().clone();
        let leased = self.leased.read();
        let leased = leased.values().next().copied().map(IpAddr::V4);
        // The caller takes the first address of each family, IPv4 before IPv6. A router is known by
        // the address of its uplink, and not by those of the networks behind it, which are planned.
        let planned = planned.into_iter();
        let planned = planned.filter(|it| leased.is_none() || it.is_ipv6());
        let own = self.autoconfigured().into_iter().take(1);
        leased.into_iter().chain(planned).chain(own).collect()
    }

    /// Returns whether the kernel makes the IPv6 addresses of what routers advertise.
    pub(crate) fn autoconfigures(&self) -> bool {
        self.autoconfigures
    }

    /// Returns the IPv6 addresses that the kernel has made of what routers advertise, as it has
    /// them now. Addresses of prefixes that are over come last.
    pub(crate) fn autoconfigured(&self) -> Vec<IpAddr> {
        if !self.autoconfigures {
            return Vec::new();
        }
        let mut all = self.kernel_addresses();
        all.retain(|it| {
            let v6 = matches!(it.address, IpAddr::V6(v6) if !v6.is_unicast_link_local());
            v6 && !it.address.is_loopback() && !it.tentative
        });
        sort_by_key(&mut all, |it| it.deprecated);
        all.into_iter().map(|it| it.address).collect()
    }

    /// Returns the first IPv4 address that a program of the node has given to an interface which
    /// has none in the plan.
    pub(crate) fn v4_of_program(&self) -> Option<IpAddr> {
        let asking = self.asking.read().clone();
        let mut all = self.kernel_addresses();
        all.retain(|it| it.address.is_ipv4() && asking.contains(&it.interface));
        // In the order of the interfaces, as for addresses that our client has got.
        let first = all.into_iter().min_by_key(|it| it.interface);
        first.map(|it| it.address)
    }

    /// Returns the addresses that the kernel has now. A namespace that cannot be asked, as that of
    /// a removed node, has none.
    fn kernel_addresses(&self) -> Vec<AddressEntry> {
        let netlink = self.netns().map(|netns| Netlink::open_in(netns.as_fd()));
        let Some(Ok(mut netlink)) = netlink else {
            return Vec::new();
        };
        netlink.addresses().unwrap_or_default()
    }

    /// Takes over the address that DHCP has given to an interface, or has taken from it.
    pub(crate) fn set_leased(self: &Arc<Self>, index: u32, address: Option<Ipv4Addr>) {
        let mut leased = self.leased.write();
        match address {
            Some(address) => drop(leased.insert(index, address)),
            None => drop(leased.remove(&index)),
        }
        // The lock of the addresses is given back before the locks of cables are taken, whose
        // holders may look at the addresses.
        drop(leased);
        for cable in self.plugged() {
            cable.readdress(self, index, address);
        }
    }

    /// Returns the address that DHCP has given to an interface.
    pub(crate) fn leased_at(&self, index: u32) -> Option<Ipv4Addr> {
        self.leased.read().get(&index).copied()
    }

    /// Tells the NATs of the stack the addresses that its uplinks have been given.
    pub(crate) fn announce_leases(self: &Arc<Self>) {
        let leased = self.leased.read().clone();
        let all = |cable: Arc<dyn PluggedCable>| {
            for (index, address) in &leased {
                cable.readdress(self, *index, Some(*address));
            }
        };
        if !leased.is_empty() {
            self.plugged().into_iter().for_each(all);
        }
    }

    /// Notes who gives the stack back what it has been given by servers.
    pub(crate) fn add_client(&self, keeper: Weak<dyn AddressClient>) {
        self.keepers.lock().push(keeper);
    }

    /// Gives an interface that is up again what it has been given by servers.
    pub(crate) fn give_back(&self, index: u32) {
        let keepers = self.keepers.lock().clone();
        let keepers = keepers.iter().filter_map(Weak::upgrade);
        keepers.for_each(|keeper| keeper.give_back(index));
    }

    /// Takes over what a changed plan says.
    pub(crate) fn refresh(&self, plan: &StackPlan) {
        *self.primary.write() = plan.primary().collect();
        *self.asking.write() = asking(plan);
        let StackPlan {
            owner: _,
            hostname: _,
            own_hosts: _,
            near_names: _,
            // How a node gets its addresses cannot change while the node runs.
            autoconfigures: _,
            own,
            interfaces: _, // `asking` and `primary`
        } = plan;
        *self.own.write() = own.clone();
    }

    /// Returns what the stack is to have that belongs to none of its interfaces.
    pub(crate) fn own_settings(&self) -> OwnSettings {
        self.own.read().clone()
    }

    pub(crate) fn powered(&self) -> &AtomicBool {
        &self.powered
    }

    pub(crate) fn cables(&self) -> &Lock<Vec<Weak<dyn PluggedCable>>> {
        &self.cables
    }

    /// Returns the conversation about the packet filter of the network namespace.
    pub(crate) fn packet_filter(&self) -> &Lock<FilterConversation> {
        &self.packet_filter
    }

    pub(crate) fn descriptor(&self) -> &OwnedFd {
        &self.netns
    }

    /// Returns the network namespace, or nothing if the stack was removed.
    pub(crate) fn netns(&self) -> Option<&OwnedFd> {
        // The namespace may exist for a while after the removal, and must not be changed any more.
        (!self.removed.load(Ordering::Relaxed)).then_some(&self.netns)
    }

    /// Returns the network namespace, or the error that the node was removed.
    pub(crate) fn require_netns(&self) -> Result<BorrowedFd<'_>> {
        let netns = self.netns().map(AsFd::as_fd);
        netns.ok_or_else(LabError::removed_namespace)
    }

    /// Returns the process that holds the namespaces of a pod.
    pub(crate) fn pod(&self) -> Option<&FirstProcessHandle> {
        self.pod.as_ref()
    }

    /// Attaches a monitor to an interface. The source removes the monitor when dropped.
    pub(crate) fn listen(self: &Arc<Self>, mut monitor: Monitor) -> Result<Box<dyn FrameSource>> {
        monitor.attach(self.require_netns()?)?;
        let number = self.monitors.lock().add(monitor);
        let stack = Arc::downgrade(self);
        Ok(Box::new(StackSource { stack, number }))
    }

    /// Prepares interfaces to drop what comes from some senders.
    pub(crate) fn filter(
        self: &Arc<Self>,
        devices: &[Device<'_>],
        from: Senders,
    ) -> Result<StackFilter, NetlinkError> {
        let filter = self.filters.add(self.netns.as_fd(), devices, from)?;
        // The guard of a partition may outlive the lab. It holds the stack, so that it knows
        // whether a namespace is left from which the filter is to be removed.
        let stack = Arc::clone(self);
        Ok(StackFilter { stack, filter })
    }

    /// Puts filters back at an interface that was made again or is in another namespace.
    pub(crate) fn reattach_filters(&self, interface: u32) -> Result<()> {
        let Some(netns) = self.netns() else {
            return Ok(());
        };
        self.filters
            .reattach(netns.as_fd(), interface)
            .map_err(|e| LabError::network("a partition", e))
    }

    /// Takes the monitors from an interface for a while.
    pub(crate) fn detach_monitors(&self, device: Device<'_>) {
        self.monitors.lock().detach(device.index);
    }

    /// Puts monitors back at such an interface. Filters go first: a frame that a partition keeps
    /// out is not to be seen by a capture either.
    pub(crate) fn reattach_monitors(&self, device: Device<'_>) -> Result<()> {
        let Some(netns) = self.netns() else {
            return Ok(());
        };
        self.monitors.lock().reattach(netns.as_fd(), device.index)
    }

    /// Ends the stack: what is attached to it goes, and the process that holds a pod is killed.
    pub(crate) fn remove(&self) {
        if !self.removed.swap(true, Ordering::Relaxed) {
            self.give_up_orphans();
        }
        // Sniffers hold packet sockets, and these would hold the namespace; so does a conversation.
        *self.monitors.lock() = Monitors::default();
        *self.packet_filter.lock() = FilterConversation::default();
        if let Some(pod) = &self.pod {
            pod.kill();
        }
    }

    /// Makes the kernel give up connections that nobody holds any more.
    fn give_up_orphans(&self) {
        // A closed TCP socket with unacknowledged data keeps its namespace for 107 s (measured for
        // this project, 2026-08). A refusal costs memory for that time and nothing else.
        let _ = sysctls::write_in(self.netns.as_fd(), "net/ipv4/tcp_orphan_retries", "1");
    }
}

/// Returns the interfaces at which somebody else than the plan gives an IPv4 address.
fn asking(plan: &StackPlan) -> Vec<u32> {
    let asking = plan.asking().filter(|it| it.v4().next().is_none());
    asking.map(|it| it.index).collect()
}

/// Returns a stack as the subject of an error: a node that lives in it, or the pod.
pub(crate) fn stack_subject(plan: &Plan, stack: StackId) -> Subject {
    let node = plan.nodes.iter().find(|node| node.stack == stack);
    let name = node.map_or(&plan[stack].hostname, |node| &node.name);
    Subject::Node(name.clone())
}

/// The source of a monitor's frames, for as long as its stack is there.
#[derive(Debug)]
struct StackSource {
    stack: Weak<Stack>,
    number: u64,
}

impl FrameSource for StackSource {
    fn drain(&self) {
        if let Some(stack) = self.stack.upgrade() {
            stack.monitors.lock().drain(self.number);
        }
    }
}

impl Drop for StackSource {
    fn drop(&mut self) {
        if let Some(stack) = self.stack.upgrade() {
            stack.monitors.lock().remove(self.number);
        }
    }
}

/// A filter at interfaces of a stack; see [`Stack::filter`].
#[derive(Debug)]
pub(crate) struct StackFilter {
    stack: Arc<Stack>,
    filter: Arc<IngressFilter>,
}

impl StackFilter {
    /// Makes the rules ahead of time.
    pub(crate) fn make(&self) -> Result<(), NetlinkError> {
        self.if_there(IngressFilter::make)
    }

    /// Drops the frames from a time on.
    pub(crate) fn close(&self, from: DropTime) -> Result<(), NetlinkError> {
        self.if_there(|filter| filter.close(from))
    }

    /// Lets the frames in from a time on.
    pub(crate) fn open_gate(&self, from: DropTime) -> Result<(), NetlinkError> {
        self.if_there(|filter| filter.open_gate(from))
    }

    /// Lets the interfaces take all frames again, unless they are gone with their stack. Returns
    /// what is left to be dropped.
    pub(crate) fn remove(&self) -> Result<Option<SenderDrop>, NetlinkError> {
        self.filter.remove(self.stack.netns().is_some())
    }

    /// Changes the filter, unless the stack was removed.
    fn if_there(
        &self,
        change: impl FnOnce(&IngressFilter) -> Result<(), NetlinkError>,
    ) -> Result<(), NetlinkError> {
        match self.stack.netns() {
            Some(_) => change(&self.filter),
            None => Ok(()),
        }
    }
}
