//! Notification datagrams.

use fdstore::notify::{MAX_MESSAGE, Message};

/// What is read is read again from what is written; nothing that is too long gets through.
pub fn run(data: &[u8]) {
    let Ok(message) = Message::parse(data) else { return };
    assert!(data.len() <= MAX_MESSAGE);
    assert_eq!(Message::parse(&message.to_bytes()), Ok(message.clone()));
    // Each question has an answer.
    let _ = (
        message.errno(),
        message.main_pid(),
        message.watchdog_usec(),
        message.fd_name(),
    );
    if message.is_barrier() {
        assert_eq!(message.assignments().count(), 1);
    }
}
