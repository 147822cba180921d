//! One mount of a disk, with the threads that answer the kernel.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::kernel::errno::Errno;
use crate::kernel::fuse::{Connection, FuseOperation, Request, init, opened};
use crate::kernel::procfs::pending_write;
use crate::kernel::sync::{Guard, Lock};
use crate::kernel::thread;
use crate::model::disk::{Access, Disk, DiskError, Entry, InodeNumber};

use super::node_ids::{NodeIds, Opening, inode_of};
use super::operations::{self, DiskAnswer};

/// A mount of a disk.
pub(super) struct MountSession {
    connection: Connection,
    disk: Arc<Lock<Disk>>,
    /// Whether the machine of the mount has lost its power. The mark is set with the disk locked.
    retired: AtomicBool,
    /// Open directories, as they were when each was last read from its beginning.
    listings: Lock<HashMap<u64, Vec<Entry>>>,
    next_listing: AtomicU64,
    node_ids: Lock<NodeIds>,
    slow: Lock<SlowRequests>,
    began: Instant,
}

/// Requests that a slow disk is to answer, one after the other.
#[derive(Default)]
struct SlowRequests {
    waiting: VecDeque<Vec<u8>>,
    /// Whether a thread answers them.
    has_thread: bool,
}

impl MountSession {
    /// Serves the mount of a device. The thread ends when the filesystem is mounted nowhere.
    pub(super) fn begin(device: OwnedFd, disk: &Arc<Lock<Disk>>) -> io::Result<Arc<Self>> {
        let session = Arc::new(Self {
            connection: Connection::new(device),
            disk: Arc::clone(disk),
            retired: AtomicBool::new(false),
            listings: Lock::default(),
            next_listing: AtomicU64::new(1),
            node_ids: Lock::default(),
            slow: Lock::default(),
            began: Instant::now(),
        });
        let serving = Arc::clone(&session);
        thread::start("disk", move || serving.serve())?;
        Ok(session)
    }

    /// Answers nothing but errors from now on. The disk must be locked.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Takes requests from the kernel and answers them.
    ///
    /// One thread does so. The order of the requests tells which of them the kernel has taken back
    /// ([`NodeIds`]), and the work on the disk is under one lock anyway. The thread waits for
    /// nothing but the lock: what lies unread is taken back when its caller is killed.
    fn serve(self: &Arc<Self>) {
        let mut buffer = Connection::buffer();
        while let Some(bytes) = self.connection.next(&mut buffer) {
            // This is the only thread that reads: the others' requests would find nobody.
            let Some(request) = Request::parse(bytes) else {
                continue;
            };
            self.node_ids.lock().note(&request);
            if matches!(request.operation, FuseOperation::Seek { .. }) {
                self.seek(&request, bytes.to_vec());
                continue;
            }
            match access(&request) {
                Some(_) if self.disk.lock().conditions.delays() => self.wait_in_line(bytes),
                _ => self.settle(&request),
            }
        }
    }

    /// Lets a request wait until the slow disk has answered those before it.
    fn wait_in_line(self: &Arc<Self>, request: &[u8]) {
        let mut slow = self.slow.lock();
        slow.waiting.push_back(request.to_vec());
        if slow.has_thread {
            return;
        }
        slow.has_thread = true;
        // The lock is free for the thread, or for this one in its place.
        drop(slow);
        let session = Arc::clone(self);
        if thread::start("slow disk", move || session.settle_slow()).is_err() {
            self.settle_slow();
        }
    }

    /// Answers the requests that wait for the slow disk, until none waits.
    fn settle_slow(self: &Arc<Self>) {
        loop {
            let mut slow = self.slow.lock();
            let Some(bytes) = slow.waiting.pop_front() else {
                slow.has_thread = false;
                return;
            };
            drop(slow);
            if let Some(request) = Request::parse(&bytes) {
                self.settle(&request);
            }
        }
    }

    /// Answers a request for data or a hole, when the kernel has written what it has of the file.
    ///
    /// The kernel asks without a write before (fs/fuse/file.c, `fuse_lseek`), and what it has in
    /// its cache would be taken for a hole: cp(1) would copy zeros.
    fn seek(self: &Arc<Self>, request: &Request<'_>, bytes: Vec<u8>) {
        let session = Arc::clone(self);
        // The writes are requests too, so that the thread that takes requests must not wait.
        let started = thread::start("seek", move || {
            if let Some(request) = Request::parse(&bytes) {
                session.forget_inode(inode_of(request.inode));
                session.settle(&request);
            }
        });
        if started.is_err() {
            self.connection.refuse(request.unique, Errno::ENOMEM);
        }
    }

    fn settle(self: &Arc<Self>, request: &Request<'_>) {
        match self.answer(request) {
            DiskAnswer::Nothing => {}
            DiskAnswer::Bytes(bytes) => self.connection.answer(request.unique, &bytes),
            DiskAnswer::Refused(errno) => self.connection.refuse(request.unique, errno),
        }
    }

    fn answer(self: &Arc<Self>, request: &Request<'_>) -> DiskAnswer {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "`attempt` names every operation"
        )]
        match &request.operation {
            FuseOperation::Init { flags } => return DiskAnswer::Bytes(init(*flags)),
            FuseOperation::Forget => return DiskAnswer::Nothing,
            FuseOperation::GetAttributes { open: true } => return self.attributes(request),
            FuseOperation::OpenDirectory => {
                let handle = self.next_listing.fetch_add(1, Ordering::Relaxed);
                return DiskAnswer::Bytes(opened(handle).to_vec());
            }
            FuseOperation::ReadDirectory {
                handle,
                offset,
                length,
            } => return self.list(inode_of(request.inode), (*handle, *offset, *length)),
            FuseOperation::ReleaseDirectory { handle } => {
                self.listings.lock().remove(handle);
                return DiskAnswer::Bytes(Vec::new());
            }
            FuseOperation::Open { .. } => return self.open(request),
            _ => {}
        }
        let disk = match access(request) {
            Some(access) => match self.access(access) {
                Ok(disk) => disk,
                Err(error) => return DiskAnswer::from(error),
            },
            None => self.disk.lock(),
        };
        self.on(disk, |disk| {
            operations::perform(disk, &self.node_ids, request)
        })
    }

    fn open(self: &Arc<Self>, request: &Request<'_>) -> DiskAnswer {
        self.on(self.disk.lock(), |disk| {
            let number = inode_of(request.inode);
            // The disk stays locked: a release would change what is decided here.
            let has_one_name = disk.attributes(number).is_ok_and(|file| file.links == 1);
            let may_renew = has_one_name && !disk.is_open(number);
            match self.node_ids.lock().open(request, may_renew) {
                Opening::Permitted => {}
                Opening::Stale | Opening::Renewed => return DiskAnswer::Refused(Errno::ESTALE),
            }
            operations::perform(disk, &self.node_ids, request)
        })
    }

    /// Makes the kernel forget what it knows of an inode.
    pub(super) fn forget_inode(&self, number: InodeNumber) {
        let node_id = self.node_ids.lock().node_id(number);
        self.connection.forget_inode(node_id);
    }

    /// Makes all durable that the disk has, as the sync of a file does for the file.
    pub(super) fn sync_all(&self) -> Result<(), DiskError> {
        let mut disk = self.access(Access::Sync)?;
        if self.retired.load(Ordering::Relaxed) {
            return Err(DiskError::Io);
        }
        disk.sync_all();
        Ok(())
    }

    /// Waits for as long as an access takes, and returns the disk unless the access fails.
    fn access(&self, access: Access) -> Result<Guard<'_, Disk>, DiskError> {
        let mut disk = self.disk.lock();
        let (delay, verdict) = disk.conditions.meet(access, self.began.elapsed());
        // After a power cut, what waits in line is refused at once.
        if !delay.is_zero() && !self.retired.load(Ordering::Relaxed) {
            drop(disk);
            self.wait(delay);
            disk = self.disk.lock();
        }
        verdict.map(|()| disk)
    }

    /// Does something with the disk, unless the power was cut meanwhile.
    fn on(
        &self,
        mut disk: Guard<'_, Disk>,
        work: impl FnOnce(&mut Disk) -> DiskAnswer,
    ) -> DiskAnswer {
        if self.retired.load(Ordering::Relaxed) {
            return DiskAnswer::Refused(Errno::EIO);
        }
        work(&mut disk)
    }

    /// Lets a slow disk take its time.
    fn wait(&self, delay: Duration) {
        // No condition is waited for: the delay is the fault.
        std::thread::sleep(delay);
    }

    /// Tells the attributes of an open file. If a write waits for them, a full or read-only disk
    /// refuses the write here: the kernel would take it, and learn of the error when it writes its
    /// cache.
    fn attributes(&self, request: &Request<'_>) -> DiskAnswer {
        let asks = self.disk.lock().conditions.asks_before_writes();
        let write = if asks {
            pending_write(request.thread)
        } else {
            None
        };
        self.on(self.disk.lock(), |disk| {
            if let Some(write) = write {
                let number = inode_of(request.inode);
                let begin = write
                    .offset
                    .unwrap_or_else(|| disk.size_with_reserve(number));
                let end = begin.saturating_add(write.length);
                if let Err(error) = disk.reserve(number, end) {
                    return DiskAnswer::from(error);
                }
            }
            operations::perform(disk, &self.node_ids, request)
        })
    }

    fn list(&self, directory: u64, (handle, offset, length): (u64, u64, u32)) -> DiskAnswer {
        let mut listings = self.listings.lock();
        self.on(self.disk.lock(), |disk| {
            // rewinddir(3) shows the directory anew; until then nothing is shown twice.
            if offset == 0 || !listings.contains_key(&handle) {
                match disk.list(directory) {
                    Ok(entries) => listings.insert(handle, entries),
                    Err(error) => return DiskAnswer::from(error),
                };
            }
            let entries = listings.get(&handle).map_or(&[][..], Vec::as_slice);
            DiskAnswer::Bytes(operations::list(entries, offset, length as usize))
        })
    }
}

/// Returns what a request asks of the device, if the device has a part in the answer.
fn access(request: &Request<'_>) -> Option<Access> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "`attempt` in `operations` names every operation"
    )]
    match &request.operation {
        FuseOperation::Read { length, .. } => Some(Access::Read(*length as usize)),
        FuseOperation::Write { bytes, .. } => Some(Access::Write(bytes.len())),
        FuseOperation::Sync { .. } => Some(Access::Sync),
        _ => None,
    }
}
