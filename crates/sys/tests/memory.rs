//! What is freed goes back to the kernel. One test in a process of its own: what other tests take and free meanwhile would
//! be seen, too.

#![cfg(target_env = "gnu")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use softboot_sys::memory::{give_back, keep_large_pieces_apart, let_go_of_program};

/// VmRSS of this process in KiB.
fn resident() -> u64 {
    status("VmRSS:")
}

fn status(member: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(member)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn memory_that_is_freed_goes_back() {
    a_large_piece_is_not_kept();
    free_memory_below_memory_in_use_goes_back();
    pages_of_the_program_go_and_come_back();
}

fn pages_of_the_program_go_and_come_back() {
    /// Data of the program's file that nobody has looked at yet.
    static DATA: [u64; 1 << 17] = [7; 1 << 17];
    let sum = || -> u64 { std::hint::black_box(&DATA).iter().sum() };
    let expected = sum();
    let before = status("RssFile:");
    let_go_of_program();
    let after = status("RssFile:");
    assert!(
        after + 900 < before,
        "{before} KiB of files before, {after} after"
    );
    assert_eq!(sum(), expected);
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
