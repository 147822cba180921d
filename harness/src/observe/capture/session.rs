//! All captures of a trial: one file, one clock, one thread that writes.

use std::fmt::Write;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::batch::Batch;
use super::file::CaptureFile;
use super::guard::Labels;
use super::keys::{self, KeyLog};
use super::pcapng::{self, PacketBlock};
use super::place;
use super::policy::Policy;
use super::tap::Tap;
use crate::events::{EventKind, clock, note_in_all};
use crate::kernel::clock::monotonic;
use crate::observe::{ObserveError, Result};
use crate::trial::running;

/// So many bytes of packets may wait for the file; what comes then is lost.
const WAITING: usize = 64 << 20;
/// Packets are written together that come within this time, unless there are many.
const TOGETHER: Duration = Duration::from_millis(5);
const MANY: usize = 1 << 20;

pub(crate) struct Session {
    waiting: Mutex<Waiting>,
    more: Condvar,
    /// Locked before `waiting`: what was taken from there first is written first.
    file: Mutex<Written>,
    taps: Mutex<Vec<Arc<Tap>>>,
    key_logs: Mutex<Vec<KeyLog>>,
    keep_always: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    batch: Batch,
    over: bool,
}

struct Written {
    file: CaptureFile,
    /// Why nothing more is written.
    stopped: Option<Stop>,
    /// How many packets came since.
    unwritten: u64,
}

enum Stop {
    Full,
    Failed(io::Error),
}

/// The one of this trial, if there is one.
static SESSION: Mutex<Option<Arc<Session>>> = Mutex::new(None);

impl Session {
    /// The one of this trial, made where there was none.
    pub(crate) fn of_trial() -> Result<Arc<Session>> {
        let mut session = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = &*session {
            return Ok(Arc::clone(session));
        }
        let new = Session::begin()?;
        Ok(Arc::clone(session.insert(new)))
    }

    /// The one of this trial, if something is or was captured.
    pub(crate) fn under_way() -> Option<Arc<Session>> {
        let session = SESSION.lock();
        session.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn begin() -> Result<Arc<Session>> {
        let Some(trial) = running::current() else {
            return Err(ObserveError::invalid(
                "nothing can be captured outside of a trial",
            ));
        };
        let policy = Policy::of_environment()?;
        let (file, path) = place::create(&place::directory()?, &trial.name)?;
        let mut header = Vec::new();
        let about = format!("trial `{}`, seed {}", trial.name, trial.seed);
        pcapng::section_header(&mut header, &about);
        let failed = |e| ObserveError::io(format!("write the capture `{}`", path.display()), &e);
        let file = CaptureFile::begin(file, path.clone(), &header).map_err(failed)?;
        let session = Arc::new(Session {
            waiting: Mutex::default(),
            more: Condvar::new(),
            file: Mutex::new(Written {
                file,
                stopped: None,
                unwritten: 0,
            }),
            taps: Mutex::default(),
            key_logs: Mutex::default(),
            keep_always: AtomicBool::new(policy == Policy::Always),
        });
        if keys::is_told()
            && let Ok(log) = keys::open_key_log()
        {
            session.add_key_log(log);
        }
        let writing = Arc::clone(&session);
        let writer = thread::Builder::new()
            .name("capture writer".to_owned())
            .spawn(move || writing.write_all())
            .map_err(failed)?;
        running::leave_last_words(&format!("capture: {}", path.display()));
        let ending = Arc::clone(&session);
        crate::at_end(move |passed| ending.end(passed, writer));
        Ok(session)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self) -> MutexGuard<'_, Written> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn taps(&self) -> MutexGuard<'_, Vec<Arc<Tap>>> {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key_logs(&self) -> MutexGuard<'_, Vec<KeyLog>> {
        self.key_logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.file().file.path().to_owned()
    }

    pub(super) fn keep_always(&self) {
        self.keep_always.store(true, Ordering::Relaxed);
    }

    /// A new interface of the file.
    pub(super) fn tap(self: &Arc<Self>, labels: &Labels<'_>) -> Result<Arc<Tap>> {
        let mut taps = self.taps();
        let mut block = Vec::new();
        pcapng::interface(&mut block, labels.name, labels.description);
        let mut written = self.file();
        if let Err(error) = written.file.describe(&block) {
            let what = format!("write the capture `{}`", written.file.path().display());
            return Err(ObserveError::io(what, &error));
        }
        let tap = Arc::new(Tap::new(self, taps.len() as u32, labels.outbound));
        taps.push(Arc::clone(&tap));
        Ok(tap)
    }

    /// TLS keys that are written to this file will be embedded. Containers may share it.
    pub(crate) fn add_key_log(&self, log: File) {
        let log = KeyLog::new(log);
        let mut logs = self.key_logs();
        if logs.iter().all(|other| !other.is_same(&log)) {
            logs.push(log);
        }
    }

    /// Has a packet written soon; false if there is no room for it.
    pub(super) fn push(&self, packet: &PacketBlock<'_>) -> bool {
        let mut waiting = self.waiting();
        if waiting.over || waiting.batch.len() > WAITING {
            return false;
        }
        if waiting.batch.is_empty() || waiting.batch.len() > MANY {
            self.more.notify_one();
        }
        waiting.batch.push(packet);
        true
    }

    /// What the writing thread does.
    fn write_all(&self) {
        loop {
            let waiting = self.waiting();
            let nothing = |waiting: &mut Waiting| waiting.batch.is_empty() && !waiting.over;
            let waiting = self.more.wait_while(waiting, nothing);
            let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
            let few = |waiting: &mut Waiting| waiting.batch.len() < MANY && !waiting.over;
            let waited = self.more.wait_timeout_while(waiting, TOGETHER, few);
            let over = waited.unwrap_or_else(PoisonError::into_inner).0.over;
            self.write();
            if over {
                return;
            }
        }
    }

    /// Writes what waits; and before it what was logged of keys since, so that they are there however the run ends.
    fn write(&self) {
        let mut written = self.file();
        let keys: Vec<u8> = self
            .key_logs()
            .iter_mut()
            .flat_map(KeyLog::new_ones)
            .collect();
        written.write_keys(&keys);
        written.write_from(&self.waiting);
    }

    /// Puts all into the file that has passed by now, and the file in order.
    pub(super) fn flush(&self) -> Result<PathBuf> {
        let taps: Vec<_> = self.taps().clone();
        taps.iter().for_each(|tap| tap.drain());
        let mut written = self.file();
        written.write_from(&self.waiting);
        let path = written.file.path().to_owned();
        let keys: Vec<u8> = self.key_logs().iter_mut().flat_map(KeyLog::all).collect();
        let done = match &written.stopped {
            Some(Stop::Failed(error)) => Err(again(error)),
            _ => written.file.complete(&keys, &statistics(&taps)),
        };
        match done {
            Ok(()) => Ok(path),
            Err(error) => {
                let what = format!("write the capture `{}`", path.display());
                Err(ObserveError::io(what, &error))
            }
        }
    }

    /// The end of the trial: what is to be kept is completed, and the rest is taken away.
    fn end(&self, passed: bool, writer: JoinHandle<()>) {
        let taps: Vec<_> = self.taps().clone();
        taps.iter().for_each(|tap| tap.end());
        self.waiting().over = true;
        self.more.notify_one();
        let _ = writer.join();
        let path = self.path();
        if passed && !self.keep_always.load(Ordering::Relaxed) {
            let _ = std::fs::remove_file(path);
            return;
        }
        match self.flush() {
            Ok(path) => note_in_all(EventKind::CaptureKept {
                path,
                gaps: self.gaps(&taps),
            }),
            Err(error) => note_in_all(EventKind::CaptureFailed {
                error: error.to_string(),
            }),
        }
    }

    /// What is missing from the file, for people.
    fn gaps(&self, taps: &[Arc<Tap>]) -> String {
        let written = self.file();
        let missed: u64 = taps.iter().map(|tap| tap.counts().1).sum();
        let mut gaps = match missed {
            0 => String::new(),
            _ => format!("; {missed} frames came too fast for it"),
        };
        if let Some(Stop::Full) = written.stopped {
            let _ = write!(gaps, "; it is full, {} more frames came", written.unwritten);
        }
        gaps
    }
}

impl Written {
    fn write_keys(&mut self, keys: &[u8]) {
        if self.stopped.is_none()
            && let Err(error) = self.file.write_keys(keys)
        {
            self.stopped = Some(Stop::Failed(error));
        }
    }

    /// Writes what waits. The other lock is held no longer than it takes to see what that is.
    fn write_from(&mut self, waiting: &Mutex<Waiting>) {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = std::mem::take(&mut waiting.batch);
        drop(waiting);
        let count = batch.count();
        if self.stopped.is_none() {
            self.stopped = match self.file.write(batch) {
                Ok(true) => return,
                Ok(false) => Some(Stop::Full),
                Err(error) => Some(Stop::Failed(error)),
            };
        }
        self.unwritten += count;
    }
}

/// A block for each interface that frames of are missing.
fn statistics(taps: &[Arc<Tap>]) -> Vec<u8> {
    let now = clock().time_of_day(monotonic());
    let mut blocks = Vec::new();
    for tap in taps {
        let (seen, lost) = tap.counts();
        if lost > 0 {
            pcapng::statistics(&mut blocks, tap.interface(), now, seen, lost);
        }
    }
    blocks
}

/// The same error once more.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => error.kind().into(),
    }
}
