//! Frames that an interface no longer receives: how a plain link is cut without touching it.
//!
//! A chain at the interface's ingress sees every frame before anything else in the namespace does,
//! except packet sockets. Neither carrier nor addresses nor routes change, and the sender notices
//! nothing. Each cut is a table of its own, so that cuts compose: a frame passes if no cut drops
//! the frame. The table belongs to the socket that made it. A firewall in the node that flushes its
//! rules does not heal the link, and the cut ends with the process.

use std::os::fd::BorrowedFd;

use nix::libc;

use super::expression::Expression;
use super::owned_table::{FIRST, OwnedTable};
use super::table::NftHook;
use crate::netlink::{Device, NetlinkError};

/// A rule that drops frames which an interface receives; it ends when this value is dropped.
#[derive(Debug)]
#[must_use = "the interface receives again when this value is dropped"]
pub struct IngressDrop {
    table: OwnedTable,
}

const CHAIN: &str = "ingress";

impl IngressDrop {
    /// Makes an existing interface drop all frames from now on.
    ///
    /// # Errors
    /// There is no such interface, or the kernel refused the rules.
    pub fn make(netns: BorrowedFd<'_>, device: Device<'_>) -> Result<Self, NetlinkError> {
        let devices = &[device.name];
        let names = ["snowglobe", "cut"];
        let mut table = OwnedTable::prepare(netns, libc::NFPROTO_NETDEV, devices, names)?;
        let hook = NftHook {
            kind: "filter",
            number: libc::NF_NETDEV_INGRESS,
            priority: FIRST,
            devices,
        };
        let mut batch = table.with_chain(CHAIN, hook);
        // The counter stands first, so that it counts what is dropped.
        let rule = [Expression::Count, Expression::Drop];
        batch.add_rule(table.named(), CHAIN, &rule);
        table.commit(batch)?;
        Ok(Self { table })
    }

    /// Returns the packets and bytes dropped so far.
    ///
    /// # Errors
    /// The kernel refused to list the rules.
    pub fn dropped(&mut self) -> Result<(u64, u64), NetlinkError> {
        self.table.counted()
    }

    /// Ends the cut.
    ///
    /// # Errors
    /// The kernel refused to delete the rules.
    pub fn heal(mut self) -> Result<(), NetlinkError> {
        self.table.delete()
    }
}

#[cfg(test)]
#[path = "ingress_drop_tests.rs"]
mod tests;
