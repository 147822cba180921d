//! Feeds garbage to the reader of image layouts.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| snowglobe_fixtures::fuzzing::layout(bytes));
