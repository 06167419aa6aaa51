//! What crosses an upgrade beside the descriptors.
//!
//! It is an entry of the store like those of clients, under an owner that no client can be. New members get a
//! default, so that each version reads what the one before wrote; unknown ones are passed over.

use std::path::PathBuf;

use fdstore::{EntryId, read_enveloped};
use serde::{Deserialize, Serialize};
use softboot_varlink::descriptors::FdConnectionState;

use super::watch::Watch;

/// Owner of everything in the store that is the holder's own. Clients are `uid:…`.
pub(super) const OWNER: &str = "fdstored";
/// The name of the data among them.
pub(super) const STATE: &str = "state";

const MAGIC: [u8; 8] = *b"fdstored";
const FORMAT: u32 = 1;
/// Half-read messages are within the limits of the configuration; this bounds their sum.
const MAX: u64 = 1 << 30;

/// Everything that is not a descriptor.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Saved {
    pub(super) listener: EntryId0,
    pub(super) notify: EntryId0,
    /// Paths to be removed at the end.
    #[serde(default)]
    pub(super) bound: Vec<PathBuf>,
    /// The configuration that holds, in case that its file cannot be read then.
    #[serde(default)]
    pub(super) config: String,
    #[serde(default)]
    pub(super) clients: Vec<SavedClient>,
}

/// An entry's id; 0 is none.
pub(super) type EntryId0 = u64;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedClient {
    pub(super) socket: EntryId0,
    pub(super) connection: FdConnectionState,
    /// Its descriptors that are on their way.
    #[serde(default)]
    pub(super) fds: Vec<EntryId>,
    #[serde(default)]
    pub(super) watch: Option<Watch>,
    /// It waits for the upgrade's reply.
    #[serde(default)]
    pub(super) upgrades: bool,
}

impl Saved {
    pub(super) fn encode(&self) -> std::io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Saved, String> {
        serde_json::from_slice(bytes).map_err(|error| format!("it cannot be decoded: {error}"))
    }

    /// The form in which the next program is asked whether it can read it.
    pub(super) fn to_memfd(&self) -> std::io::Result<std::os::fd::OwnedFd> {
        fdstore::write_enveloped("fdstored-check", MAGIC, FORMAT, &self.encode()?)
    }
}

/// Whether this program could go on with what stands on its standard input: the question that a running holder asks
/// the next one before it gives way.
pub fn check_handoff() -> Result<(), String> {
    let (_, bytes) =
        read_enveloped(std::io::stdin(), MAGIC, FORMAT, MAX).map_err(|error| error.to_string())?;
    Saved::decode(&bytes).map(drop)
}
