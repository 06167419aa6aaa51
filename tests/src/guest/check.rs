//! Checks that say what they checked.

use std::fmt::Display;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::error::Error;

/// How long to wait for something that has to come; far above what it takes on a slow emulated machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Where the lines go.
pub struct Output {
    sink: Box<dyn Write>,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Output")
    }
}

impl Output {
    /// Lines go to `sink`.
    pub fn new(sink: impl Write + 'static) -> Output {
        Output { sink: Box::new(sink) }
    }

    /// A line that reports something without judging it.
    pub fn note(&mut self, text: impl Display) {
        // A scenario outlives whoever reads its output; what it has to say is in its exit status too.
        let _ = writeln!(self.sink, "      {text}").and_then(|()| self.sink.flush());
    }

    /// `text` holds, or the scenario has failed.
    pub(super) fn check(&mut self, holds: bool, text: impl Display) -> Result<(), Error> {
        if !holds {
            return Err(Error::Check(text.to_string()));
        }
        let _ = writeln!(self.sink, "ok:   {text}").and_then(|()| self.sink.flush());
        Ok(())
    }

    /// The two are equal, or the scenario has failed.
    pub(super) fn same<T: PartialEq + std::fmt::Debug>(
        &mut self,
        found: &T,
        wanted: &T,
        what: impl Display,
    ) -> Result<(), Error> {
        if found != wanted {
            return Err(Error::Check(format!(
                "{what}: expected {wanted:?}, found {found:?}"
            )));
        }
        self.check(true, what)
    }
}

/// Looks again and again until there is something; an error counts as nothing yet, and the last one is reported.
pub(super) fn wait_for<T>(
    what: impl Display,
    mut look: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    let begun = Instant::now();
    loop {
        let reason = match look() {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => String::new(),
            Err(error) => format!(" (last: {error})"),
        };
        if begun.elapsed() > PATIENCE {
            return Err(Error::Timeout {
                what: format!("{what}{reason}"),
                limit: PATIENCE,
            });
        }
        std::thread::sleep(PAUSE);
    }
}
