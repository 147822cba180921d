//! Kernel settings of one network namespace.
//!
//! `/proc/sys/net` shows the namespace of the *thread* that opens a file in it. Each namespace that is asked for a
//! setting leaves an entry of the same name in the same hash bucket **of that procfs mount**, so that a thousand
//! namespaces written through one `/proc` slow each other down. A process that has its own `/proc` should write its own.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

/// A closed connection that nobody acknowledges keeps its namespace for 0.6 s instead of 107.
pub(crate) const ORPHANS_DIE_EARLY: (&str, &str) = ("net/ipv4/tcp_orphan_retries", "1");
/// A router of IPv4.
pub(crate) const FORWARD_V4: (&str, &str) = ("net/ipv4/ip_forward", "1");
/// A router of IPv6. It then ignores router advertisements.
pub(crate) const FORWARD_V6: (&str, &str) = ("net/ipv6/conf/all/forwarding", "1");

/// Writes a setting of the current thread's network namespace through this `/proc`.
pub(crate) fn set(proc: BorrowedFd<'_>, (name, value): (&str, &str)) -> io::Result<()> {
    let explain = |error: io::Error| {
        io::Error::new(
            error.kind(),
            format!("failed to set sysctl `{name}` to {value}: {error}"),
        )
    };
    let path = format!("sys/{name}");
    let fd = openat(
        proc,
        path.as_str(),
        OFlag::O_WRONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )
    .map_err(|errno| explain(errno.into()))?;
    File::from(fd).write_all(value.as_bytes()).map_err(explain)
}
