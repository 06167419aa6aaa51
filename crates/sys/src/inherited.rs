//! The descriptors this program was started with.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// Which numbers have an owner already.
enum Taken {
    Some(Numbers),
    All,
}

/// A set of descriptor numbers, one bit each: there may be a million of them.
struct Numbers(Vec<u64>);

impl Numbers {
    fn split(number: i32) -> Option<(usize, u64)> {
        let number = usize::try_from(number).ok()?;
        Some((number / 64, 1 << (number % 64)))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn contains(&self, number: i32) -> bool {
        Numbers::split(number)
            .and_then(|(word, bit)| Some(self.0.get(word)? & bit != 0))
            .unwrap_or(false)
    }

    fn insert(&mut self, number: i32) {
        let Some((word, bit)) = Numbers::split(number) else {
            return;
        };
        if self.0.len() <= word {
            self.0.resize(word.saturating_add(1), 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }
}

static TAKEN: Mutex<Taken> = Mutex::new(Taken::Some(Numbers(Vec::new())));

fn refused() -> io::Error {
    io::Error::other("the inherited descriptors have been taken already")
}

/// Takes every open descriptor from 3 upwards and sets FD_CLOEXEC on it. The key is the number.
///
/// Call this first in `main`, before anything else opens a descriptor: what is open then belongs to nobody in this
/// program, so it can be given an owner. After this or [`take`] it is refused, because by then it would not be true.
///
/// References: proc_pid_fd(5), fcntl(2) F_SETFD.
pub fn take_all() -> io::Result<BTreeMap<i32, OwnedFd>> {
    let mut record = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    match &*record {
        Taken::Some(numbers) if numbers.is_empty() => *record = Taken::All,
        _ => return Err(refused()),
    }
    let mut taken = BTreeMap::new();
    for number in open_numbers()? {
        // SAFETY: fcntl with F_SETFD only changes a flag; a number that is not open gives EBADF.
        let set = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        if set == 0 {
            // SAFETY: the number is open (fcntl just said so), and by this function's contract nobody in this
            // program owns it: it was open when the program began. It is taken only once (`TAKEN`).
            taken.insert(number, unsafe { OwnedFd::from_raw_fd(number) });
        }
    }
    Ok(taken)
}

/// Takes the given descriptors and no others: for a program that was told which ones are its own, such as by
/// LISTEN_FDS. The same contract as [`take_all`]. It may be called again for other numbers: one that was given out
/// before is left out, and after [`take_all`] every call is refused.
pub fn take(numbers: impl IntoIterator<Item = i32>) -> io::Result<BTreeMap<i32, OwnedFd>> {
    let mut record = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let Taken::Some(known) = &mut *record else {
        return Err(refused());
    };
    let mut taken = BTreeMap::new();
    for number in numbers {
        if number < 3 || known.contains(number) {
            continue;
        }
        // SAFETY: as in `take_all`.
        let set = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        if set == 0 {
            known.insert(number);
            // SAFETY: as in `take_all`: open, handed over by whoever started this program, and taken once.
            taken.insert(number, unsafe { OwnedFd::from_raw_fd(number) });
        }
    }
    Ok(taken)
}

/// Takes the descriptor with this number if `proof` finds that it is the right one. `None` when it does not, when the
/// number was given out before, or after [`take_all`]. The same contract as [`take`]; FD_CLOEXEC is not touched, see
/// [`close_on_exec`].
///
/// `proof` must say yes only after a system call on the descriptor has succeeded: that is what shows that it is open.
pub fn claim(number: i32, proof: &mut dyn FnMut(BorrowedFd<'_>) -> bool) -> Option<OwnedFd> {
    let mut record = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let Taken::Some(known) = &mut *record else {
        return None;
    };
    if number < 3 || known.contains(number) {
        return None;
    }
    // SAFETY: the number is not -1. If it is open, nobody in this program owns it (by contract) and so nobody closes it
    // while `proof` looks; if it is not, every call on it fails with EBADF.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    if !proof(borrowed) {
        return None;
    }
    known.insert(number);
    // SAFETY: as in `take_all`: open (`proof` has seen it), handed over by whoever started this program, taken once.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Sets FD_CLOEXEC on those of these numbers that are open: one system call for each run of numbers without a gap.
///
/// Reference: close_range(2), CLOSE_RANGE_CLOEXEC (Linux 5.11).
pub fn close_on_exec(numbers: impl IntoIterator<Item = i32>) -> io::Result<()> {
    let mut numbers: Vec<i32> = numbers.into_iter().filter(|number| *number >= 3).collect();
    numbers.sort_unstable();
    for run in numbers.chunk_by(|a, b| b.saturating_sub(*a) <= 1) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        let flags = libc::CLOSE_RANGE_CLOEXEC as libc::c_int;
        // SAFETY: close_range takes numbers only; with this flag nothing is closed now.
        if unsafe { libc::syscall(libc::SYS_close_range, *first, *last, flags) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Where /proc is not mounted yet, numbers are tried up to this one.
const PROBE_MAX: i32 = 65_536;

fn open_numbers() -> io::Result<Vec<i32>> {
    // The directory's own descriptor is in the list too; it is closed again when this returns, so that setting a
    // flag on it fails.
    let entries = match std::fs::read_dir("/proc/self/fd") {
        Ok(entries) => entries,
        // PID 1 before it has mounted anything.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((3..PROBE_MAX).collect()),
        Err(error) => return Err(error),
    };
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().parse::<i32>().unwrap_or(-1)))
        .filter(|number| number.as_ref().map_or(true, |number| *number >= 3))
        .collect()
}
