//! One message: lines of `KEY=VALUE`.

use crate::name::{FdName, NameError};

/// The longest message, in bytes (PIPE_BUF; semantics 3.1).
pub const MAX_MESSAGE: usize = 4096;

/// Why a datagram is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Longer than [`MAX_MESSAGE`].
    #[error("the message is longer than {MAX_MESSAGE} bytes")]
    TooLong,
    /// A NUL byte that is not a single one at the end.
    #[error("the message has a NUL byte inside")]
    Nul,
    /// Not UTF-8.
    #[error("the message is not UTF-8")]
    Utf8,
}

/// Assignments in the order they were sent. Unknown ones are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    assignments: Vec<(String, String)>,
}

impl Message {
    /// An empty message, to be filled.
    pub fn new() -> Message {
        Message::default()
    }

    /// Adds an assignment. Line ends in the value would start another assignment and become spaces.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Message {
        let clean = |text: &str| text.replace(['\n', '\0'], " ");
        self.assignments.push((clean(key), clean(value)));
        self
    }

    /// Reads a datagram. Lines without `=` mean nothing and are left out.
    pub fn parse(bytes: &[u8]) -> Result<Message, MessageError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(MessageError::TooLong);
        }
        let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
        if bytes.contains(&0) {
            return Err(MessageError::Nul);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| MessageError::Utf8)?;
        // Not lines(): that would take a carriage return for a part of the line's end.
        let assignments = text
            .split('\n')
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Ok(Message { assignments })
    }

    /// The datagram.
    pub fn to_bytes(&self) -> Vec<u8> {
        let lines: Vec<String> = self
            .assignments
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        lines.join("\n").into_bytes()
    }

    /// The last value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.assignments
            .iter()
            .rev()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
    }

    /// All assignments.
    pub fn assignments(&self) -> impl Iterator<Item = (&str, &str)> {
        self.assignments
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    fn is(&self, key: &str, value: &str) -> bool {
        self.get(key) == Some(value)
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.get(key)?.trim().parse().ok()
    }

    /// `BARRIER=1` and nothing else (semantics 3.3).
    pub fn is_barrier(&self) -> bool {
        self.assignments.len() == 1 && self.is("BARRIER", "1")
    }

    /// `READY=1`.
    pub fn ready(&self) -> bool {
        self.is("READY", "1")
    }

    /// `RELOADING=1`.
    pub fn reloading(&self) -> bool {
        self.is("RELOADING", "1")
    }

    /// `STOPPING=1`.
    pub fn stopping(&self) -> bool {
        self.is("STOPPING", "1")
    }

    /// `STATUS=`.
    pub fn status(&self) -> Option<&str> {
        self.get("STATUS")
    }

    /// `ERRNO=`, if it can be one.
    pub fn errno(&self) -> Option<i32> {
        self.number("ERRNO").filter(|errno| (1..4096).contains(errno))
    }

    /// `MAINPID=`, if it can be one.
    pub fn main_pid(&self) -> Option<i32> {
        self.number("MAINPID").filter(|pid| *pid > 0)
    }

    /// `MAINPIDFD=1`: the one descriptor with it is the pidfd of the main process.
    pub fn main_pidfd(&self) -> bool {
        self.get("MAINPIDFD") == Some("1")
    }

    /// `MAINPIDFDID=`: the id of the pidfd of `MAINPID=`.
    pub fn main_pidfd_id(&self) -> Option<u64> {
        self.get("MAINPIDFDID")?.parse().ok()
    }

    /// `BUSERROR=`, or `VARLINKERROR=`: the name of an error, in printable ASCII.
    pub fn error_name(&self) -> Option<&str> {
        let name = self.get("BUSERROR").or_else(|| self.get("VARLINKERROR"))?;
        let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        good.then_some(name)
    }

    /// `MONOTONIC_USEC=`.
    pub fn monotonic_usec(&self) -> Option<u64> {
        self.number("MONOTONIC_USEC")
    }

    /// `NOTIFYACCESS=`.
    pub fn notify_access(&self) -> Option<&str> {
        self.get("NOTIFYACCESS")
    }

    /// `EXTEND_TIMEOUT_USEC=`; 0 means nothing (semantics 3.4).
    pub fn extend_timeout_usec(&self) -> Option<u64> {
        self.number("EXTEND_TIMEOUT_USEC").filter(|usec| *usec > 0)
    }

    /// `WATCHDOG=1`.
    pub fn watchdog(&self) -> bool {
        self.is("WATCHDOG", "1")
    }

    /// `WATCHDOG=trigger`.
    pub fn watchdog_trigger(&self) -> bool {
        self.is("WATCHDOG", "trigger")
    }

    /// `WATCHDOG_USEC=`.
    pub fn watchdog_usec(&self) -> Option<u64> {
        self.number("WATCHDOG_USEC")
    }

    /// `RESTART_RESET=1`.
    pub fn restart_reset(&self) -> bool {
        self.is("RESTART_RESET", "1")
    }

    /// `FDSTORE=1`.
    pub fn fd_store(&self) -> bool {
        self.is("FDSTORE", "1")
    }

    /// `FDSTOREREMOVE=1`.
    pub fn fd_store_remove(&self) -> bool {
        self.is("FDSTOREREMOVE", "1")
    }

    /// Whether the descriptors are to be watched: yes unless `FDPOLL=0`.
    pub fn fd_poll(&self) -> bool {
        !self.is("FDPOLL", "0")
    }

    /// `FDNAME=`.
    pub fn fd_name(&self) -> Option<Result<FdName, NameError>> {
        self.get("FDNAME").map(FdName::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_assignments_and_the_last_of_a_key_counts() {
        let message = Message::parse(b"READY=1\nSTATUS=a=b\nnonsense\nSTATUS=c\nX_ODD=1").unwrap();
        assert!(message.ready());
        assert_eq!(message.status(), Some("c"));
        assert_eq!(message.get("X_ODD"), Some("1"));
        assert_eq!(message.assignments().count(), 4);
    }

    #[test]
    fn a_carriage_return_is_part_of_the_value() {
        let message = Message::parse(b"A=\r\nB=x\r\r\n").unwrap();
        assert_eq!((message.get("A"), message.get("B")), (Some("\r"), Some("x\r\r")));
        assert_eq!(Message::parse(&message.to_bytes()), Ok(message));
    }

    #[test]
    fn bounds_of_semantics_3_1_hold() {
        assert!(Message::parse(&[b'x'; MAX_MESSAGE]).is_ok());
        assert_eq!(
            Message::parse(&[b'x'; MAX_MESSAGE + 1]),
            Err(MessageError::TooLong)
        );
        assert!(Message::parse(b"READY=1\0").is_ok_and(|message| message.ready()));
        assert_eq!(Message::parse(b"READY=1\0\0"), Err(MessageError::Nul));
        assert_eq!(Message::parse(b"A=\0b"), Err(MessageError::Nul));
        assert_eq!(Message::parse(b"A=\xff"), Err(MessageError::Utf8));
    }

    #[test]
    fn numbers_that_cannot_be_are_none() {
        let message =
            Message::parse(b"MAINPID=-1\nERRNO=0\nWATCHDOG_USEC=many\nEXTEND_TIMEOUT_USEC=0").unwrap();
        assert_eq!(message.main_pid(), None);
        assert_eq!(message.errno(), None);
        assert_eq!(message.watchdog_usec(), None);
        assert_eq!(message.extend_timeout_usec(), None);
    }

    #[test]
    fn a_barrier_stands_alone() {
        assert!(Message::parse(b"BARRIER=1").unwrap().is_barrier());
        assert!(!Message::parse(b"BARRIER=1\nREADY=1").unwrap().is_barrier());
    }

    #[test]
    fn a_value_cannot_smuggle_an_assignment() {
        let bytes = Message::new().with("STATUS", "fine\nREADY=1").to_bytes();
        assert!(!Message::parse(&bytes).unwrap().ready());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
            if let Ok(message) = Message::parse(&bytes) {
                prop_assert_eq!(Message::parse(&message.to_bytes()), Ok(message));
            }
        }
    }
}
