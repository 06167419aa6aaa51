//! Frames of the control interface.

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use softboot_control::api::Request;
use softboot_control::connection::{Connection, Peer, ReadOutcome};

const PEER: Peer = Peer {
    pid: 1,
    uid: 0,
    gid: 0,
};

/// The first byte says how much comes at a time. Whatever comes is calls or an error; each call has one reply; and a
/// connection that is written down and restored between two reads goes on as if nothing had been.
pub fn run(data: &[u8]) {
    let Some((step, data)) = data.split_first() else {
        return;
    };
    let step = usize::from(*step).max(1);
    let plain = calls(data, step, false);
    assert_eq!(calls(data, step, true), plain);
}

fn calls(data: &[u8], step: usize, restored: bool) -> Vec<String> {
    let (mut client, server) = UnixStream::pair().unwrap();
    server.set_nonblocking(true).unwrap();
    client.set_nonblocking(true).unwrap();
    let mut connection = Connection::new(PEER);
    let mut seen = Vec::new();
    for chunk in data.chunks(step) {
        client.write_all(chunk).unwrap();
        loop {
            if restored {
                let text = serde_json::to_string(&connection).unwrap();
                connection = serde_json::from_str(&text).unwrap();
            }
            match connection.read_from(server.as_fd()) {
                Ok(ReadOutcome::Progress) => {}
                Ok(ReadOutcome::WouldBlock | ReadOutcome::Eof) => break,
                Err(error) => {
                    seen.push(error.to_string());
                    return seen;
                }
            }
            if !take(&mut connection, &mut seen) {
                return seen;
            }
        }
    }
    seen
}

/// Takes all calls; `false` after an error.
fn take(connection: &mut Connection, seen: &mut Vec<String>) -> bool {
    loop {
        match connection.next_call() {
            Ok(Some(call)) => {
                seen.push(format!("{call:?}"));
                let _ = Request::parse(&call);
                if connection.is_outstanding() && connection.reply(&serde_json::json!({})).is_err() {
                    return false;
                }
            }
            Ok(None) => return true,
            Err(error) => {
                seen.push(error.to_string());
                return false;
            }
        }
    }
}
