//! Parts of a case that need a process of their own: this program again, with a role.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Kind, handoff, memory, push, transfer};
use crate::error::{Context as _, Error};

/// What a child process does. It prints one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Fills a store, hands it to itself over execve, and verifies it.
    Handoff,
    /// The same with bare system calls, on descriptors that are open across exec.
    HandoffFloor,
    /// The same, on descriptors that have to be opened for exec first.
    HandoffFloorCloexec,
    /// Fills a store and says how much memory that took.
    Memory,
    /// The same with a plain list.
    MemoryFloor,
    /// Receives a store over standard input; says when it is there and when it is done.
    Receive,
    /// Pushes descriptors to itself with another library.
    PushPeer,
    /// Receives bare batches of descriptors.
    ReceiveFloor,
}

impl Role {
    /// Plays it in this process.
    pub fn play(self, kind: Kind, size: usize) -> Result<(), Error> {
        let number = match self {
            Role::Handoff => handoff::ours(kind, size),
            Role::HandoffFloor => handoff::floor(kind, size, false),
            Role::HandoffFloorCloexec => handoff::floor(kind, size, true),
            Role::Memory => memory::ours(kind, size),
            Role::MemoryFloor => memory::floor(kind, size),
            Role::PushPeer => push::peer(kind, size),
            Role::Receive => return transfer::receive(size),
            Role::ReceiveFloor => return transfer::receive_floor(size),
        };
        println!("{}", number?);
        Ok(())
    }

    /// As it stands on the command line.
    pub(super) fn name(self) -> Result<String, Error> {
        let value = clap::ValueEnum::to_possible_value(&self).context("a role's name")?;
        Ok(value.get_name().to_owned())
    }

    /// Plays it in a process of its own.
    pub(super) fn spawn(self, kind: Kind, size: usize) -> Result<f64, Error> {
        self.spawn_with(kind, size, &[])
    }

    /// The same with more of an environment.
    pub(super) fn spawn_with(
        self,
        kind: Kind,
        size: usize,
        environment: &[(&str, &Path)],
    ) -> Result<f64, Error> {
        let name = self.name()?;
        let output = Command::new("/proc/self/exe")
            .args(["role", &name, "--kind", &kind.to_string(), "--size"])
            .arg(size.to_string())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("starting a child")?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.trim().parse() {
            Ok(value) if output.status.success() => Ok(value),
            _ => Err(Error {
                what: format!("playing the role {name}"),
                reason: format!("{} and {text:?}", output.status),
            }),
        }
    }
}
