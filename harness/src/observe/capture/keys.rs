//! What TLS libraries tell of their keys, so that captures can be decrypted: those that heed `SSLKEYLOGFILE`, as curl and OpenSSL,
//! GnuTLS, NSS, Go's and rustls do where they are told to.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};

use super::policy::Policy;
use crate::kernel::process;

/// The variable that names the file.
pub(crate) const KEY_LOG_VARIABLE: &str = "SSLKEYLOGFILE";

/// The file, in the `/tmp` of the trial and of each node.
pub(crate) const KEY_LOG: &str = "/tmp/.tls-keys";

/// Opens the one that is in sight of the calling thread, for reading and appending; whoever runs there may write to it.
pub(crate) fn open_key_log() -> io::Result<File> {
    let file = File::options()
        .read(true)
        .append(true)
        .create(true)
        .open(KEY_LOG)?;
    file.set_permissions(Permissions::from_mode(0o666))?;
    Ok(file)
}

/// Whether the test's own process was told to log its keys by us.
pub(super) fn is_told() -> bool {
    std::env::var_os(KEY_LOG_VARIABLE).as_deref() == Some(OsStr::new(KEY_LOG))
}

/// Tells this process, and the tests' that will be copies of it, to log their keys, where all is captured and nobody else has told
/// it. Called before there are threads.
pub(crate) fn tell_this_process() {
    let wants_all = Policy::of_environment().is_ok_and(Policy::wants_all);
    if wants_all && std::env::var_os(KEY_LOG_VARIABLE).is_none() {
        process::set_env(KEY_LOG_VARIABLE, KEY_LOG);
    }
}

/// A file that keys are written to, by whomever.
pub(super) struct KeyLog {
    file: File,
    /// How many bytes of it were taken.
    taken: u64,
}

impl KeyLog {
    pub(super) fn new(file: File) -> KeyLog {
        KeyLog { file, taken: 0 }
    }

    pub(super) fn is_same(&self, other: &KeyLog) -> bool {
        let identity = |log: &KeyLog| log.file.metadata().ok().map(|it| (it.dev(), it.ino()));
        identity(self) == identity(other)
    }

    /// All lines.
    pub(super) fn all(&mut self) -> Vec<u8> {
        self.taken = 0;
        self.new_ones()
    }

    /// The lines that were not taken yet. Somebody may be about to write one: it is no use before it is whole.
    pub(super) fn new_ones(&mut self) -> Vec<u8> {
        let mut lines = self.read().unwrap_or_default();
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
