//! What carries the packets of a link, and how one carrier takes the place of another.

pub(crate) mod attach;
pub(crate) mod choose;
