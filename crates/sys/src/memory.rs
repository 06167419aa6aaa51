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
