//! Feeds garbage to the reader of tar archives.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| snowglobe_fixtures::fuzzing::tar(bytes));
