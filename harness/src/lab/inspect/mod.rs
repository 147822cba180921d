//! A running lab, seen from outside.

pub(crate) mod inspection;
pub(crate) mod namespaces;
