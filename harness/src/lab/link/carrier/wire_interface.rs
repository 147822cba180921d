//! The interfaces of a link in the wire namespace, or in the hub after a splice: both inner ends,
//! and the repeater between them.

use std::os::fd::{AsFd, OwnedFd};

use crate::kernel::netlink::{Batch, Device, Netlink, NetlinkError};
use crate::lab::error::{LabError, Result};
use crate::lab::link::ends::LinkEnds;
use crate::model::side::Side;
use crate::topology::plan::InterfaceSlot;

/// An interface of a link that no node sees: the inner end of a veth pair, or the repeater.
pub(crate) struct WireInterface {
    name: String,
    index: u32,
}

impl WireInterface {
    /// Names the inner end of a side. Its peer is the end in the node or at the switch.
    pub(crate) fn inner_end(ends: &LinkEnds, side: Side) -> Self {
        if let Some(Device { index, name }) = ends.port_as_inner_end(side) {
            let name = name.to_owned();
            return Self { name, index };
        }
        let link = ends.link();
        Self {
            // The name is short: a name has at most 15 bytes (IFNAMSIZ), and the link may be number
            // 100,000.
            name: format!("m{}{side}", link.index()),
            index: InterfaceSlot::InnerEnd(link, side).index(),
        }
    }

    /// Names the bridge between both inner ends.
    pub(crate) fn repeater(ends: &LinkEnds) -> Self {
        let link = ends.link();
        Self {
            name: format!("m{}", link.index()),
            index: InterfaceSlot::Repeater(link).index(),
        }
    }

    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    pub(crate) fn device(&self) -> Device<'_> {
        Device {
            index: self.index,
            name: &self.name,
        }
    }
}

/// Carries out requests in the wire namespace.
pub(crate) fn execute(ends: &LinkEnds, namespace: &OwnedFd, batch: Batch) -> Result<()> {
    Netlink::open_in(namespace.as_fd())
        .and_then(|mut netlink| netlink.execute(batch))
        .map_err(|e| refused(ends, e))
}

/// Makes the error for a request that was refused in the wire namespace.
pub(crate) fn refused(ends: &LinkEnds, error: NetlinkError) -> LabError {
    let whose = format!("the wire namespace, at link `{}`", ends.name());
    LabError::network(whose, error).about(ends.subject())
}
