//! What a test holds of a capture, and what a link remembers of one.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use super::interface::CaptureInterface;
use super::labels::InterfaceLabels;
use super::session::CaptureSession;
use super::tls_keys::{KEY_LOG, open_key_log};
use crate::kernel::sync::Lock;
use crate::model::packet::{FrameSource, Listener};
use crate::observe::error::{ObserveError, RefusedStep, Result};

/// Captures a link, all links, or an interface of a node, until dropped.
///
/// All captures of a trial go into one pcapng file, on one clock; each link or interface has its
/// name there. The file lies in `snowglobe/captures` below the target directory, and is named
/// after the test program and the trial. If the trial fails the file is kept, and a
/// [note](crate::note) says where. If the trial passes the file is removed, unless it is to be
/// [kept](CaptureGuard::keep_always). After a crash or a time-out the file is there too, up to the
/// last milliseconds.
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
/// While something is captured, programs that are started in nodes have `SSLKEYLOGFILE` set,
/// unless the test sets it. The keys that they log there are embedded in the file, so that
/// Wireshark and tshark show what was said over TLS. One side of a connection that logs its keys
/// is enough; curl does. The test's own process has the variable where `SNOWGLOBE_CAPTURE` asks
/// for captures of everything; otherwise write its keys to [`key_log`](CaptureGuard::key_log).
///
/// # Limits
///
/// At most 1 GiB is written for a trial. Frames of a link that the kernel carries by the gigabit
/// may come faster than they are read: the kernel keeps no more than a few hundred kilobytes for a
/// capture (`net.core.rmem_max`). The userspace wire misses no frame. The note says how many
/// frames are missing.
#[must_use = "a capture ends when its guard is dropped"]
pub struct CaptureGuard {
    session: Arc<CaptureSession>,
    interfaces: Vec<Arc<CaptureInterface>>,
}

impl CaptureGuard {
    /// Begins a capture, of nothing yet.
    ///
    /// # Errors
    /// There is no trial to capture, or its file cannot be made.
    pub(crate) fn begin() -> Result<Self> {
        Ok(Self {
            session: CaptureSession::of_trial()?,
            interfaces: Vec::new(),
        })
    }

    /// Captures one more link or interface. `connect` makes it tell the listener of its frames.
    ///
    /// # Errors
    /// The file cannot be written, or the error of `connect`.
    pub(crate) fn add<E: From<ObserveError>>(
        &mut self,
        of: &CapturedInterfaces,
        labels: &InterfaceLabels<'_>,
        connect: impl FnOnce(Arc<dyn Listener>) -> Result<Box<dyn FrameSource>, E>,
    ) -> Result<(), E> {
        let interface = of.interface(&self.session, labels)?;
        interface.acquire(connect)?;
        self.interfaces.push(interface);
        Ok(())
    }

    /// Keeps the file even if the trial passes.
    pub fn keep_always(self) -> Self {
        self.session.keep_always();
        self
    }

    /// Returns the path of the file.
    pub fn path(&self) -> PathBuf {
        self.session.path()
    }

    /// Opens a file for the TLS keys of the test's own process, to append them in the format of
    /// `SSLKEYLOGFILE`. The keys are embedded in the capture.
    ///
    /// # Errors
    /// The trial's `/tmp` cannot be written to.
    pub fn key_log(&self) -> Result<File> {
        let failed = |error| ObserveError::refused(RefusedStep::OpenKeyLog(KEY_LOG), error);
        // Opened twice: the capture reads at a position of its own.
        self.session.add_key_log(open_key_log().map_err(failed)?);
        open_key_log().map_err(failed)
    }

    /// Brings the file up to date, for a test that reads the file, and returns its path.
    ///
    /// The file then has all that has passed by now, in the order of time, with the TLS keys that
    /// were logged. The capture goes on.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn flush(&self) -> Result<PathBuf> {
        self.session.flush()
    }
}

/// Ends the capture; the file has all that had passed before.
impl Drop for CaptureGuard {
    fn drop(&mut self) {
        for interface in &self.interfaces {
            interface.release();
        }
    }
}

impl fmt::Debug for CaptureGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureGuard")
            .field("path", &self.path())
            .field("interfaces", &self.interfaces)
            .finish_non_exhaustive()
    }
}

/// Interfaces that a link, or a node, has in the file, by name: each is described there once,
/// however often it is captured.
#[derive(Debug, Default)]
pub(crate) struct CapturedInterfaces(Lock<BTreeMap<String, Arc<CaptureInterface>>>);

impl CapturedInterfaces {
    fn interface(
        &self,
        session: &CaptureSession,
        labels: &InterfaceLabels<'_>,
    ) -> Result<Arc<CaptureInterface>> {
        let mut interfaces = self.0.lock();
        if let Some(interface) = interfaces.get(labels.name) {
            return Ok(Arc::clone(interface));
        }
        let interface = session.add_interface(labels)?;
        interfaces.insert(labels.name.to_owned(), Arc::clone(&interface));
        Ok(interface)
    }
}
