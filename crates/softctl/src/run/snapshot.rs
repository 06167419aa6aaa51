//! `snapshot`.

use softboot_control::api::{Request, SnapshotReply};
use softboot_reexec::inspect::snapshot_of;

use super::session::Session;
use crate::cli::Snapshot;
use crate::error::Error;
use crate::inspect::{Looked, show};

pub(super) fn snapshot(session: &mut Session, asked: &Snapshot) -> Result<u8, Error> {
    let mut whole = SnapshotReply::default();
    session.call_more("snapshot", &Request::Snapshot {}, |piece: SnapshotReply| {
        let text = std::mem::take(&mut whole.text);
        whole = SnapshotReply {
            text: text + &piece.text,
            ..piece
        };
        true
    })?;
    let looked = [Looked {
        name: "what would cross a re-exec now".to_owned(),
        found: snapshot_of(whole.format, whole.checksum, &whole.text),
    }];
    show(session.out, &looked, &asked.units)
}
