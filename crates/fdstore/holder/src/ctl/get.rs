//! `get`.

use std::io::Write as _;
use std::os::fd::OwnedFd;

use fdstore::{Access, FdKind, Identity};
use rustix::io::{Errno, pread};

use super::connection::Connection;
use super::output::Output;
use super::{CtlError, cli, some};
use crate::api::{EntryInfo, GetReply, Request};

/// Bytes in one piece.
const PIECE: usize = 64 * 1024;

pub(super) fn run(
    connection: &mut Connection,
    get: &cli::Get,
    owner: Option<String>,
    out: &Output,
) -> Result<(), CtlError> {
    let request = |take: bool| Request::Get {
        names: some(&get.which.names),
        ids: some(&get.which.ids),
        take: take.then_some(true),
        owner: owner.clone(),
    };
    let (reply, fds): (GetReply, _) = connection.call(&request(false), &[])?;
    verify(&reply.entries, &fds)?;
    if !get.to_stdout {
        return out.value(&reply.entries, || {
            let texts: Vec<String> = reply.entries.iter().map(text).collect();
            texts.join("\n\n")
        });
    }
    let [fd] = fds.as_slice() else {
        return Err(CtlError::Usage(format!(
            "--to-stdout copies one entry; there are {} of these, name one with --id",
            fds.len()
        )));
    };
    copy(fd)?;
    if get.take {
        // Only now: what was copied is not lost when copying fails.
        let id = reply.entries.first().map(|entry| entry.id);
        let request = Request::Remove {
            names: None,
            ids: id.map(|id| vec![id]),
            owner,
        };
        let _: (crate::api::RemoveReply, _) = connection.call(&request, &[])?;
    }
    Ok(())
}

/// What came has to be what was announced.
pub(super) fn verify(entries: &[EntryInfo], fds: &[OwnedFd]) -> Result<(), CtlError> {
    if entries.len() != fds.len() {
        return Err(CtlError::Other(format!(
            "fdstored announces {} descriptors and sends {}",
            entries.len(),
            fds.len()
        )));
    }
    for (entry, fd) in entries.iter().zip(fds) {
        let is = Identity::of(fd)
            .map_err(|error| CtlError::io(format!("looking at {}", entry.name))(error.into()))?;
        if (is.device(), is.inode(), is.cookie()) != (entry.device, entry.inode, entry.cookie) {
            return Err(CtlError::Other(format!(
                "{} is not what fdstored announces: it is a {} with the inode {}",
                entry.name,
                is.kind(),
                is.inode()
            )));
        }
    }
    Ok(())
}

fn copy(fd: &OwnedFd) -> Result<(), CtlError> {
    let identity = Identity::of(fd).map_err(|error| CtlError::io("looking at it")(error.into()))?;
    match identity.kind() {
        FdKind::File | FdKind::Memfd => {}
        other => {
            return Err(CtlError::Other(format!(
                "it is a {other}; only files and memfds have contents to copy (fdstorectl exec gives any descriptor \
                 to a command)"
            )));
        }
    }
    if !matches!(identity.access(), Access::Read | Access::ReadWrite) {
        return Err(CtlError::Other("it is not open for reading".to_owned()));
    }
    let mut stdout = std::io::stdout().lock();
    let mut piece = vec![0_u8; PIECE];
    let mut offset: u64 = 0;
    // Not with its own offset, which others share.
    loop {
        match pread(fd, piece.as_mut_slice(), offset) {
            Ok(0) => break,
            Ok(length) => {
                let bytes = piece.get(..length).unwrap_or(&[]);
                stdout
                    .write_all(bytes)
                    .map_err(CtlError::io("writing the contents"))?;
                offset = offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(CtlError::io("reading the contents")(error.into())),
        }
    }
    stdout.flush().map_err(CtlError::io("writing the contents"))
}

fn text(entry: &EntryInfo) -> String {
    let access = match entry.access {
        Access::Read => "read",
        Access::Write => "write",
        Access::ReadWrite => "read and write",
        Access::Path => "path only",
    };
    let mut lines = vec![
        format!("name:    {}", entry.name),
        format!("id:      {}", entry.id),
        format!("owner:   {}", entry.owner),
        format!("kind:    {}", entry.kind),
        format!("access:  {access}"),
        format!("inode:   {} on device {:#x}", entry.inode, entry.device),
    ];
    if let Some(cookie) = entry.cookie {
        lines.push(format!("cookie:  {cookie}"));
    }
    lines.push(format!(
        "hang-up: {}",
        if entry.poll { "lets it go" } else { "is ignored" }
    ));
    for (key, value) in &entry.labels {
        // One line each, whatever is in it.
        lines.push(format!("label:   {key}={value}").replace('\n', " "));
    }
    lines.join("\n")
}
