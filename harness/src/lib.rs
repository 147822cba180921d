//! A sealed little world for every test.

pub mod topology;
