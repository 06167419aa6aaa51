//! Every descriptor to its number.

use std::ffi::c_int;

use super::Prepared;
use crate::spawn::status::Step;

/// Every source to its target, whatever numbers they have now.
///
/// First whatever stands on a target's number and is needed elsewhere moves out of the way; then nothing that is
/// still needed can be overwritten.
///
/// # Safety
/// As for [`super::run`].
pub(super) unsafe fn place_descriptors(prepared: &mut Prepared<'_>) -> Result<(), Step> {
    let end = c_int::try_from(prepared.sources.len()).map_err(|_| Step::Descriptors)?;
    // SAFETY: fcntl, dup2 and close_range on numbers of the child's own table.
    unsafe {
        for (target, source) in (0..).zip(prepared.sources.iter_mut()) {
            if *source < end && *source != target {
                *source = out_of_the_way(*source, end).ok_or(step_of(target))?;
            }
        }
        for needed in [&mut prepared.report, &mut prepared.exec_fd] {
            if (0..end).contains(needed) {
                *needed = out_of_the_way(*needed, end).ok_or(Step::Descriptors)?;
            }
        }
        for (target, source) in (0..).zip(prepared.sources.iter().copied()) {
            let placed = if source == target {
                libc::fcntl(source, libc::F_SETFD, 0)
            } else {
                libc::dup2(source, target)
            };
            if placed < 0 {
                return Err(step_of(target));
            }
        }
        // What the parent opened without O_CLOEXEC by mistake does not leak either.
        libc::syscall(
            libc::SYS_close_range,
            end,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        );
        for kept in &prepared.keep {
            if libc::fcntl(*kept, libc::F_SETFD, 0) < 0 {
                return Err(Step::Descriptors);
            }
        }
    }
    Ok(())
}

fn step_of(target: c_int) -> Step {
    if target < 3 {
        Step::Stdio
    } else {
        Step::Descriptors
    }
}

/// # Safety
/// As for [`super::run`].
pub(super) unsafe fn out_of_the_way(fd: c_int, lowest: c_int) -> Option<c_int> {
    // SAFETY: F_DUPFD_CLOEXEC only makes a new number.
    let moved = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, lowest) };
    (moved >= 0).then_some(moved)
}
