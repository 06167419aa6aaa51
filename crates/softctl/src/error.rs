//! Why a verb has no result.

use std::path::PathBuf;

use softboot_control::api::ApiError;
use softboot_control::client::{ClientError, SOCKET_VARIABLE};

use crate::text::clean;

/// Why a verb has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nobody listens, or we may not connect.
    #[error("cannot reach softbootd at {}: {source}{}", path.display(), advice(source))]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The manager said no.
    #[error("{doing} was refused: {}", refusal(error))]
    Refused {
        /// What was asked for.
        doing: String,
        /// Its answer.
        error: Box<ApiError>,
    },
    /// The connection broke, or the answer makes no sense.
    #[error("{0}")]
    Connection(ClientError),
    /// A file or link cannot be made or removed.
    #[error("cannot change {}: {source}{}", path.display(), rights(source))]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}{}", path.display(), rights(source))]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Links cannot be planned.
    #[error(transparent)]
    Install(#[from] softboot_unit::install::InstallError),
    /// The kernel does not end the machine.
    #[error("the kernel refuses: {source}{}", rights(source))]
    Kernel {
        /// What the system says.
        source: std::io::Error,
    },
    /// A kernel cannot be loaded for kexec.
    #[error("cannot load the kernel {}: {reason}\nWhat was loaded before stays loaded, and nothing stops.", path.display())]
    Load {
        /// Its file.
        path: PathBuf,
        /// What the error means here, and what helps.
        reason: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Nothing was edited.
    #[error("{0}; nothing was changed")]
    Editor(String),
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The result cannot be written.
    #[error("cannot write the result: {0}")]
    Output(#[from] std::io::Error),
}

impl Error {
    /// An error of a call that did `doing`.
    pub(crate) fn of_call(doing: &str, error: ClientError) -> Error {
        match error {
            ClientError::Connect { path, source } => Error::Unreachable { path, source },
            ClientError::Refused(error) => Error::Refused {
                doing: clean(doing),
                error: Box::new(error),
            },
            other => Error::Connection(other),
        }
    }

    /// Whether the reader of our output went away, which is its right.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Error::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

fn advice(source: &std::io::Error) -> String {
    match source.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => format!(
            "\nIs softbootd running here? It makes this socket when it starts.\n\
             Set {SOCKET_VARIABLE}=PATH to talk to one that listens elsewhere."
        ),
        _ => rights(source).to_owned(),
    }
}

fn rights(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::PermissionDenied => "\nTry it as root.",
        _ => "",
    }
}

fn refusal(error: &ApiError) -> String {
    let mut text = clean(&error.to_string());
    let hints: Vec<String> = match error {
        ApiError::NoSuchUnit { suggestions, .. } if !suggestions.is_empty() => {
            vec![format!("Did you mean {}?", clean(&suggestions.join(" or ")))]
        }
        ApiError::NoSuchUnit { .. } => {
            vec!["`softctl list-units --all` shows the units there are.".to_owned()]
        }
        ApiError::HandoffRefused { reasons, .. } => {
            let reasons = reasons.iter().map(|reason| format!("  - {}", clean(reason)));
            reasons
                .chain(["The running manager is unchanged.".to_owned()])
                .collect()
        }
        ApiError::TransactionIsDestructive { .. } => {
            vec!["`softctl list-jobs` shows the jobs in the way; `softctl cancel ID` removes one.".to_owned()]
        }
        ApiError::AccessDenied { .. } => vec!["Try it as root.".to_owned()],
        _ => Vec::new(),
    };
    for hint in hints {
        text.push('\n');
        text.push_str(&hint);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(error: ApiError) -> String {
        Error::of_call("start of a.service", ClientError::Refused(error)).to_string()
    }

    #[test]
    fn an_unknown_unit_suggests_names() {
        let suggestions = vec!["lighttpd.service".to_owned(), "lighttpd.socket".to_owned()];
        let name = "lighttp.service".to_owned();
        let text = refused(ApiError::NoSuchUnit {
            name,
            suggestions,
            message: "unknown\x1b[2J".to_owned(),
        });
        assert!(
            text.ends_with("Did you mean lighttpd.service or lighttpd.socket?"),
            "{text}"
        );
        assert!(!text.contains('\x1b'), "{text}");
    }

    #[test]
    fn a_refused_handoff_lists_its_reasons() {
        let reasons = vec!["no room".to_owned(), "old snapshot".to_owned()];
        let text = refused(ApiError::HandoffRefused {
            reasons,
            message: "cannot take over".to_owned(),
        });
        assert!(
            text.contains("  - no room\n  - old snapshot\nThe running manager is unchanged."),
            "{text}"
        );
    }

    #[test]
    fn a_missing_socket_says_what_to_do() {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        let text = Error::Unreachable {
            path: PathBuf::from("/run/x"),
            source,
        }
        .to_string();
        assert!(
            text.contains("/run/x") && text.contains("SOFTBOOT_CONTROL"),
            "{text}"
        );
    }
}
