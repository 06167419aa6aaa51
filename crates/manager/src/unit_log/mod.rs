//! The output of units: one log a unit below /run, with a size cap.
//!
//! A unit's processes write into a pipe; PID 1 moves what they wrote into a file, a line at a time, with a time
//! stamp. Both ends of the pipe are in the fd store, so it crosses a re-exec and a soft-reboot with the processes
//! that write to it: nothing has to be opened again, and what is written meanwhile waits in the pipe. The file is
//! on /run, which never hangs; when it cannot be written the loss is counted and said.

mod file;
mod level;
mod lines;

pub(crate) use file::{Line, Next, append, next, tail};
pub(crate) use lines::Lines;

use std::os::fd::OwnedFd;

use fdstore::{EntryId, FdName};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use serde::{Deserialize, Serialize};
use softboot_engine::UnitId;
use softboot_unit::UnitName;
use tracing::warn;

use crate::clock;
use crate::owner::Role;
use crate::run::{Manager, Source};
use crate::tracked::Tracked;

/// What one wake-up reads from one unit; a unit that writes without end does not keep PID 1 from the others.
const READ_MAX: usize = 64 * 1024;
/// What the pipe holds while PID 1 is busy or being replaced.
const PIPE_SIZE: usize = 256 * 1024;

/// The logs' state that is not in files: the start of a line whose end has not come yet.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UnitLogs {
    pub(crate) partial: Tracked<UnitName, Lines>,
    /// Lines that could not be written, since the last one that could.
    #[serde(default)]
    pub(crate) lost: Tracked<UnitName, usize>,
    /// Bytes ever written to each log; followers count by it, because files are moved aside.
    #[serde(default)]
    pub(crate) written: Tracked<UnitName, u64>,
}

impl UnitLogs {
    /// Bytes ever written to this log.
    pub(crate) fn written(&self, unit: &UnitName) -> u64 {
        self.written.get(unit).copied().unwrap_or(0)
    }
}

impl Manager {
    /// The writing end of the unit's log pipe; makes the pipe the first time.
    pub(crate) fn log_pipe(&mut self, unit: UnitId, name: &UnitName) -> Result<OwnedFd, String> {
        let owner = Role::Log.of(name);
        let (read_name, write_name) = (end_name("read")?, end_name("write")?);
        let writer = match self.store.find(&owner, &write_name) {
            Some(writer) => writer,
            None => {
                let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| error.to_string())?;
                let flags = rustix::fs::fcntl_getfl(&reader).map_err(|error| error.to_string())?;
                rustix::fs::fcntl_setfl(&reader, flags | rustix::fs::OFlags::NONBLOCK)
                    .map_err(|error| error.to_string())?;
                // More than the default is a favour of the kernel, not a need.
                let _ = rustix::pipe::fcntl_setpipe_size(&writer, PIPE_SIZE);
                self.keep(&owner, read_name.as_str(), reader)?;
                self.keep(&owner, write_name.as_str(), writer)?
            }
        };
        if let Some(reader) = self.store.find(&owner, &read_name) {
            self.watch_entry(Source::Log(unit), reader, EventFlags::IN);
        }
        let fd = self.store.fd(writer).ok_or("the log pipe is gone")?;
        fd.try_clone_to_owned().map_err(|error| error.to_string())
    }

    /// Moves what a unit wrote into its log. False when nothing more waits.
    pub(crate) fn log_readable(&mut self, unit: UnitId) -> bool {
        let Some(name) = self.engine.name(unit).cloned() else {
            return false;
        };
        let Some(reader) = self.log_reader(&name) else {
            return false;
        };
        let Some(fd) = self.store.fd(reader) else {
            return false;
        };
        let mut buffer = vec![0_u8; READ_MAX];
        let read = match rustix::io::read(fd, &mut buffer) {
            Ok(0) | Err(Errno::AGAIN | Errno::INTR) => return false,
            Ok(read) => read,
            Err(error) => {
                warn!("cannot read the output of {name}: {error}");
                return false;
            }
        };
        let lines = self.logs.partial.get_or_default(name.clone());
        let complete = lines.push(buffer.get(..read).unwrap_or(&[]));
        self.take_lines(&name, complete);
        true
    }

    /// What a unit wrote, as its settings want it.
    fn take_lines(&mut self, name: &UnitName, lines: Vec<String>) {
        let definition = self
            .engine
            .unit(name)
            .and_then(|unit| self.engine.definition(unit));
        let context = definition.and_then(crate::process::commands::context_of);
        let on_console =
            context.is_some_and(|exec| exec.stdout.is_on_console() || exec.stderr.is_on_console());
        let lines = match context {
            Some(exec) => level::filter(exec, lines),
            None => lines,
        };
        self.append_log(name, &lines);
        if on_console {
            console(name, &lines);
        }
    }

    /// Adds a line of PID 1 about a unit to the unit's log.
    pub(crate) fn unit_log_line(&mut self, name: &UnitName, line: &str) {
        self.append_log(name, &[format!("softbootd: {line}")]);
    }

    fn append_log(&mut self, name: &UnitName, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let lost = self.logs.lost.get(name).copied().unwrap_or(0);
        let note =
            (lost > 0).then(|| format!("softbootd: {lost} line(s) before this one could not be written"));
        let with_note: Vec<String> = note.into_iter().chain(lines.iter().cloned()).collect();
        match append(name, clock::monotonic(), &with_note) {
            Ok(written) => {
                let total = self.logs.written.get_or_default(name.clone());
                *total = total.saturating_add(written);
                self.logs.lost.remove(name);
            }
            Err(error) => {
                // Said once: a full /run must not fill the kernel log as well.
                if lost == 0 {
                    warn!("output of {name} is being lost: {error}");
                }
                self.logs
                    .lost
                    .insert(name.clone(), lost.saturating_add(lines.len()));
            }
        }
        self.followers_notice(name);
    }

    /// The unit is down: what is left in the pipe goes to the log, then the pipe is closed.
    pub(crate) fn release_log(&mut self, unit: UnitId, name: &UnitName) {
        while self.log_readable(unit) {}
        if let Some(last) = self.logs.partial.remove(name).and_then(Lines::finish) {
            self.take_lines(name, vec![last]);
        }
        let owner = Role::Log.of(name);
        if let Some(reader) = self.log_reader(name) {
            self.drop_entry(Some(Source::Log(unit)), reader);
        }
        drop(self.store.remove_owner(&owner));
    }

    pub(crate) fn log_reader(&self, name: &UnitName) -> Option<EntryId> {
        self.store.find(&Role::Log.of(name), &FdName::new("read").ok()?)
    }

    /// After a handoff: every log pipe is watched again.
    pub(crate) fn watch_logs(&mut self) {
        let found: Vec<(UnitName, EntryId)> = self
            .store
            .entries()
            .filter(|entry| entry.name().as_str() == "read")
            .filter_map(|entry| match crate::owner::parse(entry.owner()) {
                Some((Role::Log, unit)) => Some((unit, entry.id())),
                _ => None,
            })
            .collect();
        for (name, reader) in found {
            if let Some(unit) = self.engine.unit(&name) {
                self.watch_entry(Source::Log(unit), reader, EventFlags::IN);
            }
        }
    }
}

/// Never waits: a console that is held by flow control loses lines, the log has them.
fn console(name: &UnitName, lines: &[String]) {
    use rustix::fs::OFlags;
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let Ok(fd) = rustix::fs::open("/dev/console", flags, rustix::fs::Mode::empty()) else {
        return;
    };
    for line in lines {
        let _ = rustix::io::write(&fd, format!("{name}: {line}\n").as_bytes());
    }
}

fn end_name(name: &str) -> Result<FdName, String> {
    FdName::new(name).map_err(|error| error.to_string())
}
