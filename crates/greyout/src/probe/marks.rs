//! Marks from outside: datagrams to the probe's socket, `[@NANOSECONDS ]begin NAME`, `end [NAME]` or `note TEXT`.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use crate::clock;
use crate::record::{Mark, MarkKind};

/// No datagram that is looked at is longer.
const LONGEST: usize = 4096;

/// Why a text is no mark, or could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// It is none.
    #[error(
        "{0:?} is no mark: write begin NAME, end, or note TEXT, with @NANOSECONDS before it if it was earlier"
    )]
    Syntax(String),
    /// Nobody reads there.
    #[error("no probe listens at {path}: {error}")]
    Send {
        /// The probe's socket.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

/// Reads a mark; one without a time is of `now`.
///
/// # Errors
/// It is none.
pub fn parse_mark(text: &str, now: u64) -> Result<Mark, MarkError> {
    let wrong = || MarkError::Syntax(text.to_owned());
    let (time, rest) = match text.trim().strip_prefix('@') {
        Some(rest) => {
            let (time, rest) = rest.split_once(' ').ok_or_else(wrong)?;
            (time.parse().map_err(|_| wrong())?, rest.trim())
        }
        None => (now, text.trim()),
    };
    let (kind, name) = rest.split_once(' ').unwrap_or((rest, ""));
    let kind = match kind {
        "begin" => MarkKind::Begin,
        "end" => MarkKind::End,
        "note" => MarkKind::Note,
        _ => return Err(wrong()),
    };
    let name = name.trim();
    if name.is_empty() && kind != MarkKind::End {
        return Err(wrong());
    }
    Ok(Mark {
        time,
        kind,
        name: name.to_owned(),
        endpoint: None,
    })
}

/// Sends a mark to a probe on the same machine, with the time of this call unless the text has one.
///
/// # Errors
/// It is no mark, or nobody reads it.
pub fn send_mark(path: &Path, text: &str) -> Result<(), MarkError> {
    let mark = parse_mark(text, clock::now())?;
    let kind = match mark.kind {
        MarkKind::Begin => "begin",
        MarkKind::End => "end",
        MarkKind::Note => "note",
    };
    let message = format!("@{} {kind} {}", mark.time, mark.name);
    let sent = UnixDatagram::unbound().and_then(|socket| socket.send_to(message.as_bytes(), path));
    sent.map(drop).map_err(|error| MarkError::Send {
        path: path.to_owned(),
        error,
    })
}

/// The probe's end.
#[derive(Debug)]
pub(super) struct MarkSocket {
    socket: UnixDatagram,
    path: PathBuf,
}

impl MarkSocket {
    /// Takes the place of a socket that nobody reads any more.
    pub(super) fn bind(path: &Path) -> io::Result<MarkSocket> {
        let socket = match UnixDatagram::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let probing = UnixDatagram::unbound()?;
                if probing.connect(path).is_ok() {
                    return Err(error);
                }
                std::fs::remove_file(path)?;
                UnixDatagram::bind(path)?
            }
            other => other?,
        };
        Ok(MarkSocket {
            socket,
            path: path.to_owned(),
        })
    }

    /// Waits so long for a mark; `None` when there was none. What is no mark becomes a note that says so.
    pub(super) fn next(&self, wait: std::time::Duration) -> io::Result<Option<Mark>> {
        self.socket.set_read_timeout(Some(wait))?;
        let mut buffer = [0; LONGEST];
        let length = match self.socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(error) => {
                return match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {
                        Ok(None)
                    }
                    _ => Err(error),
                };
            }
        };
        let now = clock::now();
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
        Ok(Some(parse_mark(&text, now).unwrap_or_else(|error| Mark {
            time: now,
            kind: MarkKind::Note,
            name: error.to_string(),
            endpoint: None,
        })))
    }
}

impl Drop for MarkSocket {
    fn drop(&mut self) {
        // A socket that stays is replaced by the next probe.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_mark_has_a_kind_a_name_and_its_own_time_if_it_says_so() {
        let mark = |text: &str| {
            parse_mark(text, 7)
                .map(|mark| (mark.time, mark.kind, mark.name))
                .ok()
        };
        assert_eq!(
            mark("begin soft-reboot"),
            Some((7, MarkKind::Begin, "soft-reboot".into()))
        );
        assert_eq!(
            mark("@42 note two words\n"),
            Some((42, MarkKind::Note, "two words".into()))
        );
        assert_eq!(mark("end"), Some((7, MarkKind::End, String::new())));
        for wrong in ["", "begin", "start x", "@x begin y", "@5"] {
            assert_eq!(mark(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_mark_crosses_the_socket_with_the_time_at_which_it_was_sent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("marks");
        let socket = MarkSocket::bind(&path).unwrap();
        let before = clock::now();
        send_mark(&path, "begin re-exec").unwrap();
        let after = clock::now();
        let mark = socket.next(Duration::from_secs(20)).unwrap().unwrap();
        assert_eq!((mark.kind, mark.name.as_str()), (MarkKind::Begin, "re-exec"));
        assert!((before..=after).contains(&mark.time));
        assert_eq!(socket.next(Duration::from_millis(1)).unwrap(), None);
        assert!(MarkSocket::bind(&path).is_err(), "two probes at one socket");
        drop(socket);
        assert!(matches!(send_mark(&path, "end"), Err(MarkError::Send { .. })));
    }
}
