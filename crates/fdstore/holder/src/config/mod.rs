//! The configuration: quotas, expiry, and who may do what.
//!
//! ```toml
//! default_expiry = "never"
//!
//! [limits]
//! entries = 16384
//! entries_per_uid = 1024
//!
//! [[allow]]
//! user = "web"
//! names = ["http*"]
//! verbs = ["put", "get", "list"]
//! ```
//!
//! A file replaces the built-in configuration ([`default_text`]) as a whole: what no rule of it allows is refused, to
//! root as well.

mod access;
mod accounts;
mod error;
mod file;

pub use access::{Access, Subject, Verb};
pub use error::ConfigError;

use std::path::Path;
use std::time::Duration;

/// What clients may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Stored descriptors in all.
    pub entries: usize,
    /// Stored descriptors of one owner.
    pub entries_per_uid: usize,
    /// Connections in all.
    pub connections: usize,
    /// Connections of one user.
    pub connections_per_uid: usize,
    /// Longest message of a client, in bytes.
    pub message_bytes: usize,
    /// Most bytes of replies that wait for one client.
    pub unsent_bytes: usize,
    /// How long a client may leave replies unread.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            entries: 16_384,
            entries_per_uid: 1_024,
            connections: 256,
            connections_per_uid: 32,
            message_bytes: 256 * 1024,
            unsent_bytes: 4 * 1024 * 1024,
            stall: Duration::from_secs(30),
        }
    }
}

/// Everything that can be configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// What clients may use.
    pub limits: Limits,
    /// How long a descriptor is kept whose owner says nothing; `None`: until it is removed.
    pub default_expiry: Option<Duration>,
    /// Who may do what.
    pub access: Access,
    /// The text that this was read from, so that the next program can go on with it whatever the file says then.
    pub text: String,
}

/// The configuration that holds without a file: what `fdstored --print-config` prints.
pub fn default_text() -> String {
    let limits = Limits::default();
    format!(
        "\
# How long a descriptor is kept when its owner does not say: a span (90s, 15m, 12h, 7d) or \"never\".
default_expiry = \"never\"

[limits]
entries = {}              # descriptors in all
entries_per_uid = {}       # descriptors of one owner
connections = {}            # connections in all
connections_per_uid = {}     # connections of one user
message_bytes = {}       # longest message of a client
unsent_bytes = {}       # most unread reply bytes of a client, which is dropped beyond
stall = \"{}s\"                # a client that reads nothing for so long is dropped

# What no rule allows is refused. A rule holds for those that it names by uid, user, everyone or self (the user that
# fdstored runs as), and, if it has gid or group, only for members of those groups.
[[allow]]
uid = [0]
names = [\"*\"]
verbs = [\"put\", \"get\", \"list\", \"remove\", \"watch\"]

[[allow]]
self = true
names = [\"*\"]
verbs = [\"put\", \"get\", \"list\", \"remove\", \"watch\"]
",
        limits.entries,
        limits.entries_per_uid,
        limits.connections,
        limits.connections_per_uid,
        limits.message_bytes,
        limits.unsent_bytes,
        limits.stall.as_secs(),
    )
}

impl Config {
    /// Reads the file, or takes the built-in configuration.
    pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
        match path {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
                    path: path.to_owned(),
                    source,
                })?;
                Config::parse(&text, path)
            }
            None => Config::parse(&default_text(), Path::new("built-in configuration")),
        }
    }

    /// Reads a text; `path` is for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
        file::parse(text).map_err(|wrong| ConfigError::at(path, text, wrong))
    }
}

/// The number of a user in /etc/passwd.
pub fn user(name: &str) -> Option<u32> {
    accounts::Accounts::load().uid(name)
}

#[cfg(test)]
mod tests;
