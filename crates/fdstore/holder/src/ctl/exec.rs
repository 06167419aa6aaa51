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
use softboot_varlink::MAX_FDS;

use super::cli::{Cli, Exec};
use super::connection::Connection;
use super::{CtlError, get, list, some};
use crate::api::{ApiError, EntryInfo, GetReply, RemoveReply, Request};

/// The first passed descriptor.
const START: i32 = 3;

/// A descriptor and the name that the command gets to know.
type Named = (String, OwnedFd);

pub(super) fn run(cli: &Cli, exec: &Exec, owner: Option<String>) -> Result<(), CtlError> {
    // First: what is open now is none of this program's own.
    let mut inherited =
        softboot_sys::inherited::take_all().map_err(CtlError::io("taking the descriptors of the shell"))?;
    let mut passed = passed_before(&mut inherited)?;
    // This connection is closed at once: its number may be one that is needed.
    let mut got = fetch(&mut Connection::open(cli)?, exec, owner.as_ref())?;
    let ids: Vec<u64> = got.iter().map(|(entry, _)| entry.id).collect();
    // In the order in which they were asked for; those of one name oldest first.
    got.sort_by_key(|(entry, _)| position(exec, entry));
    passed.extend(got.into_iter().map(|(entry, fd)| (entry.name, fd)));
    let names: Vec<String> = passed.iter().map(|(name, _)| name.clone()).collect();
    let mut command = command(exec, &names)?;
    // Held until the command has them.
    let _open =
        place(passed, inherited).map_err(CtlError::io("putting the descriptors into their places"))?;
    if exec.take && !ids.is_empty() {
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

/// Duplicates of everything that is meant.
fn fetch(
    connection: &mut Connection,
    exec: &Exec,
    owner: Option<&String>,
) -> Result<Vec<(EntryInfo, OwnedFd)>, CtlError> {
    if !exec.all && !exec.optional {
        return get_some(connection, some(&exec.names), some(&exec.ids), owner);
    }
    let mut tries = 0_u8;
    loop {
        let wanted =
            |entry: &EntryInfo| exec.all || exec.names.contains(&entry.name) || exec.ids.contains(&entry.id);
        let there = list::all(connection, None, owner.cloned())?;
        let ids: Vec<u64> = there
            .iter()
            .filter(|entry| wanted(entry))
            .map(|entry| entry.id)
            .collect();
        let parts = ids
            .chunks(MAX_FDS)
            .map(|part| get_some(connection, None, some(part), owner));
        match parts.collect::<Result<Vec<_>, _>>() {
            // One has left between the two calls; look again.
            Err(CtlError::Refused(ApiError::NoSuchEntry { .. })) if tries < 10 => {
                tries = tries.saturating_add(1);
            }
            parts => return Ok(parts?.into_iter().flatten().collect()),
        }
    }
}

fn get_some(
    connection: &mut Connection,
    names: Option<Vec<String>>,
    ids: Option<Vec<u64>>,
    owner: Option<&String>,
) -> Result<Vec<(EntryInfo, OwnedFd)>, CtlError> {
    let request = Request::Get {
        names,
        ids,
        take: None,
        owner: owner.cloned(),
    };
    let (reply, fds): (GetReply, _) = connection.call(&request, &[])?;
    get::verify(&reply.entries, &fds)?;
    Ok(reply.entries.into_iter().zip(fds).collect())
}

fn position(exec: &Exec, entry: &EntryInfo) -> (usize, u64) {
    let names = exec.names.len();
    let by_name = exec.names.iter().position(|name| *name == entry.name);
    let by_id = exec.ids.iter().position(|id| *id == entry.id);
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
    command.args(arguments);
    for variable in ["LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "LISTEN_PIDFDID"] {
        command.env_remove(variable);
    }
    if names.is_empty() {
        return Ok(command);
    }
    command
        .env("LISTEN_FDS", names.len().to_string())
        .env("LISTEN_FDNAMES", names.join(":"))
        .env("LISTEN_PID", getpid().as_raw_nonzero().to_string());
    if let Some(id) = own_pidfd_id() {
        command.env("LISTEN_PIDFDID", id.to_string());
    }
    Ok(command)
}
