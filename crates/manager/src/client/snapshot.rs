//! `Snapshot`: the state as it would cross a re-exec now, piece by piece as the client reads.
//!
//! It is written once, into a sealed memfd that waits in the fd store like the client's own descriptor: so all pieces are
//! of one moment, the rest is sent by the next program if there is one meanwhile, and PID 1 holds one piece at a time.

use std::os::fd::AsFd as _;

use fdstore::{EntryId, EnvelopeHeader};
use softboot_control::api::{ApiError, MethodError, SnapshotReply};
use softboot_reexec::snapshot;

use super::Waiting;
use crate::handoff::Kind;
use crate::owner;
use crate::run::Manager;

/// Bytes of the text in one reply. Quotes double in JSON.
const PIECE: usize = 16 * 1024;
/// Unread bytes after which nothing more is added.
const ENOUGH: usize = 64 * 1024;
/// The store's names of what clients are shown.
const SHOWN: &str = "shown-";

impl Manager {
    /// Writes a snapshot for a client, and changes nothing else.
    pub(super) fn begin_snapshot(&mut self, client: u64, more: bool) {
        if !more {
            return self.method_error(client, &MethodError::ExpectedMore {});
        }
        let written = self.write_snapshot(Kind::Reexec);
        match written.and_then(|fd| self.keep(owner::MANAGER, &format!("{SHOWN}{client}"), fd)) {
            Ok(entry) => self
                .clients
                .set_waiting(client, Some(Waiting::Snapshot { entry, at: 0 })),
            Err(message) => self.reply_error(client, &ApiError::Failed { message }),
        }
    }

    /// Gives a client what there is room for. Room for more wakes it again.
    pub(super) fn feed_snapshot(&mut self, client: u64) {
        let mut sent = false;
        while let Some(Waiting::Snapshot { entry, at }) = self.clients.waiting(client).cloned() {
            if self.clients.unread(client) >= ENOUGH {
                break;
            }
            sent = true;
            match self.snapshot_piece(entry, at) {
                Some((reply, end)) if end < reply.bytes => {
                    self.clients
                        .set_waiting(client, Some(Waiting::Snapshot { entry, at: end }));
                    self.send(client, |connection| connection.reply_continues(&reply));
                }
                Some((reply, _)) => {
                    self.drop_entry(None, entry);
                    self.finish(client, &reply);
                }
                None => {
                    self.drop_entry(None, entry);
                    self.clients.set_waiting(client, None);
                    let message = "the snapshot is gone; ask again".to_owned();
                    self.reply_error(client, &ApiError::Failed { message });
                }
            }
        }
        if sent {
            self.write_client(client);
        }
    }

    /// The piece that begins at `at` in the payload, and where it ends.
    fn snapshot_piece(&self, entry: EntryId, at: u64) -> Option<(SnapshotReply, u64)> {
        let fd = self.store.fd(entry)?;
        let envelope = snapshot::peek(fd.as_fd()).ok()?;
        let mut piece = vec![0; PIECE];
        let place = EnvelopeHeader::SIZE.saturating_add(at);
        let read = rustix::io::pread(fd, &mut piece, place).ok()?;
        piece.truncate(read);
        // A character that is cut is left for the next piece.
        let whole = match std::str::from_utf8(&piece) {
            Ok(_) => piece.len(),
            Err(error) => error.valid_up_to(),
        };
        piece.truncate(whole);
        let text = String::from_utf8(piece).ok()?;
        if text.is_empty() && at < envelope.length {
            return None;
        }
        let end = at.saturating_add(u64::try_from(whole).ok()?);
        let reply = SnapshotReply {
            format: envelope.format,
            checksum: envelope.checksum,
            bytes: envelope.length,
            text,
        };
        Some((reply, end))
    }

    /// After a handoff or a crash: what was written for a client that is gone.
    pub(super) fn drop_unread_snapshots(&mut self) {
        let read: Vec<EntryId> = self
            .clients
            .by_id
            .values()
            .filter_map(|client| match client.waiting {
                Some(Waiting::Snapshot { entry, .. }) => Some(entry),
                _ => None,
            })
            .collect();
        let shown = self.store.entries_of(owner::MANAGER);
        let unread: Vec<EntryId> = shown
            .filter(|entry| entry.name().as_str().starts_with(SHOWN) && !read.contains(&entry.id()))
            .map(|entry| entry.id())
            .collect();
        for entry in unread {
            self.drop_entry(None, entry);
        }
    }
}
