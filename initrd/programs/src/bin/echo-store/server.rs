//! The poll loop.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{socket_acceptconn, socket_type};
use rustix::net::{RecvFlags, SendFlags, SocketFlags, SocketType, accept_with, recvfrom, sendto};
use softboot_programs::error::{Context, Error};
use softboot_programs::manager::{self, Manager};
use softboot_programs::signals;

use crate::connection::{Connection, Next};
use crate::state::{self, State};

/// The name of the passed sockets (FileDescriptorName= of echo-store.socket).
const LISTENER: &str = "echo";

/// The service with all it holds.
#[derive(Debug)]
pub(crate) struct Server {
    manager: Manager,
    termination: OwnedFd,
    listeners: Vec<OwnedFd>,
    datagrams: Vec<OwnedFd>,
    connections: BTreeMap<String, Connection>,
    file: OwnedFd,
    state: State,
    /// How many connections the fd store has room for, beside the state.
    room: usize,
}

impl Server {
    /// Takes what the manager passes: sockets, and the state and connections of the predecessor.
    pub(crate) fn take_over() -> Result<Server, Error> {
        let termination = signals::termination()?;
        let manager = Manager::connect()?;
        let (mut listeners, mut datagrams, mut taken, mut file) = (Vec::new(), Vec::new(), Vec::new(), None);
        for (name, fd) in manager::passed()? {
            match name.as_str() {
                LISTENER if socket_type(&fd).doing("looking at a passed socket")? == SocketType::DGRAM => {
                    datagrams.push(fd);
                }
                LISTENER => listeners.push(fd),
                state::NAME => file = Some(fd),
                _ => taken.push((name, fd)),
            }
        }
        for listener in &listeners {
            if !socket_acceptconn(listener).doing("looking at a passed socket")? {
                return Err(Error::Usage(format!(
                    "the socket passed as {LISTENER} does not listen"
                )));
            }
        }
        if listeners.is_empty() && datagrams.is_empty() {
            return Err(Error::Usage(format!(
                "no socket named {LISTENER} was passed: start echo-store.socket"
            )));
        }
        let (file, mut state) = match file {
            Some(file) => {
                let state = state::load(&file)?;
                (file, state)
            }
            None => {
                let file = state::create()?;
                manager.store(state::NAME, &file)?;
                (file, State::default())
            }
        };
        state.starts += 1;
        let connections = taken
            .into_iter()
            .map(|(name, fd)| {
                let progress = state.connections.get(&name).cloned().unwrap_or_default();
                (name, Connection { fd, progress })
            })
            .collect();
        let room = std::env::var("FDSTORE")
            .ok()
            .and_then(|text| text.parse::<usize>().ok())
            .unwrap_or(0);
        let room = room.saturating_sub(1);
        Ok(Server {
            manager,
            termination,
            listeners,
            datagrams,
            connections,
            file,
            state,
            room,
        })
    }

    /// Serves until SIGTERM.
    pub(crate) fn serve(mut self) -> Result<(), Error> {
        self.save()?;
        let status = format!(
            "start {}, {} connections taken back",
            self.state.starts,
            self.connections.len()
        );
        println!("{status}");
        self.manager.ready(&status)?;
        loop {
            let ready = self.wait()?;
            if ready.contains(&Source::Termination) {
                return self.save();
            }
            for source in ready {
                match source {
                    Source::Termination => {}
                    Source::Listener(index) => self.accept(index)?,
                    Source::Datagrams(index) => self.echo_datagrams(index),
                    Source::Connection(name) => self.step(&name)?,
                }
            }
            self.save()?;
        }
    }

    fn wait(&self) -> Result<Vec<Source>, Error> {
        let mut sources = vec![Source::Termination];
        let mut fds = vec![PollFd::new(&self.termination, PollFlags::IN)];
        for (index, fd) in self.listeners.iter().enumerate() {
            sources.push(Source::Listener(index));
            fds.push(PollFd::new(fd, PollFlags::IN));
        }
        for (index, fd) in self.datagrams.iter().enumerate() {
            sources.push(Source::Datagrams(index));
            fds.push(PollFd::new(fd, PollFlags::IN));
        }
        for (name, connection) in &self.connections {
            sources.push(Source::Connection(name.clone()));
            fds.push(PollFd::new(&connection.fd, connection.interest()));
        }
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).doing("waiting for events"),
        }
        let ready = sources
            .into_iter()
            .zip(&fds)
            .filter(|(_, fd)| !fd.revents().is_empty());
        Ok(ready.map(|(source, _)| source).collect())
    }

    fn accept(&mut self, index: usize) -> Result<(), Error> {
        let Some(listener) = self.listeners.get(index) else {
            return Ok(());
        };
        let fd = match accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(fd) => fd,
            // The client may have gone again, or another holder of the socket was faster.
            Err(_) => return Ok(()),
        };
        let name = format!("conn-{}", self.state.accepted);
        self.state.accepted += 1;
        if self.connections.len() < self.room {
            self.manager.store(&name, &fd)?;
        }
        self.connections.insert(
            name,
            Connection {
                fd,
                progress: state::Progress::default(),
            },
        );
        Ok(())
    }

    fn step(&mut self, name: &str) -> Result<(), Error> {
        let Some(connection) = self.connections.get_mut(name) else {
            return Ok(());
        };
        if connection.step() == Next::Close {
            self.connections.remove(name);
            self.state.closed += 1;
            self.manager.remove(name)?;
        }
        Ok(())
    }

    fn echo_datagrams(&mut self, index: usize) {
        let Some(socket) = self.datagrams.get(index) else {
            return;
        };
        let mut buffer = vec![0_u8; 64 * 1024];
        while let Ok((length, _, Some(from))) = recvfrom(socket, buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
            let datagram = buffer.get(..length).unwrap_or_default();
            // A datagram that cannot be answered is lost, as datagrams are.
            if sendto(socket, datagram, SendFlags::DONTWAIT | SendFlags::NOSIGNAL, &from).is_ok() {
                self.state.datagrams += 1;
            }
        }
    }

    fn save(&mut self) -> Result<(), Error> {
        self.state.connections = self
            .connections
            .iter()
            .map(|(name, held)| (name.clone(), held.progress.clone()))
            .collect();
        state::save(&self.file, &self.state)
    }
}

/// Where an event came from.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    Termination,
    Listener(usize),
    Datagrams(usize),
    Connection(String),
}
