//! libFuzzer's program for the target `listen`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| softboot_fuzz::listen::run(data));
