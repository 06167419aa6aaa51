//! What went wrong.

use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int};

use rustix::io::Errno;
use softboot_sys::c_abi;

thread_local! {
    static MESSAGE: RefCell<CString> = RefCell::new(CString::default());
}

/// A failure on its way to C.
#[derive(Debug)]
pub(crate) struct Failure {
    errno: Errno,
    message: String,
}

impl Failure {
    pub(crate) fn new(errno: Errno, message: impl std::fmt::Display) -> Failure {
        Failure {
            errno,
            message: message.to_string(),
        }
    }

    /// An argument that cannot be.
    pub(crate) fn invalid(what: &str) -> Failure {
        Failure::new(
            Errno::INVAL,
            format_args!("{what} is NULL or not what it should be"),
        )
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Failure {
        Failure::new(errno, std::io::Error::from(errno))
    }
}

/// Sets this thread's message.
pub(crate) fn set_message(text: &str) {
    // A NUL would end the text early; there is none in ours.
    let text = CString::new(text.replace('\0', " ")).unwrap_or_default();
    // While the thread ends there is nobody left to read it.
    let _ = MESSAGE.try_with(|message| *message.borrow_mut() = text);
}

/// This thread's message, for tests.
#[cfg(test)]
pub(crate) fn current_message() -> String {
    MESSAGE.with_borrow(|message| message.to_string_lossy().into_owned())
}

/// For [`c_abi!`].
pub(crate) fn panicked() {
    set_message("an error in libfdstore itself; please report it");
}

/// The result of a call that returns a number: what it is, or a negative errno.
pub(crate) fn number(result: Result<c_int, Failure>) -> c_int {
    match result {
        Ok(value) => value,
        Err(failure) => {
            set_message(&failure.message);
            failure.errno.raw_os_error().saturating_neg()
        }
    }
}

/// A count for C.
pub(crate) fn count(count: usize) -> c_int {
    c_int::try_from(count).unwrap_or(c_int::MAX)
}

c_abi! {
    on_panic = panicked;

    /// What went wrong in this thread's last call that failed: a sentence for people, in UTF-8. It lives until the next
    /// call that fails. Never NULL; empty when nothing has failed yet.
    fn fdstore_error_message() -> *const c_char {
        MESSAGE.try_with(|message| message.borrow().as_ptr()).unwrap_or(c"".as_ptr())
    }

    /// The version of the library, such as "0.1.0".
    fn fdstore_version() -> *const c_char {
        const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
        VERSION.as_ptr().cast()
    }
}
