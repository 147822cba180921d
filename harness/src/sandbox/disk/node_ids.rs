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
//! that a living program has open keeps its number, since all programs have to see the same pages.

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
    /// Thread and number of the last wish to open a file that was refused.
    sent_back: Option<(u32, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Renewal {
    node_id: u64,
    /// Number of the request by which the inode got this number. What the kernel has taken back
    /// before does not matter to the inode.
    at: u64,
}

impl NodeIds {
    /// Notes that the kernel has handed a request over. The requests must come in the order in
    /// which they were read.
    pub(super) fn note(&mut self, request: &Request<'_>) {
        let is_forget = matches!(request.operation, FuseOperation::Forget);
        self.requests.note(request.unique, is_forget);
    }

    /// Returns the number by which the kernel is told of an inode.
    pub(super) fn node_id(&self, number: InodeNumber) -> u64 {
        self.renewed.get(&number).map_or(number, |it| it.node_id)
    }

    /// Decides whether a file is opened by the number that the kernel has. Where it is not, the
    /// answer is ESTALE, after which the kernel looks the name up anew (fs/namei.c,
    /// `do_filp_open`).
    pub(super) fn open(&mut self, request: &Request<'_>, is_open: bool) -> Opening {
        let number = inode_of(request.inode);
        let caller = (request.thread, request.inode);
        let before = self.renewed.get(&number).map_or(0, |it| it.at);
        let is_current = self.node_id(number) == request.inode;
        let is_suspect = self.requests.lost_before > before;
        if is_current && (is_open || !is_suspect) {
            return Opening::Permitted;
        }
        // A path through `/proc/self/fd` has no name to look up, and leads to the old copy again.
        // Nobody has a newer one open.
        if !is_open && self.sent_back.take() == Some(caller) {
            self.renew(number, request.inode, request.unique);
            return Opening::Permitted;
        }
        self.sent_back = Some(caller);
        // By another of its names the kernel has the old copy still.
        if !is_current {
            return Opening::Stale;
        }
        let next = request.inode.wrapping_add(1 << INODE_BITS);
        self.renew(number, next, request.unique);
        Opening::Renewed
    }

    /// Notes that a request has made a file, to which no earlier loss matters.
    pub(super) fn note_new(&mut self, number: InodeNumber, request: &Request<'_>) {
        if self.requests.lost_before > 0 {
            self.renew(number, number, request.unique);
        }
    }

    fn renew(&mut self, number: InodeNumber, node_id: u64, at: u64) {
        self.renewed.insert(number, Renewal { node_id, at });
    }
}

/// Finds out whether the kernel has taken requests back.
///
/// The kernel counts requests by two, in the order of its queue (fs/fuse/dev.c, `fuse_get_unique`).
/// A number that never arrives was taken back. The request `FORGET` gets its number when it is
/// read, before requests that wait. On a kernel that would count in another way each file would
/// seem to be suspect, which only costs time.
#[derive(Debug, Default)]
struct RequestCount {
    last: u64,
    /// Numbers of `FORGET` beyond the last request.
    forgets: Vec<u64>,
    /// Number of the last request before which one is missing.
    lost_before: u64,
}

impl RequestCount {
    fn note(&mut self, unique: u64, is_forget: bool) {
        // The request `INTERRUPT` has the number of the request that it is about, and this bit.
        if unique & 1 == 1 {
            return;
        }
        if is_forget {
            self.forgets.push(unique);
            return;
        }
        // What was numbered before and not read yet cannot be older than the last request: the
        // queue keeps the order.
        let between = self.forgets.iter().filter(|it| **it < unique).count() as u64;
        self.forgets.retain(|it| *it > unique);
        if unique != self.last + 2 * (between + 1) {
            self.lost_before = unique;
        }
        self.last = unique;
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

    #[test]
    fn a_file_gets_another_number_once_after_a_loss() {
        let mut ids = NodeIds::default();
        let mut ask = |unique, node_id, is_open| {
            let request = open(unique, 7, node_id);
            ids.note(&request);
            let opening = ids.open(&request, is_open);
            (opening, ids.node_id(inode_of(node_id)))
        };
        assert_eq!(ask(2, 5, false), (Opening::Permitted, 5));
        // The request 4 is missing, and a program has the file open.
        assert_eq!(ask(6, 5, true), (Opening::Permitted, 5));
        let next = 5 | 1 << INODE_BITS;
        assert_eq!(ask(8, 5, false), (Opening::Renewed, next));
        assert_eq!(ask(10, next, false), (Opening::Permitted, next));
        assert_eq!(ask(12, 5, true), (Opening::Stale, next));
        assert_eq!(ask(14, next, true), (Opening::Permitted, next));
    }

    #[test]
    fn a_file_that_was_made_after_a_loss_keeps_its_number() {
        let mut ids = NodeIds::default();
        let request = open(8, 7, 5);
        ids.note(&request);
        ids.note_new(5, &request);
        let request = open(10, 7, 5);
        ids.note(&request);
        assert_eq!(ids.open(&request, false), Opening::Permitted);
    }

    #[test]
    fn a_thread_that_comes_back_with_the_old_number_has_no_other() {
        let mut ids = NodeIds::default();
        let mut ask = |unique, thread| {
            let request = open(unique, thread, 5);
            ids.note(&request);
            ids.open(&request, false)
        };
        assert_eq!(ask(4, 7), Opening::Renewed);
        assert_eq!(ask(6, 8), Opening::Stale);
        assert_eq!(ask(8, 8), Opening::Permitted);
        assert_eq!(ask(10, 8), Opening::Permitted);
        assert_eq!(ids.node_id(5), 5);
    }
}
