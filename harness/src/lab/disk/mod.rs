//! Volumes with faults: disks that a lab can break, and that forget what was not synced.
//!
//! | file | role |
//! |---|---|
//! | `server` | the process that serves such a volume, as its lab knows it |
//! | `volume` | the volume as a test sees it: snapshots |
//! | `inject` | faults of a disk |

pub(crate) mod inject;
pub(crate) mod server;
pub(crate) mod volume;
