//! The power of a network stack: what a power cut takes, and what a restart brings back.
//!
//! A program that is killed leaves a kernel behind that closes its connections, answers pings and
//! refuses new connections. A machine without power does nothing of that. So the interfaces of the
//! stack go down before the first process is killed: what the kernel wants to say then, nobody
//! hears.
//!
//! A kernel that starts knows nothing of the addresses, routes, rules and sysctls that the one
//! before was given, nor of its connections. So a stack gets another network namespace with its
//! power, and the interfaces move there. The ends at the other side of the cables notice no more
//! than a carrier that comes back.

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use crate::kernel::fd::refer_to;
use crate::kernel::netlink::{Batch, Device, Netlink};
use crate::kernel::nft::FilterConversation;
use crate::lab::attempt::NetworkAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::stack::settings::give_own_again;
use crate::lab::stack::stack::Stack;

/// A cable, as the stacks at its ends know it.
pub(crate) trait PluggedCable: Debug + Send + Sync {
    /// Takes the interfaces of the cable in this stack down.
    fn power_off(&self, stack: &Arc<Stack>) -> Result<()>;

    /// Moves the interfaces of the cable in this stack to another namespace, where they are down.
    fn move_to(&self, stack: &Arc<Stack>, netns: BorrowedFd<'_>) -> Result<()>;

    /// Gives the interfaces of the cable in this stack what the plan has for them, and returns when
    /// packets pass.
    fn power_on(&self, stack: &Arc<Stack>) -> Result<()>;

    /// Returns the addresses of the cable's interfaces in this stack.
    fn interfaces(&self, stack: &Arc<Stack>) -> Vec<NeighbourInterface>;

    /// Tells the NAT of an uplink the address that the interface has been given.
    fn readdress(&self, stack: &Arc<Stack>, index: u32, address: Option<Ipv4Addr>);

    /// Returns all cables of the lab.
    fn all_of_lab(&self) -> Vec<Arc<dyn PluggedCable>>;

    /// Tells the nodes at the ends whether these neighbours are there.
    fn renew_neighbours(&self, interfaces: &[NeighbourInterface], are_there: bool);
}

/// The addresses of an interface, by which neighbours know it.
#[derive(Clone, Debug)]
pub(crate) struct NeighbourInterface {
    pub(crate) mac: [u8; 6],
    pub(crate) ips: Vec<IpAddr>,
}

impl Stack {
    /// Notes a cable that is plugged into the stack. A cable with both ends here is noted once.
    pub(crate) fn plug(&self, cable: &Arc<dyn PluggedCable>) {
        let cable = Arc::downgrade(cable);
        let mut cables = self.cables().lock();
        if !cables.iter().any(|other| other.ptr_eq(&cable)) {
            cables.push(cable);
        }
    }

    pub(super) fn plugged(&self) -> Vec<Arc<dyn PluggedCable>> {
        let mut cables = self.cables().lock();
        // Cables of a change that failed are gone.
        cables.retain(|cable| cable.strong_count() > 0);
        // The caller holds no lock while it works on a cable, which has a lock of its own.
        cables.iter().filter_map(Weak::upgrade).collect()
    }

    /// Returns whether the machine to which the stack belongs has power.
    pub(crate) fn has_power(&self) -> bool {
        self.powered().load(Ordering::Acquire)
    }

    /// Cuts the power: no packet leaves the stack any more, and none arrives.
    pub(crate) fn cut_power(self: &Arc<Self>) -> Result<()> {
        // Noted first: a link that is brought up meanwhile leaves the interface down.
        if !self.powered().swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let cut = self
            .plugged()
            .iter()
            .try_for_each(|cable| cable.power_off(self));
        match &cut {
            Ok(()) => self.renew_neighbours(false),
            Err(_) => self.powered().store(true, Ordering::Release),
        }
        cut
    }

    /// Tells all other nodes of the lab whether this machine is there.
    ///
    /// A lab enters neighbours for good, and the kernel would never ask whether one is still there.
    /// A host on an Ethernet does, and its programs hear that there is no way (EHOSTUNREACH).
    fn renew_neighbours(self: &Arc<Self>, is_there: bool) {
        let cables = self.plugged();
        let interfaces: Vec<NeighbourInterface> =
            cables.iter().flat_map(|it| it.interfaces(self)).collect();
        let Some(cable) = cables.first() else {
            return;
        };
        for cable in cable.all_of_lab() {
            cable.renew_neighbours(&interfaces, is_there);
        }
    }

    /// Gives power back: the stack is in the namespace `fresh` from now on, as planned.
    pub(crate) fn restore_power(self: &Arc<Self>, fresh: &OwnedFd, whose: &str) -> Result<()> {
        let cables = self.plugged();
        cables
            .iter()
            .try_for_each(|cable| cable.move_to(self, fresh.as_fd()))?;
        // What is left there was made by programs, and may stand on an interface that has moved: a
        // macvlan stays with its interface (drivers/net/macvlan.c, macvlan_device_event).
        delete_interfaces(self.require_netns()?);
        refer_to(self.descriptor(), fresh.as_fd()).map_err(|e| {
            let whose = whose.to_owned();
            LabError::refused(NetworkAttempt::PowerOn { whose }, e)
        })?;
        *self.packet_filter().lock() = FilterConversation::default();
        give_own_again(&self.own_settings(), fresh.as_fd(), whose)?;
        self.powered().store(true, Ordering::Release);
        let given = cables.iter().try_for_each(|cable| cable.power_on(self));
        match &given {
            Ok(()) => self.renew_neighbours(true),
            Err(_) => self.powered().store(false, Ordering::Release),
        }
        given
    }
}

/// Deletes the interfaces of a namespace that nobody uses any more, as far as they can be deleted.
fn delete_interfaces(netns: BorrowedFd<'_>) {
    // A namespace that cannot be looked at is destroyed with its interfaces when its last socket is
    // closed. The interfaces that matter have left the namespace.
    let Ok(mut netlink) = Netlink::open_in(netns) else {
        return;
    };
    for left in netlink.interfaces().unwrap_or_default() {
        let mut batch = Batch::new();
        batch.delete_link(Device {
            index: left.index,
            name: &left.name,
        });
        // `lo` and the fallback devices of tunnels cannot be deleted, and others go with the
        // interface below them.
        let _ = netlink.execute(batch);
    }
}
