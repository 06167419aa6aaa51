//! `exec`: a command with stored descriptors, by the rules of LISTEN_FDS (semantics 1.1; sd_listen_fds(3)).
//!
//! What fdstorectl itself was given by LISTEN_FDS stays in front, so that calls can be nested. Descriptors that it was
//! started with otherwise stay where they are, unless the passed ones need their numbers.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use fdstore::listen;
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{PidfdFlags, getpid, pidfd_open};

use super::cli::{Cli, Exec};
use super::connection::Connection;
use super::{CtlError, get, some};
use crate::api::{EntryInfo, GetReply, RemoveReply, Request};

/// The first passed descriptor.
const START: i32 = 3;

/// A descriptor and the name that the command gets to know.
type Named = (String, OwnedFd);

pub(super) fn run(cli: &Cli, exec: &Exec, owner: Option<String>) -> Result<(), CtlError> {
    // First: what is open now is none of this program's own.
    let mut inherited =
        softboot_sys::inherited::take_all().map_err(CtlError::io("taking the descriptors of the shell"))?;
    let mut passed = passed_before(&mut inherited)?;
    let request = Request::Get {
        names: some(&exec.which.names),
        ids: some(&exec.which.ids),
        take: None,
        owner: owner.clone(),
    };
    // This connection is closed at once: its number may be one that is needed.
    let (reply, fds): (GetReply, _) = Connection::open(cli)?.call(&request, &[])?;
    get::verify(&reply.entries, &fds)?;
    let ids: Vec<u64> = reply.entries.iter().map(|entry| entry.id).collect();
    let mut got: Vec<(EntryInfo, OwnedFd)> = reply.entries.into_iter().zip(fds).collect();
    // In the order in which they were asked for; those of one name oldest first.
    got.sort_by_key(|(entry, _)| position(exec, entry));
    passed.extend(got.into_iter().map(|(entry, fd)| (entry.name, fd)));
    let names: Vec<String> = passed.iter().map(|(name, _)| name.clone()).collect();
    let mut command = command(exec, &names)?;
    // Held until the command has them.
    let _open =
        place(passed, inherited).map_err(CtlError::io("putting the descriptors into their places"))?;
    if exec.take {
        // As late as can be. Who removes them first has them: the other gets an error.
        let request = Request::Remove {
            names: None,
            ids: Some(ids),
            owner,
        };
        let _: (RemoveReply, _) = Connection::open(cli)?.call(&request, &[])?;
    }
    let source = command.exec();
    Err(CtlError::Exec {
        command: command.get_program().to_string_lossy().into_owned(),
        source,
    })
}

fn position(exec: &Exec, entry: &EntryInfo) -> (usize, u64) {
    let names = exec.which.names.len();
    let by_name = exec.which.names.iter().position(|name| *name == entry.name);
    let by_id = exec.which.ids.iter().position(|id| *id == entry.id);
    let place = by_name.or_else(|| by_id.map(|at| at.saturating_add(names)));
    (place.unwrap_or(usize::MAX), entry.id)
}

/// What this program was given itself.
fn passed_before(inherited: &mut BTreeMap<i32, OwnedFd>) -> Result<Vec<Named>, CtlError> {
    let names = listen::parse(
        |name| std::env::var(name).ok(),
        getpid().as_raw_nonzero().get(),
        own_pidfd_id(),
    )
    .map_err(|error| CtlError::Other(error.to_string()))?;
    (START..)
        .zip(names)
        .map(|(number, name)| match inherited.remove(&number) {
            Some(fd) => Ok((name.to_string(), fd)),
            None => Err(CtlError::Other(format!(
                "LISTEN_FDS promises descriptor {number}, which is not open"
            ))),
        })
        .collect()
}

fn own_pidfd_id() -> Option<u64> {
    let own = pidfd_open(getpid(), PidfdFlags::empty()).ok()?;
    softboot_sys::pidfd::id(own)
}

/// Puts the descriptors at 3, 4, … and leaves the others of the shell open that are not in the way.
fn place(passed: Vec<Named>, inherited: BTreeMap<i32, OwnedFd>) -> std::io::Result<Vec<OwnedFd>> {
    let end = i32::try_from(passed.len())
        .unwrap_or(i32::MAX)
        .saturating_add(START);
    // Up, out of the way.
    let mut high = Vec::with_capacity(passed.len());
    for (_, fd) in passed {
        high.push(fcntl_dupfd_cloexec(&fd, end)?);
    }
    let mut open = Vec::new();
    for (number, fd) in inherited {
        if number >= end {
            fcntl_setfd(&fd, FdFlags::empty())?;
            open.push(fd);
        }
    }
    // And down: each number from 3 on is free now.
    for (number, fd) in (START..).zip(&high) {
        let placed = fcntl_dupfd_cloexec(fd, number)?;
        if placed.as_raw_fd() != number {
            return Err(std::io::Error::other(format!(
                "descriptor {number} is in use by fdstorectl itself"
            )));
        }
        fcntl_setfd(placed.as_fd(), FdFlags::empty())?;
        open.push(placed);
    }
    Ok(open)
}

fn command(exec: &Exec, names: &[String]) -> Result<Command, CtlError> {
    let Some((program, arguments)) = exec.command.split_first() else {
        return Err(CtlError::Usage("there is no command".to_owned()));
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("LISTEN_FDS", names.len().to_string())
        .env("LISTEN_FDNAMES", names.join(":"))
        .env("LISTEN_PID", getpid().as_raw_nonzero().to_string());
    match own_pidfd_id() {
        Some(id) => command.env("LISTEN_PIDFDID", id.to_string()),
        None => command.env_remove("LISTEN_PIDFDID"),
    };
    Ok(command)
}
