//! What is freed goes back to the kernel. One test in a process of its own: what other tests take and free meanwhile would
//! be seen, too.

#![cfg(target_env = "gnu")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use softboot_sys::memory::{give_back, keep_large_pieces_apart};

/// VmRSS of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn memory_that_is_freed_goes_back() {
    a_large_piece_is_not_kept();
    free_memory_below_memory_in_use_goes_back();
}

fn a_large_piece_is_not_kept() {
    keep_large_pieces_apart();
    // The second one would be in the heap otherwise.
    drop(vec![1_u8; 8 << 20]);
    let large = vec![1_u8; 8 << 20];
    let _above = [vec![1_u8; 4000], vec![1_u8; 4000]];
    let before = resident();
    drop(large);
    assert!(
        resident() + 7 * 1024 < before,
        "{before} KiB before, {} after",
        resident()
    );
}

fn free_memory_below_memory_in_use_goes_back() {
    // Small pieces with a last one that stays, so that the heap's end cannot move down.
    let pieces: Vec<Vec<u8>> = (0..8192).map(|_| vec![1; 4000]).collect();
    let last = vec![1_u8; 4000];
    drop(pieces);
    let before = resident();
    give_back();
    assert!(
        resident() + 16 * 1024 < before,
        "{before} KiB before, {} after",
        resident()
    );
    drop(last);
}
