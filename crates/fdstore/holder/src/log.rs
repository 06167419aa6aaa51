//! The log: one line an event, on standard error. Whoever starts the holder decides where that goes; systemd's journal
//! gets the level in its own form (sd-daemon(3), "<4>").
//!
//! Writing does not wait: a reader of the log that has stopped costs lines, not clients.

use std::fmt::Write as _;
use std::io::Write as _;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::SetGlobalDefaultError;
use tracing::{Event, Level, Metadata, Subscriber};

/// The longest line, in bytes: clients have a say in some.
const LONGEST: usize = 2_000;

struct Log {
    most: Level,
    journal: bool,
}

/// Sends everything up to this level to standard error.
pub fn start(most: Level) -> Result<(), SetGlobalDefaultError> {
    tracing::subscriber::set_global_default(Log {
        most,
        journal: std::env::var_os("JOURNAL_STREAM").is_some(),
    })
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let level = event.metadata().level();
        let mut line = Line(match self.journal {
            true => format!("<{}>", severity(level)),
            false => format!("{level:5} "),
        });
        event.record(&mut line);
        let text = line.finish();
        let stderr = std::io::stderr();
        let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
        // A pipe that is writable has room for PIPE_BUF bytes, more than a line has.
        if poll(&mut ready, Some(&Timespec::default())) == Ok(0) {
            return;
        }
        // Nobody can be told when this fails.
        let _ = (&stderr).write_all(text.as_bytes());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// syslog(3).
fn severity(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // The message first, other fields behind it.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

impl Line {
    /// One line whatever is in it: a line end would start an entry that nobody wrote.
    fn finish(self) -> String {
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        let mut text: String = self.0.trim_end().chars().map(clean).collect();
        if text.len() > LONGEST {
            text.truncate(text.floor_char_boundary(LONGEST));
            text.push('…');
        }
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_of_bounded_length() {
        let line = Line("WARN  a\nERROR b\u{1b}[31m".to_owned()).finish();
        assert_eq!(line, "WARN  a ERROR b [31m\n");
        let long = Line("ä".repeat(5_000)).finish();
        assert!(long.len() < LONGEST + 10 && long.ends_with("…\n"));
    }
}
