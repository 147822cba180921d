//! Feeds garbage to the reader of Debian packages.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| snowglobe_fixtures::fuzzing::deb(bytes));
