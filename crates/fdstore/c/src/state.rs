//! Data beside the descriptors.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;

use fdstore::{Rule, StateError};
use rustix::io::Errno;
use softboot_sys::c_abi;
use softboot_sys::ffi::{CBytes, CText};

use crate::error::{Failure, number, panicked};
use crate::store::{Store, some, text};

/// Bytes that were read.
#[derive(Debug)]
pub struct Buffer(Vec<u8>);

fn failure(error: StateError) -> Failure {
    let errno = match &error {
        StateError::Name(_) => Errno::INVAL,
        StateError::TooLarge(_) => Errno::FBIG,
        StateError::Write(_) => Errno::IO,
        StateError::Refused(Rule::Unreadable(errno)) => *errno,
        StateError::Refused(_) => Errno::XFULL,
        StateError::NotState { .. } => Errno::PROTOTYPE,
        StateError::Missing(_) => Errno::NOENT,
        StateError::Unsound { .. } => Errno::BADMSG,
    };
    Failure::new(errno, error)
}

c_abi! {
    on_panic = panicked;

    /// Keeps length bytes under this name, in place of what was kept there before.
    /// Returns 0, -EFBIG, -EPROTOTYPE if the name belongs to something else, or another negative errno.
    fn fdstore_put_state(store: Option<&mut Store>, name: CText<'_>, bytes: CBytes<'_>, length: usize) -> c_int {
        number(some(store).and_then(|store| {
            let name = text(name, "the name")?;
            let bytes = bytes.get(length).ok_or_else(|| Failure::invalid("the buffer"))?;
            store.startup.store.put_state(&store.owner, name, bytes).map_err(failure)?;
            Ok(0)
        }))
    }

    /// What was kept under this name; it stays in the store. out gets a buffer for fdstore_buffer_free.
    /// Returns 0, -ENOENT, -EBADMSG if it is damaged, -EPROTOTYPE if it is something else, or another negative errno.
    fn fdstore_state(store: Option<&Store>, name: CText<'_>, out: Option<&mut MaybeUninit<Option<Box<Buffer>>>>) -> c_int {
        number(some(store).and_then(|store| {
            let out = out.ok_or_else(|| Failure::invalid("the place for the buffer"))?;
            let bytes = store.startup.store.state(&store.owner, text(name, "the name")?).map_err(failure)?;
            out.write(Some(Box::new(Buffer(bytes))));
            Ok(0)
        }))
    }

    /// The bytes; NULL for NULL.
    fn fdstore_buffer_data(buffer: Option<&Buffer>) -> *const c_void {
        buffer.map_or(std::ptr::null(), |buffer| buffer.0.as_ptr().cast())
    }

    /// How many bytes; 0 for NULL.
    fn fdstore_buffer_size(buffer: Option<&Buffer>) -> usize {
        buffer.map_or(0, |buffer| buffer.0.len())
    }

    /// Frees a buffer. NULL is nothing.
    fn fdstore_buffer_free(buffer: Option<Box<Buffer>>) {
        drop(buffer);
    }
}
