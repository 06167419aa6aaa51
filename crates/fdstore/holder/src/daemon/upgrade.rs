//! Replacing the program. Nothing is given up before the next program has said that it can go on:
//!
//! | step | if it fails |
//! |---|---|
//! | the file that stands where this program was started from is run with `--check --check-handoff`; it reads the configuration and this program's state, and answers by its exit status | the caller gets an error with what it said |
//! | sockets, connections and what is on its way are duplicated into the store, beside their state | as before: the duplicates are closed |
//! | execve with the whole store | as before |
//! | the new program takes over ([`super::resume`]) and answers the caller | what it cannot use it logs and closes |

use std::io::{Read as _, Seek as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fdstore::{EntryId, FdName, InsertOptions, Program, boottime_usec};
use rustix::event::epoll::EventFlags;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::Daemon;
use super::poll::Token;
use super::saved::{OWNER, STATE, Saved, SavedClient};
use crate::api::ApiError;
use crate::config::Subject;

/// How long the next program may think.
const LIMIT: Duration = Duration::from_secs(30);
/// How much of its complaint is passed on, in bytes.
const COMPLAINT: u64 = 2_000;
/// What a manager passed is in the store, and the child is not the one that it watches.
const NOT_FOR_THE_CHILD: [&str; 5] = [
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
];

/// The next program is being asked.
pub(super) struct Upgrade {
    /// The client that waits for the reply, while it is there.
    caller: Option<u64>,
    child: Child,
    pidfd: OwnedFd,
    complaint: std::fs::File,
    deadline: u64,
}

impl Upgrade {
    pub(super) fn deadline(&self) -> u64 {
        self.deadline
    }

    /// A client is gone.
    pub(super) fn forget(&mut self, client: u64) {
        self.caller = self.caller.filter(|caller| *caller != client);
    }
}

fn failed(what: &str, reason: impl std::fmt::Display) -> ApiError {
    ApiError::UpgradeFailed {
        message: format!("{what}: {reason}; the running program goes on"),
    }
}

impl Daemon {
    pub(super) fn begin_upgrade(&mut self, caller: u64, who: Subject) -> Result<(), ApiError> {
        if who.uid != 0 && who.uid != rustix::process::geteuid().as_raw() {
            return Err(ApiError::AccessDenied {
                message: format!(
                    "user {} may not upgrade: only root and the holder's own user may",
                    who.uid
                ),
            });
        }
        if self.upgrade.is_some() {
            return Err(failed("upgrading", "another upgrade is under way"));
        }
        let upgrade = self.ask_next(caller)?;
        if let Err(error) = self.poll.add(&upgrade.pidfd, Token::Checker, EventFlags::IN) {
            let mut child = upgrade.child;
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed("watching the next program", error));
        }
        self.upgrade = Some(upgrade);
        Ok(())
    }

    /// Starts the next program with the question.
    fn ask_next(&self, caller: u64) -> Result<Upgrade, ApiError> {
        let program = Program::current().map_err(|error| failed("finding the next program", error))?;
        let mut saved = self.saved();
        saved.clients.extend(
            self.clients
                .values()
                .map(|client| saved_client(client.connection.state().0)),
        );
        let state = saved
            .to_memfd()
            .map_err(|error| failed("writing the state", error))?;
        let complaint: std::fs::File = memfd_create("complaint", MemfdFlags::CLOEXEC)
            .map_err(|error| failed("making room for its answer", error))?
            .into();
        let stderr = complaint
            .try_clone()
            .map_err(|error| failed("making room for its answer", error))?;
        let mut command = Command::new(program.path());
        command
            .args(std::env::args_os().skip(1))
            .args(["--check", "--check-handoff"])
            .stdin(Stdio::from(state))
            .stdout(Stdio::null())
            .stderr(Stdio::from(stderr));
        for variable in NOT_FOR_THE_CHILD {
            command.env_remove(variable);
        }
        let mut child = command
            .spawn()
            .map_err(|error| failed(&format!("starting {}", program.path().display()), error))?;
        let pidfd = i32::try_from(child.id())
            .ok()
            .and_then(Pid::from_raw)
            .ok_or(rustix::io::Errno::SRCH)
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()));
        match pidfd {
            Ok(pidfd) => Ok(Upgrade {
                caller: Some(caller),
                child,
                pidfd,
                complaint,
                deadline: boottime_usec().saturating_add(crate::duration::usec(LIMIT)),
            }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(failed("watching the next program", error))
            }
        }
    }

    /// The next program has answered.
    pub(super) fn check_ended(&mut self) {
        let Some(mut upgrade) = self.upgrade.take() else {
            return;
        };
        let error = match upgrade.child.try_wait() {
            Ok(None) => {
                self.upgrade = Some(upgrade);
                return;
            }
            Ok(Some(status)) if status.success() => {
                self.poll.delete(&upgrade.pidfd);
                self.hand_over(upgrade.caller)
            }
            Ok(Some(status)) => {
                self.poll.delete(&upgrade.pidfd);
                let said = complaint(&mut upgrade.complaint);
                failed("the next program cannot go on", format!("{status}: {said}"))
            }
            Err(error) => {
                self.poll.delete(&upgrade.pidfd);
                failed("asking the next program", error)
            }
        };
        self.upgrade_failed(upgrade.caller, &error);
    }

    pub(super) fn expire_upgrade(&mut self, now: u64) {
        let Some(mut upgrade) = self.upgrade.take_if(|upgrade| upgrade.deadline <= now) else {
            return;
        };
        self.poll.delete(&upgrade.pidfd);
        let _ = upgrade.child.kill();
        let _ = upgrade.child.wait();
        let error = failed(
            "asking the next program",
            format!("it has not answered in {} s", LIMIT.as_secs()),
        );
        self.upgrade_failed(upgrade.caller, &error);
    }

    fn upgrade_failed(&mut self, caller: Option<u64>, error: &ApiError) {
        tracing::error!("{error}");
        let Some(id) = caller else { return };
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let (name, parameters) = error.to_wire();
        match client.connection.error(&name, &parameters) {
            Ok(()) => self.advance(id),
            Err(error) => self.drop_for(id, &error),
        }
    }

    /// Executes the next program. Comes back only with the reason why not, and everything is as before.
    fn hand_over(&mut self, caller: Option<u64>) -> ApiError {
        let error = self.try_hand_over(caller);
        let duplicates = self.store.remove_owner(OWNER);
        self.closer.close(duplicates);
        error
    }

    fn try_hand_over(&mut self, caller: Option<u64>) -> ApiError {
        let program = match Program::current() {
            Ok(program) => program,
            Err(error) => return failed("finding the next program", error),
        };
        let bytes = match self.duplicate_all(caller) {
            Ok(saved) => saved.encode(),
            Err(error) => return error,
        };
        let kept = bytes
            .map_err(|error| failed("writing the state", error))
            .and_then(|bytes| {
                self.store
                    .put_state(OWNER, STATE, &bytes)
                    .map_err(|error| failed("writing the state", error))
            });
        if let Err(error) = kept {
            return error;
        }
        tracing::info!("giving way to {}", program.path().display());
        match self.store.handoff() {
            Ok(handoff) => failed("upgrading", handoff.exec_program(&program)),
            Err(error) => failed("upgrading", error),
        }
    }

    /// Everything but clients and descriptors.
    fn saved(&self) -> Saved {
        Saved {
            bound: self.sockets.bound().to_vec(),
            config: self.config.text.clone(),
            ..Saved::default()
        }
    }

    /// Puts duplicates of all that lives into the store.
    fn duplicate_all(&mut self, caller: Option<u64>) -> Result<Saved, ApiError> {
        let mut saved = self.saved();
        let name = |text| FdName::new(text).map_err(|error| failed("upgrading", error));
        let (socket_name, passing_name) = (name("socket")?, name("passing")?);
        let store = &mut self.store;
        let mut keep = |name: &FdName, fd: BorrowedFd<'_>| -> Result<EntryId, ApiError> {
            let copy = fd
                .try_clone_to_owned()
                .map_err(|error| failed("duplicating a socket", error))?;
            let inserted = store.insert(OWNER, name, copy, InsertOptions::default());
            inserted
                .map(|inserted| inserted.id())
                .map_err(|error| failed("keeping a socket", error))
        };
        saved.listener = keep(&socket_name, self.sockets.listener())?.0;
        saved.notify = keep(&socket_name, self.sockets.notify())?.0;
        for (id, client) in &self.clients {
            let (connection, fds) = client.connection.state();
            let mut own = saved_client(connection);
            own.socket = keep(&socket_name, client.socket.as_fd())?.0;
            for fd in fds {
                own.fds.push(keep(&passing_name, fd)?);
            }
            own.watch.clone_from(&client.watch);
            own.upgrades = caller == Some(*id);
            saved.clients.push(own);
        }
        Ok(saved)
    }
}

fn saved_client(connection: softboot_varlink::descriptors::FdConnectionState) -> SavedClient {
    SavedClient {
        socket: 0,
        connection,
        fds: Vec::new(),
        watch: None,
        upgrades: false,
    }
}

/// What the next program has said, in one line.
fn complaint(file: &mut std::fs::File) -> String {
    let mut bytes = Vec::new();
    let _ = file.rewind();
    let _ = file.take(COMPLAINT).read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join("; ")
}
