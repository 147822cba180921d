//! What changes while a lab runs, and how it ends.

pub(crate) mod edit;
pub(crate) mod end;
pub(crate) mod follow;
