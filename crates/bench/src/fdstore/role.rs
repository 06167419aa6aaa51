//! Parts of a case that need a process of their own: this program again, with a role.

use std::process::{Command, Stdio};

use super::{Kind, handoff, memory};
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
}

impl Role {
    /// Plays it in this process.
    pub fn play(self, kind: Kind, size: usize) -> Result<f64, Error> {
        match self {
            Role::Handoff => handoff::ours(kind, size),
            Role::HandoffFloor => handoff::floor(kind, size, false),
            Role::HandoffFloorCloexec => handoff::floor(kind, size, true),
            Role::Memory => memory::ours(kind, size),
            Role::MemoryFloor => memory::floor(kind, size),
        }
    }

    /// Plays it in a process of its own.
    pub(super) fn spawn(self, kind: Kind, size: usize) -> Result<f64, Error> {
        let name = clap::ValueEnum::to_possible_value(&self).context("a role's name")?;
        let output = Command::new("/proc/self/exe")
            .args(["role", name.get_name(), "--kind", &kind.to_string(), "--size"])
            .arg(size.to_string())
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("starting a child")?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.trim().parse() {
            Ok(value) if output.status.success() => Ok(value),
            _ => Err(Error {
                what: format!("playing the role {}", name.get_name()),
                reason: format!("{} and {text:?}", output.status),
            }),
        }
    }
}
