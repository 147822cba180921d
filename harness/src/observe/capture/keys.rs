//! What TLS libraries tell of their keys, so that captures can be decrypted: those that heed `SSLKEYLOGFILE`, as curl and OpenSSL,
//! GnuTLS, NSS, Go's and rustls do where they are told to.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;

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
