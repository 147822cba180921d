//! The process of a disk: it does what its lab says, and ends with it.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use super::session::MountSession;
use snowglobe_text::{FromTree, Tree};

use crate::kernel::fd::close_all_but;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process;
use crate::kernel::sync::Lock;
use crate::kernel::thread::{self, show_as};
use crate::model::disk::{Disk, DiskFault, Unsynced};
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::disk::{DiskCommand, DiskReply, DiskSync, DiskSynced};

/// Serves a disk until nobody is left to command anything. Programs that make disks durable are
/// heard on `syncs`.
pub(in crate::sandbox) fn live(name: &str, channel: &MessageChannel, syncs: MessageChannel) -> ! {
    // A copy of the init has its descriptors, and must not keep a trial's channels open.
    let closed = close_all_but(&[channel.as_raw_fd(), syncs.as_raw_fd()]);
    if process::die_with_parent().is_err() || closed.is_err() {
        process::exit_now(1)
    }
    show_as(name);
    let mut server = DiskProcess::default();
    let shared = Arc::clone(&server.shared);
    // Without the thread the other end of the channel is closed, and programs are told an error.
    let _ = thread::start("syncs", move || hear_syncs(&syncs, &shared));
    loop {
        match channel.receive_whole_with() {
            Ok((message, passed)) if !message.is_empty() => {
                let reply = match DiskCommand::decode(&message) {
                    Some(command) => server.obey(command, passed.into_iter().next()),
                    None => DiskReply::Refused("does not understand its lab".into()),
                };
                let _ = channel.send(&reply.encode());
            }
            // The kernel ends the mounts with the process that serves them.
            _ => process::exit_now(0),
        }
    }
}

/// Makes the disk durable when programs ask for it.
fn hear_syncs(syncs: &MessageChannel, shared: &SharedDisk) {
    while let Ok((message, passed)) = syncs.receive_whole_with() {
        let Some(sync) = DiskSync::decode(&message) else {
            return;
        };
        let synced = match shared.is_meant(sync) {
            true => shared.sync(),
            false => DiskSynced::Done,
        };
        if let Some(reply) = passed.into_iter().next().map(MessageChannel::from) {
            let _ = reply.send(&synced.encode());
        }
    }
}

/// The disk, as the lab and programs reach it.
#[derive(Default)]
struct SharedDisk {
    disk: Arc<Lock<Disk>>,
    session: Lock<Option<Arc<MountSession>>>,
    /// Major and minor number by which the kernel knows the present mount.
    device: Lock<Option<(u32, u32)>>,
    /// Network namespace of the machine that has the disk: device and inode.
    network: Lock<Option<(u64, u64)>>,
}

impl SharedDisk {
    fn is_meant(&self, sync: DiskSync) -> bool {
        match sync {
            DiskSync::Machine { network } => *self.network.lock() == Some(network),
            DiskSync::Filesystem { device } => *self.device.lock() == Some(device),
        }
    }

    fn sync(&self) -> DiskSynced {
        self.flush();
        let session = self.session.lock().clone();
        match session.map(|session| session.sync_all()) {
            Some(Err(_)) => DiskSynced::Failed,
            Some(Ok(())) | None => DiskSynced::Done,
        }
    }

    /// Waits until the kernel has written what it has in its cache, and forgets that.
    ///
    /// `syncfs(2)` does not wait for it: the kernel does not rely on a program for the
    /// integrity of data (fs/fs-writeback.c, `wait_sb_inodes`). Nor is the server told of it:
    /// FUSE_SYNCFS is no feature that FUSE_INIT can ask for, and Linux sends it to virtiofs alone
    /// (`fc->sync_fs`, which fs/fuse/virtio_fs.c sets). To forget a page the kernel waits
    /// until the page is written (mm/truncate.c, `invalidate_inode_pages2_range`).
    fn flush(&self) {
        let Some(session) = self.session.lock().clone() else {
            return;
        };
        let numbers = self.disk.lock().numbers();
        for number in numbers {
            session.forget_inode(number);
        }
    }
}

#[derive(Default)]
struct DiskProcess {
    shared: Arc<SharedDisk>,
    snapshots: HashMap<u64, Disk>,
}

impl DiskProcess {
    fn obey(&mut self, command: DiskCommand, along: Option<OwnedFd>) -> DiskReply {
        match command {
            DiskCommand::Serve { device: number } => match along {
                Some(device) => self.serve(device, number),
                None => DiskReply::Refused("was given no device".into()),
            },
            DiskCommand::BelongToNetwork => {
                *self.shared.network.lock() = along.as_ref().and_then(namespace_of);
                DiskReply::Done
            }
            DiskCommand::CutPower {
                flushes,
                unsynced,
                seed,
            } => {
                if flushes {
                    self.shared.flush();
                }
                let mut disk = self.shared.disk.lock();
                self.retire();
                DiskReply::Lost(disk.cut_power(unsynced, seed))
            }
            DiskCommand::Begin { id, seed, fault } => {
                self.shared.flush();
                let fault = Tree::from_json(&fault).and_then(|tree| DiskFault::from_tree(&tree));
                let fault = match fault {
                    Ok(fault) => fault,
                    Err(error) => return DiskReply::Refused(format!("was misunderstood: {error}")),
                };
                let begun = self.shared.disk.lock().begin_fault(id, fault, seed);
                match begun {
                    Ok(()) => {
                        self.make_the_kernel_look_again();
                        DiskReply::Done
                    }
                    Err(none) => DiskReply::Refused(none.to_string()),
                }
            }
            DiskCommand::End { id } => {
                self.shared.disk.lock().end_fault(id);
                self.make_the_kernel_look_again();
                DiskReply::Done
            }
            DiskCommand::Sync => {
                self.shared.flush();
                self.shared.disk.lock().sync_all();
                DiskReply::Done
            }
            DiskCommand::Snapshot { id } => {
                self.shared.flush();
                self.snapshots.insert(id, self.shared.disk.lock().clone());
                DiskReply::Done
            }
            DiskCommand::Restore { id } => {
                let Some(snapshot) = self.snapshots.get(&id) else {
                    return DiskReply::Refused("has no such snapshot".into());
                };
                let mut disk = self.shared.disk.lock();
                self.retire();
                let conditions = std::mem::take(&mut disk.conditions);
                *disk = snapshot.clone();
                disk.conditions = conditions;
                // Nothing of the snapshot's time is open any more, and all of it is on the disk.
                disk.cut_power(Unsynced::Kept, 0);
                DiskReply::Done
            }
        }
    }

    fn serve(&self, device: OwnedFd, number: (u32, u32)) -> DiskReply {
        self.retire();
        match MountSession::begin(device, &self.shared.disk) {
            Ok(session) => {
                *self.shared.session.lock() = Some(session);
                *self.shared.device.lock() = Some(number);
                DiskReply::Done
            }
            Err(error) => DiskReply::Refused(format!("has no threads: {error}")),
        }
    }

    fn retire(&self) {
        if let Some(session) = &*self.shared.session.lock() {
            session.retire();
        }
    }

    /// Makes the kernel ask again for what it knows of files. The disk is not locked meanwhile: the
    /// kernel writes what it has not written yet before it forgets.
    fn make_the_kernel_look_again(&self) {
        let Some(session) = self.shared.session.lock().clone() else {
            return;
        };
        self.shared.flush();
        let names = self.shared.disk.lock().names();
        // The size of a file is the kernel's own for as long as it knows the file
        // (fs/fuse/inode.c, fuse_get_cache_mask), which ends with its names.
        for (directory, name) in names {
            session.connection().forget_name(directory, &name);
        }
    }
}

/// Returns the numbers of the device and the inode by which a namespace is known (`namespaces(7)`).
fn namespace_of(namespace: &OwnedFd) -> Option<(u64, u64)> {
    let file = std::fs::File::from(namespace.try_clone().ok()?);
    let about = file.metadata().ok()?;
    Some((about.dev(), about.ino()))
}
