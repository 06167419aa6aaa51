//! What the allocator keeps for later, and what it gives back.

/// From this size on a piece of memory is a mapping of its own, which goes back to the kernel when it is freed.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 128 * 1024;
/// By so much the heap grows at once while much is taken.
#[cfg(target_env = "gnu")]
const STEP: libc::c_int = 1 << 20;
/// So much of its end may be free meanwhile.
#[cfg(target_env = "gnu")]
const KEPT: libc::c_int = 64 << 20;
/// A thread's heap can have no more than 64 MiB.
const MOST_AHEAD: usize = 32 << 20;

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

/// Much memory is about to be needed: it is taken in large steps, and nothing is given back, until [`give_back`].
///
/// Reference: mallopt(3), M_TOP_PAD and M_TRIM_THRESHOLD.
pub fn take_in_large_steps() {
    #[cfg(target_env = "gnu")]
    // SAFETY: numbers only; it takes the allocator's own lock.
    unsafe {
        libc::mallopt(libc::M_TOP_PAD, STEP);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}

/// This thread is about to need so many bytes in small pieces. The allocator would ask the kernel for each page of a
/// thread's heap by itself, and all threads wait for each other in the kernel then. Call [`take_in_large_steps`] before.
pub fn work_ahead(bytes: usize) {
    // Smaller than what would be a mapping of its own.
    const PIECE: usize = 64 * 1024;
    let count = bytes.min(MOST_AHEAD) / PIECE;
    // Together they are the end of the heap once they are freed.
    let pieces: Vec<Vec<u8>> = (0..count).map(|_| Vec::with_capacity(PIECE)).collect();
    drop(pieces);
}

/// Gives back to the kernel what the allocator holds and nobody uses: after work that took much more than what is left
/// of it. Does nothing where the C library has no such call.
///
/// Reference: malloc_trim(3).
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes the allocator's own locks and touches free memory only.
    unsafe {
        libc::mallopt(libc::M_TOP_PAD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE);
        libc::malloc_trim(0);
    }
}
