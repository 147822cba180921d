//! A conversation about the packet filter of one network namespace, in which tables take the place
//! of others.

use std::os::fd::BorrowedFd;

use super::table::NftTable;
use crate::netlink::{Batch, Netlink, NetlinkError};

/// A conversation about the packet filter of one network namespace.
///
/// A conversation begins with the first request. The kernel blocks the end of a conversation until
/// all that was deleted in the namespace is destroyed, which takes an RCU grace period
/// (nf_tables_api.c, `nft_rcv_nl_event`; 11 to 16 ms on Linux 6.18, 2026-11-30). So code that
/// changes the rules of a namespace which stays in use keeps the conversation.
#[derive(Debug, Default)]
pub struct FilterConversation {
    netlink: Option<Netlink>,
}

impl FilterConversation {
    /// Returns the netlink socket, which speaks to the namespace of the first call.
    pub(super) fn netlink(
        &mut self,
        netns: BorrowedFd<'_>,
        name: &str,
    ) -> Result<&mut Netlink, NetlinkError> {
        let netlink = match self.netlink.take() {
            Some(begun) => begun,
            None => Netlink::of_packet_filter(netns)
                .map_err(|errno| NetlinkError::refused("filter packets in", name, errno, None))?,
        };
        Ok(self.netlink.insert(netlink))
    }

    /// Puts a table, as `fill` makes it, in place of the one with that name, all at once.
    pub(super) fn replace(
        &mut self,
        netns: BorrowedFd<'_>,
        table: NftTable<'_>,
        fill: impl FnOnce(&mut Batch),
    ) -> Result<(), NetlinkError> {
        let netlink = self.netlink(netns, table.name)?;
        let mut batch = Batch::new();
        // In a new namespace there is no table. So nothing is deleted there, and the end of the
        // conversation waits for no deletion: see above.
        if !netlink.lacks(table) {
            batch.delete_table_if_there(table);
        }
        fill(&mut batch);
        netlink.commit(batch)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::libc;

    use super::*;
    use crate::nft::Expression;
    use crate::testing::{netns, sealed};

    #[test]
    fn a_table_takes_the_place_of_the_one_before_and_goes() {
        sealed(|| {
            let (netns, mut filter) = (netns(), FilterConversation::default());
            let table = NftTable {
                family: libc::NFPROTO_INET,
                name: "one",
            };
            let make = |batch: &mut Batch| {
                batch.add_table(table, 0);
                batch.add_branch(table, "branch");
                batch.add_rule(table, "branch", &[Expression::Count]);
            };
            for _ in 0..2 {
                filter.replace(netns.as_fd(), table, make).expect("a table");
                let netlink = filter.netlink(netns.as_fd(), "-").expect("a conversation");
                assert_eq!(netlink.counters(table).expect("rules").len(), 1);
            }
            for _ in 0..2 {
                filter.replace(netns.as_fd(), table, |_| {}).expect("none");
                let netlink = filter.netlink(netns.as_fd(), "-").expect("a conversation");
                assert!(netlink.lacks(table));
            }
        });
    }
}
