//! Cuts of a link, whatever carries it.
//!
//! A userspace wire cuts by itself. Where the kernel carries a link, rules of its packet filter
//! drop frames: at the receiving interface, for what arrives during the cut, and where netem delays
//! packets also in front of netem, for what is sent during the cut and would arrive after it.

use std::os::fd::{AsFd, OwnedFd};

use crate::impair::{Direction, Traffic};
use crate::kernel::netlink::{Device, NetlinkError};
use crate::kernel::nft::IngressDrop;
use crate::lab::error::Result;
use crate::lab::link::carried_link::WithoutShortcut;
use crate::lab::link::carrier::active::ActiveCarrier;
use crate::lab::link::carrier::wire_interface::WireInterface;
use crate::lab::link::ends::LinkEnds;

/// The cuts of a link, each by direction.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    /// Number of guards that want a direction cut.
    wanted: [u32; 2],
    /// The filters that cut a direction where the kernel carries the link.
    filters: [FilterPair; 2],
}

/// The filters that cut one direction.
#[derive(Debug, Default)]
pub(crate) struct FilterPair {
    before: CutFilter,
    behind: CutFilter,
}

/// A place where a filter may be, with the count of filters that are gone.
#[derive(Debug, Default)]
struct CutFilter {
    attached: Option<IngressDrop>,
    dropped: Traffic,
}

/// Traffic that cuts have dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FilterCounts {
    /// Dropped in front of netem, which has not seen it.
    pub(crate) before: Traffic,
    /// Dropped at the receiving interface, which has counted it.
    pub(crate) behind: Traffic,
}

impl CutFilter {
    fn remove(&mut self) -> Result<(), NetlinkError> {
        // The count of the kernel goes with the filter.
        self.dropped = self.dropped();
        self.attached.take().map_or(Ok(()), IngressDrop::heal)
    }

    fn dropped(&mut self) -> Traffic {
        let mut traffic = self.dropped;
        if let Some(attached) = &mut self.attached
            && let Ok((packets, bytes)) = attached.dropped()
        {
            traffic += Traffic { packets, bytes };
        }
        traffic
    }
}

impl FilterPair {
    fn remove(&mut self) -> Result<(), NetlinkError> {
        self.before.remove().and(self.behind.remove())
    }
}

impl Cuts {
    /// Counts one more guard that wants a direction cut, and cuts it for the first.
    pub(crate) fn cut(
        &mut self,
        direction: Direction,
        carried: &WithoutShortcut<'_>,
    ) -> Result<()> {
        if self.wanted[direction.index()] == 0 {
            self.apply(direction, carried)?;
        }
        // Counted after the first cut has succeeded, so that a refused guard counts for nothing.
        self.wanted[direction.index()] += 1;
        Ok(())
    }

    /// Returns whether at least one direction is cut.
    pub(crate) fn any(&self) -> bool {
        self.wanted != [0; 2]
    }

    /// Returns whether a direction is cut.
    pub(crate) fn is_cut(&self, direction: Direction) -> bool {
        self.wanted[direction.index()] > 0
    }

    /// Counts one guard less, and heals the direction after the last.
    pub(crate) fn heal(
        &mut self,
        direction: Direction,
        carried: &WithoutShortcut<'_>,
    ) -> Result<()> {
        self.wanted[direction.index()] -= 1;
        if self.wanted[direction.index()] > 0 {
            return Ok(());
        }
        if let Some(wire) = carried.active().wire() {
            wire.heal(direction);
        }
        let removed = self.filters[direction.index()].remove();
        removed.map_err(|e| carried.ends().link_refused(e))
    }

    /// Cuts all directions again that are to be cut, after interfaces of the link have moved to
    /// other namespaces.
    pub(crate) fn reapply(&mut self, carried: &WithoutShortcut<'_>) -> Result<()> {
        for direction in Direction::BOTH {
            if self.is_cut(direction) {
                self.apply(direction, carried)?;
            }
        }
        Ok(())
    }

    /// Cuts all directions again that are to be cut, around a netem through which no frame passes
    /// yet.
    pub(crate) fn attach_around_netem(
        &mut self,
        ends: &LinkEnds,
        namespace: &OwnedFd,
    ) -> Result<()> {
        for direction in Direction::BOTH {
            if self.is_cut(direction) {
                self.attach(direction, ends, Some(namespace))?;
            }
        }
        Ok(())
    }

    fn apply(&mut self, direction: Direction, carried: &WithoutShortcut<'_>) -> Result<()> {
        let ends = carried.ends();
        match carried.active() {
            ActiveCarrier::Nobody => Ok(()),
            ActiveCarrier::Tap { wire } | ActiveCarrier::PacketSocket { wire, .. } => {
                wire.cut(direction);
                Ok(())
            }
            ActiveCarrier::Veth => self.attach(direction, ends, None),
            ActiveCarrier::Netem { namespace, .. } => self.attach(direction, ends, Some(namespace)),
        }
    }

    /// Attaches the filters that cut a direction. With netem, `netem` is the namespace of the inner
    /// ends.
    fn attach(
        &mut self,
        direction: Direction,
        ends: &LinkEnds,
        netem: Option<&OwnedFd>,
    ) -> Result<()> {
        let before = match netem {
            None => None,
            Some(namespace) => {
                // The cut is in front of netem: a packet that is sent during the cut must not
                // arrive after it, by its delay.
                let enters = WireInterface::inner_end(ends, direction.sender());
                let made = IngressDrop::make(namespace.as_fd(), enters.device());
                Some(made.map_err(|e| ends.link_refused(e))?)
            }
        };
        // The cut is at the receiving interface: what is under way when the cut begins vanishes
        // too.
        let side = direction.receiver();
        let netns = ends.require_netns(side)?;
        let receiver = Device {
            name: &ends.name_now(side)?,
            ..ends.device(side)
        };
        let behind = IngressDrop::make(netns, receiver).map_err(|e| ends.link_refused(e))?;
        let filters = &mut self.filters[direction.index()];
        filters.before.attached = before;
        filters.behind.attached = Some(behind);
        Ok(())
    }

    /// Gives up the filters and their counts with a carrier that is about to be replaced. The
    /// filters drop frames as long as the caller keeps them, at interfaces that stay.
    pub(crate) fn give_up_filters(&mut self) -> [FilterPair; 2] {
        std::mem::take(&mut self.filters)
    }

    /// Takes the filters away from interfaces that are about to move, and keeps their counts.
    pub(crate) fn detach(&mut self) {
        for filters in &mut self.filters {
            // A filter that cannot be removed goes with its interface.
            let _ = filters.remove();
        }
    }

    /// Returns the traffic that the filters of a direction have dropped by now.
    pub(crate) fn counts(&mut self, direction: Direction) -> FilterCounts {
        let filters = &mut self.filters[direction.index()];
        FilterCounts {
            before: filters.before.dropped(),
            behind: filters.behind.dropped(),
        }
    }
}
