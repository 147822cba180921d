//! The sandbox of one trial: its mounts, its init, and the process of the test body.

pub(crate) mod body;
pub(crate) mod init;
pub(crate) mod mounts;
