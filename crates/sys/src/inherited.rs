//! The descriptors this program was started with.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// Which numbers have an owner already.
enum Taken {
    Some(BTreeSet<i32>),
    All,
}

static TAKEN: Mutex<Taken> = Mutex::new(Taken::Some(BTreeSet::new()));

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
        if number < 3 || known.contains(&number) {
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
