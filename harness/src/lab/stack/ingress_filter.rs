//! Filters by which interfaces of a stack do not let frames of some senders in.
//!
//! A partition must hold whatever carries a link. When a link gets another carrier, an interface
//! may be deleted and made again, and the kernel forgets the filter with the interface. So a stack
//! remembers its filters and attaches them again.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Weak};

use crate::kernel::netlink::{Device, NetlinkError};
use crate::kernel::nft::{DropFrom, IngressDrop};
use crate::kernel::sync::Lock;

/// A rule for the frames that arrive at one interface.
#[derive(Debug)]
pub(crate) struct IngressFilter {
    /// Index of the interface to which the filter is attached.
    index: u32,
    from: DropFrom,
    attached: Lock<Option<IngressDrop>>,
}

impl IngressFilter {
    fn attach(&self, netns: BorrowedFd<'_>, device: Device<'_>) -> Result<(), NetlinkError> {
        // A filter that is still attached is replaced, and goes with its interface.
        let attached = IngressDrop::make(netns, device, &self.from)?;
        *self.attached.lock() = Some(attached);
        Ok(())
    }

    /// Takes the filter away. A namespace that is gone has taken the filter with it.
    pub(crate) fn remove(&self, namespace_is_there: bool) -> Result<(), NetlinkError> {
        match self.attached.lock().take() {
            Some(attached) if namespace_is_there => attached.heal(),
            Some(_) | None => Ok(()),
        }
    }
}

/// The filters of a stack. The guards of partitions own the filters.
#[derive(Debug, Default)]
pub(crate) struct IngressFilters {
    all: Lock<Vec<Weak<IngressFilter>>>,
}

impl IngressFilters {
    /// Attaches a new filter.
    pub(crate) fn add(
        &self,
        netns: BorrowedFd<'_>,
        device: Device<'_>,
        from: DropFrom,
    ) -> Result<Arc<IngressFilter>, NetlinkError> {
        let filter = Arc::new(IngressFilter {
            index: device.index,
            from,
            attached: Lock::new(None),
        });
        filter.attach(netns, device)?;
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
        device: Device<'_>,
    ) -> Result<(), NetlinkError> {
        // Held until all are attached: a guard that is dropped meanwhile waits, and then removes
        // its filter from the new interface.
        let all = self.all.lock();
        all.iter()
            .filter_map(Weak::upgrade)
            .filter(|filter| filter.index == device.index)
            .try_for_each(|filter| filter.attach(netns, device))
    }
}
