//! The numbers by which the kernel knows the inodes of a mount, and when an inode gets another one.
//!
//! A program that is killed can leave an error behind. The kernel tells the disk of the times of a
//! file by a request of its own, SETATTR, and takes the request back when the caller is killed
//! before the server has read the request (fs/fuse/dev.c, `request_wait_answer`). The kernel then
//! keeps the error EINTR with the file, as that of a write (fs/fuse/dir.c,
//! `fuse_flush_time_update`, of fallocate(2), rename(2), link(2) and unlink(2); fs/fuse/file.c,
//! `fuse_vma_close`, of munmap(2)). The next `fsync(2)` returns the error, even to a program that
//! opens the file afterwards (lib/errseq.c). No disk does that, and etcd ends by the error.
//!
//! The error lies in the kernel's copy of the inode. So a file that nobody has open gets another
//! number when it is opened after a request was taken back, and the kernel makes a new copy. A file
//! that a living program has open keeps its number, since all programs have to see the same pages,
//! and so does a file with several names: the kernel would find the old copy by the other names.

use std::collections::HashMap;

use crate::kernel::fuse::{FuseOperation, Request};
use crate::model::disk::InodeNumber;

/// Bits of a number that are the number of the inode. The others count the copies of the kernel.
const INODE_BITS: u32 = 40;

/// Returns the inode that the kernel knows by this number.
pub(super) fn inode_of(node_id: u64) -> InodeNumber {
    node_id & ((1 << INODE_BITS) - 1)
}

/// The decision on an open of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// The file is opened.
    Permitted,
    /// The file is not opened by this number, which is an old one.
    Stale,
    /// The file is not opened by this number, and has another one from now on.
    Renewed,
}

/// The numbers of the inodes of one mount.
#[derive(Debug, Default)]
pub(super) struct NodeIds {
    renewed: HashMap<InodeNumber, Renewal>,
    requests: RequestCount,
    /// Number of the first inode that was made after the last loss. Numbers of inodes only grow.
    first_new: Option<InodeNumber>,
    /// Files that threads wished to open last, and that were refused. The kernel asks once more and
    /// then gives up.
    refused: HashMap<u32, InodeNumber>,
}

/// Number of threads whose refused wishes are remembered. A thread that is killed between a wish
/// and its repetition leaves its entry behind.
const MOST_REFUSED: usize = 1024;

#[derive(Clone, Copy, Debug)]
struct Renewal {
    node_id: u64,
    /// Number of the request by which the inode got this number. What the kernel has taken back
    /// before does not matter to the inode.
    at: u64,
    /// How many numbers the inode has had beside its first one. No number is used twice, for the
    /// kernel may still have the copy.
    copies: u64,
    /// The number before, until the file has been opened by the present one.
    before: Option<u64>,
}

impl NodeIds {
    /// Notes that the kernel has handed a request over. The requests must come in the order in
    /// which they were read.
    pub(super) fn note(&mut self, request: &Request<'_>) {
        let is_forget = matches!(request.operation, FuseOperation::Forget);
        if self.requests.note(request.unique, is_forget) {
            self.first_new = None;
        }
    }

    /// Returns the number by which the kernel is told of an inode.
    pub(super) fn node_id(&self, number: InodeNumber) -> u64 {
        self.renewed.get(&number).map_or(number, |it| it.node_id)
    }

    /// Decides whether a file is opened by the number that the kernel has. `may_renew` says whether
    /// the file can get another number. Where the file is not opened, the answer is ESTALE, after
    /// which the kernel looks the name up anew, once (fs/namei.c, `do_filp_open`).
    pub(super) fn open(&mut self, request: &Request<'_>, may_renew: bool) -> Opening {
        let number = inode_of(request.inode);
        let is_repeated = self.refused.remove(&request.thread) == Some(number);
        let renewal = self.renewed.get(&number).copied().unwrap_or(Renewal {
            node_id: number,
            at: 0,
            copies: 0,
            before: None,
        });
        if renewal.node_id != request.inode {
            // A path through `/proc/self/fd` has no name to look up, and leads to the old copy
            // again. The old copy is the only one with pages if nobody has opened the other one.
            if is_repeated && renewal.before == Some(request.inode) {
                let renewal = Renewal {
                    node_id: request.inode,
                    at: request.unique,
                    before: None,
                    ..renewal
                };
                self.renewed.insert(number, renewal);
                return Opening::Permitted;
            }
            self.note_refused(request.thread, number, is_repeated);
            return Opening::Stale;
        }
        if !may_renew || is_repeated || !self.is_suspect(number, renewal.at) {
            if let Some(renewal) = self.renewed.get_mut(&number) {
                renewal.before = None;
            }
            return Opening::Permitted;
        }
        let copies = renewal.copies + 1;
        let renewal = Renewal {
            node_id: number | copies << INODE_BITS,
            at: request.unique,
            copies,
            before: Some(request.inode),
        };
        self.renewed.insert(number, renewal);
        self.note_refused(request.thread, number, is_repeated);
        Opening::Renewed
    }

    /// Notes that a request has made a file, to which no earlier loss matters.
    pub(super) fn note_new(&mut self, number: InodeNumber) {
        self.first_new.get_or_insert(number);
    }

    /// Returns whether the kernel may keep an error with the copy that an inode has since the
    /// request `at`.
    fn is_suspect(&self, number: InodeNumber, at: u64) -> bool {
        let is_old = self.first_new.is_none_or(|first| number < first);
        is_old && self.requests.lost_before > at
    }

    fn note_refused(&mut self, thread: u32, number: InodeNumber, is_repeated: bool) {
        if is_repeated {
            return;
        }
        if self.refused.len() >= MOST_REFUSED {
            self.refused.clear();
        }
        self.refused.insert(thread, number);
    }
}

/// Finds out whether the kernel has taken requests back.
///
/// The kernel counts requests by two, in the order of its queue (fs/fuse/dev.c, `fuse_get_unique`).
/// A number that never arrives was taken back. The request `FORGET` gets its number when it is
/// read, before requests that wait. On a kernel that would count in another way each file would
/// seem to be suspect, and each open would take two requests.
#[derive(Debug, Default)]
struct RequestCount {
    last: u64,
    /// Numbers of `FORGET` beyond the last request.
    forgets: Vec<u64>,
    /// Number of the last request before which one is missing.
    lost_before: u64,
}

impl RequestCount {
    /// Notes a request, and returns whether one before it is missing.
    fn note(&mut self, unique: u64, is_forget: bool) -> bool {
        // The request `INTERRUPT` has the number of the request that it is about, and this bit.
        if unique & 1 == 1 {
            return false;
        }
        if is_forget {
            self.forgets.push(unique);
            return false;
        }
        // What was numbered before and not read yet cannot be older than the last request: the
        // queue keeps the order.
        let between = self.forgets.iter().filter(|it| **it < unique).count() as u64;
        self.forgets.retain(|it| *it > unique);
        let is_missing = unique != self.last + 2 * (between + 1);
        if is_missing {
            self.lost_before = unique;
        }
        self.last = unique;
        is_missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(unique: u64, thread: u32, inode: u64) -> Request<'static> {
        Request {
            unique,
            inode,
            uid: 0,
            gid: 0,
            thread,
            operation: FuseOperation::Open { flags: 0 },
        }
    }

    #[test]
    fn only_a_number_that_never_comes_is_lost() {
        let mut count = RequestCount::default();
        for (unique, is_forget) in [
            (2, false),
            (3, false),
            (4, false),
            // Read before what waits.
            (8, true),
            (10, true),
            (6, false),
            (12, false),
            (14, true),
            (16, false),
        ] {
            count.note(unique, is_forget);
            assert_eq!(count.lost_before, 0, "{unique}");
        }
        count.note(20, false);
        assert_eq!((count.lost_before, count.forgets.len()), (20, 0));
        count.note(22, false);
        assert_eq!(count.lost_before, 20);
    }

    /// A program that opens files by numbers, after requests of which some are missing.
    #[derive(Default)]
    struct Opener(NodeIds);

    impl Opener {
        /// Opens a file, and returns the decision and the number that the inode has then.
        fn ask(
            &mut self,
            (unique, thread): (u64, u32),
            node_id: u64,
            renews: bool,
        ) -> (Opening, u64) {
            let request = open(unique, thread, node_id);
            self.0.note(&request);
            let opening = self.0.open(&request, renews);
            (opening, self.0.node_id(inode_of(node_id)))
        }
    }

    const FIRST: u64 = 5;
    const SECOND: u64 = FIRST | 1 << INODE_BITS;
    const THIRD: u64 = FIRST | 2 << INODE_BITS;

    #[test]
    fn a_file_gets_another_number_once_after_a_loss() {
        let mut opener = Opener::default();
        let permitted = |number| (Opening::Permitted, number);
        assert_eq!(opener.ask((2, 7), FIRST, true), permitted(FIRST));
        // The request 4 is missing, and a program has the file open.
        assert_eq!(opener.ask((6, 7), FIRST, false), permitted(FIRST));
        assert_eq!(opener.ask((8, 7), FIRST, true), (Opening::Renewed, SECOND));
        assert_eq!(opener.ask((10, 7), SECOND, true), permitted(SECOND));
        assert_eq!(opener.ask((12, 7), FIRST, false), (Opening::Stale, SECOND));
        assert_eq!(opener.ask((14, 7), SECOND, false), permitted(SECOND));
        // The request 16 is missing.
        assert_eq!(opener.ask((18, 7), SECOND, true), (Opening::Renewed, THIRD));
    }

    #[test]
    fn a_loss_between_a_refusal_and_the_repetition_refuses_nothing_more() {
        let mut opener = Opener::default();
        assert_eq!(opener.ask((4, 7), FIRST, true).0, Opening::Renewed);
        assert_eq!(opener.ask((8, 7), SECOND, true).0, Opening::Permitted);
        // Threads do not repeat the wishes of others.
        assert_eq!(opener.ask((12, 7), SECOND, true).0, Opening::Renewed);
        assert_eq!(opener.ask((14, 8), SECOND, true).0, Opening::Stale);
        assert_eq!(opener.ask((18, 7), THIRD, true).0, Opening::Permitted);
        assert_eq!(opener.ask((20, 8), THIRD, true).0, Opening::Permitted);
    }

    #[test]
    fn a_file_that_was_made_after_a_loss_keeps_its_number() {
        let mut opener = Opener::default();
        opener.0.note(&open(8, 7, 1));
        opener.0.note_new(FIRST);
        opener.0.note_new(FIRST + 1);
        assert_eq!(opener.ask((10, 7), FIRST, true).0, Opening::Permitted);
        assert_eq!(opener.ask((12, 7), FIRST + 1, true).0, Opening::Permitted);
        assert_eq!(opener.ask((14, 7), FIRST - 1, true).0, Opening::Renewed);
        // The request 16 is missing.
        assert_eq!(opener.ask((18, 8), FIRST, true).0, Opening::Renewed);
    }

    #[test]
    fn a_thread_that_comes_back_with_the_old_number_has_no_other() {
        let mut opener = Opener::default();
        assert_eq!(opener.ask((4, 7), FIRST, true).0, Opening::Renewed);
        assert_eq!(opener.ask((6, 8), FIRST, true).0, Opening::Stale);
        assert_eq!(opener.ask((8, 8), FIRST, true), (Opening::Permitted, FIRST));
        assert_eq!(opener.ask((10, 8), FIRST, true).0, Opening::Permitted);
        // The request 12 is missing. The kernel may have a copy by the second number.
        assert_eq!(opener.ask((14, 9), FIRST, true), (Opening::Renewed, THIRD));
    }

    /// Programs that have the new copy would not see what is written to the old one.
    #[test]
    fn an_old_copy_does_not_come_back_beside_a_newer_one() {
        let mut opener = Opener::default();
        assert_eq!(opener.ask((4, 7), FIRST, true).0, Opening::Renewed);
        assert_eq!(opener.ask((6, 7), SECOND, true).0, Opening::Permitted);
        for unique in [8, 10, 12] {
            assert_eq!(
                opener.ask((unique, 7), FIRST, true),
                (Opening::Stale, SECOND)
            );
        }
    }
}
