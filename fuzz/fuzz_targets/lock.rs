//! Feeds garbage to the reader of locks and indexes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| snowglobe_fixtures::fuzzing::lock(bytes));
