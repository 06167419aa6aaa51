//! No manager at all: an HTTP server that replaces itself without losing a request. Threads and the standard library.
//!
//! ```sh
//! cargo run -p fdstore --example http_std 127.0.0.1:8080
//! kill -HUP PID     # starts the program again, beside this one, which ends when the new one serves
//! ```

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use fdstore::transfer::{Interest, Progress};
use fdstore::upgrade::Upgrade;
use fdstore::{Program, Startup};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let mut startup = Startup::from_env("http", deadline(10))?;
    let listener: TcpListener = startup.socket("http", || TcpListener::bind(&address))?;
    listener.set_nonblocking(true)?;
    // A byte is readable here for each SIGHUP.
    let (hangups, signal) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGHUP, signal)?;
    hangups.set_nonblocking(true)?;
    startup.ready()?;
    println!(
        "{} serves {}, {}",
        std::process::id(),
        listener.local_addr()?,
        startup.origin
    );

    std::thread::scope(|connections| {
        let mut upgrade: Option<Upgrade> = None;
        let mut interest = Interest::default();
        loop {
            let mut fds = vec![
                PollFd::new(&listener, PollFlags::IN),
                PollFd::new(&hangups, PollFlags::IN),
            ];
            if let Some(upgrade) = &upgrade {
                let [line, child] = upgrade.descriptors();
                let mut flags = PollFlags::IN;
                flags.set(PollFlags::OUT, interest.writable);
                fds.push(PollFd::from_borrowed_fd(line, flags));
                fds.push(PollFd::from_borrowed_fd(child, PollFlags::IN));
            }
            let limit = interest
                .retry_after
                .and_then(|limit| Timespec::try_from(limit).ok());
            match poll(&mut fds, limit.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            interest = Interest::default();
            while let Some((connection, _)) = pending(listener.accept())? {
                connections.spawn(move || answer(connection));
            }
            let mut bytes = [0; 16];
            if pending(rustix::io::read(hangups.as_fd(), &mut bytes).map_err(io::Error::from))?.is_some() {
                // Whatever file stands now where this program was started from.
                let mut command = Command::new(Program::current()?.path());
                command.args(std::env::args_os().skip(1));
                match Upgrade::start(command, &startup.store) {
                    Ok(started) => upgrade = Some(started),
                    Err(error) => eprintln!("going on as before: {error}"),
                }
            }
            if let Some(running) = &mut upgrade {
                match running.advance(&startup.store) {
                    Ok(Progress::Pending(next)) => interest = next,
                    // The scope ends when every connection is answered.
                    Ok(Progress::Done) => {
                        drop(upgrade.take().map(Upgrade::finish));
                        return Ok(());
                    }
                    Err(error) => {
                        eprintln!("going on as before: {error}");
                        upgrade = None;
                    }
                }
            }
        }
    })
}

fn deadline(seconds: u64) -> Option<Instant> {
    Instant::now().checked_add(Duration::from_secs(seconds))
}

/// `None` when there is nothing now.
fn pending<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a request's head and answers it. A client that is gone is no concern of the others.
fn answer(connection: TcpStream) {
    let _ = try_answer(connection);
}

fn try_answer(connection: TcpStream) -> io::Result<()> {
    connection.set_nonblocking(false)?;
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let body = format!("{}\n", std::process::id());
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut connection = reader.into_inner();
    connection.write_all(head.as_bytes())?;
    connection.write_all(body.as_bytes())
}
