//! What is known of the running machine, and waiting for it to change.

use crate::channel::link::Link;
use crate::channel::message::{ChunkQueue, CommandId, ExitStatus};
use crate::error::{Tail, VmError};
use crate::fault::{Console, Trouble};
use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the rest of a failure's report may take to arrive on the console.
const REPORT_TIME: Duration = Duration::from_secs(3);
/// The longest sleep of a waiter; bounds how late a silence is noticed.
const NAP: Duration = Duration::from_millis(250);

/// How a command stands.
#[derive(Debug, Default)]
pub(super) struct CommandState {
    /// Output not yet taken.
    pub(super) output: ChunkQueue,
    /// Set at its end; nothing follows.
    pub(super) end: Option<End>,
}

/// The end of a command.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// It ran.
    Exit(ExitStatus),
    /// It could not be started.
    Refused { reason: String, code: u8 },
    /// The agent that ran it is gone.
    Lost,
}

/// The greeting of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The guest kernel's release.
    pub kernel: String,
    /// The same after a soft-reboot, another after a reboot.
    pub boot_id: String,
    /// The device that carries the channel, in the guest.
    pub transport: String,
    /// The agent's PID.
    pub pid: u32,
}

/// All that is known.
pub(super) struct State {
    pub(super) console: Console,
    pub(super) console_closed: bool,
    /// The last sign of life.
    pub(super) moved: Instant,
    /// The last output on the console.
    pub(super) console_moved: Instant,
    /// How QEMU ended.
    pub(super) exit: Option<String>,
    /// Why the machine stopped, in QEMU's words (QMP event SHUTDOWN).
    pub(super) stopped: Option<String>,
    /// The channel's end and the number of the line that carries it.
    pub(super) link: Option<(Link, usize)>,
    pub(super) hello: Option<Hello>,
    /// How often the guest finished booting.
    pub(super) ready: u32,
    pub(super) protocol_error: Option<String>,
    pub(super) commands: HashMap<CommandId, CommandState>,
    pub(super) events: VecDeque<super::Event>,
    trouble_at: Option<Instant>,
}

/// The state, with its waiters.
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    started: Instant,
    timeout: Option<Duration>,
    quiet_limit: Duration,
}

impl Shared {
    pub(super) fn new(timeout: Option<Duration>, quiet_limit: Duration) -> Self {
        let started = Instant::now();
        let state = State {
            console: Console::default(),
            console_closed: false,
            moved: started,
            console_moved: started,
            exit: None,
            stopped: None,
            link: None,
            hello: None,
            ready: 0,
            protocol_error: None,
            commands: HashMap::new(),
            events: VecDeque::new(),
            trouble_at: None,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            started,
            timeout,
            quiet_limit,
        }
    }

    /// The state as it is. A reader thread that panicked leaves it usable.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes the waiters.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Notes a sign of life.
    pub(super) fn alive(&self, change: impl FnOnce(&mut State)) {
        self.change(|state| {
            state.moved = Instant::now();
            change(state);
        });
    }

    /// Waits until `step` yields something, at most `limit`, as long as the machine lives.
    pub(super) fn wait<T>(
        &self,
        what: &str,
        limit: Option<Duration>,
        mut step: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<T, VmError> {
        let begun = Instant::now();
        let mut state = self.lock();
        loop {
            if let Some(value) = step(&mut state) {
                return Ok(value);
            }
            self.check_life(&mut state, what)?;
            let limits = [
                (limit, begun, what),
                (self.timeout, self.started, "the whole run"),
            ];
            for (limit, since, what) in limits {
                if let Some(limit) = limit.filter(|limit| since.elapsed() >= *limit) {
                    let tail = state.tail();
                    return Err(VmError::Timeout {
                        what: what.to_owned(),
                        limit,
                        tail,
                    });
                }
            }
            let nap = limit.map_or(NAP, |limit| limit.saturating_sub(begun.elapsed()).min(NAP));
            let woken = self
                .changed
                .wait_timeout(state, nap.max(Duration::from_millis(1)));
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The watchdog: an error if the machine failed, ended or fell silent.
    fn check_life(&self, state: &mut State, what: &str) -> Result<(), VmError> {
        let ended = state.exit.is_some() && state.console_closed;
        if let Some(trouble) = state.console.trouble() {
            let since = *state.trouble_at.get_or_insert_with(Instant::now);
            if ended || since.elapsed() >= REPORT_TIME {
                let tail = state.tail();
                return Err(match trouble {
                    Trouble::Panic(reason) => VmError::Panic { reason, tail },
                    Trouble::MachineFault(oops) => VmError::MachineFault { oops, tail },
                });
            }
            return Ok(());
        }
        let waiting_for = what.to_owned();
        if ended {
            let how = state.how_it_ended();
            return Err(VmError::UnexpectedExit {
                waiting_for,
                how,
                tail: state.tail(),
            });
        }
        if let Some(error) = &state.protocol_error {
            return Err(VmError::Agent(error.clone()));
        }
        let quiet = state.moved.elapsed();
        if quiet >= self.quiet_limit && state.exit.is_none() {
            return Err(VmError::Hang {
                waiting_for,
                quiet,
                tail: state.tail(),
            });
        }
        Ok(())
    }
}

impl State {
    /// The console's last lines.
    pub(super) fn tail(&self) -> Tail {
        Tail(self.console.tail())
    }

    /// In words, for a report.
    fn how_it_ended(&self) -> String {
        let reason = match self.stopped.as_deref() {
            Some("guest-reset") => "the guest rebooted",
            Some("guest-shutdown") => "the guest powered off",
            Some("guest-panic") => "the guest reported a panic",
            Some("host-qmp-quit") => "it was told to quit",
            Some("host-signal") => "QEMU got a signal",
            _ => "QEMU ended",
        };
        match self.exit.as_deref() {
            Some(exit) if !exit.is_empty() => format!("{reason} ({exit})"),
            _ => reason.to_owned(),
        }
    }
}
