//! Filters by which interfaces of a stack do not let frames of some senders in.
//!
//! A partition must hold whatever carries a link. When a link gets another carrier, an interface
//! may be deleted and made again, and the kernel forgets the filter with the interface. So a stack
//! remembers its filters and attaches them again.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Weak};

use crate::kernel::netlink::{Device, Netlink, NetlinkError};
use crate::kernel::nft::{DropTime, SenderDrop, Senders};
use crate::kernel::sync::Lock;

/// A rule for the frames that arrive at some interfaces of one stack.
#[derive(Debug)]
pub(crate) struct IngressFilter {
    from: Senders,
    rules: Lock<FilterRules>,
}

/// The rules of a filter as they are in the kernel.
#[derive(Debug)]
struct FilterRules {
    /// Indices of the interfaces. A program may give an interface another name.
    interfaces: Vec<u32>,
    /// None once the filter was removed.
    attached: Option<SenderDrop>,
    drops: bool,
}

impl FilterRules {
    fn change(
        &mut self,
        change: impl FnOnce(&mut SenderDrop) -> Result<(), NetlinkError>,
    ) -> Result<(), NetlinkError> {
        self.attached.as_mut().map_or(Ok(()), change)
    }
}

impl IngressFilter {
    /// Makes the rules ahead of time.
    pub(super) fn make(&self) -> Result<(), NetlinkError> {
        self.rules.lock().change(SenderDrop::make)
    }

    /// Drops the frames from a time on.
    pub(super) fn close(&self, from: DropTime) -> Result<(), NetlinkError> {
        let mut rules = self.rules.lock();
        rules.drops = true;
        rules.change(|attached| attached.close(from))
    }

    /// Lets the frames in from a time on.
    pub(super) fn open_gate(&self, from: DropTime) -> Result<(), NetlinkError> {
        let mut rules = self.rules.lock();
        rules.drops = false;
        rules.change(|attached| attached.open_gate(from))
    }

    /// Takes the filter away, and returns what is left to be dropped. A namespace that is gone has
    /// taken the filter with it.
    pub(super) fn remove(
        &self,
        namespace_is_there: bool,
    ) -> Result<Option<SenderDrop>, NetlinkError> {
        let mut attached = self.rules.lock().attached.take();
        if let Some(attached) = attached.as_mut().filter(|_| namespace_is_there) {
            attached.remove()?;
        }
        Ok(attached)
    }

    fn reattach(&self, netns: BorrowedFd<'_>, interface: u32) -> Result<(), NetlinkError> {
        let mut rules = self.rules.lock();
        if !rules.interfaces.contains(&interface) || rules.attached.is_none() {
            return Ok(());
        }
        // After a power cut the interfaces come back one by one.
        let mut there = Netlink::open_in(netns)?.interfaces()?;
        there.retain(|it| rules.interfaces.contains(&it.index));
        let names: Vec<&str> = there.iter().map(|it| it.name.as_str()).collect();
        let mut anew = SenderDrop::of_interfaces(netns, &names, &self.from)?;
        if rules.drops {
            anew.close(DropTime::Now)?;
        }
        // The new rules are in force before the old ones go, so that no frame slips through.
        rules.attached = Some(anew);
        Ok(())
    }
}

/// The filters of a stack. The guards of partitions own the filters.
#[derive(Debug, Default)]
pub(crate) struct IngressFilters {
    all: Lock<Vec<Weak<IngressFilter>>>,
}

impl IngressFilters {
    /// Prepares a new filter, which drops nothing yet.
    pub(crate) fn add(
        &self,
        netns: BorrowedFd<'_>,
        devices: &[Device<'_>],
        from: Senders,
    ) -> Result<Arc<IngressFilter>, NetlinkError> {
        let names: Vec<&str> = devices.iter().map(|device| device.name).collect();
        let attached = SenderDrop::of_interfaces(netns, &names, &from)?;
        let filter = Arc::new(IngressFilter {
            from,
            rules: Lock::new(FilterRules {
                interfaces: devices.iter().map(|device| device.index).collect(),
                attached: Some(attached),
                drops: false,
            }),
        });
        let mut all = self.all.lock();
        // Guards that are gone have removed their filters. Their entries go when the next one
        // comes.
        all.retain(|filter| filter.strong_count() > 0);
        all.push(Arc::downgrade(&filter));
        Ok(filter)
    }

    /// Attaches the filters of an interface again that may have been deleted and made again.
    pub(crate) fn reattach(
        &self,
        netns: BorrowedFd<'_>,
        interface: u32,
    ) -> Result<(), NetlinkError> {
        // Held until all are attached: a guard that is dropped meanwhile waits, and then removes
        // its filter from the new interface.
        let all = self.all.lock();
        let mut filters = all.iter().filter_map(Weak::upgrade);
        filters.try_for_each(|filter| filter.reattach(netns, interface))
    }
}
