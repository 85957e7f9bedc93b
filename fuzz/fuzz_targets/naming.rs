//! Any text through the naming rules: no panic, and names stay names.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| longshore_testkit::fuzz::naming(text));
