//! Network namespaces in which no process lives.

use std::os::fd::OwnedFd;

use crate::kernel::netns::Netns;
use crate::lab::error::{LabError, Result};

/// Makes a network namespace that lives as long as its descriptor, with `lo` up.
pub(crate) fn new_namespace(for_what: &str) -> Result<OwnedFd> {
    let failed = |e| LabError::refused(format!("make a network namespace for {for_what}"), e);
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
