//! What a manager in a container says of itself, asked in the way that systemd and softbootd share:
//! `io.systemd.Manager.Describe`.
//!
//! systemd hangs up on clients that are in no PID namespace below its own, so the question comes from a process in the
//! container's: the harness itself, started there with nothing else of the container.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Running;
use crate::error::Error;

/// Where both listen.
pub const SOCKET: &str = "/run/systemd/io.systemd.Manager";
const CALL: &[u8] = b"{\"method\":\"io.systemd.Manager.Describe\",\"parameters\":{}}\0";
/// How long one answer may take; a manager that is being replaced gives none.
const PATIENCE: Duration = Duration::from_secs(2);
/// The time between two questions. They cost the machine something, so they are few.
const PAUSE: Duration = Duration::from_millis(100);

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// `running`, `degraded`, `starting`, `stopping`, …
    pub name: String,
    /// How many soft-reboots there were since the container was made.
    pub soft_reboots: u64,
    /// The manager's version.
    pub version: String,
    /// From the manager's first instruction to the end of its boot, once that is over.
    pub boot: Option<Duration>,
}

impl State {
    /// Boot is over.
    pub fn is_up(&self) -> bool {
        matches!(self.name.as_str(), "running" | "degraded")
    }
}

impl Running {
    /// Asks once.
    ///
    /// # Errors
    /// Whatever keeps it from answering: while a manager is replaced, anything.
    pub fn state(&self) -> Result<State, Error> {
        let (harness, socket) = (
            self.harness.display().to_string(),
            self.path(SOCKET).display().to_string(),
        );
        let command = [harness.as_str(), "describe", socket.as_str()];
        let ran = self.exec_in(&["--pid"], &command, PATIENCE)?;
        let answer: Value = serde_json::from_slice(&ran.stdout).map_err(|_| {
            let said = String::from_utf8_lossy(&ran.stderr);
            Error::Check(format!("asking the manager: {}", said.trim()))
        })?;
        read(&answer).ok_or_else(|| Error::Check(format!("asking the manager: {answer}")))
    }

    /// Waits until its boot is over and it has made at least so many soft-reboots.
    ///
    /// # Errors
    /// [`Error::Timeout`]; [`Error::Check`] if the container ends.
    pub fn wait_up(&mut self, soft_reboots: u64, limit: Duration) -> Result<State, Error> {
        let begun = Instant::now();
        let mut last = "nothing was asked".to_owned();
        while begun.elapsed() < limit {
            match self.state() {
                Ok(state) if state.is_up() && state.soft_reboots >= soft_reboots => return Ok(state),
                Ok(state) => last = format!("{state:?}"),
                Err(error) => last = error.to_string(),
            }
            self.check_alive()?;
            std::thread::sleep(PAUSE);
        }
        let console = self.console();
        Err(Error::Timeout {
            what: format!(
                "a manager that is up after {soft_reboots} soft-reboots; at last: {last}\n--- console ---\n{console}"
            ),
            limit,
        })
    }
}

/// The manager's answer, from the namespace that this process is in.
///
/// # Errors
/// Whatever keeps it from answering.
pub fn ask(socket: &Path) -> std::io::Result<String> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    (&stream).write_all(CALL)?;
    let mut answer = Vec::new();
    BufReader::new(&stream).read_until(0, &mut answer)?;
    if answer.pop() != Some(0) {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    String::from_utf8(answer).map_err(std::io::Error::other)
}

fn read(answer: &Value) -> Option<State> {
    let runtime = answer.pointer("/parameters/runtime")?;
    let text = |name: &str| runtime.get(name)?.as_str().map(str::to_owned);
    let stamp = |name: &str| runtime.get(name)?.get("monotonic")?.as_u64();
    let boot = stamp("FinishTimestamp")
        .zip(stamp("UserspaceTimestamp"))
        .and_then(|(finish, start)| finish.checked_sub(start));
    Some(State {
        name: text("SystemState")?,
        soft_reboots: runtime.get("SoftRebootsCount")?.as_u64()?,
        version: text("Version")?,
        boot: boot.map(Duration::from_micros),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_of_either_manager_is_read() {
        let answer = json!({ "parameters": { "context": {}, "runtime": {
            "Version": "262-1", "SystemState": "degraded", "SoftRebootsCount": 3, "NNames": 29,
            "UserspaceTimestamp": { "realtime": 5, "monotonic": 40 }, "FinishTimestamp": { "monotonic": 1040 } } } });
        let state = read(&answer).unwrap();
        assert!(state.is_up() && state.soft_reboots == 3 && state.version == "262-1");
        assert_eq!(state.boot, Some(Duration::from_millis(1)));
        assert_eq!(read(&json!({ "error": "x" })), None);
    }
}
