//! Asking the next program whether it can take over, before anything stops.
//!
//! The next program is started in a child with duplicates of every descriptor at the same numbers, and a pipe to
//! answer on (`SOFTBOOT_ANSWER_FD`). It does what it would do after the exec up to the first change of the outside
//! world, writes one JSON object and ends:
//!
//! ```json
//! { "answer": "yes", "plan": … }
//! { "answer": "no", "reasons": ["…"] }
//! ```
//!
//! A child that dies, hangs up or writes something else has said no. The old program polls the pipe and never waits.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use fdstore::Handoff;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use softboot_sys::spawn::{ExecStatus, SpawnError, SpawnPlan, exec_status, spawn};

/// The variable that names the pipe to answer on.
pub const VARIABLE: &str = "SOFTBOOT_ANSWER_FD";
/// A longer answer is none.
const MAX_ANSWER: usize = 1 << 20;

/// Why the next program could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// No pipe or no /dev/null.
    #[error("preparing to ask the next program: {0}")]
    Prepare(#[from] io::Error),
    /// No process.
    #[error("starting the next program's check: {0}")]
    Spawn(#[from] SpawnError),
}

/// What the next program says.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Nothing yet.
    Pending,
    /// It can take over; what it plans to do.
    Yes(Value),
    /// It cannot, for these reasons.
    No(Vec<String>),
    /// It has hung up without a word: why is known when it has ended.
    Silent,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "lowercase")]
enum Message {
    Yes { plan: Value },
    No { reasons: Vec<String> },
}

/// A question that is under way. Dropping it does not end the child: see [`Verification::kill`].
#[derive(Debug)]
pub struct Verification {
    pid: i32,
    pidfd: OwnedFd,
    answer: OwnedFd,
    status: OwnedFd,
    text: Vec<u8>,
}

impl Verification {
    /// Starts `program` with everything of `handoff` and `env`.
    pub fn start(
        program: BorrowedFd<'_>,
        argv: &[CString],
        env: &[CString],
        handoff: &Handoff<'_>,
    ) -> Result<Verification, VerifyError> {
        let null = File::options().read(true).write(true).open("/dev/null")?;
        let (answer, reply) = pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from)?;
        rustix::io::ioctl_fionbio(&answer, true).map_err(io::Error::from)?;
        let (name, manifest) = handoff.environment();
        // An assignment that is there already would be found first.
        let stale = |assignment: &&CString| {
            let bytes = assignment.as_bytes();
            [name, VARIABLE].iter().any(|own| {
                bytes
                    .strip_prefix(own.as_bytes())
                    .is_some_and(|rest| rest.starts_with(b"="))
            })
        };
        let mut env: Vec<CString> = env
            .iter()
            .filter(|assignment| !stale(assignment))
            .cloned()
            .collect();
        for assignment in [
            format!("{name}={manifest}"),
            format!("{VARIABLE}={}", reply.as_raw_fd()),
        ] {
            env.push(CString::new(assignment).map_err(io::Error::other)?);
        }
        let stdio = [null.as_fd(), null.as_fd(), null.as_fd()];
        let mut plan = SpawnPlan::new(c"".to_owned(), argv.to_vec(), env, stdio);
        plan.exec_fd = Some(program);
        plan.keep = handoff.descriptors().chain([reply.as_fd()]).collect();
        let spawned = spawn(&plan)?;
        let pid = spawned.pid.as_raw_nonzero().get();
        Ok(Verification {
            pid,
            pidfd: spawned.pidfd,
            answer,
            status: spawned.status,
            text: Vec::new(),
        })
    }

    /// The child's number. Its parent has to reap it.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Readable when there is something to [`read`](Verification::read).
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.answer.as_fd()
    }

    /// Reads what is there.
    pub fn read(&mut self) -> io::Result<Answer> {
        let mut buffer = [0_u8; 4096];
        loop {
            match rustix::io::read(&self.answer, &mut buffer) {
                Ok(0) => return Ok(self.decode()),
                Ok(length) => self.text.extend_from_slice(buffer.get(..length).unwrap_or(&[])),
                Err(Errno::AGAIN) => return Ok(Answer::Pending),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if self.text.len() > MAX_ANSWER {
                return Ok(Answer::No(vec![
                    "the next program's answer does not end".to_owned(),
                ]));
            }
        }
    }

    fn decode(&self) -> Answer {
        let no = |reason: String| Answer::No(vec![reason]);
        if let Ok(ExecStatus::Failed { step, errno, .. }) = exec_status(self.status.as_fd()) {
            return no(format!("the next program cannot be started: {step}: {errno}"));
        }
        if self.text.is_empty() {
            return Answer::Silent;
        }
        match serde_json::from_slice(&self.text) {
            Ok(Message::Yes { plan }) => Answer::Yes(plan),
            Ok(Message::No { reasons }) => Answer::No(reasons),
            Err(error) => no(format!("the next program's answer cannot be read: {error}")),
        }
    }

    /// Ends the child.
    pub fn kill(&self) {
        // It may have ended by itself.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }
}

/// In the child: yes.
pub fn answer_yes(pipe: BorrowedFd<'_>, plan: &Value) -> io::Result<()> {
    send(pipe, &Message::Yes { plan: plan.clone() })
}

/// In the child: no.
pub fn answer_no(pipe: BorrowedFd<'_>, reasons: &[String]) -> io::Result<()> {
    send(
        pipe,
        &Message::No {
            reasons: reasons.to_vec(),
        },
    )
}

fn send(pipe: BorrowedFd<'_>, message: &Message) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        match rustix::io::write(pipe, rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or(&[]),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
