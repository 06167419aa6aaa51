//! The agent's loop: one thread, nothing that blocks on the host.
//!
//! A host that stalls stops the acknowledgements; above [`BACKLOG`] the agent then stops reading the
//! commands' pipes and the events socket, so that their writers wait, as they would at a slow terminal.

use super::commands::{Commands, Report};
use super::notify;
use super::transport::Transport;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::system::RebootCommand;
use rustix::time::ClockId;
use softboot_qemu::channel::frame::Kind;
use softboot_qemu::channel::link::{Delivered, Link};
use softboot_qemu::channel::message::{Chunk, FromGuest, FromHost, PROTOCOL};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Bytes that may wait for the host's acknowledgement before output is no longer taken.
const BACKLOG: usize = 1024 * 1024;
/// How often acknowledgements are looked after.
const TICK: Duration = Duration::from_millis(200);
/// How often a sign of life is sent.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long the manager may take to power off before the agent does.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(60);
/// The longest datagram of events.
const MAX_EVENT: usize = 60 * 1024;

/// The order to power off, once it came.
struct Shutdown {
    manager: Option<Child>,
    deadline: Duration,
}

/// All of the agent's state.
struct Agent {
    transport: Transport,
    link: Link,
    events: UnixDatagram,
    commands: Commands,
    shutdown: Option<Shutdown>,
    ticked: Duration,
    heartbeat: Duration,
}

/// Serves the host; returns only when the line or the events socket cannot be had.
pub(crate) fn serve() -> io::Result<()> {
    let transport = Transport::open()?;
    let events = notify::bind_events()?;
    let now = now();
    // Any number that a former agent of this machine did not have.
    let seed = u32::try_from(now.as_nanos() & u128::from(u32::MAX)).unwrap_or_default();
    let mut agent = Agent {
        transport,
        link: Link::new(seed ^ std::process::id().rotate_left(16)),
        events,
        commands: Commands::default(),
        shutdown: None,
        ticked: now,
        heartbeat: now,
    };
    agent.hello();
    if let Err(error) = notify::manager_ready() {
        eprintln!("vm-agent: telling the manager that the agent is ready: {error}");
    }
    loop {
        agent.turn()?;
    }
}

impl Agent {
    fn hello(&mut self) {
        let uname = rustix::system::uname();
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        self.report(Report::Message(FromGuest::Hello {
            protocol: PROTOCOL,
            kernel: uname.release().to_string_lossy().into_owned(),
            boot_id: boot_id.trim().to_owned(),
            transport: self.transport.name(),
            pid: std::process::id(),
        }));
    }

    /// Waits for something to happen and handles all that has.
    fn turn(&mut self) -> io::Result<()> {
        let output = self.link.take_output();
        self.transport.write(&output)?;
        let reading = self.link.backlog() < BACKLOG;
        let hung_up = self.wait(reading)?;

        let now = now();
        let bytes = self.transport.read()?;
        if hung_up && bytes.is_empty() {
            // No host: its end would make poll return at once again and again.
            std::thread::sleep(TICK);
        }
        for message in self.link.receive(&bytes, now) {
            self.handle(message);
        }
        for report in self.commands.advance(reading) {
            self.report(report);
        }
        if reading {
            self.take_events();
        }
        self.advance_shutdown(now);
        // While the line is full, sending again would only make it fuller.
        if self.transport.is_idle() && now.saturating_sub(self.ticked) >= TICK {
            self.ticked = now;
            self.link.tick(now);
            if now.saturating_sub(self.heartbeat) >= HEARTBEAT {
                self.heartbeat = now;
                self.link.heartbeat(now);
            }
        }
        Ok(())
    }

    /// Sleeps until a descriptor is ready or the next tick is due; tells whether the host's end is closed.
    fn wait(&self, reading: bool) -> io::Result<bool> {
        let mut flags = PollFlags::IN;
        if !self.transport.is_idle() {
            flags |= PollFlags::OUT;
        }
        let mut fds = vec![PollFd::new(&self.transport, flags)];
        if reading {
            fds.push(PollFd::new(&self.events, PollFlags::IN));
        }
        self.commands.wait_for(reading, &mut fds);
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(TICK.subsec_nanos()),
        };
        match rustix::event::poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(fds
            .first()
            .is_some_and(|fd| fd.revents().contains(PollFlags::HUP)))
    }

    fn handle(&mut self, message: Delivered) {
        if message.kind == Kind::Raw {
            if let Some(chunk) = Chunk::decode(&message.payload) {
                self.commands.input(&chunk);
            }
            return;
        }
        match serde_json::from_slice::<FromHost>(&message.payload) {
            Ok(FromHost::Run { id, argv, env, stdin }) => {
                if let Some(report) = self.commands.start(id, &argv, &env, stdin) {
                    self.report(report);
                }
            }
            Ok(FromHost::Kill { id, signal }) => self.commands.kill(id, signal),
            Ok(FromHost::Shutdown) => self.begin_shutdown(),
            Err(error) => eprintln!("vm-agent: a message of the host was not understood: {error}"),
        }
    }

    fn report(&mut self, report: Report) {
        let (kind, payload) = match report {
            Report::Chunk(chunk) => (Kind::Raw, chunk.encode()),
            Report::Message(message) => match serde_json::to_vec(&message) {
                Ok(payload) => (Kind::Json, payload),
                Err(error) => {
                    eprintln!("vm-agent: writing a message for the host: {error}");
                    return;
                }
            },
        };
        if let Err(payload) = self.link.send(kind, payload, now()) {
            eprintln!(
                "vm-agent: a message of {} bytes is too long for the line",
                payload.len()
            );
        }
    }

    /// Passes on the datagrams that wait, as many as the backlog allows.
    fn take_events(&mut self) {
        let mut buffer = vec![0; MAX_EVENT];
        while self.link.backlog() < BACKLOG {
            let Ok(count) = self.events.recv(&mut buffer) else {
                return;
            };
            let text = String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()).into_owned();
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                let message = if line.trim() == notify::READY_EVENT {
                    FromGuest::Ready
                } else {
                    let value = serde_json::from_str(line)
                        .unwrap_or_else(|_| serde_json::Value::String(line.to_owned()));
                    FromGuest::Event { value }
                };
                self.report(Report::Message(message));
            }
        }
    }

    fn begin_shutdown(&mut self) {
        if self.shutdown.is_some() {
            return;
        }
        let manager = Command::new("softctl")
            .arg("poweroff")
            .stdin(Stdio::null())
            .spawn();
        let manager = manager
            .map_err(|error| eprintln!("vm-agent: running softctl poweroff: {error}"))
            .ok();
        self.shutdown = Some(Shutdown {
            manager,
            deadline: now() + SHUTDOWN_PATIENCE,
        });
    }

    /// Powers off directly if the manager refused, was not there, or takes too long.
    fn advance_shutdown(&mut self, now: Duration) {
        let Some(shutdown) = &mut self.shutdown else {
            return;
        };
        let refused = match &mut shutdown.manager {
            None => true,
            Some(child) => matches!(child.try_wait(), Ok(Some(status)) if !status.success()),
        };
        if refused || now >= shutdown.deadline {
            eprintln!("vm-agent: powering off without the manager");
            rustix::fs::sync();
            if let Err(error) = rustix::system::reboot(RebootCommand::PowerOff) {
                eprintln!("vm-agent: powering off: {error}");
            }
            self.shutdown = None;
        }
    }
}

/// CLOCK_MONOTONIC, the stamp of all messages.
fn now() -> Duration {
    let time = rustix::time::clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}
