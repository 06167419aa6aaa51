//! Progress for people: a bar on a terminal, one plain line a step elsewhere. Always on standard error.

use indicatif::{ProgressBar, ProgressStyle};
use softboot_initrd::progress::Progress;
use std::io::IsTerminal;

/// Shows progress.
pub(crate) struct Reporter {
    bar: Option<ProgressBar>,
    last: String,
}

impl Reporter {
    /// Looks where standard error goes.
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(ProgressBar::no_length);
        if let Some(bar) = &bar
            && let Ok(style) =
                ProgressStyle::with_template("{spinner} {msg} {wide_bar} {pos}/{len} {elapsed}")
        {
            bar.set_style(style);
        }
        Self {
            bar,
            last: String::new(),
        }
    }

    /// Says what is done now.
    pub(crate) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }
}

impl Progress for Reporter {
    fn step(&mut self, step: &str, done: u64, total: u64) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(step.to_owned());
                bar.set_length(total);
                bar.set_position(done);
            }
            None if self.last != step => eprintln!("{step}"),
            None => {}
        }
        step.clone_into(&mut self.last);
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
