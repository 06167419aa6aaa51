//! libFuzzer's program for the target `transfer`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| softboot_fuzz::transfer::run(data));
