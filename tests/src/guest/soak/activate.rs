//! A service for each connection, and the floor of starting one: a program that does nothing else.

use std::io::{stdin, stdout};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{WaitOptions, wait};
use signal_hook::consts::{SIGHUP, SIGTERM};

use super::serve::answer;
use crate::error::{Context as _, Error};

/// Answers the connection that is standard input and output with the line that it sends.
pub fn answer_stdin() {
    answer(stdin().lock(), stdout().lock());
}

/// Starts [`answer_stdin`] for each connection to the socket that is standard input. SIGHUP: executes itself; SIGTERM:
/// ends.
///
/// # Errors
/// [`Error::Io`] if the socket cannot be served.
pub fn activate() -> Result<(), Error> {
    let program = std::env::current_exe().doing("finding this program")?;
    let caught = |signal| -> Result<UnixStream, Error> {
        let (read, write) = UnixStream::pair().doing("making a socket pair for a signal")?;
        signal_hook::low_level::pipe::register(signal, write).doing("catching a signal")?;
        Ok(read)
    };
    let (hup, term) = (caught(SIGHUP)?, caught(SIGTERM)?);
    let socket: OwnedFd = stdin().as_fd().try_clone_to_owned().doing("taking the socket")?;
    let listener = UnixListener::from(socket);
    loop {
        let mut fds = [hup.as_fd(), term.as_fd(), listener.as_fd()];
        let mut fds = fds.each_mut().map(|fd| PollFd::new(fd, PollFlags::IN));
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).doing("waiting for clients"),
        }
        let [hup, term, client] = fds.map(|fd| !fd.revents().is_empty());
        if term {
            return Ok(());
        }
        if hup {
            return Err(Command::new(&program).arg("--activate").exec()).doing("executing itself");
        }
        if client && let Ok((stream, _)) = listener.accept() {
            let stream = OwnedFd::from(stream);
            let output = stream.try_clone().doing("duplicating a connection")?;
            // What goes wrong the client sees, and counts.
            let _ = Command::new(&program)
                .arg("--answer")
                .stdin(Stdio::from(stream))
                .stdout(Stdio::from(output))
                .spawn();
        }
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
    }
}
