//! The QEMU process and the servers beside it.

use super::state::Shared;
use crate::error::VmError;
use crate::machine::args::{self, Sockets};
use crate::machine::share::Method;
use crate::machine::{Machine, share::Share};
use rustix::process::{Pid, PidfdFlags, Signal};
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long QEMU and the servers may take to open their sockets on a busy host.
const CONNECT_TIME: Duration = Duration::from_secs(20);

/// The lines to a machine that was started.
pub(super) struct Lines {
    pub(super) console: UnixStream,
    pub(super) channel: Vec<UnixStream>,
    pub(super) control: UnixStream,
}

/// The running QEMU. Dropping it ends QEMU and the servers.
pub(super) struct Process {
    pidfd: OwnedFd,
    waiter: Option<JoinHandle<()>>,
    servers: Vec<Child>,
    /// Holds the sockets.
    _directory: tempfile::TempDir,
}

impl Process {
    /// Starts the servers and QEMU, and connects all lines.
    pub(super) fn start(machine: &Machine, shared: &Arc<Shared>) -> Result<(Self, Lines), VmError> {
        let directory = tempfile::Builder::new()
            .prefix("softboot-vm-")
            .tempdir()
            .map_err(VmError::io("making a directory for the machine's sockets"))?;
        let at = |name: &str| directory.path().join(name);
        let mut sockets = Sockets {
            console: at("console"),
            events: at("events"),
            events_serial: at("events-serial"),
            control: at("control"),
            shares: Vec::new(),
        };
        let listen = |path: &Path| {
            UnixListener::bind(path).map_err(VmError::io(format!("listening on {}", path.display())))
        };
        let console = listen(&sockets.console)?;
        let channel = [listen(&sockets.events)?, listen(&sockets.events_serial)?];
        let control = listen(&sockets.control)?;
        let mut servers = Vec::new();
        for share in &machine.shares {
            let socket = at(&format!("share{}", servers.len()));
            if let Some(server) = start_server(share, &socket)? {
                servers.push(server);
                sockets.shares.push(socket);
            }
        }
        let program = machine.arch.qemu();
        let (pidfd, waiter) = start_qemu(program, args::all(machine, &sockets), shared)?;
        let process = Self {
            pidfd,
            waiter: Some(waiter),
            servers,
            _directory: directory,
        };
        let lines = Lines {
            console: accept(&console, shared)?,
            channel: channel
                .iter()
                .map(|line| accept(line, shared))
                .collect::<Result<_, _>>()?,
            control: accept(&control, shared)?,
        };
        Ok((process, lines))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if QEMU has ended already.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        if let Some(waiter) = self.waiter.take() {
            drop(waiter.join());
        }
        for server in &mut self.servers {
            drop(server.kill());
            drop(server.wait());
        }
    }
}

/// A command that the kernel ends when the thread that started it ends, where setpriv(1) is there for it.
fn tied_command(program: &str) -> Command {
    let setpriv = ["/usr/bin/setpriv", "/bin/setpriv"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    match setpriv {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--", program]);
            command
        }
        None => Command::new(program),
    }
}

/// Starts QEMU from a thread that lives as long as it, and waits for it there.
fn start_qemu(
    program: &str,
    arguments: Vec<OsString>,
    shared: &Arc<Shared>,
) -> Result<(OwnedFd, JoinHandle<()>), VmError> {
    let shared = Arc::clone(shared);
    let program = program.to_owned();
    let name = program.clone();
    let (sender, receiver) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let mut command = tied_command(&program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let started = command.spawn().and_then(|child| {
            let pidfd = rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
            Ok((child, pidfd))
        });
        match started {
            Err(error) => drop(sender.send(Err(error))),
            Ok((child, pidfd)) => {
                drop(sender.send(Ok(pidfd)));
                let words = wait_for(child);
                shared.change(|state| state.exit = Some(words));
            }
        }
    });
    let pidfd = receiver
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("the thread that starts it ended")))
        .map_err(VmError::io(format!("starting {name}")))?;
    Ok((pidfd, waiter))
}

/// Waits for the end and puts it into words: what it said, and its status if that is not 0.
fn wait_for(mut child: Child) -> String {
    let mut words = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let mut bytes = Vec::new();
        // What was read up to an error is still worth showing.
        drop(stderr.read_to_end(&mut bytes));
        words = String::from_utf8_lossy(&bytes).trim().replace('\n', "; ");
    }
    match child.wait() {
        Ok(status) if status.success() => words,
        Ok(status) if words.is_empty() => status.to_string(),
        Ok(status) => format!("{status}: {words}"),
        Err(error) => format!("waiting for it failed: {error}"),
    }
}

/// Takes QEMU's connection, or tells why QEMU did not come.
fn accept(listener: &UnixListener, shared: &Shared) -> Result<UnixStream, VmError> {
    let failed = |source| VmError::Io {
        doing: "connecting to QEMU".to_owned(),
        source,
    };
    listener.set_nonblocking(true).map_err(failed)?;
    let start = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).map_err(failed)?;
                return Ok(stream);
            }
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(failed(error)),
            Err(_) => {}
        }
        if let Some(how) = shared.lock().exit.clone() {
            let doing = "starting QEMU".to_owned();
            return Err(VmError::Io {
                doing,
                source: io::Error::other(how),
            });
        }
        if start.elapsed() > CONNECT_TIME {
            return Err(failed(io::ErrorKind::TimedOut.into()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Starts the server of a share that needs one, and waits until it listens.
fn start_server(share: &Share, socket: &Path) -> Result<Option<Child>, VmError> {
    let Method::Virtiofs { server } = &share.method else {
        return Ok(None);
    };
    let name = server.to_string_lossy();
    let doing = || format!("starting {name} for {}", share.directory.display());
    // The C server of QEMU 7 and its successor in Rust both know this way to name the directory.
    let mut child = tied_command(&name)
        .arg(format!("--socket-path={}", socket.display()))
        .args(["-o", &format!("source={}", share.directory.display())])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(VmError::io(doing()))?;
    let start = Instant::now();
    while !socket.exists() {
        let ended = child.try_wait().map_err(VmError::io(doing()))?;
        if ended.is_some() || start.elapsed() > CONNECT_TIME {
            drop(child.kill());
            return Err(VmError::io(doing())(io::Error::other(wait_for(child))));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // Its further messages are of no use here, and a full pipe would stop it.
    if let Some(mut stderr) = child.stderr.take() {
        std::thread::spawn(move || drop(io::copy(&mut stderr, &mut io::sink())));
    }
    Ok(Some(child))
}
