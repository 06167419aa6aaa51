//! What the allocator keeps for later, what it gives back, and what of the program itself is in memory.

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

/// Lets go of every page of this program's file: code that ran once, and will not soon run again. What is needed comes back
/// from the page cache, as it does when the kernel took it. Pages that hold anything else than the file are not touched.
///
/// Reference: elf(5), getauxval(3), madvise(2) (MADV_DONTNEED).
pub fn let_go_of_program() {
    for (address, length) in read_only_segments() {
        // SAFETY: the range is a segment of this program that was never writable (no writable flag in its header, and the
        // linker makes no text relocations), so its private mapping has nothing but what is in the file, and reading it
        // again gives the same. Only whole pages inside the segment are named, none that a writable one shares.
        unsafe {
            libc::madvise(
                std::ptr::without_provenance_mut(address),
                length,
                libc::MADV_DONTNEED,
            );
        }
    }
}

/// The whole pages of the segments that are mapped from the file and never written: address and length.
fn read_only_segments() -> Vec<(usize, usize)> {
    let headers = program_headers();
    let address_of = |header: &libc::Elf64_Phdr| usize::try_from(header.p_vaddr).ok();
    // Where the headers are and where they say that they are: a program without this one is where it says.
    let table = headers.iter().find(|header| header.p_type == libc::PT_PHDR);
    let moved = match table.and_then(address_of) {
        Some(said) => (headers.as_ptr().addr()).wrapping_sub(said),
        None => 0,
    };
    let page = rustix::param::page_size();
    let segment = |header: &libc::Elf64_Phdr| -> Option<(usize, usize)> {
        let begin = address_of(header)?.wrapping_add(moved);
        let end = begin.checked_add(usize::try_from(header.p_filesz).ok()?)?;
        let begin = begin.checked_next_multiple_of(page)?;
        let length = end.checked_sub(begin)? / page * page;
        (length > 0).then_some((begin, length))
    };
    headers
        .iter()
        .filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0)
        .filter_map(segment)
        .collect()
}

/// The headers of this program, as the kernel mapped it.
fn program_headers() -> &'static [libc::Elf64_Phdr] {
    // SAFETY: numbers only.
    let (table, count, size) = unsafe {
        (
            libc::getauxval(libc::AT_PHDR),
            libc::getauxval(libc::AT_PHNUM),
            libc::getauxval(libc::AT_PHENT),
        )
    };
    let (Ok(table), Ok(count)) = (usize::try_from(table), usize::try_from(count)) else {
        return &[];
    };
    if table == 0 || u64::try_from(size_of::<libc::Elf64_Phdr>()) != Ok(size) {
        return &[];
    }
    // SAFETY: the kernel says that so many headers of this size are there, aligned as elf(5) has them, in a segment of the
    // program that stays mapped and is never written.
    unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance(table), count) }
}
