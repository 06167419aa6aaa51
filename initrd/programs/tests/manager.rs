//! `echo-store` under a manager that this test plays, by the reference's rules and warts: LISTEN_FDS and its companions,
//! a notify socket, a store that keeps no order (semantics 1.1, 3.5, 3.6). The same program is in the image, where
//! softbootd is its manager and the scenario `soft-reboots` looks at it.

#![expect(clippy::unwrap_used, reason = "every part of this program is a test")]

use std::ffi::CString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use fdstore::notify::{Datagram, Receiver};
use fdstore::{FdName, FdStore, InsertOptions};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use softboot_sys::spawn::{SpawnPlan, spawn};

const RESTARTS: u32 = 20;
const LIMIT: Duration = Duration::from_secs(30);
const UNIT: &str = "echo-store.service";

/// What a manager has of one service.
struct Manager {
    notify: Receiver,
    address: CString,
    listener: TcpListener,
    store: FdStore,
    _directory: tempfile::TempDir,
}

impl Manager {
    fn new() -> Manager {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        Manager {
            notify: Receiver::bind(&path, 0o600).unwrap(),
            address: CString::new(format!("NOTIFY_SOCKET={}", path.display())).unwrap(),
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            store: FdStore::new(),
            _directory: directory,
        }
    }

    /// Starts the service: the socket first, then what it has stored, in an order of our own.
    fn start(&self, reversed: bool) -> Pid {
        let mut stored: Vec<(&str, BorrowedFd<'_>)> = self
            .store
            .entries()
            .map(|entry| (entry.name().as_str(), entry.fd()))
            .collect();
        if reversed {
            stored.reverse();
        }
        let mut fds = vec![("echo", self.listener.as_fd())];
        fds.extend(stored);
        let names: Vec<&str> = fds.iter().map(|(name, _)| *name).collect();
        let env = vec![
            self.address.clone(),
            CString::new(format!("LISTEN_FDS={}", fds.len())).unwrap(),
            CString::new(format!("LISTEN_FDNAMES={}", names.join(":"))).unwrap(),
            c"FDSTORE=64".to_owned(),
        ];
        let program = CString::new(env!("CARGO_BIN_EXE_echo-store")).unwrap();
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        let mut plan = SpawnPlan::new(
            program.clone(),
            vec![program],
            env,
            [null.as_fd(), null.as_fd(), null.as_fd()],
        );
        plan.fds = fds.into_iter().map(|(_, fd)| fd).collect();
        plan.listen_pid = true;
        spawn(&plan).unwrap().pid
    }

    fn next(&mut self) -> Datagram {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(datagram) = self.notify.recv().unwrap() {
                return datagram.unwrap();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the service says nothing");
            let left = Timespec::try_from(left).unwrap();
            poll(&mut [PollFd::new(&self.notify, PollFlags::IN)], Some(&left)).unwrap();
        }
    }

    /// Takes messages, and stores what is to be stored, until one of them is what is waited for.
    fn until(&mut self, wanted: impl Fn(&Datagram) -> bool) {
        loop {
            let mut datagram = self.next();
            let name = match datagram.message.fd_name() {
                Some(name) => name.unwrap(),
                None => FdName::stored(),
            };
            for fd in std::mem::take(&mut datagram.fds) {
                let options = InsertOptions {
                    deduplicate: true,
                    ..InsertOptions::default()
                };
                self.store.insert(UNIT, &name, fd, options).unwrap();
            }
            if datagram.message.fd_store_remove() {
                self.store.remove_named(UNIT, &name);
            }
            if wanted(&datagram) {
                return;
            }
        }
    }

    fn stop(&mut self, pid: Pid, signal: Signal) {
        kill_process(pid, signal).unwrap();
        waitpid(Some(pid), WaitOptions::empty()).unwrap();
        // What it said before it ended counts.
        while let Some(datagram) = self.notify.recv().unwrap() {
            drop(datagram);
        }
    }
}

fn echo(client: &mut TcpStream, text: &str) {
    client.write_all(text.as_bytes()).unwrap();
    let mut answer = vec![0; text.len()];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(answer, text.as_bytes());
}

#[test]
fn connections_outlive_restarts_whatever_the_order_of_the_store_is() {
    let mut manager = Manager::new();
    let mut pid = manager.start(false);
    manager.until(|datagram| datagram.message.ready());
    let address = manager.listener.local_addr().unwrap();
    let mut clients: Vec<TcpStream> = Vec::new();
    for number in 0..3 {
        let mut client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(LIMIT)).unwrap();
        echo(&mut client, &format!("hello {number}"));
        clients.push(client);
    }
    let stored = |manager: &Manager| manager.store.count(UNIT);
    while stored(&manager) < 4 {
        manager.until(|datagram| datagram.message.fd_store());
    }
    for round in 0..RESTARTS {
        // Said while nobody is there: it waits in the connection.
        let signal = if round % 5 == 4 {
            Signal::KILL
        } else {
            Signal::TERM
        };
        manager.stop(pid, signal);
        for client in &mut clients {
            client.write_all(b"are you there? ").unwrap();
        }
        pid = manager.start(round % 2 == 0);
        manager.until(|datagram| datagram.message.ready());
        for client in &mut clients {
            let mut answer = [0; 15];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"are you there? ");
            echo(client, &format!("round {round}"));
        }
        assert_eq!(stored(&manager), 4, "nothing is stored twice");
    }
    manager.stop(pid, Signal::TERM);
}
