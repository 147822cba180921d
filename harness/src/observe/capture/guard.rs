//! What a test holds of a capture.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::keys::{KEY_LOG, open_key_log};
use super::session::Session;
use super::tap::Tap;
use crate::impair::Direction;
use crate::model::packet::{Listener, Source};
use crate::observe::{ObserveError, Result};

/// Captures a link, all links, or an interface of a node, for as long as it lives.
///
/// All captures of a trial go into one pcapng file, on one clock; each link or interface has its name there. The file
/// lies in `snowglobe/captures` below the target directory and is named after the test program and the trial. If the trial
/// fails it is kept, and a [note](crate::note) says where; if it passes it is removed, unless it is to be
/// [kept](CaptureGuard::keep_always). After a crash or a time-out it is there too, up to the last milliseconds.
///
/// ```no_run
/// use snowglobe::prelude::*;
///
/// # fn main() {}
/// #[snowglobe::test]
/// fn bob_answers_alice() -> TestResult {
///     let lab = shape::pair().start()?;
///     let _capture = lab.capture_all()?;
///     // … if something goes wrong here, it can be seen in Wireshark.
///     Ok(())
/// }
/// ```
///
/// # TLS
///
/// While something is captured, programs that are started in nodes have `SSLKEYLOGFILE` set, unless the test sets it: what they write there
/// is embedded in the file, so that Wireshark and tshark show what was said over TLS. One side of a connection that logs its keys is
/// enough; curl does. Of the test's own process that is true where `SNOWGLOBE_CAPTURE` asks for captures of everything; else
/// give what it logs to [`key_log`](CaptureGuard::key_log).
///
/// # Limits
///
/// At most 1 GiB is written for a trial. Of a link that the kernel carries by the gigabit, frames may come faster than they are read: the
/// kernel keeps no more than a few hundred kilobytes for a capture (`net.core.rmem_max`). The userspace wire misses none. The
/// note says how many frames are missing.
#[must_use = "a capture ends when its guard is dropped"]
pub struct CaptureGuard {
    session: Arc<Session>,
    taps: Vec<Arc<Tap>>,
}

impl CaptureGuard {
    /// A capture of nothing yet.
    pub(crate) fn begin() -> Result<CaptureGuard> {
        Ok(CaptureGuard {
            session: Session::of_trial()?,
            taps: Vec::new(),
        })
    }

    /// Captures this as well.
    pub(crate) fn add<E: From<ObserveError>>(
        &mut self,
        of: &Captured,
        labels: &Labels<'_>,
        connect: impl FnOnce(Arc<dyn Listener>) -> Result<Box<dyn Source>, E>,
    ) -> Result<(), E> {
        let tap = of.tap(&self.session, labels)?;
        tap.acquire(connect)?;
        self.taps.push(tap);
        Ok(())
    }

    /// The file is kept even if the trial passes.
    pub fn keep_always(self) -> CaptureGuard {
        self.session.keep_always();
        self
    }

    /// Where the file is.
    pub fn path(&self) -> PathBuf {
        self.session.path()
    }

    /// A file, open for appending, for the TLS keys of the test's own process, in the format of `SSLKEYLOGFILE`: they are embedded in the
    /// capture.
    ///
    /// # Errors
    /// The trial's `/tmp` cannot be written to.
    pub fn key_log(&self) -> Result<File> {
        let failed = |e| ObserveError::io(format!("open `{KEY_LOG}`"), &e);
        self.session.add_key_log(open_key_log().map_err(failed)?);
        open_key_log().map_err(failed)
    }

    /// Brings the file up to date, for a test that reads it: all that has passed by now is in it, in the order of time, with the TLS
    /// keys that were logged. The capture goes on.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn flush(&self) -> Result<PathBuf> {
        self.session.flush()
    }
}

/// Ends the capture, with all that has passed by now.
impl Drop for CaptureGuard {
    fn drop(&mut self) {
        self.taps.iter().for_each(|tap| tap.release());
    }
}

impl fmt::Debug for CaptureGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureGuard")
            .field("path", &self.path())
            .field("taps", &self.taps)
            .finish_non_exhaustive()
    }
}

/// What a capture says of an interface.
pub(crate) struct Labels<'a> {
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
    /// The direction in which frames are outbound.
    pub(crate) outbound: Direction,
}

/// What something that can be captured remembers: its interfaces in the file, by name, so that each is there only once.
#[derive(Debug, Default)]
pub(crate) struct Captured(Mutex<BTreeMap<String, Arc<Tap>>>);

impl Captured {
    fn tap(&self, session: &Arc<Session>, labels: &Labels<'_>) -> Result<Arc<Tap>> {
        let mut taps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tap) = taps.get(labels.name) {
            return Ok(Arc::clone(tap));
        }
        let tap = session.tap(labels)?;
        taps.insert(labels.name.to_owned(), Arc::clone(&tap));
        Ok(tap)
    }
}
