//! Commands in the guest.

use super::lines::Channel;
use super::state::{CommandState, End, Shared};
use crate::channel::message::{Chunk, CommandId, ExitStatus, FromHost, Stream};
use crate::error::VmError;
use std::collections::BTreeMap;
use std::time::Duration;

/// Input goes in small pieces, so that messages find room between them on a slow line. In bytes.
const INPUT_PIECE: usize = 4 * 1024;

/// What to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandSpec {
    /// Program and arguments; the program is searched in the guest's PATH.
    pub argv: Vec<String>,
    /// Added to the agent's environment.
    pub env: BTreeMap<String, String>,
    /// Whether stdin will be written; else it is /dev/null.
    pub stdin: bool,
}

/// All of a command that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOutput {
    /// How it ended.
    pub status: ExitStatus,
    /// All it wrote to stdout.
    pub stdout: Vec<u8>,
    /// All it wrote to stderr.
    pub stderr: Vec<u8>,
}

impl CommandOutput {
    /// Stdout as text.
    #[must_use]
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Stderr as text.
    #[must_use]
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// What a running command does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandEvent {
    /// It wrote this.
    Output(Stream, Vec<u8>),
    /// It ended; the last event.
    Exit(ExitStatus),
}

/// A command that runs in the guest. Dropping it kills the command.
pub struct RunningCommand<'a> {
    shared: &'a Shared,
    channel: &'a Channel,
    id: CommandId,
    name: String,
    ended: bool,
}

impl<'a> RunningCommand<'a> {
    pub(super) fn start(shared: &'a Shared, channel: &'a Channel, id: CommandId, spec: &CommandSpec) -> Self {
        shared.change(|state| state.commands.insert(id, CommandState::default()));
        let CommandSpec { argv, env, stdin } = spec.clone();
        let name = argv.join(" ");
        channel.send(&FromHost::Run { id, argv, env, stdin });
        Self {
            shared,
            channel,
            id,
            name,
            ended: false,
        }
    }

    /// Waits for what the command does next, at most `limit`.
    ///
    /// # Errors
    /// The machine failed, the time is over (the command is then still running), or the command could not
    /// be started.
    pub fn next(&mut self, limit: Option<Duration>) -> Result<CommandEvent, VmError> {
        let id = self.id;
        let what = format!("the command `{}`", self.name);
        let step = self.shared.wait(&what, limit, |state| {
            let command = state.commands.get_mut(&id)?;
            if let Some((stream, bytes)) = command.output.pop_front() {
                return Some(Ok(CommandEvent::Output(stream, bytes)));
            }
            command.end.clone().map(Err)
        })?;
        let end = match step {
            Ok(output) => return Ok(output),
            Err(end) => end,
        };
        self.ended = true;
        match end {
            End::Exit(status) => Ok(CommandEvent::Exit(status)),
            End::Refused { reason, code } => Err(VmError::Refused { reason, code }),
            End::Lost => Err(VmError::Agent(format!(
                "was started anew while `{}` ran",
                self.name
            ))),
        }
    }

    /// Writes to the command's stdin, which the spec must have asked for.
    pub fn write_stdin(&self, bytes: &[u8]) {
        for piece in bytes.chunks(INPUT_PIECE) {
            self.channel.send_chunk(&Chunk {
                id: self.id,
                stream: Stream::Stdin,
                bytes: piece.to_vec(),
            });
        }
    }

    /// Closes the command's stdin.
    pub fn close_stdin(&self) {
        self.channel.send_chunk(&Chunk {
            id: self.id,
            stream: Stream::Stdin,
            bytes: Vec::new(),
        });
    }

    /// Signals the command's process group.
    pub fn kill(&self, signal: i32) {
        self.channel.send(&FromHost::Kill { id: self.id, signal });
    }

    /// Collects everything up to the end, at most `limit` for all of it.
    ///
    /// # Errors
    /// As for [`Self::next`]; a command that took too long is killed.
    pub fn finish(mut self, limit: Duration) -> Result<CommandOutput, VmError> {
        let start = std::time::Instant::now();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        loop {
            match self.next(Some(limit.saturating_sub(start.elapsed()))) {
                Ok(CommandEvent::Output(Stream::Stderr, bytes)) => stderr.extend(bytes),
                Ok(CommandEvent::Output(_, bytes)) => stdout.extend(bytes),
                Ok(CommandEvent::Exit(status)) => {
                    return Ok(CommandOutput {
                        status,
                        stdout,
                        stderr,
                    });
                }
                // The limit of the last step is not the limit that was given.
                Err(VmError::Timeout { what, tail, .. }) => {
                    return Err(VmError::Timeout { what, limit, tail });
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for RunningCommand<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.kill(9);
        }
        self.shared.change(|state| state.commands.remove(&self.id));
    }
}
