//! libFuzzer's program for the target `notify`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| softboot_fuzz::notify::run(data));
