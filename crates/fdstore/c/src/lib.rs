//! libfdstore: the crate [`fdstore`] for C, and for every language that calls C.
//!
//! The header is `include/fdstore.h`, generated from these sources by `cargo xtask c-header`; `docs/c.md` is for those
//! who use it.
//!
//! Rules of the border:
//! - Handles are opaque, made by one function and freed by another; a NULL handle is an error, never a crash.
//! - A function that can fail returns a negative errno, and [`fdstore_error_message`](error::fdstore_error_message) then
//!   says what went wrong, for this thread.
//! - Structures begin with their size, so that a later version can add members.
//! - A descriptor that is given away is the library's only if the call succeeds.
//! - No panic gets across ([`softboot_sys::c_abi`]).
//! - A handle is for one thread at a time.
//!
//! The unsafe code that a C interface needs is in [`softboot_sys::ffi`], as all of it is in that crate.

pub mod entries;
pub mod error;
pub mod notify;
pub mod state;
pub mod store;
pub mod upgrade;

#[cfg(test)]
mod tests;
