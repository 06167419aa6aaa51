//! A running machine, as tests and tasks see it.

use super::command::{CommandOutput, CommandSpec, RunningCommand};
use super::lines::{self, Channel, Writer};
use super::process::Process;
use super::state::{Hello, Shared};
use crate::channel::message::{CommandId, FromHost};
use crate::error::{Tail, VmError};
use crate::machine::{ConsoleMode, Machine};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a clean shutdown may take.
const SHUTDOWN_TIME: Duration = Duration::from_secs(120);
/// Where shared directories are mounted in the guest.
const SHARES: &str = "/run/host";

/// An event that a program in the guest sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The guest's CLOCK_MONOTONIC when its agent took the event.
    pub stamp: Duration,
    /// What the program sent.
    pub value: serde_json::Value,
}

/// A running machine. Dropping it ends it.
pub struct Vm {
    // Before the process: readers may still note what they see.
    pub(super) shared: Arc<Shared>,
    channel: Channel,
    pub(super) console: Writer,
    next_id: AtomicU64,
    shares: Vec<crate::machine::share::Share>,
    _process: Process,
}

impl Vm {
    /// Starts the machine; returns as soon as QEMU runs, long before the guest has booted.
    ///
    /// # Errors
    /// QEMU or a server for a shared directory cannot be started.
    pub fn boot(machine: &Machine) -> Result<Self, VmError> {
        let shared = Arc::new(Shared::new(machine.timeout, machine.quiet_limit));
        let (process, lines) = Process::start(machine, &shared)?;
        let twin = |stream: &UnixStream| {
            stream
                .try_clone()
                .map_err(VmError::io("duplicating a line to QEMU"))
        };

        let console = Writer::new(twin(&lines.console)?);
        let mode = machine.console;
        let reader = Arc::clone(&shared);
        std::thread::spawn(move || lines::read_console(lines.console, &reader, |bytes| show(mode, bytes)));
        let reader = Arc::clone(&shared);
        std::thread::spawn(move || lines::read_control(lines.control, &reader));
        let mut pairs = Vec::new();
        for line in lines.channel {
            pairs.push((twin(&line)?, line));
        }
        let channel = Channel::start(&shared, pairs);
        let next_id = AtomicU64::new(1);
        let shares = machine.shares.clone();
        Ok(Self {
            shared,
            channel,
            console,
            next_id,
            shares,
            _process: process,
        })
    }

    /// Waits for the agent's greeting: userspace runs, but has not finished booting.
    ///
    /// # Errors
    /// The machine failed, or the time is over.
    pub fn wait_agent(&self, limit: Duration) -> Result<Hello, VmError> {
        self.shared
            .wait("the guest's agent", Some(limit), |state| state.hello.clone())
    }

    /// Waits until the guest has finished booting, and mounts the shared directories at /run/host/TAG.
    ///
    /// # Errors
    /// The machine failed, the time is over, or a directory cannot be mounted.
    pub fn wait_ready(&self, limit: Duration) -> Result<Hello, VmError> {
        self.wait_ready_count(1, limit)?;
        let hello = self.wait_agent(limit)?;
        for share in &self.shares {
            let (kind, options) = share.method.mount_options();
            let place = format!("{SHARES}/{}", share.tag);
            for argv in [
                vec!["mkdir", "-p", &place],
                vec!["mount", "-t", kind, "-o", options, &share.tag, &place],
            ] {
                let output = self.run(&argv, Duration::from_secs(30))?;
                if !output.status.is_success() {
                    let reason = format!(
                        "`{}` in the guest: {}",
                        argv.join(" "),
                        output.stderr_text().trim()
                    );
                    return Err(VmError::Refused {
                        reason,
                        code: output.status.code(),
                    });
                }
            }
        }
        Ok(hello)
    }

    /// Waits until the guest has finished booting `count` times in all: each soft-reboot adds one.
    ///
    /// # Errors
    /// The machine failed, or the time is over.
    pub fn wait_ready_count(&self, count: u32, limit: Duration) -> Result<(), VmError> {
        self.shared
            .wait("the guest to finish booting", Some(limit), |state| {
                (state.ready >= count).then_some(())
            })
    }

    /// How often the guest has finished booting so far.
    #[must_use]
    pub fn ready_count(&self) -> u32 {
        self.shared.lock().ready
    }

    /// The agent's greeting, once it came.
    #[must_use]
    pub fn hello(&self) -> Option<Hello> {
        self.shared.lock().hello.clone()
    }

    /// Starts a command in the guest. Several may run at once. The agent must have greeted.
    #[must_use]
    pub fn start(&self, spec: &CommandSpec) -> RunningCommand<'_> {
        let id = CommandId(self.next_id.fetch_add(1, Ordering::Relaxed));
        RunningCommand::start(&self.shared, &self.channel, id, spec)
    }

    /// Runs a command in the guest to its end.
    ///
    /// # Errors
    /// The machine failed, the command took longer than `limit` (it is killed), or it could not be started.
    pub fn run(&self, argv: &[&str], limit: Duration) -> Result<CommandOutput, VmError> {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        self.start(&CommandSpec {
            argv,
            ..CommandSpec::default()
        })
        .finish(limit)
    }

    /// Takes the events that came since the last call.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.shared.lock().events.drain(..).collect()
    }

    /// Waits for the first event that `wanted` accepts and takes it out; the others stay.
    ///
    /// # Errors
    /// The machine failed, or the time is over.
    pub fn wait_event(
        &self,
        limit: Duration,
        mut wanted: impl FnMut(&Event) -> bool,
    ) -> Result<Event, VmError> {
        self.shared.wait("an event", Some(limit), |state| {
            let place = state.events.iter().position(&mut wanted)?;
            state.events.remove(place)
        })
    }

    /// The console's last lines.
    #[must_use]
    pub fn console_tail(&self) -> Tail {
        self.shared.lock().tail()
    }

    /// The last console lines of the kernel before, if the machine has gone into another one by kexec.
    #[must_use]
    pub fn console_before(&self) -> Option<Tail> {
        self.shared
            .lock()
            .console
            .before()
            .map(|lines| Tail(lines.to_vec()))
    }

    /// Waits for the kernel's first line on the console: proof that a guest runs at all.
    ///
    /// # Errors
    /// QEMU ended, or the time is over.
    pub fn wait_kernel(&self, limit: Duration) -> Result<(), VmError> {
        let what = "the kernel's first line";
        self.shared.wait(what, Some(limit), |state| {
            state.console.kernel_spoke().then_some(())
        })
    }

    /// Types on the guest's console.
    pub fn type_on_console(&self, bytes: &[u8]) {
        self.console.send(bytes.to_vec());
    }

    /// Asks the guest to power off and waits for it.
    ///
    /// # Errors
    /// The machine failed, or did anything but power off.
    pub fn shutdown(&self) -> Result<(), VmError> {
        self.channel.send(&FromHost::Shutdown);
        self.wait_power_off(Some(SHUTDOWN_TIME))
    }

    /// Waits until the guest has powered off, by itself or because it was told to.
    ///
    /// # Errors
    /// The machine failed, the time is over, or it ended in another way.
    pub fn wait_power_off(&self, limit: Option<Duration>) -> Result<(), VmError> {
        self.shared.wait("the guest to power off", limit, |state| {
            let off = state.stopped.as_deref() == Some("guest-shutdown");
            // Not before the console is read to its end: a panic's report may be in the rest.
            let ended = state.exit.is_some() && state.console_closed;
            (off && ended && state.console.trouble().is_none()).then_some(())
        })
    }
}

/// Passes the console on, as far as anyone wants to see it.
fn show(mode: ConsoleMode, bytes: &[u8]) {
    // A terminal that is gone is no reason to end the machine.
    match mode {
        ConsoleMode::Capture => {}
        ConsoleMode::Show => drop(std::io::stderr().write_all(bytes)),
        ConsoleMode::Interactive => {
            let mut out = std::io::stdout();
            drop(out.write_all(bytes).and_then(|()| out.flush()));
        }
    }
}
