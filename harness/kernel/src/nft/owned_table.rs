//! A table that belongs to the socket that made it, and is deleted with its value.
//!
//! A firewall in the node that flushes its rules does not touch such a table, and it ends with the
//! process.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::libc;
use nix::net::if_::if_nametoindex;

use super::table::{NftHook, NftTable, OWNED};
use crate::netlink::{Batch, Netlink, NetlinkError, NetlinkProtocol, NetlinkSocket};
use crate::netns::Netns;

/// A table of one network namespace.
pub(super) struct OwnedTable {
    netlink: Netlink,
    name: String,
    family: libc::c_int,
    is_there: bool,
}

/// Priority before every chain that a program in the node is likely to have made.
pub(super) const FIRST: i32 = i32::MIN + 1;

impl OwnedTable {
    /// Prepares a table whose name begins with `prefix`, for chains at interfaces that exist.
    /// `operation` says in errors what the table is for.
    pub(super) fn prepare(
        netns: BorrowedFd<'_>,
        family: libc::c_int,
        devices: &[&str],
        [prefix, operation]: [&'static str; 2],
    ) -> Result<Self, NetlinkError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let refused = |name: &str, errno| NetlinkError::refused(operation, name, errno, None);
        let of_all = devices.first().copied().unwrap_or("-");
        let open = || {
            // Linux 6.16 and later accept a chain for an interface that does not exist yet, so that
            // the answer would not tell a wrong name.
            for name in devices {
                if_nametoindex(*name).map_err(|errno| refused(name, errno))?;
            }
            NetlinkSocket::open(NetlinkProtocol::Netfilter).map_err(|errno| refused(of_all, errno))
        };
        let socket = Netns::visit(netns, open).map_err(|errno| refused(of_all, errno))??;
        // Names of tables are unique in a namespace, and several may be there at once.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            netlink: Netlink::from_socket(socket),
            name: format!("{prefix}-{}-{number}", std::process::id()),
            family,
            is_there: false,
        })
    }

    /// Returns requests that make the table, with a chain.
    pub(super) fn with_chain(&self, chain: &str, hook: NftHook<'_>) -> Batch {
        let mut batch = Batch::new();
        // OWNED needs Linux 5.12; the kernel refuses unknown flags, so the table is never made
        // without an owner.
        batch.add_table(self.named(), OWNED);
        batch.add_chain(self.named(), chain, hook);
        batch
    }

    /// Returns the table as requests name it.
    pub(super) fn named(&self) -> NftTable<'_> {
        NftTable {
            family: self.family,
            name: &self.name,
        }
    }

    /// Makes the table, or changes it.
    pub(super) fn commit(&mut self, batch: Batch) -> Result<(), NetlinkError> {
        self.netlink.commit(batch)?;
        self.is_there = true;
        Ok(())
    }

    /// Returns the packets and bytes that its rules have counted.
    pub(super) fn counted(&mut self) -> Result<(u64, u64), NetlinkError> {
        let table = NftTable {
            family: self.family,
            name: &self.name,
        };
        self.netlink.counted(table)
    }

    /// Deletes the table, if it is there.
    pub(super) fn delete(&mut self) -> Result<(), NetlinkError> {
        if !std::mem::replace(&mut self.is_there, false) {
            return Ok(());
        }
        let mut batch = Batch::new();
        batch.delete_table(self.named());
        self.netlink.commit(batch)
    }
}

impl fmt::Debug for OwnedTable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)
    }
}

impl Drop for OwnedTable {
    /// Deletes the table. Closing the socket would do that too, but a child that is about to start
    /// a program may share the socket for a while.
    fn drop(&mut self) {
        let _ = self.delete();
    }
}
