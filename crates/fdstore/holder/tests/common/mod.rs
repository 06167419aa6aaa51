//! A real fdstored in a directory of its own, and what tests ask of it.
#![allow(dead_code, reason = "each test uses its part")]

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use fdstore::Identity;
use fdstore::notify::{Message, Notifier, Receiver};
use holder::api::{EntryInfo, GetReply, ListReply, NewEntry, PutReply, Request, Stored, WatchReply};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::de::DeserializeOwned;
use serde_json::Value;
use softboot_varlink::client::{Client, ClientError};

/// How long anything may take before a test gives up. Nothing waits for so long when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything for the user that the test runs as.
pub(crate) const OWN: &str = "[[allow]]\nself = true\nnames = [\"*\"]\n\
                       verbs = [\"put\", \"get\", \"list\", \"remove\", \"watch\"]\n";

pub(crate) struct Holder {
    pub(crate) child: Child,
    pub(crate) directory: tempfile::TempDir,
    manager: Receiver,
}

pub(crate) fn fdstored() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_fdstored"))
}

pub(crate) fn fdstorectl() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_fdstorectl"))
}

/// Puts a program file there. A process of its own writes it: while this one has it open for writing, a child that
/// another thread starts would have it, too, and it could not be executed (execve(2), ETXTBSY).
pub(crate) fn install(program: &Path, at: &Path) {
    // Beside it and then over it: a program that runs cannot be written to.
    let new = at.with_extension("new");
    let copied = Command::new("cp").arg(program).arg(&new).status().unwrap();
    assert!(copied.success());
    std::fs::set_permissions(&new, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::rename(&new, at).unwrap();
}

pub(crate) fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    // Other users have to get in, too.
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    directory
}

impl Holder {
    /// With this configuration, when it is ready.
    pub(crate) fn start(config: &str) -> Holder {
        Holder::start_program(fdstored(), config, directory())
    }

    pub(crate) fn start_program(program: &Path, config: &str, directory: tempfile::TempDir) -> Holder {
        Holder::start_command(Command::new(program), config, directory)
    }

    /// With a command that becomes fdstored and passes its arguments on.
    pub(crate) fn start_command(mut command: Command, config: &str, directory: tempfile::TempDir) -> Holder {
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("config"), config).unwrap();
        let manager = Receiver::bind(&path("manager"), 0o666).unwrap();
        let log = File::create(path("log")).unwrap();
        let child = command
            .arg("--config")
            .arg(path("config"))
            .arg("--socket")
            .arg(path("varlink"))
            .arg("--notify-socket")
            .arg(path("notify"))
            .env("NOTIFY_SOCKET", path("manager"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut holder = Holder {
            child,
            directory,
            manager,
        };
        holder.wait_for(Message::ready);
        holder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap()
    }

    /// Waits until the log says this.
    pub(crate) fn wait_for_log(&self, wanted: &str) {
        let begin = Instant::now();
        while !self.log().contains(wanted) {
            assert!(
                begin.elapsed() < PATIENCE,
                "no {wanted:?} in the log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for a message of the holder to its manager.
    pub(crate) fn wait_for(&mut self, wanted: impl Fn(&Message) -> bool) -> Message {
        loop {
            assert!(
                readable(&self.manager),
                "the holder says nothing; its log:\n{}",
                self.log()
            );
            if let Some(Ok(datagram)) = self.manager.recv().unwrap()
                && wanted(&datagram.message)
            {
                return datagram.message;
            }
        }
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    pub(crate) fn client(&self) -> Caller {
        Caller(Client::connect(&self.path("varlink")).unwrap())
    }

    pub(crate) fn notifier(&self) -> Notifier {
        Notifier::connect(self.path("notify").into_os_string()).unwrap()
    }

    /// Runs fdstorectl.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> Output {
        self.ctl_command(arguments).output().unwrap()
    }

    pub(crate) fn ctl_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(fdstorectl());
        command
            .args(arguments)
            .env("FDSTORED_SOCKET", self.path("varlink"))
            .env_remove("LISTEN_PID")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn list(&self) -> Vec<EntryInfo> {
        self.client().list(None)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.list().into_iter().map(|entry| entry.name).collect()
    }

    /// How many descriptors the process has open.
    pub(crate) fn open(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))
            .unwrap()
            .count()
    }

    /// Waits until the process has so many open: closing is a thread's work.
    pub(crate) fn wait_for_open(&self, wanted: usize) {
        let begin = Instant::now();
        while self.open() != wanted {
            assert!(
                begin.elapsed() < PATIENCE,
                "{} descriptors are open, not {wanted}:\n{}",
                self.open(),
                self.log()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until there is something to read; false when nothing comes.
pub(crate) fn readable(fd: impl AsFd) -> bool {
    let mut wait = [PollFd::new(&fd, PollFlags::IN)];
    let limit = Timespec::try_from(PATIENCE).unwrap();
    poll(&mut wait, Some(&limit)).unwrap() > 0
}

/// A client that knows the interface.
pub(crate) struct Caller(pub(crate) Client);

impl Caller {
    pub(crate) fn call<R: DeserializeOwned>(
        &mut self,
        request: &Request,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(R, Vec<OwnedFd>), String> {
        let (method, parameters) = request.to_call();
        let reply = self.0.call(&method, &parameters, fds).map_err(error_name)?;
        Ok((serde_json::from_value(reply.parameters).unwrap(), reply.fds))
    }

    pub(crate) fn put_all(
        &mut self,
        entries: Vec<NewEntry>,
        fds: &[BorrowedFd<'_>],
    ) -> Result<Vec<Stored>, String> {
        let request = Request::Put { entries, owner: None };
        self.call::<PutReply>(&request, fds)
            .map(|(reply, _)| reply.stored)
    }

    pub(crate) fn put(&mut self, name: &str, fd: impl AsFd) -> Result<Stored, String> {
        let mut stored = self.put_all(vec![entry(name, 0)], &[fd.as_fd()])?;
        Ok(stored.remove(0))
    }

    pub(crate) fn get(&mut self, name: &str) -> Result<(Vec<EntryInfo>, Vec<OwnedFd>), String> {
        let request = Request::Get {
            names: Some(vec![name.to_owned()]),
            ids: None,
            take: None,
            owner: None,
        };
        self.call::<GetReply>(&request, &[])
            .map(|(reply, fds)| (reply.entries, fds))
    }

    pub(crate) fn list(&mut self, owner: Option<&str>) -> Vec<EntryInfo> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let request = Request::List {
                patterns: None,
                owner: owner.map(str::to_owned),
                after,
            };
            let (page, _): (ListReply, _) = self.call(&request, &[]).unwrap();
            all.extend(page.entries);
            match page.next {
                Some(next) => after = Some(next),
                None => return all,
            }
        }
    }

    pub(crate) fn remove(&mut self, name: &str) -> Result<Value, String> {
        let request = Request::Remove {
            names: Some(vec![name.to_owned()]),
            ids: None,
            owner: None,
        };
        self.call(&request, &[]).map(|(reply, _)| reply)
    }

    /// Starts watching; when this returns, events are told.
    pub(crate) fn watch(&mut self) {
        self.send(
            &Request::Watch {
                patterns: None,
                owner: None,
            },
            true,
        );
        assert_eq!(self.event(), ("Ready".to_owned(), None));
    }

    pub(crate) fn send(&mut self, request: &Request, more: bool) {
        let (method, parameters) = request.to_call();
        self.0.send(&method, &parameters, more, &[]).unwrap();
    }

    pub(crate) fn event(&mut self) -> (String, Option<String>) {
        let reply: WatchReply = serde_json::from_value(self.0.receive().unwrap().parameters).unwrap();
        (format!("{:?}", reply.event), reply.entry.map(|entry| entry.name))
    }
}

/// The last part of an error's name.
pub(crate) fn error_name(error: ClientError) -> String {
    match error {
        ClientError::Refused { name, .. } => name.rsplit('.').next().unwrap().to_owned(),
        other => other.to_string(),
    }
}

pub(crate) fn entry(name: &str, index: usize) -> NewEntry {
    NewEntry {
        name: name.to_owned(),
        index,
        ..NewEntry::default()
    }
}

pub(crate) fn memfd(text: &str) -> OwnedFd {
    fdstore::memfd::sealed_memfd("test", text.as_bytes()).unwrap()
}

pub(crate) fn same(a: impl AsFd, b: impl AsFd) -> bool {
    softboot_sys::kcmp::same_file(a.as_fd(), b.as_fd()).unwrap()
}

pub(crate) fn identity(fd: impl AsFd) -> Identity {
    Identity::of(fd).unwrap()
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads until the other side closes; true when it did.
pub(crate) fn closes(stream: &mut std::os::unix::net::UnixStream) -> bool {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}
