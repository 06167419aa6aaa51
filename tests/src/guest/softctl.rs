//! The command line client, run as people run it.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use crate::error::{Context, Error};

/// How a run of softctl ended, and what it printed.
#[derive(Debug)]
pub(super) struct Ran {
    /// -1 when a signal ended it.
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs it as root.
pub(super) fn softctl(arguments: &[&str]) -> Result<Ran, Error> {
    finish(start(arguments)?)
}

/// Runs it as root with these variables.
pub(super) fn softctl_with(variables: &[(&str, &str)], arguments: &[&str]) -> Result<Ran, Error> {
    let mut command = command(arguments);
    command.envs(variables.iter().copied());
    finish(command.spawn().doing("running softctl")?)
}

/// Runs it as a user who is nobody in particular.
pub(super) fn softctl_as(uid: u32, arguments: &[&str]) -> Result<Ran, Error> {
    finish(
        command(arguments)
            .uid(uid)
            .gid(uid)
            .spawn()
            .doing("running softctl")?,
    )
}

/// Starts it; [`finish`] waits for it.
pub(super) fn start(arguments: &[&str]) -> Result<Child, Error> {
    command(arguments).spawn().doing("running softctl")
}

/// Waits for the end of one that was started.
pub(super) fn finish(child: Child) -> Result<Ran, Error> {
    let output = child.wait_with_output().doing("waiting for softctl")?;
    Ok(Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/softctl");
    command
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}
