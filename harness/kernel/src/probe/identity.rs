//! Names and numbers of a trial's own that the machine may deny.

use crate::errno::{RefusedCall, errno, refused};

/// Gives this UTS namespace another host name.
///
/// # Errors
/// The kernel refused the name.
pub fn hostname() -> Result<(), RefusedCall> {
    nix::unistd::sethostname("probe").map_err(refused("sethostname"))
}

/// Listens on a port below 1024.
///
/// # Errors
/// The port was refused: `net.ipv4.ip_unprivileged_port_start` is per network namespace, and the
/// thread lacks `CAP_NET_BIND_SERVICE` in the owner of its namespace.
pub fn low_port() -> Result<(), RefusedCall> {
    let bound = std::net::TcpListener::bind("127.0.0.1:80");
    let failed = |error| refused("bind 127.0.0.1:80")(errno(&error));
    bound.map(drop).map_err(failed)
}
