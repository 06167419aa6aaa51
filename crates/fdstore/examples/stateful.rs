//! A service with state: it counts the lines of each client. On SIGHUP it executes itself anew; connections stay open,
//! and the counts continue from a memfd.
//!
//! ```sh
//! cargo run -p fdstore --example stateful 127.0.0.1:7001
//! kill -HUP PID
//! ```

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use fdstore::{FdName, FdStore, InsertOptions, Program, Startup, StateError};
use rustix::event::{PollFd, PollFlags, poll};
use serde::{Deserialize, Serialize};

type Failure = Box<dyn std::error::Error>;

const OWNER: &str = "counter";

/// What is known of a client beside its connection.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Session {
    lines: u64,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
}

fn main() -> Result<(), Failure> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:7001".to_owned());
    let mut startup = Startup::from_env(OWNER, None)?;
    let listener: TcpListener = startup.socket("listener", || TcpListener::bind(&address))?;
    listener.set_nonblocking(true)?;
    let mut sessions = take_back(&mut startup.store)?;
    let (hangups, signal) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGHUP, signal)?;
    startup.ready()?;
    println!(
        "{} serves {}, {}",
        std::process::id(),
        listener.local_addr()?,
        startup.origin
    );

    loop {
        let mut fds = vec![
            PollFd::new(&listener, PollFlags::IN),
            PollFd::new(&hangups, PollFlags::IN),
        ];
        fds.extend(
            sessions
                .iter()
                .map(|(client, _)| PollFd::new(client, PollFlags::IN)),
        );
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |position: usize| fds.get(position).is_some_and(|fd| !fd.revents().is_empty());
        let ready: Vec<bool> = (2..fds.len()).map(is_ready).collect();
        let (connects, hangup) = (is_ready(0), is_ready(1));
        if connects && let Ok((client, _)) = listener.accept() {
            client.set_nonblocking(true)?;
            sessions.push((client, Session::default()));
        }
        let mut ready = ready.into_iter();
        // A new client has no place in the list yet; it is looked at in the next round.
        sessions.retain_mut(|(client, session)| {
            ready.next() != Some(true) || serve(client, session).unwrap_or(false)
        });
        if hangup {
            (&hangups).read_exact(&mut [0])?;
            let error = continue_elsewhere(&mut startup.store, &sessions)?;
            eprintln!("going on as before: {error}");
        }
    }
}

/// Answers what has come; `false` when the client is gone.
fn serve(client: &mut TcpStream, session: &mut Session) -> io::Result<bool> {
    let mut buffer = [0; 4096];
    let length = match client.read(&mut buffer) {
        Ok(0) => return Ok(false),
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
        Err(error) => return Err(error),
    };
    for byte in buffer.iter().take(length) {
        session.partial.push(*byte);
        if *byte == b'\n' {
            session.partial.clear();
            session.lines += 1;
            writeln!(client, "{}", session.lines)?;
        }
    }
    Ok(true)
}

/// Puts everything into the store and executes the program anew. Returns only when that failed.
fn continue_elsewhere(
    store: &mut FdStore,
    sessions: &[(TcpStream, Session)],
) -> Result<fdstore::HandoffError, Failure> {
    let name = FdName::new("client")?;
    let mut kept = BTreeMap::new();
    for (client, session) in sessions {
        let fd = client.try_clone()?.into();
        let id = store
            .insert(OWNER, &name, fd, InsertOptions::default())
            .map_err(|refused| refused.rule)?
            .id();
        kept.insert(id.0, session);
    }
    store.put_state(OWNER, "sessions", &serde_json::to_vec(&kept)?)?;
    let error = store.handoff()?.exec_program(&Program::current()?);
    drop(store.remove_named(OWNER, &name));
    Ok(error)
}

/// The clients of the program before this one.
fn take_back(store: &mut FdStore) -> Result<Vec<(TcpStream, Session)>, Failure> {
    let mut kept: BTreeMap<u64, Session> = match store.state(OWNER, "sessions") {
        Ok(bytes) => serde_json::from_slice(&bytes)?,
        Err(StateError::Missing(_)) => BTreeMap::new(),
        Err(error) => return Err(error.into()),
    };
    let name = FdName::new("client")?;
    let mut sessions = Vec::new();
    while let Some(id) = store.find(OWNER, &name) {
        let client: TcpStream = store.take(OWNER, name.as_str())?;
        sessions.push((client, kept.remove(&id.0).unwrap_or_default()));
    }
    Ok(sessions)
}
