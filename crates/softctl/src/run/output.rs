//! Where results, notes and errors go.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

use crate::cli::Common;
use crate::error::Error;
use crate::paint::{Paint, Tone};
use crate::text::clean_json;
use crate::view::{Now, View};

/// Columns when a terminal does not say how many it has.
const DEFAULT_WIDTH: usize = 80;
/// A terminal that claims fewer is not believed: tables would be all dots.
const LEAST_WIDTH: usize = 40;

/// Results on stdout, the rest on stderr.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) common: Common,
}

impl Output {
    pub(crate) fn json(self) -> bool {
        self.common.json
    }

    /// How results are shown.
    fn view(self) -> View {
        let stdout = std::io::stdout();
        let (no_color, term) = (std::env::var_os("NO_COLOR"), std::env::var_os("TERM"));
        let paint = Paint::choose(stdout.is_terminal(), no_color.as_deref(), term.as_deref());
        // A program that reads wants all of it.
        let size = rustix::termios::tcgetwinsize(&stdout).ok();
        let columns = size.map(|size| match usize::from(size.ws_col) {
            0 => DEFAULT_WIDTH,
            columns => columns.max(LEAST_WIDTH),
        });
        View {
            width: columns.filter(|_| !self.common.full),
            paint,
            now: Now::read(),
            legend: !self.common.no_legend,
        }
    }

    /// Columns to use; texts that wrap do so whatever the tables do.
    pub(crate) fn width(self) -> usize {
        self.view().width.unwrap_or(DEFAULT_WIDTH)
    }

    /// Whether colours are wanted.
    pub(crate) fn is_coloured(self) -> bool {
        self.view().paint.is_on()
    }

    /// Text in a tone, where colours are wanted.
    pub(crate) fn tone(self, tone: Tone, text: &str) -> String {
        self.view().paint.tone(tone, text)
    }

    /// A result.
    pub(crate) fn print(self, text: &str) -> Result<(), Error> {
        if self.common.quiet {
            return Ok(());
        }
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        Ok(stdout.flush()?)
    }

    /// A result, as people or as programs read it.
    pub(crate) fn show(self, value: &impl Serialize, text: impl FnOnce(View) -> String) -> Result<(), Error> {
        if self.common.json {
            self.print_json(value)
        } else {
            self.print(&text(self.view()))
        }
    }

    /// A result for programs.
    pub(crate) fn print_json(self, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from)?;
        self.print(&format!("{}\n", clean_json(&text)))
    }

    /// The same in one line.
    pub(crate) fn print_json_line(self, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(value).map_err(std::io::Error::from)?;
        self.print(&format!("{}\n", clean_json(&text)))
    }

    /// Something worth knowing that is neither result nor error.
    pub(crate) fn note(self, text: &str) {
        if !self.common.quiet {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// An error after which something else goes on. Nobody is left to tell when stderr is gone.
    pub(crate) fn complain(self, text: &str) {
        let _ = writeln!(std::io::stderr(), "softctl: {text}");
    }
}
