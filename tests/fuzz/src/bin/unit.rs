//! libFuzzer's program for the target `unit`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| softboot_fuzz::unit::run(data));
