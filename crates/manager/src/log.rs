//! The manager's own log: the kernel log, and the console where there is no kernel log of our own.
//!
//! Writing never blocks: a console that is held by flow control loses lines instead of stopping PID 1. But it takes its time,
//! on a serial line milliseconds, in which nobody is answered. So while PID 1 has something to do, what is no more than
//! information waits until there is nothing to do, or until there is something worse to say; only a crash by a signal loses it.

use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// A line longer than this is cut: the kernel log refuses records over its own limit (kmsg, about 1 KiB).
const MAX_LINE: usize = 900;

/// More lines than this do not wait.
const MAX_HELD: usize = 64;

struct Log {
    kmsg: bool,
    spans: AtomicU64,
}

/// Where lines go, and those that wait.
struct Lines {
    sink: Option<OwnedFd>,
    console: bool,
    holding: bool,
    held: Vec<String>,
}

static LINES: Mutex<Lines> = Mutex::new(Lines {
    sink: None,
    console: false,
    holding: false,
    held: Vec::new(),
});

/// From now on there is something to do.
pub(crate) fn hold() {
    if let Ok(mut lines) = LINES.lock() {
        lines.holding = true;
    }
}

/// There is nothing to do, or it is not known for how long this goes on.
pub(crate) fn release() {
    if let Ok(mut lines) = LINES.lock() {
        lines.holding = false;
        lines.write_held();
    }
}

impl Lines {
    fn add(&mut self, level: Level, line: String) {
        self.held.push(line);
        if !self.holding || level < Level::INFO || self.held.len() > MAX_HELD {
            self.write_held();
        }
    }

    fn write_held(&mut self) {
        for line in std::mem::take(&mut self.held) {
            let write = |sink: &Option<OwnedFd>| match sink {
                Some(sink) => rustix::io::write(sink, line.as_bytes()),
                None => Ok(0),
            };
            // A service whose terminal this is may have hung it up (TTYVHangup=).
            if write(&self.sink) == Err(Errno::IO) && self.console {
                if let Some(anew) = open(CONSOLE) {
                    self.sink = Some(anew);
                }
                let _ = write(&self.sink);
            }
        }
    }
}

const CONSOLE: &str = "/dev/console";

fn open(path: &str) -> Option<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    rustix::fs::open(path, flags, Mode::empty()).ok()
}

/// Sends `tracing` output to /dev/kmsg, or to /dev/console in a container (its kernel log is the host's).
pub(crate) fn start(container: bool) {
    let kmsg = if container { None } else { open("/dev/kmsg") };
    if kmsg.is_some() {
        // Ten lines in five seconds are what the kernel takes otherwise, and the end of a machine has more to say. Where
        // the command line forbids it, it stays so.
        let _ = std::fs::write("/proc/sys/kernel/printk_devkmsg", "on\n");
    }
    let is_kmsg = kmsg.is_some();
    if let Ok(mut lines) = LINES.lock() {
        lines.sink = kmsg.or_else(|| open(CONSOLE));
        lines.console = !is_kmsg;
    }
    // A second call (never in practice) keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(Log {
        kmsg: is_kmsg,
        spans: AtomicU64::new(1),
    });
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed).max(1))
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let mut line = String::with_capacity(text.message.len() + 32);
        if self.kmsg {
            // syslog(3): facility daemon (3), severity by level.
            let severity = match *event.metadata().level() {
                Level::ERROR => 3,
                Level::WARN => 4,
                Level::INFO => 6,
                _ => 7,
            };
            let _ = write!(line, "<{}>", 3 * 8 + severity);
        }
        let _ = write!(line, "softbootd: {}", text.message);
        for character in text.fields.chars() {
            line.push(character);
        }
        let mut end = line.len().min(MAX_LINE);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        let line: String = line
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        if let Ok(mut lines) = LINES.lock() {
            lines.add(*event.metadata().level(), format!("{line}\n"));
        }
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}

#[cfg(test)]
mod tests {
    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    #[test]
    fn information_waits_until_it_is_let_go_or_something_is_wrong() {
        let (reader, writer) = pipe_with(PipeFlags::NONBLOCK).unwrap();
        let read = || {
            let mut bytes = [0; 256];
            let count = rustix::io::read(&reader, &mut bytes).unwrap_or(0);
            String::from_utf8_lossy(bytes.get(..count).unwrap_or_default()).into_owned()
        };
        let mut lines = Lines {
            sink: Some(writer),
            console: false,
            holding: true,
            held: Vec::new(),
        };
        lines.add(Level::INFO, "one\n".to_owned());
        assert_eq!(read(), "");
        lines.add(Level::WARN, "two\n".to_owned());
        assert_eq!(read(), "one\ntwo\n");
        for _ in 0..=MAX_HELD {
            lines.add(Level::INFO, ".".to_owned());
        }
        assert_eq!(read().len(), MAX_HELD + 1, "there is an end to it");
        lines.holding = false;
        lines.add(Level::INFO, "three\n".to_owned());
        assert_eq!(read(), "three\n");
    }
}
