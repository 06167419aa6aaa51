//! Swap areas.

use std::ffi::CStr;

use rustix::io::Errno;

/// Stops swapping to the file or device at `path`. What is there comes back into memory first, so it may take long.
///
/// Reference: swapoff(2).
pub fn swap_off(path: &CStr) -> Result<(), Errno> {
    // SAFETY: a terminated path.
    if unsafe { libc::swapoff(path.as_ptr()) } != 0 {
        return Err(crate::exec::last_errno());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_swap_area_is_refused() {
        assert!(swap_off(c"/nowhere").is_err());
    }
}
