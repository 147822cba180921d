//! All captures of a trial: one file, one clock, one thread that writes.
//!
//! A test may capture many links, one after the other or at once, and a reader wants to see them in
//! one window of Wireshark. So the first capture of a trial begins a session, which ends with the
//! trial and then keeps or removes the file.

use std::fmt::Write;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::capture_file::CaptureFile;
use super::interface::CaptureInterface;
use super::labels::InterfaceLabels;
use super::location;
use super::packet_batch::PacketBatch;
use super::pcapng;
use super::policy::CapturePolicy;
use super::tls_keys::{self, KeyLog};
use super::write_queue::WriteQueue;
use crate::events::{EventKind, clock, note_in_all};
use crate::kernel::clock::monotonic;
use crate::kernel::sync::Lock;
use crate::kernel::thread;
use crate::observe::error::{ObserveError, ObserveFailure, RefusedStep, Result};
use crate::trial::running;

/// The captures of this trial.
pub(crate) struct CaptureSession {
    queue: Arc<WriteQueue>,
    /// Locked before packets are taken from the queue: what was taken first is written first.
    written: Lock<WrittenFile>,
    interfaces: Lock<Vec<Arc<CaptureInterface>>>,
    key_logs: Lock<Vec<KeyLog>>,
    keep_always: AtomicBool,
}

/// The file, and why it has no more packets, if it has no more.
struct WrittenFile {
    file: CaptureFile,
    stopped: Option<StopReason>,
    /// Number of packets that came since.
    unwritten: u64,
}

/// Why nothing more is written.
enum StopReason {
    Full,
    Failed(io::Error),
}

/// The session of this trial, from the first capture on. A process runs one trial at most.
static SESSION: Lock<Option<Arc<CaptureSession>>> = Lock::new(None);

impl CaptureSession {
    /// Returns the session of this trial, and begins one if there is none.
    ///
    /// # Errors
    /// There is no trial, or the file cannot be made.
    pub(crate) fn of_trial() -> Result<Arc<Self>> {
        let mut session = SESSION.lock();
        if let Some(session) = &*session {
            return Ok(Arc::clone(session));
        }
        let new = Self::begin()?;
        Ok(Arc::clone(session.insert(new)))
    }

    /// Returns the session of this trial, if something is or was captured.
    pub(crate) fn under_way() -> Option<Arc<Self>> {
        SESSION.lock().clone()
    }

    fn begin() -> Result<Arc<Self>> {
        let trial = running::current().ok_or(ObserveFailure::OutsideOfTrial)?;
        let policy = CapturePolicy::of_environment()?;
        let (file, path) = location::create(&location::directory()?, &trial.name)?;
        let mut header = Vec::new();
        let about = format!("trial `{}`, seed {}", trial.name, trial.seed);
        pcapng::section_header(&mut header, &about);
        let failed = |error| ObserveError::refused(RefusedStep::WriteCapture(path.clone()), error);
        let file = CaptureFile::begin(file, path.clone(), &header).map_err(failed)?;
        let session = Arc::new(Self {
            queue: Arc::default(),
            written: Lock::new(WrittenFile {
                file,
                stopped: None,
                unwritten: 0,
            }),
            interfaces: Lock::default(),
            key_logs: Lock::default(),
            keep_always: AtomicBool::new(policy == CapturePolicy::Always),
        });
        if tls_keys::is_told()
            && let Ok(log) = tls_keys::open_key_log()
        {
            session.add_key_log(log);
        }
        let writing = Arc::clone(&session);
        let writer = thread::start("capture writer", move || writing.write_until_the_end())
            .map_err(failed)?;
        // After a crash or a time-out nobody is left to say where the file is.
        running::leave_last_words(&format!("capture: {}", path.display()));
        let ending = Arc::clone(&session);
        running::at_end(Box::new(move |passed| ending.end(passed, writer)));
        Ok(session)
    }

    /// Returns the path of the file.
    pub(super) fn path(&self) -> PathBuf {
        self.written.lock().file.path().to_owned()
    }

    /// Keeps the file even if the trial passes.
    pub(super) fn keep_always(&self) {
        self.keep_always.store(true, Ordering::Relaxed);
    }

    /// Describes a new interface in the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn add_interface(
        &self,
        labels: &InterfaceLabels<'_>,
    ) -> Result<Arc<CaptureInterface>> {
        let InterfaceLabels {
            name,
            description,
            outbound,
        } = labels;
        // Packets name an interface by the number of its description. So the lock is held until
        // the description is in the file, and before any packet can name it.
        let mut interfaces = self.interfaces.lock();
        let mut block = Vec::new();
        pcapng::interface(&mut block, name, description);
        let mut written = self.written.lock();
        if let Err(error) = written.file.describe(&block) {
            let step = RefusedStep::WriteCapture(written.file.path().to_owned());
            return Err(ObserveError::refused(step, error));
        }
        let number = interfaces.len() as u32;
        let interface = Arc::new(CaptureInterface::new(&self.queue, number, *outbound));
        interfaces.push(Arc::clone(&interface));
        Ok(interface)
    }

    /// Embeds the TLS keys that are logged to this file. Containers of a pod may share the file.
    pub(crate) fn add_key_log(&self, log: File) {
        let log = KeyLog::new(log);
        let mut logs = self.key_logs.lock();
        if logs.iter().all(|other| !other.is_same(&log)) {
            logs.push(log);
        }
    }

    /// Writes packets as they come, on the thread that does nothing else.
    fn write_until_the_end(&self) {
        loop {
            let over = self.queue.wait();
            self.write();
            if over {
                return;
            }
        }
    }

    /// Writes the packets that wait.
    fn write(&self) {
        let mut written = self.written.lock();
        // Keys go first, so that they are there for these packets however the run ends.
        let mut logs = self.key_logs.lock();
        let keys: Vec<u8> = logs.iter_mut().flat_map(KeyLog::take_new).collect();
        drop(logs);
        written.write_keys(&keys);
        written.write_packets(self.queue.take());
    }

    /// Writes everything that has passed by now, and puts the file in order.
    ///
    /// # Errors
    /// The file cannot be written, or could not at an earlier time.
    pub(super) fn flush(&self) -> Result<PathBuf> {
        let interfaces = self.interfaces.lock().clone();
        for interface in &interfaces {
            interface.drain();
        }
        let mut written = self.written.lock();
        written.write_packets(self.queue.take());
        let path = written.file.path().to_owned();
        let mut logs = self.key_logs.lock();
        let keys: Vec<u8> = logs.iter_mut().flat_map(KeyLog::take_all).collect();
        drop(logs);
        let done = match &written.stopped {
            Some(StopReason::Failed(error)) => Err(copy_of(error)),
            Some(StopReason::Full) | None => written.file.complete(&keys, &statistics(&interfaces)),
        };
        match done {
            Ok(()) => Ok(path),
            Err(error) => Err(ObserveError::refused(
                RefusedStep::WriteCapture(path),
                error,
            )),
        }
    }

    /// Ends all captures with the trial: completes the file if it is to be kept, or removes it.
    fn end(&self, passed: bool, writer: JoinHandle<()>) {
        let interfaces = self.interfaces.lock().clone();
        for interface in &interfaces {
            interface.end();
        }
        self.queue.end();
        // A panic of the writer has been reported by the panic hook.
        let _ = writer.join();
        let path = self.path();
        if passed && !self.keep_always.load(Ordering::Relaxed) {
            // A file that cannot be removed is overwritten by the next run.
            let _ = std::fs::remove_file(path);
            return;
        }
        match self.flush() {
            Ok(path) => note_in_all(EventKind::CaptureKept {
                path,
                gaps: self.gaps(&interfaces),
            }),
            Err(error) => note_in_all(EventKind::CaptureFailed {
                error: error.to_string(),
            }),
        }
    }

    /// Returns the part of the note that says what is missing from the file.
    fn gaps(&self, interfaces: &[Arc<CaptureInterface>]) -> String {
        let written = self.written.lock();
        let missed: u64 = interfaces.iter().map(|one| one.counts().1).sum();
        let mut gaps = match missed {
            0 => String::new(),
            _ => format!("; {missed} frames came too fast for it"),
        };
        if let Some(StopReason::Full) = written.stopped {
            let _ = write!(gaps, "; it is full, {} more frames came", written.unwritten);
        }
        gaps
    }
}

impl WrittenFile {
    fn write_keys(&mut self, keys: &[u8]) {
        if self.stopped.is_none()
            && let Err(error) = self.file.write_keys(keys)
        {
            self.stopped = Some(StopReason::Failed(error));
        }
    }

    fn write_packets(&mut self, batch: PacketBatch) {
        let count = batch.count();
        if self.stopped.is_none() {
            self.stopped = match self.file.write(batch) {
                Ok(true) => return,
                Ok(false) => Some(StopReason::Full),
                Err(error) => Some(StopReason::Failed(error)),
            };
        }
        self.unwritten += count;
    }
}

/// Returns a block of statistics for each interface that has lost frames.
fn statistics(interfaces: &[Arc<CaptureInterface>]) -> Vec<u8> {
    let now = clock().time_of_day(monotonic());
    let mut blocks = Vec::new();
    for interface in interfaces {
        let (seen, lost) = interface.counts();
        if lost > 0 {
            pcapng::statistics(&mut blocks, interface.number(), now, seen, lost);
        }
    }
    blocks
}

/// Returns the same error once more: `io::Error` cannot be cloned.
fn copy_of(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => error.kind().into(),
    }
}
