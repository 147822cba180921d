//! Frames that an interface no longer receives: how a plain link is cut without touching it.
//!
//! A chain at the interface's ingress sees every frame before anything else in the namespace does,
//! except packet sockets. Neither carrier nor addresses nor routes change, and the sender notices
//! nothing. Each cut is a table of its own, so that cuts compose: a frame passes if no cut drops
//! the frame. The table belongs to the socket that made it. A firewall in the node that flushes its
//! rules does not heal the link, and the cut ends with the process.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::libc;
use nix::net::if_::if_nametoindex;

use super::expression::Expression;
use super::table::{NftHook, NftTable, OWNED};
use crate::netlink::{Batch, Device, Netlink, NetlinkError, NetlinkProtocol, NetlinkSocket};
use crate::netns::Netns;

/// A rule that drops frames which an interface receives; it ends when this value is dropped.
#[must_use = "the interface receives again when this value is dropped"]
pub struct IngressDrop {
    netlink: Netlink,
    name: String,
    healed: bool,
}

const CHAIN: &str = "ingress";
/// Priority before every chain that a program in the node is likely to have made.
pub(super) const FIRST: i32 = i32::MIN + 1;

impl IngressDrop {
    /// Makes an existing interface drop all frames from now on.
    ///
    /// # Errors
    /// There is no such interface, or the kernel refused the rules.
    pub fn make(netns: BorrowedFd<'_>, device: Device<'_>) -> Result<Self, NetlinkError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // Linux 6.16 and later accept a chain for an interface that does not exist yet, so that the
        // answer would not tell a wrong name.
        let open = || {
            if_nametoindex(device.name)
                .and_then(|_| NetlinkSocket::open(NetlinkProtocol::Netfilter))
        };
        let socket = Netns::visit(netns, open)
            .and_then(|opened| opened)
            .map_err(|errno| NetlinkError::refused("cut", device.name, errno, None))?;
        // Names of tables are unique in a namespace, and several cuts may hit one interface.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("snowglobe-{}-{number}", std::process::id());
        let mut cut = Self {
            netlink: Netlink::from_socket(socket),
            name,
            healed: false,
        };
        let batch = cut.rules(device);
        cut.netlink.commit(batch)?;
        Ok(cut)
    }

    /// Returns the packets and bytes dropped so far.
    ///
    /// # Errors
    /// The kernel refused to list the rules.
    pub fn dropped(&mut self) -> Result<(u64, u64), NetlinkError> {
        let table = table(&self.name);
        self.netlink.counted(table)
    }

    /// Ends the cut.
    ///
    /// # Errors
    /// The kernel refused to delete the rules.
    pub fn heal(mut self) -> Result<(), NetlinkError> {
        self.delete()
    }

    fn delete(&mut self) -> Result<(), NetlinkError> {
        if std::mem::replace(&mut self.healed, true) {
            return Ok(());
        }
        let mut batch = Batch::new();
        batch.delete_table(table(&self.name));
        self.netlink.commit(batch)
    }

    fn rules(&self, device: Device<'_>) -> Batch {
        let table = table(&self.name);
        let mut batch = Batch::new();
        // OWNED needs Linux 5.12; the kernel refuses unknown flags, so the table is never made
        // without an owner.
        batch.add_table(table, OWNED);
        let hook = NftHook {
            kind: "filter",
            number: libc::NF_NETDEV_INGRESS,
            priority: FIRST,
            devices: &[device.name],
        };
        batch.add_chain(table, CHAIN, hook);
        // The counter stands first, so that it counts what is dropped.
        batch.add_rule(table, CHAIN, &[Expression::Count, Expression::Drop]);
        batch
    }
}

impl fmt::Debug for IngressDrop {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("IngressDrop").field(&self.name).finish()
    }
}

impl Drop for IngressDrop {
    /// Deletes the rules. Closing the socket would do that too, but a child that is about to start
    /// a program may share the socket for a while.
    fn drop(&mut self) {
        let _ = self.delete();
    }
}

fn table(name: &str) -> NftTable<'_> {
    NftTable {
        family: libc::NFPROTO_NETDEV,
        name,
    }
}

#[cfg(test)]
#[path = "ingress_drop_tests.rs"]
mod tests;
