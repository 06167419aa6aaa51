//! libFuzzer's program for the target `varlink`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| softboot_fuzz::varlink::run(data));
