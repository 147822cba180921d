//! Routers that advertise themselves.

pub(crate) mod advertiser;
