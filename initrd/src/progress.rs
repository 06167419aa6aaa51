//! How long work tells its caller where it is.

/// Receives progress. The caller decides whether that is a bar, a log line or nothing.
pub trait Progress {
    /// `done` of `total` parts of `step` are done. `total` is 0 while it is not known. The last call of a step
    /// has `done == total`.
    fn step(&mut self, step: &str, done: u64, total: u64);
}

/// Ignores progress.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&mut self, _step: &str, _done: u64, _total: u64) {}
}
