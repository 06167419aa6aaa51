//! What a C interface needs, so that the crate that has one needs no unsafe code: argument types that only a C caller
//! can make, and [`c_abi!`](crate::c_abi), which exports functions and lets no panic across.
//!
//! The rules that C's types cannot say (a text ends with NUL, a length is that of its buffer) are the caller's to keep,
//! as for every C library. The types here carry them: in Rust they cannot be made from a stray pointer.
//!
//! `Option<Box<T>>`, `Option<&T>`, `Option<&mut T>` and `Option<OwnedFd>` are what C knows as nullable pointers and as
//! int (-1 for none); see "Representation" of std::option.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::marker::PhantomData;

use rustix::io::Errno;

/// `const char *`: NULL, or text that ends with NUL and lives as long as the call.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct CText<'a>(*const c_char, PhantomData<&'a CStr>);

impl<'a> CText<'a> {
    /// The NULL pointer.
    pub const NULL: CText<'static> = CText(std::ptr::null(), PhantomData);

    /// As a C caller would pass it.
    pub fn new(text: &'a CStr) -> CText<'a> {
        CText(text.as_ptr(), PhantomData)
    }

    /// The text; `None` for NULL.
    pub fn get(self) -> Option<&'a CStr> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: not NULL, and by the type's contract it ends with NUL and lives for 'a.
        Some(unsafe { CStr::from_ptr(self.0) })
    }

    /// The text as UTF-8; [`Errno::INVAL`] for NULL and for what is none.
    pub fn utf8(self) -> Result<&'a str, Errno> {
        self.get().and_then(|text| text.to_str().ok()).ok_or(Errno::INVAL)
    }
}

/// `const void *` with a length beside it.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct CBytes<'a>(*const c_void, PhantomData<&'a [u8]>);

impl<'a> CBytes<'a> {
    /// As a C caller would pass it.
    pub fn new(bytes: &'a [u8]) -> CBytes<'a> {
        CBytes(bytes.as_ptr().cast(), PhantomData)
    }

    /// The bytes. `length` is the argument that the caller passed beside the pointer. `None` for NULL, unless nothing is
    /// meant, and for a length that no buffer has.
    pub fn get(self, length: usize) -> Option<&'a [u8]> {
        if length == 0 {
            return Some(&[]);
        }
        if self.0.is_null() || isize::try_from(length).is_err() {
            return None;
        }
        // SAFETY: not NULL, of a possible length, and by the type's contract the caller's buffer has this length and
        // lives for 'a.
        Some(unsafe { std::slice::from_raw_parts(self.0.cast(), length) })
    }
}

/// `const int *` with a count beside it: descriptors that the caller keeps.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct CInts<'a>(*const c_int, PhantomData<&'a [c_int]>);

impl<'a> CInts<'a> {
    /// As a C caller would pass it.
    pub fn new(numbers: &'a [c_int]) -> CInts<'a> {
        CInts(numbers.as_ptr(), PhantomData)
    }

    /// The numbers, under the rules of [`CBytes::get`].
    pub fn get(self, count: usize) -> Option<&'a [c_int]> {
        if count == 0 {
            return Some(&[]);
        }
        let bytes = count.checked_mul(size_of::<c_int>())?;
        if self.0.is_null() || !self.0.is_aligned() || isize::try_from(bytes).is_err() {
            return None;
        }
        // SAFETY: as in `CBytes::get`; also aligned.
        Some(unsafe { std::slice::from_raw_parts(self.0, count) })
    }
}

/// `char *const *`: NULL, or texts up to a NULL, as of execve(2).
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct CTexts<'a>(*const *const c_char, PhantomData<&'a [CText<'a>]>);

impl<'a> CTexts<'a> {
    /// The NULL pointer.
    pub const NULL: CTexts<'static> = CTexts(std::ptr::null(), PhantomData);

    /// The texts; `None` for NULL.
    pub fn get(self) -> Option<Vec<&'a CStr>> {
        if self.0.is_null() {
            return None;
        }
        let mut texts = Vec::new();
        let mut next = self.0;
        loop {
            // SAFETY: by the type's contract there is a pointer at each place up to the NULL, which ends the loop.
            let text = unsafe { next.read() };
            match CText(text, PhantomData).get() {
                Some(text) => texts.push(text),
                None => return Some(texts),
            }
            // SAFETY: the pointer just read was not NULL, so there is another place after it.
            next = unsafe { next.add(1) };
        }
    }
}

/// A descriptor that a C caller lends for the call. `None` when it is not open.
pub fn borrow_descriptor<'a>(number: c_int) -> Option<std::os::fd::BorrowedFd<'a>> {
    // SAFETY: F_GETFD reads a flag; a number that is not open gives EBADF.
    if number < 0 || unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return None;
    }
    // SAFETY: it is open, and by the contract of the C interface the caller keeps it so for the length of the call.
    Some(unsafe { std::os::fd::BorrowedFd::borrow_raw(number) })
}

/// A descriptor that a C caller gives away. `None` when it is not open.
pub fn own_descriptor(number: c_int) -> Option<std::os::fd::OwnedFd> {
    use std::os::fd::FromRawFd as _;
    borrow_descriptor(number)?;
    // SAFETY: it is open, and by the contract of the C interface the caller has no use for it after this.
    Some(unsafe { std::os::fd::OwnedFd::from_raw_fd(number) })
}

/// What a function returns in place of a panic.
pub trait AfterPanic {
    /// The value.
    fn after_panic() -> Self;
}

/// -EIO.
impl AfterPanic for c_int {
    fn after_panic() -> c_int {
        Errno::IO.raw_os_error().saturating_neg()
    }
}

impl AfterPanic for usize {
    fn after_panic() -> usize {
        0
    }
}

impl AfterPanic for () {
    fn after_panic() {}
}

impl<T> AfterPanic for Option<T> {
    fn after_panic() -> Option<T> {
        None
    }
}

impl<T> AfterPanic for *const T {
    fn after_panic() -> *const T {
        std::ptr::null()
    }
}

/// Exports functions to C, under their own names. `on_panic` is told of a panic, which does not get across the border.
#[macro_export]
macro_rules! c_abi {
    (on_panic = $on_panic:path; $(
        $(#[$meta:meta])*
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $return:ty)? $body:block
    )*) => { $(
        $(#[$meta])*
        // SAFETY: the name has the library's own prefix, which nobody else defines.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($($argument: $type),*) $(-> $return)? {
            // What a panic leaves half done is the handle's: it stays valid, if perhaps not complete.
            let body = ::std::panic::AssertUnwindSafe(move || $(-> $return)? { $body });
            match ::std::panic::catch_unwind(body) {
                Ok(value) => value,
                Err(_) => {
                    $on_panic();
                    $crate::ffi::AfterPanic::after_panic()
                }
            }
        }
    )* };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_nothing_and_text_must_be_utf8() {
        assert_eq!(CText::NULL.get(), None);
        assert_eq!(CText::NULL.utf8(), Err(Errno::INVAL));
        assert_eq!(CText::new(c"a").utf8(), Ok("a"));
        assert_eq!(CText::new(c"\xff").utf8(), Err(Errno::INVAL));
        assert_eq!(CTexts::NULL.get(), None);
    }

    #[test]
    fn a_length_without_a_buffer_is_refused() {
        assert_eq!(CBytes(std::ptr::null(), PhantomData).get(1), None);
        assert_eq!(CBytes(std::ptr::null(), PhantomData).get(0), Some(&[][..]));
        assert_eq!(CBytes::new(b"ab").get(2), Some(&b"ab"[..]));
        assert_eq!(CBytes::new(b"ab").get(usize::MAX), None);
        assert_eq!(CInts::new(&[1, 2]).get(2), Some(&[1, 2][..]));
        assert_eq!(CInts::new(&[1]).get(usize::MAX), None);
    }

    #[test]
    fn texts_end_at_null() {
        let texts = [c"a".as_ptr(), c"b".as_ptr(), std::ptr::null()];
        let texts = CTexts(texts.as_ptr(), PhantomData);
        assert_eq!(texts.get(), Some(vec![c"a", c"b"]));
    }

    #[test]
    fn a_descriptor_that_is_not_open_is_none() {
        assert!(borrow_descriptor(-1).is_none() && own_descriptor(1_000_000).is_none());
        assert!(borrow_descriptor(0).is_some());
    }

    fn nothing() {}

    crate::c_abi! {
        on_panic = nothing;

        /// Divides.
        #[expect(unreachable_pub, reason = "C reaches it by name")]
        fn softboot_sys_test_divide(a: c_int, b: c_int) -> c_int {
            a / b
        }
    }

    #[test]
    fn no_panic_gets_across() {
        assert_eq!(softboot_sys_test_divide(6, 2), 3);
        assert_eq!(softboot_sys_test_divide(1, 0), -5);
    }
}
