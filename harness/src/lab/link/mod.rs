//! A link of a running lab: its two ends, and what is between them.

pub(crate) mod capture;
pub(crate) mod carrier;
pub(crate) mod cuts;
pub(crate) mod ends;
pub(crate) mod impair;
pub(crate) mod link;
pub(crate) mod rules;
pub(crate) mod state;
