//! What has to outlive the process, beside the descriptors: JSON in a memory file that is in the fd store too.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, fstat, ftruncate, memfd_create};
use rustix::io::{pread, pwrite};
use serde::{Deserialize, Serialize};
use softboot_programs::error::{Context, Error};

/// The memory file's name in the fd store.
pub(crate) const NAME: &str = "state";

/// Counters and half-done work.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// How often the service has started.
    pub(crate) starts: u64,
    /// Connections accepted so far; the next one is `conn-` and this number.
    pub(crate) accepted: u64,
    /// Connections that have ended.
    pub(crate) closed: u64,
    /// Datagrams echoed.
    pub(crate) datagrams: u64,
    /// By name, the connections that are open.
    pub(crate) connections: BTreeMap<String, Progress>,
}

/// How far one connection is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    /// Bytes read so far.
    pub(crate) received: u64,
    /// Bytes sent back so far.
    pub(crate) sent: u64,
    /// Bytes read and not yet sent back.
    pub(crate) pending: Vec<u8>,
    /// The client has sent its end; what is pending still goes out.
    pub(crate) ended: bool,
}

/// A new, empty memory file.
pub(crate) fn create() -> Result<OwnedFd, Error> {
    memfd_create("echo-store-state", MemfdFlags::CLOEXEC).doing("making the state's memory file")
}

/// Replaces the contents of the memory file.
pub(crate) fn save(file: &OwnedFd, state: &State) -> Result<(), Error> {
    let text = serde_json::to_vec(state)
        .map_err(std::io::Error::from)
        .doing("encoding the state")?;
    let mut done = 0;
    while let Some(rest) = text.get(done..).filter(|rest| !rest.is_empty()) {
        done += pwrite(file, rest, done as u64).doing("writing the state")?;
    }
    ftruncate(file, done as u64).doing("cutting the state to its length")
}

/// The contents of the memory file.
pub(crate) fn load(file: &OwnedFd) -> Result<State, Error> {
    let size = usize::try_from(fstat(file).doing("looking at the state")?.st_size).unwrap_or(0);
    let mut text = vec![0; size];
    let length = pread(file, &mut text, 0).doing("reading the state")?;
    text.truncate(length);
    serde_json::from_slice(&text)
        .map_err(std::io::Error::from)
        .doing("decoding the state")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_state_leaves_nothing_of_a_longer_one() {
        let file = create().unwrap();
        let mut state = State {
            accepted: 1_000_000,
            ..State::default()
        };
        let progress = Progress {
            pending: vec![1; 500],
            ..Progress::default()
        };
        state.connections.insert("conn-0".into(), progress);
        save(&file, &state).unwrap();
        assert_eq!(load(&file).unwrap(), state);
        save(&file, &State::default()).unwrap();
        assert_eq!(load(&file).unwrap(), State::default());
    }
}
