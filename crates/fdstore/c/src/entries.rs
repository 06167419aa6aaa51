//! What is in the store, and what did not get in.

use std::ffi::{CString, c_char, c_int, c_void};

use fdstore::FdName;
use rustix::io::Errno;
use softboot_sys::c_abi;

use crate::error::{Failure, count, number, panicked};
use crate::store::{Store, some};

/// An entry of the store.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// sizeof(fdstore_entry) of the library.
    pub size: usize,
    /// Never given to another entry, also after a handoff.
    pub id: u64,
    /// When it came in, in microseconds of CLOCK_REALTIME.
    pub entered_usec: u64,
    /// When it is to leave, in microseconds of CLOCK_BOOTTIME; 0 for never.
    pub expires_usec: u64,
    /// Its name.
    pub name: *const c_char,
    /// What it is, for people.
    pub kind: *const c_char,
}

/// Called for each entry; another value than 0 ends it. What the entry points to lives until it returns.
pub type EntryCallback = extern "C" fn(data: *mut c_void, entry: *const Entry) -> c_int;

/// Called for each descriptor that was put aside; another value than 0 ends it. The texts live until it returns.
pub type QuarantineCallback =
    extern "C" fn(data: *mut c_void, name: *const c_char, reason: *const c_char) -> c_int;

fn c_text(text: &str) -> Result<CString, Failure> {
    CString::new(text.replace('\0', " ")).map_err(|error| Failure::new(Errno::INVAL, error))
}

fn each(store: Option<&Store>, callback: Option<EntryCallback>, data: *mut c_void) -> Result<c_int, Failure> {
    let store = some(store)?;
    let callback = callback.ok_or_else(|| Failure::invalid("the callback"))?;
    for entry in store.startup.store.entries_of(&store.owner) {
        let (name, kind) = (
            c_text(entry.name().as_str())?,
            c_text(&entry.identity().kind().to_string())?,
        );
        let described = Entry {
            size: size_of::<Entry>(),
            id: entry.id().0,
            entered_usec: entry.entered_usec(),
            expires_usec: entry.expires_usec().unwrap_or(0),
            name: name.as_ptr(),
            kind: kind.as_ptr(),
        };
        match callback(data, &raw const described) {
            0 => {}
            value => return Ok(value),
        }
    }
    Ok(0)
}

fn each_quarantined(
    store: Option<&Store>,
    callback: Option<QuarantineCallback>,
    data: *mut c_void,
) -> Result<c_int, Failure> {
    let store = some(store)?;
    let callback = callback.ok_or_else(|| Failure::invalid("the callback"))?;
    for aside in &store.startup.quarantined {
        let name = c_text(aside.name.as_ref().map_or("", FdName::as_str))?;
        let reason = c_text(&aside.reason)?;
        match callback(data, name.as_ptr(), reason.as_ptr()) {
            0 => {}
            value => return Ok(value),
        }
    }
    Ok(0)
}

c_abi! {
    on_panic = panicked;

    /// How many entries there are; 0 for NULL.
    fn fdstore_count(store: Option<&Store>) -> c_int {
        number(some(store).map(|store| count(store.startup.store.count(&store.owner))))
    }

    /// Calls back for each entry, oldest first. The store must not be changed meanwhile.
    /// Returns 0, what the callback returned if that was not 0, or a negative errno.
    fn fdstore_each(store: Option<&Store>, callback: Option<EntryCallback>, data: *mut c_void) -> c_int {
        number(each(store, callback, data))
    }

    /// Calls back for each descriptor that this program was promised and that is something else or was not there.
    /// Returns 0, what the callback returned if that was not 0, or a negative errno.
    fn fdstore_each_quarantined(store: Option<&Store>, callback: Option<QuarantineCallback>, data: *mut c_void) -> c_int {
        number(each_quarantined(store, callback, data))
    }
}
