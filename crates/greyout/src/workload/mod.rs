//! A workload: what runs, what is probed, and what happens, in one TOML file that any manager can be given.
//!
//! `docs/greyout.md` describes the file.

mod check;
mod file;
mod units;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::probe::Probe;

pub use check::{Fault, WorkloadError};
pub use units::UnitFile;

/// A workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// What reports call it: the label `case`.
    pub case: String,
    /// The services.
    pub services: Vec<Service>,
    /// The sockets.
    pub sockets: Vec<Socket>,
    /// The probes.
    pub probes: Vec<ViewedProbe>,
    /// What happens, in this order, again in each cycle.
    pub events: Vec<Action>,
    /// How often.
    pub cycles: u32,
    /// How long nothing happens before each event.
    pub quiet: Duration,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its unit: `echo.service`.
    pub name: String,
    /// Its `ExecStart=`.
    pub exec: String,
    /// Its processes live on through a soft-reboot.
    pub survives: bool,
    /// More lines of its section `[Service]`.
    pub settings: Vec<(String, String)>,
}

/// A socket unit, or many of the same kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Its unit: `echo.socket`.
    pub name: String,
    /// Where it listens.
    pub listen: Listen,
    /// What it starts.
    pub service: String,
    /// A service for each connection.
    pub accept: bool,
    /// It is not stopped in a soft-reboot.
    pub kept: bool,
    /// More lines of its section `[Socket]`.
    pub settings: Vec<(String, String)>,
    /// So many of it. More than one are numbered, and listen on paths that are numbered.
    pub copies: u32,
}

/// Where a socket listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A stream: `IP:PORT` or a path.
    Stream(String),
    /// Datagrams: `IP:PORT`.
    Datagram(String),
}

/// A probe, and from where it probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewedProbe {
    /// From where.
    pub view: View,
    /// What.
    pub probe: Probe,
}

/// From where a probe looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// As a process that lives through the event.
    Survivor,
    /// From outside of the machine.
    Host,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its name in reports.
    pub name: String,
    /// What is done.
    pub what: What,
}

/// What is done in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The manager soft-reboots.
    SoftReboot,
    /// The manager executes itself again.
    Reexec,
    /// A unit is restarted.
    Restart(String),
}

impl Workload {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or has faults: all that were found, each with its line.
    pub fn load(path: &Path) -> Result<Workload, WorkloadError> {
        let text = std::fs::read_to_string(path).map_err(|error| WorkloadError::Read {
            path: path.to_owned(),
            error,
        })?;
        Workload::parse(&text, path)
    }

    /// Reads the contents of a file; `path` is what its faults name.
    ///
    /// # Errors
    /// As [`load`](Workload::load).
    pub fn parse(text: &str, path: &Path) -> Result<Workload, WorkloadError> {
        file::parse(text).map_err(|wrong| WorkloadError::Faults {
            faults: wrong
                .into_iter()
                .map(|wrong| wrong.at(text, &PathBuf::from(path)))
                .collect(),
        })
    }

    /// The probes of one view.
    pub fn seen_from(&self, view: View) -> Vec<Probe> {
        let seen = self.probes.iter().filter(|probe| probe.view == view);
        seen.map(|probe| probe.probe.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
