//! Descriptors that stay open.

use std::os::fd::{AsFd as _, AsRawFd as _};

/// The lowest number that is free: the kernel gives it to the next descriptor (open(2)).
fn lowest() -> i32 {
    std::io::stderr()
        .as_fd()
        .try_clone_to_owned()
        .unwrap()
        .as_raw_fd()
}

/// Runs something that must leave no descriptor open. One that stays has the lowest number, or a higher one that a later
/// run finds.
pub(crate) fn none(run: impl FnOnce()) {
    let before = lowest();
    run();
    assert_eq!(lowest(), before, "a descriptor was left open");
}
