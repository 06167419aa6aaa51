//! What can go wrong, and the exit status for it.

use std::io;

use softboot_varlink::client::ClientError;

use crate::api::ApiError;

/// Exit statuses.
pub mod exit {
    /// Refused.
    pub const REFUSED: u8 = 1;
    /// Wrong usage; clap ends with it, too.
    pub const USAGE: u8 = 2;
    /// Nobody answers.
    pub const UNREACHABLE: u8 = 3;
    /// There is no such entry.
    pub const NO_ENTRY: u8 = 4;
    /// Something else.
    pub const OTHER: u8 = 5;
    /// The command cannot be executed.
    pub const NOT_EXECUTABLE: u8 = 126;
    /// The command is not there.
    pub const NOT_FOUND: u8 = 127;
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum CtlError {
    /// What was typed makes no sense.
    #[error("{0}")]
    Usage(String),
    /// fdstored is not there, or went away.
    #[error("{0}; is fdstored running? (--socket or $FDSTORED_SOCKET name another socket)")]
    Unreachable(String),
    /// fdstored said no.
    #[error("{}", refused(.0))]
    Refused(ApiError),
    /// Something else.
    #[error("{0}")]
    Other(String),
    /// The system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// The command was not executed.
    #[error("cannot execute {command}: {source}")]
    Exec {
        /// Which one.
        command: String,
        /// Why not.
        source: io::Error,
    },
}

fn refused(error: &ApiError) -> String {
    match error {
        ApiError::NoSuchEntry { .. } => {
            format!("{error} (fdstorectl list shows what is there)")
        }
        ApiError::MethodNotFound { .. } | ApiError::InterfaceNotFound { .. } => {
            format!("{error}; is this fdstored's socket, and is it as new as fdstorectl?")
        }
        other => other.to_string(),
    }
}

impl CtlError {
    /// An error of the system, with what was being done.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> CtlError {
        let what = what.into();
        move |source| CtlError::Io { what, source }
    }

    /// The exit status.
    pub fn status(&self) -> u8 {
        match self {
            CtlError::Usage(_) => exit::USAGE,
            CtlError::Unreachable(_) => exit::UNREACHABLE,
            CtlError::Refused(ApiError::NoSuchEntry { .. }) => exit::NO_ENTRY,
            CtlError::Refused(ApiError::MethodNotFound { .. } | ApiError::InterfaceNotFound { .. }) => {
                exit::OTHER
            }
            CtlError::Refused(_) => exit::REFUSED,
            CtlError::Exec { source, .. } if source.kind() == io::ErrorKind::NotFound => exit::NOT_FOUND,
            CtlError::Exec { .. } => exit::NOT_EXECUTABLE,
            CtlError::Other(_) | CtlError::Io { .. } => exit::OTHER,
        }
    }

    /// Nobody reads our output any more: nothing to complain about.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, CtlError::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<ClientError> for CtlError {
    fn from(error: ClientError) -> CtlError {
        match error {
            ClientError::Connect { .. } | ClientError::Closed | ClientError::Io(_) => {
                CtlError::Unreachable(error.to_string())
            }
            ClientError::Refused { name, parameters } => match ApiError::from_wire(&name, &parameters) {
                Some(known) => CtlError::Refused(known),
                None => CtlError::Other(format!("fdstored says {name}: {parameters}")),
            },
            other => CtlError::Other(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_status() {
        let missing = ApiError::NoSuchEntry { name: "x".to_owned() };
        let denied = ApiError::AccessDenied {
            message: "no".to_owned(),
        };
        let exec = |kind: io::ErrorKind| CtlError::Exec {
            command: "x".to_owned(),
            source: kind.into(),
        };
        let statuses = [
            CtlError::Usage(String::new()).status(),
            CtlError::from(ClientError::Closed).status(),
            CtlError::Refused(missing).status(),
            CtlError::Refused(denied).status(),
            CtlError::Other(String::new()).status(),
            exec(io::ErrorKind::NotFound).status(),
            exec(io::ErrorKind::PermissionDenied).status(),
        ];
        assert_eq!(statuses, [2, 3, 4, 1, 5, 127, 126]);
    }

    #[test]
    fn an_error_of_a_newer_server_is_passed_on() {
        let error = CtlError::from(ClientError::Refused {
            name: "io.softboot.FdStore.Later".to_owned(),
            parameters: serde_json::json!({"why": "because"}),
        });
        assert_eq!(error.status(), exit::OTHER);
        assert!(error.to_string().contains("because"));
    }
}
