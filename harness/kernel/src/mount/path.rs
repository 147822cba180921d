//! Paths as system calls take them.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

/// Returns the path as a C string; `EINVAL` if it contains a zero byte.
pub(super) fn c_path(path: &Path) -> crate::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)
}
