//! A sealed little world for every test.

mod kernel;
