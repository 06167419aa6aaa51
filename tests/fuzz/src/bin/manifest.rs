//! libFuzzer's program for the target `manifest`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| softboot_fuzz::manifest::run(data));
