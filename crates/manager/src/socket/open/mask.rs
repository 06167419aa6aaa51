//! The mode of nodes that bind(2) and its like make.

use rustix::fs::Mode;

/// Makes something whose mode is to be exactly `mode`. The mask belongs to the whole process: PID 1 makes nodes on one
/// thread only, and its tests take turns.
pub(crate) fn with_mode<T>(mode: u32, make: impl FnOnce() -> T) -> T {
    #[cfg(test)]
    let _turn = {
        static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
        TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    };
    let old = rustix::process::umask(Mode::from_raw_mode(!mode & 0o777));
    let made = make();
    rustix::process::umask(old);
    made
}
