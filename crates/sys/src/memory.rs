//! What the allocator keeps for later, and what it gives back.

/// From this size on a piece of memory is a mapping of its own, which goes back to the kernel when it is freed.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 128 * 1024;

/// Keeps large pieces out of the heap for good. Otherwise the allocator takes the first large piece that is freed as a
/// sign that more will come, and puts all up to 32 MiB into the heap, where what lives longer keeps them from going
/// back. Call it before there are threads. Does nothing where the C library has no such call.
///
/// Reference: mallopt(3), M_MMAP_THRESHOLD.
pub fn keep_large_pieces_apart() {
    #[cfg(target_env = "gnu")]
    // SAFETY: numbers only; it takes the allocator's own lock.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// Gives back to the kernel what the allocator holds and nobody uses: after work that took much more than what is left
/// of it. Does nothing where the C library has no such call.
///
/// Reference: malloc_trim(3).
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes the allocator's own locks and touches free memory only.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(target_env = "gnu")]
#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_large_piece_that_is_freed_is_not_kept() {
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

    #[test]
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
}
