//! Runs the C examples and looks at what they do.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fdstore::notify::{Datagram, Receiver};

/// How often the daemon is upgraded.
const UPGRADES: usize = 20;
/// For one step.
const LIMIT: Duration = Duration::from_secs(30);

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// Ends it, whatever becomes of the check.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `PID serves PORT, started HOW`.
fn serving(output: &mut BufReader<ChildStdout>) -> Result<(u32, u16, u32), String> {
    let mut line = String::new();
    output.read_line(&mut line).map_err(text)?;
    let numbers: Vec<u32> = line
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect();
    match numbers[..] {
        [pid, port, origin] => Ok((pid, u16::try_from(port).map_err(text)?, origin)),
        _ => Err(format!("it says {line:?}")),
    }
}

/// The daemon is upgraded under connects: each is answered, by the same process, and the count goes on.
pub(super) fn upgrade(program: &Path, libraries: &Path) -> Result<(), String> {
    let mut child = Command::new(program)
        .arg("0")
        .env("LD_LIBRARY_PATH", libraries)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(text)?;
    let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
    let child = Running(child);
    let (pid, port, origin) = serving(&mut output)?;
    expect(origin == 0, || format!("it was started {origin}"))?;
    let mut answered = 0;
    for _ in 0..UPGRADES {
        let own = rustix::process::Pid::from_child(&child.0);
        rustix::process::kill_process(own, rustix::process::Signal::HUP).map_err(text)?;
        // Before, during and after the exec.
        for _ in 0..20 {
            let mut connection = TcpStream::connect(("127.0.0.1", port)).map_err(text)?;
            connection.set_read_timeout(Some(LIMIT)).map_err(text)?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer).map_err(text)?;
            answered += 1;
            expect(answer == format!("{pid} {answered}\n"), || {
                format!("answer {answered} is {answer:?}")
            })?;
        }
        let now = serving(&mut output)?;
        expect(now == (pid, port, 2), || {
            format!("after an upgrade it is {now:?}")
        })?;
    }
    Ok(())
}

/// The service gets a socket and has a manager, which is this program.
pub(super) fn notify(program: &Path, libraries: &Path) -> Result<(), String> {
    let directory = tempfile::tempdir().map_err(text)?;
    let socket = directory.path().join("notify");
    let mut receiver = Receiver::bind(&socket, 0o600).map_err(text)?;
    let listener: OwnedFd = TcpListener::bind("127.0.0.1:0").map_err(text)?.into();
    // A shell moves the socket to where LISTEN_FDS says, and knows its own process id.
    let child = Command::new("sh")
        .args(["-c", "exec 3<&0 0</dev/null; LISTEN_PID=$$ exec \"$0\""])
        .arg(program)
        .env("LD_LIBRARY_PATH", libraries)
        .env("NOTIFY_SOCKET", &socket)
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDNAMES", "web")
        .stdin(Stdio::from(listener))
        .stdout(Stdio::piped())
        .spawn()
        .map_err(text)?;
    let mut child = Running(child);
    let stored = next(&mut receiver)?;
    expect(stored.message.fd_store() && stored.fds.len() == 1, || {
        format!("{stored:?}")
    })?;
    expect(stored.message.get("FDNAME") == Some("cache"), || {
        format!("{stored:?}")
    })?;
    let status = next(&mut receiver)?;
    expect(status.message.status() == Some("serving"), || {
        format!("{status:?}")
    })?;
    let ready = next(&mut receiver)?;
    expect(ready.message.ready(), || format!("{ready:?}"))?;
    let barrier = next(&mut receiver)?;
    expect(barrier.message.is_barrier(), || format!("{barrier:?}"))?;
    drop(barrier);
    let status = child.0.wait().map_err(text)?;
    let mut said = String::new();
    child
        .0
        .stdout
        .take()
        .ok_or("no output")?
        .read_to_string(&mut said)
        .map_err(text)?;
    expect(status.success(), || format!("{status}"))?;
    let expected = "1 descriptors\nweb: socket inet stream listening\ndone\n";
    expect(said == expected, || format!("it says {said:?}"))
}

fn next(receiver: &mut Receiver) -> Result<Datagram, String> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(datagram) = receiver.recv().map_err(text)? {
            return datagram.map_err(text);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        expect(!left.is_zero(), || "the service says nothing".to_owned())?;
        let left = Timespec::try_from(left).map_err(text)?;
        poll(&mut [PollFd::new(receiver, PollFlags::IN)], Some(&left)).map_err(text)?;
    }
}
