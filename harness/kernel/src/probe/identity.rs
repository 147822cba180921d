//! Names and numbers of a trial's own that the machine may deny.

use crate::errno::{Refusal, errno};

/// Gives this UTS namespace another name.
pub fn hostname() -> Result<(), Refusal> {
    nix::unistd::sethostname("probe").map_err(|e| ("sethostname".to_owned(), e))
}

/// Listens on a port that only root may have.
pub fn low_port() -> Result<(), Refusal> {
    std::net::TcpListener::bind("127.0.0.1:80")
        .map(drop)
        .map_err(|e| ("bind 127.0.0.1:80".to_owned(), errno(&e)))
}
