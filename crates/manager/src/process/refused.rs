//! Why a process could not be made.

use std::ffi::CString;
use std::path::Path;

/// The sentence and the exit code the reference shows (semantics 4.10).
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: String,
    pub(crate) code: i32,
}

/// For `map_err`: the sentence gets its code.
pub(super) fn refused(code: i32) -> impl FnOnce(String) -> Refused {
    move |error| Refused { error, code }
}

/// Exit codes of a failed preparation (semantics 4.10; systemd.exec(5), "Process exit codes").
pub(super) mod code {
    pub(crate) const FDS: i32 = 202;
    pub(crate) const EXEC: i32 = 203;
    pub(crate) const SCHEDULER: i32 = 214;
    pub(crate) const GROUP: i32 = 216;
    pub(crate) const USER: i32 = 217;
    pub(crate) const CGROUP: i32 = 219;
    pub(crate) const PERSONALITY: i32 = 230;
    pub(crate) const RUNTIME_DIRECTORY: i32 = 233;
    pub(crate) const CREDENTIALS: i32 = 243;
}

pub(super) fn c_string(text: String) -> Result<CString, Refused> {
    CString::new(text).map_err(|error| Refused {
        error: format!("a NUL byte in a command line or variable: {error}"),
        code: code::EXEC,
    })
}

pub(super) fn path_text(path: &Path) -> Result<String, Refused> {
    path.to_str().map(str::to_owned).ok_or_else(|| Refused {
        error: format!("{} is not UTF-8", path.display()),
        code: code::EXEC,
    })
}
