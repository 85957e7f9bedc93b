//! Any bytes through the reader and the normaliser: no panic, and every record is counted.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longshore_testkit::fuzz::json(bytes));
