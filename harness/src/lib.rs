//! A sealed little world for every test.
