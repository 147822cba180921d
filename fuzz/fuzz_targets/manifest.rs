//! Feeds garbage to the reader of manifests.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| snowglobe_fixtures::fuzzing::manifest(bytes));
