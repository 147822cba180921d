//! Feeds garbage to the reader of zip archives.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| snowglobe_fixtures::fuzzing::zip(bytes));
