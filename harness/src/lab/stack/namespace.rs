//! Network namespaces in which no process lives.

use std::os::fd::OwnedFd;

use crate::kernel::netns::Netns;
use crate::lab::attempt::NetworkAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::first_process;
use crate::sandbox::protocol::node::NodeRequest;
use crate::trial::running;

/// Makes a network namespace that lives as long as its descriptor, with `lo` up.
pub(crate) fn new_namespace(for_what: &str) -> Result<OwnedFd> {
    if running::is_ordinary_user() {
        return like_those_of_nodes(for_what);
    }
    let make = || NetworkAttempt::Make {
        for_what: for_what.to_owned(),
    };
    let failed = |e| LabError::refused(make(), e);
    let home = Netns::current().map_err(failed)?;
    let made = home
        .excursion_to_new(|| {
            // A new network namespace has `lo` down: network_namespaces(7).
            crate::kernel::loopback::bring_up()?;
            Netns::current()
        })
        .map_err(failed)?
        .map_err(failed)?;
    Ok(made.into())
}

/// Makes a network namespace as nodes have them: of a process, which then ends. Only such a one
/// belongs to the user namespace over which an ordinary user has all rights.
fn like_those_of_nodes(for_what: &str) -> Result<OwnedFd> {
    let request = NodeRequest {
        name: for_what.to_owned(),
        ..NodeRequest::default()
    };
    Ok(first_process::request(&request, None)?.wait()?.netns)
}
