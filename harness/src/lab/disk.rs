//! The process that serves a volume with faults, as its lab knows it.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use snowglobe_text::Tree;

use crate::kernel::errno::Errno;
use crate::kernel::fuse;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::mount;
use crate::kernel::poll::wait_readable;
use crate::kernel::process::pidfd_kill;
use crate::kernel::process::signal::Signal;
use crate::kernel::procfs::filesystem_at;
use crate::kernel::sync::Lock;
use crate::kernel::thread::escort::escorted;
use crate::lab::attempt::FileAttempt;
use crate::lab::error::{LabError, Result, Subject};
use crate::lab::first_process;
use crate::lab::unfit::UnfitVolume;
use crate::model::disk::{DiskFault, Loss, Unsynced};
use crate::model::random::seed_for;
use crate::sandbox::outer::why_no_fuse;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::disk::{DiskCommand, DiskReply};
use crate::trial::running;

/// The server of a volume. The process and the mount end when this is dropped.
pub(crate) struct DiskServer {
    volume: String,
    node: String,
    path: PathBuf,
    unsynced: Unsynced,
    channel: Lock<MessageChannel>,
    pidfd: OwnedFd,
    /// Number of the next fault, snapshot or power cut.
    next: AtomicU64,
    /// Whether power cuts have torn blocks, if only at some time.
    tears: AtomicBool,
}

impl DiskServer {
    /// Starts the server of `volume`, the disk of `node`, and mounts the disk at `path`.
    pub(crate) fn start(
        (volume, node): (&str, &str),
        path: PathBuf,
        unsynced: Unsynced,
    ) -> Result<Self> {
        if running::is_ordinary_user() {
            let volume = volume.to_owned();
            let reason = UnfitVolume::NotRoot { volume };
            return Err(LabError::unfit(Subject::Node(node.into()), reason));
        }
        // The server is a process of its own: the kernel gets its answers when the body of the
        // trial is dead, too, and an open file does not hang.
        let (channel, pidfd) = first_process::start_disk_server(&format!("disk:{volume}"))?;
        let server = Self {
            volume: volume.to_owned(),
            node: node.to_owned(),
            path,
            unsynced,
            channel: Lock::new(channel),
            pidfd,
            next: AtomicU64::new(1),
            tears: AtomicBool::new(false),
        };
        server.mount()?;
        Ok(server)
    }

    /// Returns the name of the volume.
    pub(crate) fn volume(&self) -> &str {
        &self.volume
    }

    /// Returns the name of the node that has the disk.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// Returns the directory where the trial sees the volume.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn mount(&self) -> Result<()> {
        // The thread that mounts can be refused as well as the mount.
        let failed = |errno| {
            let volume = self.volume.clone();
            LabError::refused(FileAttempt::MountVolume { volume }, errno).about_node(&self.node)
        };
        let mounted = escorted(|| {
            let device = fuse::open().map_err(|error| self.without_device(error))?;
            // Nothing is mounted there at first, and an old mount may be in use elsewhere.
            let _ = mount::detach(&self.path);
            fuse::mount(&device, &self.path).map_err(failed)?;
            Ok::<_, LabError>(device)
        });
        let device = mounted.map_err(failed)??;
        // The root of a mount is known without a question to its server.
        let number = filesystem_at(&self.path).unwrap_or_default();
        let serve = DiskCommand::Serve { device: number };
        self.ask(&serve, Some(&device)).map(drop)
    }

    fn without_device(&self, error: std::io::Error) -> LabError {
        self.unfit(|volume| UnfitVolume::NoDevice {
            volume,
            host: why_no_fuse(),
            error,
        })
    }

    /// Cuts the power of the machine whose disk this is, and mounts what is left for its next
    /// start.
    pub(crate) fn cut_power(&self) -> Result<Loss> {
        // What the kernel has in its cache may be under way to the disk as well.
        let flushes = self.unsynced != Unsynced::Lost || self.tears.load(Ordering::Relaxed);
        if flushes {
            self.write_back();
        }
        let command = DiskCommand::CutPower {
            flushes,
            unsynced: self.unsynced,
            seed: self.next_seed().1,
        };
        let reply = self.ask(&command, None)?;
        // The kernel's cache goes with the old mount; what was lost would be read from the cache
        // otherwise.
        self.mount()?;
        Ok(match reply {
            DiskReply::Lost(loss) => loss,
            DiskReply::Done | DiskReply::Refused(_) => Loss::default(),
        })
    }

    /// Puts a fault in force. Returns its number.
    pub(crate) fn begin(&self, fault: &DiskFault) -> Result<u64> {
        self.write_back();
        if *fault == DiskFault::Torn {
            // A block is torn while it is under way, so later power cuts write back first.
            self.tears.store(true, Ordering::Relaxed);
        }
        let (id, seed) = self.next_seed();
        let fault = Tree::of(fault)
            .map_err(|error| self.unfit(|volume| UnfitVolume::FaultWithoutForm { volume, error }))?
            .to_json();
        match self.talk(&DiskCommand::Begin { id, seed, fault }, None) {
            // No file fits the pattern of the fault yet. A schedule may wait for such a file.
            Ok(DiskReply::Refused(why)) => {
                Err(self.unfit(|volume| UnfitVolume::NothingToBreak { volume, why }))
            }
            Ok(_) => Ok(id),
            Err(errno) => Err(self.unheard(errno)),
        }
    }

    /// Ends a fault. A server that is gone has none.
    pub(crate) fn end(&self, id: u64) -> Result<()> {
        match self.talk(&DiskCommand::End { id }, None) {
            Ok(_) | Err(Errno::EPIPE | Errno::ECONNRESET) => Ok(()),
            Err(errno) => Err(self.unheard(errno)),
        }
    }

    /// Tells the server which machine has the disk: the one with this network namespace.
    pub(crate) fn belong_to(&self, network: &OwnedFd) -> Result<()> {
        self.ask(&DiskCommand::BelongToNetwork, Some(network))
            .map(drop)
    }

    /// Makes everything durable.
    pub(crate) fn sync(&self) -> Result<()> {
        self.write_back();
        self.ask(&DiskCommand::Sync, None).map(drop)
    }

    /// Keeps the present state. Returns its number.
    pub(crate) fn snapshot(&self) -> Result<u64> {
        self.write_back();
        let (id, _) = self.next_seed();
        self.ask(&DiskCommand::Snapshot { id }, None)?;
        Ok(id)
    }

    /// Takes a state back.
    pub(crate) fn restore(&self, id: u64) -> Result<()> {
        // The old mount has the earlier content in its cache, so that another mount follows.
        self.ask(&DiskCommand::Restore { id }, None)?;
        self.mount()
    }

    /// Makes the kernel begin to send what it has in its cache, many pages at a time. The server
    /// waits for the end of that.
    fn write_back(&self) {
        // The write may fail by a fault in force, as the fault is meant to do.
        let _ = mount::write_back(&self.path);
    }

    /// Returns a number that is not used twice, and a seed made of it and of the trial's.
    fn next_seed(&self) -> (u64, u64) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let whole = running::current().map_or(0, |trial| trial.seed);
        (id, seed_for(whole, &format!("disk {} {id}", self.volume)))
    }

    fn ask(&self, command: &DiskCommand, along: Option<&OwnedFd>) -> Result<DiskReply> {
        match self.talk(command, along) {
            Ok(DiskReply::Refused(why)) => {
                Err(self.unfit(|volume| UnfitVolume::RefusedByServer { volume, why }))
            }
            Ok(reply) => Ok(reply),
            Err(errno) => Err(self.unheard(errno)),
        }
    }

    fn talk(
        &self,
        command: &DiskCommand,
        along: Option<&OwnedFd>,
    ) -> crate::kernel::Result<DiskReply> {
        let along: Vec<i32> = along.map(AsRawFd::as_raw_fd).into_iter().collect();
        // The channel is locked until the answer is there, so that answers are not mixed up.
        let channel = self.channel.lock();
        channel.send_whole_with(&command.encode(), &along)?;
        let (message, _) = channel.receive_whole_with()?;
        DiskReply::decode(&message).ok_or(Errno::EPIPE)
    }

    fn unheard(&self, errno: Errno) -> LabError {
        let volume = self.volume.clone();
        LabError::refused(FileAttempt::HearFromVolume { volume }, errno).about_node(&self.node)
    }

    /// Makes the error of a reason that names the volume.
    fn unfit(&self, reason: impl FnOnce(String) -> UnfitVolume) -> LabError {
        let reason = reason(self.volume.clone());
        LabError::unfit(Subject::Node(self.node.clone()), reason)
    }
}

impl Drop for DiskServer {
    fn drop(&mut self) {
        // A process that still uses the mount gets errors when the server is gone.
        let _ = escorted(|| mount::detach(&self.path));
        // A process that is dead already (ESRCH) is what is wanted.
        let _ = pidfd_kill(&self.pidfd, Signal::SIGKILL as i32);
        while wait_readable([self.pidfd.as_fd()], None) == Err(Errno::EINTR) {}
    }
}

impl fmt::Debug for DiskServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskServer")
            .field("volume", &self.volume)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
