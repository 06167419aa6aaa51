//! The commands that run for the host, several at once.

use rustix::event::{PollFd, PollFlags};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};
use softboot_qemu::channel::message::{Chunk, CommandId, ExitStatus, FromGuest, MAX_CHUNK, Stream};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};

/// Where programs are looked for when the agent was started without a PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The most that is read of an ended command's pipes: a child it left behind may write for ever.
const LAST_WORDS: usize = 1024 * 1024;

/// Something to tell the host.
pub(crate) enum Report {
    /// A message.
    Message(FromGuest),
    /// Output.
    Chunk(Chunk),
}

/// A command that runs.
struct Running {
    child: Child,
    pidfd: OwnedFd,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    stdin: Option<OwnedFd>,
    /// Bytes for stdin that it has not taken yet.
    input: Vec<u8>,
    input_ends: bool,
}

/// All commands of the session.
#[derive(Default)]
pub(crate) struct Commands {
    running: BTreeMap<CommandId, Running>,
}

impl Commands {
    /// Starts a command; what there is to report is a refusal.
    pub(crate) fn start(
        &mut self,
        id: CommandId,
        argv: &[String],
        env: &BTreeMap<String, String>,
        stdin: bool,
    ) -> Option<Report> {
        match spawn(argv, env, stdin) {
            Ok(running) => {
                self.running.insert(id, running);
                None
            }
            Err(error) => {
                let code = if error.kind() == io::ErrorKind::NotFound {
                    127
                } else {
                    126
                };
                let program = argv.first().map_or("", String::as_str);
                let reason = format!("cannot run {program:?} in the guest: {error}");
                Some(Report::Message(FromGuest::Refused { id, reason, code }))
            }
        }
    }

    /// Takes a piece of input for a command; an empty one closes its stdin.
    pub(crate) fn input(&mut self, chunk: &Chunk) {
        if let Some(running) = self.running.get_mut(&chunk.id) {
            running.input.extend_from_slice(&chunk.bytes);
            running.input_ends |= chunk.bytes.is_empty();
            running.feed();
        }
    }

    /// Signals a command's process group. A command that has ended meanwhile is no error.
    pub(crate) fn kill(&self, id: CommandId, signal: i32) {
        let Some(running) = self.running.get(&id) else {
            return;
        };
        let signal = Signal::from_named_raw(signal).unwrap_or(Signal::KILL);
        let sent = rustix::process::kill_process_group(Pid::from_child(&running.child), signal);
        if let Err(error) = sent
            && error != Errno::SRCH
        {
            eprintln!("vm-agent: signalling command {}: {error}", id.0);
        }
    }

    /// What the loop has to wait for. With `reading` off no output is taken, and the commands wait.
    pub(crate) fn wait_for<'a>(&'a self, reading: bool, fds: &mut Vec<PollFd<'a>>) {
        for running in self.running.values() {
            if reading {
                fds.push(PollFd::new(&running.pidfd, PollFlags::IN));
                let pipes = [&running.stdout, &running.stderr];
                fds.extend(
                    pipes
                        .into_iter()
                        .flatten()
                        .map(|pipe| PollFd::new(pipe, PollFlags::IN)),
                );
            }
            if let Some(stdin) = &running.stdin
                && !running.input.is_empty()
            {
                fds.push(PollFd::new(stdin, PollFlags::OUT));
            }
        }
    }

    /// Takes at most one piece of each stream, feeds stdin, and reaps what has ended.
    pub(crate) fn advance(&mut self, reading: bool) -> Vec<Report> {
        let mut reports = Vec::new();
        let mut ended = Vec::new();
        for (id, running) in &mut self.running {
            running.feed();
            if !reading {
                continue;
            }
            // The status first: what was written before the end is then surely in the pipes.
            let status = running.child.try_wait().ok().flatten();
            let mut budget = if status.is_some() { LAST_WORDS } else { 1 };
            while running.take_output(*id, &mut reports) {
                budget = budget.saturating_sub(MAX_CHUNK);
                if budget == 0 {
                    break;
                }
            }
            if let Some(status) = status {
                let status = match (status.code(), status.signal()) {
                    (Some(code), _) => ExitStatus::Exited(u8::try_from(code).unwrap_or(u8::MAX)),
                    (None, signal) => ExitStatus::Signaled(signal.unwrap_or(0)),
                };
                reports.push(Report::Message(FromGuest::Exit { id: *id, status }));
                ended.push(*id);
            }
        }
        self.running.retain(|id, _| !ended.contains(id));
        reports
    }
}

impl Running {
    /// Reads one piece of each stream; tells whether there was any.
    fn take_output(&mut self, id: CommandId, reports: &mut Vec<Report>) -> bool {
        let mut any = false;
        for (pipe, stream) in [
            (&mut self.stdout, Stream::Stdout),
            (&mut self.stderr, Stream::Stderr),
        ] {
            let Some(fd) = pipe.as_ref() else { continue };
            let mut bytes = vec![0; MAX_CHUNK];
            match rustix::io::read(fd, &mut *bytes) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                Ok(0) | Err(_) => *pipe = None,
                Ok(count) => {
                    bytes.truncate(count);
                    reports.push(Report::Chunk(Chunk { id, stream, bytes }));
                    any = true;
                }
            }
        }
        any
    }

    /// Writes what stdin takes, and closes it when all is written and no more will come.
    fn feed(&mut self) {
        let Some(stdin) = &self.stdin else { return };
        match rustix::io::write(stdin, &self.input) {
            Ok(count) => drop(self.input.drain(..count)),
            Err(Errno::AGAIN | Errno::INTR) => return,
            // The command closed its stdin; the rest has no reader.
            Err(_) => {
                self.input.clear();
                self.input_ends = true;
            }
        }
        if self.input_ends && self.input.is_empty() {
            self.stdin = None;
        }
    }
}

fn spawn(argv: &[String], env: &BTreeMap<String, String>, stdin: bool) -> io::Result<Running> {
    let (program, arguments) = argv
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program named"))?;
    let mut command = Command::new(program);
    if std::env::var_os("PATH").is_none() {
        command.env("PATH", DEFAULT_PATH);
    }
    // The agent's own credentials to talk to the manager are not the command's.
    command.env_remove("NOTIFY_SOCKET");
    command
        .args(arguments)
        .envs(env)
        .current_dir("/")
        .process_group(0);
    command.stdin(if stdin { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let pidfd = rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let stdout = child.stdout.take().map(OwnedFd::from);
    let stderr = child.stderr.take().map(OwnedFd::from);
    let stdin = child.stdin.take().map(OwnedFd::from);
    for pipe in [&stdout, &stderr, &stdin].into_iter().flatten() {
        let flags = rustix::fs::fcntl_getfl(pipe.as_fd())?;
        rustix::fs::fcntl_setfl(pipe.as_fd(), flags | OFlags::NONBLOCK)?;
    }
    Ok(Running {
        child,
        pidfd,
        stdout,
        stderr,
        stdin,
        input: Vec::new(),
        input_ends: false,
    })
}
