//! One mount of a disk, with the threads that answer the kernel.

use std::collections::HashMap;
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
use crate::model::disk::{Access, Disk, DiskError, Entry};

use super::operations::{self, DiskAnswer};

/// Threads that answer. Each can be delayed by a slow disk, so that a queue of this depth forms.
const THREADS: usize = 4;

/// A mount of a disk.
pub(super) struct MountSession {
    connection: Connection,
    disk: Arc<Lock<Disk>>,
    /// Whether the machine of the mount has lost its power. The mark is set with the disk locked.
    retired: AtomicBool,
    /// Open directories, as they were when each was last read from its beginning.
    listings: Lock<HashMap<u64, Vec<Entry>>>,
    next_listing: AtomicU64,
    began: Instant,
}

impl MountSession {
    /// Serves the mount of a device. The threads end when the filesystem is mounted nowhere.
    pub(super) fn begin(device: OwnedFd, disk: &Arc<Lock<Disk>>) -> io::Result<Arc<Self>> {
        let session = Arc::new(Self {
            connection: Connection::new(device),
            disk: Arc::clone(disk),
            retired: AtomicBool::new(false),
            listings: Lock::default(),
            next_listing: AtomicU64::new(1),
            began: Instant::now(),
        });
        for _ in 0..THREADS {
            let session = Arc::clone(&session);
            thread::start("disk", move || session.serve())?;
        }
        Ok(session)
    }

    /// Answers nothing but errors from now on. The disk must be locked.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    fn serve(&self) {
        let mut buffer = Connection::buffer();
        while let Some(request) = self.connection.next(&mut buffer) {
            match self.answer(&request) {
                DiskAnswer::Nothing => {}
                DiskAnswer::Bytes(bytes) => self.connection.answer(request.unique, &bytes),
                DiskAnswer::Refused(errno) => self.connection.refuse(request.unique, errno),
            }
        }
    }

    fn answer(&self, request: &Request<'_>) -> DiskAnswer {
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
            } => return self.list(request.inode, (*handle, *offset, *length)),
            FuseOperation::ReleaseDirectory { handle } => {
                self.listings.lock().remove(handle);
                return DiskAnswer::Bytes(Vec::new());
            }
            _ => {}
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "`attempt` names every operation"
        )]
        let access = match &request.operation {
            FuseOperation::Read { length, .. } => Some(Access::Read(*length as usize)),
            FuseOperation::Write { bytes, .. } => Some(Access::Write(bytes.len())),
            FuseOperation::Sync { .. } => Some(Access::Sync),
            _ => None,
        };
        let disk = match access {
            Some(access) => match self.access(access) {
                Ok(disk) => disk,
                Err(error) => return DiskAnswer::from(error),
            },
            None => self.disk.lock(),
        };
        self.on(disk, |disk| operations::perform(disk, request))
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
        if !delay.is_zero() {
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
                let begin = write
                    .offset
                    .unwrap_or_else(|| disk.size_with_reserve(request.inode));
                let end = begin.saturating_add(write.length);
                if let Err(error) = disk.reserve(request.inode, end) {
                    return DiskAnswer::from(error);
                }
            }
            operations::perform(disk, request)
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
