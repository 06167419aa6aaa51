//! Every descriptor to its number.

use std::ffi::c_int;

use super::Prepared;
use crate::spawn::status::Step;

/// Room to think about numbers in, made before the clone.
pub(super) struct Placing {
    /// How many targets are still to be copied from a target's number.
    uses: Vec<u32>,
    /// Targets whose number is free.
    ready: Vec<c_int>,
}

impl Placing {
    /// For so many targets.
    pub(super) fn with_capacity(targets: usize) -> Placing {
        Placing {
            uses: Vec::with_capacity(targets),
            ready: Vec::with_capacity(targets),
        }
    }
}

/// Of a source that is at its target.
const PLACED: c_int = -1;

/// Every source to its target, whatever numbers they have now.
///
/// A target whose number nobody needs as a source any more is placed first; that frees the next ones. What is left in the
/// end goes round in circles, and one of each circle moves out of the way. So hardly any number is needed beyond those
/// there are: a process may have nearly as many descriptors as its limit allows.
///
/// # Safety
/// As for [`super::run`].
pub(super) unsafe fn place_descriptors(prepared: &mut Prepared<'_>) -> Result<(), Step> {
    let end = c_int::try_from(prepared.sources.len()).map_err(|_| Step::Descriptors)?;
    // SAFETY: fcntl, dup2 and close_range on numbers of the child's own table; the lists have room for every target
    // since before the clone.
    unsafe {
        for needed in [&mut prepared.report, &mut prepared.exec_fd] {
            if (0..end).contains(needed) {
                *needed = out_of_the_way(*needed, end).ok_or(Step::Descriptors)?;
            }
        }
        let Placing { uses, ready } = &mut prepared.placing;
        let sources = &mut prepared.sources;
        uses.clear();
        uses.resize(sources.len(), 0);
        for (target, source) in (0..).zip(sources.iter_mut()) {
            if *source == target {
                if libc::fcntl(target, libc::F_SETFD, 0) < 0 {
                    return Err(step_of(target));
                }
                *source = PLACED;
            } else if let Some(count) = at(uses, *source) {
                *count += 1;
            }
        }
        let unused = (0..end).filter(|target| is(uses, *target, 0) && !is(sources, *target, PLACED));
        ready.clear();
        ready.extend(unused);
        let mut rest = 0..end;
        loop {
            while let Some(target) = ready.pop() {
                let Some(source) = at(sources, target).map(|source| std::mem::replace(source, PLACED)) else {
                    return Err(Step::Descriptors);
                };
                if libc::dup2(source, target) < 0 {
                    return Err(step_of(target));
                }
                if let Some(count) = at(uses, source) {
                    *count -= 1;
                    if *count == 0 && !is(sources, source, PLACED) {
                        ready.push(source);
                    }
                }
            }
            let Some(target) = rest.find(|target| !is(sources, *target, PLACED)) else {
                break;
            };
            let moved = out_of_the_way(target, end).ok_or(step_of(target))?;
            for source in sources.iter_mut().filter(|source| **source == target) {
                *source = moved;
            }
            ready.push(target);
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

/// The element of a number, if it has one.
fn at<T>(list: &mut [T], number: c_int) -> Option<&mut T> {
    list.get_mut(usize::try_from(number).ok()?)
}

fn is<T: PartialEq>(list: &[T], number: c_int, value: T) -> bool {
    usize::try_from(number).is_ok_and(|number| list.get(number) == Some(&value))
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
