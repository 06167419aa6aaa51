//! Colours, and where they are wanted.

use std::ffi::OsStr;

/// What a piece of text means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// A heading or a name.
    Bold,
    /// As it should be.
    Good,
    /// On its way, or worth a look.
    Notice,
    /// Failed.
    Bad,
    /// Less important.
    Faint,
}

/// Puts colours on text, or does not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// Without colours.
    #[cfg(test)]
    pub(crate) const OFF: Paint = Paint { on: false };

    /// With colours on a terminal, unless `NO_COLOR` is set to something (no-color.org) or the terminal is dumb.
    pub(crate) fn choose(terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> Paint {
        let refused = no_color.is_some_and(|value| !value.is_empty());
        Paint {
            on: terminal && !refused && term.is_none_or(|term| term != "dumb"),
        }
    }

    /// Whether there are colours at all.
    pub(crate) fn is_on(self) -> bool {
        self.on
    }

    /// The text in its tone. The text must be [`clean`](crate::text::clean).
    pub(crate) fn tone(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Bold => "1",
            Tone::Good => "1;32",
            Tone::Notice => "1;33",
            Tone::Bad => "1;31",
            Tone::Faint => "2",
        };
        if self.on && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The tone of an active state.
pub(crate) fn tone_of_active(active: &str) -> Tone {
    match active {
        "active" | "reloading" | "refreshing" => Tone::Good,
        "activating" | "deactivating" | "maintenance" => Tone::Notice,
        "failed" => Tone::Bad,
        _ => Tone::Plain,
    }
}

/// The sign before a unit's name.
pub(crate) fn dot(active: &str) -> &'static str {
    match active {
        "inactive" => "○",
        "failed" => "×",
        "reloading" | "refreshing" => "↻",
        _ => "●",
    }
}

/// The tone of a load state.
pub(crate) fn tone_of_load(load: &str) -> Tone {
    match load {
        "loaded" | "" => Tone::Plain,
        "masked" | "merged" => Tone::Faint,
        _ => Tone::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let coloured = |terminal, no_color: Option<&str>, term: Option<&str>| {
            Paint::choose(terminal, no_color.map(OsStr::new), term.map(OsStr::new)).tone(Tone::Bad, "x")
                != "x"
        };
        assert!(coloured(true, None, Some("xterm")));
        assert!(coloured(true, Some(""), None));
        assert!(!coloured(false, None, Some("xterm")));
        assert!(!coloured(true, Some("1"), Some("xterm")));
        assert!(!coloured(true, None, Some("dumb")));
    }
}
