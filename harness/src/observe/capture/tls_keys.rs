//! Keys that TLS libraries log, so that a capture can be decrypted.
//!
//! A capture of TLS shows nothing but ciphertext. Programs with NSS or GnuTLS, curl, and programs
//! with OpenSSL, Go's TLS or rustls that were written to do so, append the keys of each connection
//! to the file that `SSLKEYLOGFILE` names (draft-ietf-tls-keylogfile). Wireshark takes these keys
//! from the capture itself.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};

use super::policy::CapturePolicy;
use crate::kernel::process;

/// Variable of the environment that names the file.
pub(crate) const KEY_LOG_VARIABLE: &str = "SSLKEYLOGFILE";

/// Path of the file, in the `/tmp` of the trial and of each node.
pub(crate) const KEY_LOG: &str = "/tmp/.tls-keys";

/// Opens the file that the calling thread's mount namespace has at [`KEY_LOG`], for reading and
/// appending. Programs of every user may write to the file.
///
/// # Errors
/// There is no `/tmp` that can be written to.
pub(crate) fn open_key_log() -> io::Result<File> {
    let file = File::options()
        .read(true)
        .append(true)
        .create(true)
        .open(KEY_LOG)?;
    file.set_permissions(Permissions::from_mode(0o666))?;
    Ok(file)
}

/// Returns whether this process logs its keys by our request.
pub(super) fn is_told() -> bool {
    std::env::var_os(KEY_LOG_VARIABLE).as_deref() == Some(OsStr::new(KEY_LOG))
}

/// Makes the TLS libraries of this process log their keys, and those of the test processes that
/// will be copies of it, if everything is captured and the user has not set the variable.
pub(crate) fn log_keys_of_this_process() {
    let wants_all = CapturePolicy::of_environment().is_ok_and(CapturePolicy::wants_all);
    if wants_all && std::env::var_os(KEY_LOG_VARIABLE).is_none() {
        // Called before there are threads: setenv(3) is not safe beside a getenv of another one.
        process::set_env(KEY_LOG_VARIABLE, KEY_LOG);
    }
}

/// A file to which programs log keys.
pub(super) struct KeyLog {
    file: File,
    /// Number of bytes that were taken.
    taken: u64,
}

impl KeyLog {
    pub(super) fn new(file: File) -> Self {
        Self { file, taken: 0 }
    }

    /// Returns whether two open files are one. Containers of a pod may share their `/tmp`.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let identity = |log: &Self| log.file.metadata().ok().map(|it| (it.dev(), it.ino()));
        identity(self) == identity(other)
    }

    /// Returns all lines.
    pub(super) fn take_all(&mut self) -> Vec<u8> {
        self.taken = 0;
        self.take_new()
    }

    /// Returns the lines that were not taken yet.
    pub(super) fn take_new(&mut self) -> Vec<u8> {
        let mut lines = self.read().unwrap_or_default();
        // A program may be about to write the rest of the last line: that is taken next time.
        let end = lines.iter().rposition(|byte| *byte == b'\n');
        lines.truncate(end.map_or(0, |end| end + 1));
        self.taken += lines.len() as u64;
        lines
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let length = self.file.metadata()?.len().saturating_sub(self.taken);
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, self.taken)?;
        Ok(bytes)
    }
}
