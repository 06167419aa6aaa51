//! `put`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

use fdstore::memfd::sealed_memfd;
use rustix::fs::{Mode as Permissions, OFlags, open};

use super::CtlError;
use super::cli::{Cli, Mode, Put};
use super::connection::Connection;
use super::output::Output;
use crate::api::{NewEntry, PutReply, Request};
use crate::duration;

pub(super) fn run(cli: &Cli, put: &Put, owner: Option<String>, out: &Output) -> Result<(), CtlError> {
    // First, before this program opens anything of its own that could have one of these numbers.
    let fds = sources(put)?;
    let labels = labels(&put.label)?;
    let expires_in_usec = match put.expires.as_deref() {
        None => None,
        Some("never") => Some(0),
        Some(text) => match duration::parse(text) {
            Ok(span) if !span.is_zero() => Some(duration::usec(span)),
            Ok(_) => {
                return Err(CtlError::Usage(
                    "--expires: it would leave at once; say never to keep it".to_owned(),
                ));
            }
            Err(error) => return Err(CtlError::Usage(format!("--expires: {error}"))),
        },
    };
    let entries = (0..fds.len())
        .map(|index| NewEntry {
            name: put.name.clone(),
            index,
            labels: (!labels.is_empty()).then(|| labels.clone()),
            expires_in_usec,
            poll: put.no_poll.then_some(false),
        })
        .collect();
    let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(|fd| fd.as_fd()).collect();
    let request = Request::Put { entries, owner };
    let (reply, _): (PutReply, _) = Connection::open(cli)?.call(&request, &borrowed)?;
    out.value(&reply, || {
        let lines: Vec<String> = reply
            .stored
            .iter()
            .map(|stored| match stored.duplicate {
                false => format!("stored {} with the id {}", stored.name, stored.id),
                true => format!(
                    "it was there already, as {} with the id {}",
                    stored.name, stored.id
                ),
            })
            .collect();
        lines.join("\n")
    })
}

fn labels(texts: &[String]) -> Result<BTreeMap<String, String>, CtlError> {
    let pairs = texts.iter().map(|text| match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(CtlError::Usage(format!("--label: {text:?} is not KEY=VALUE"))),
    });
    pairs.collect()
}

/// Everything that is to be stored.
fn sources(put: &Put) -> Result<Vec<OwnedFd>, CtlError> {
    let mut fds = inherited(&put.source.fd)?;
    for path in &put.source.open {
        fds.push(open_path(path, put.mode)?);
    }
    for address in &put.source.listen {
        fds.push(listen(address)?);
    }
    for path in &put.source.content {
        fds.push(content(path)?);
    }
    Ok(fds)
}

fn inherited(numbers: &[i32]) -> Result<Vec<OwnedFd>, CtlError> {
    let mut taken =
        softboot_sys::inherited::take(numbers.iter().copied()).map_err(CtlError::io("taking descriptors"))?;
    let mut fds = Vec::with_capacity(numbers.len());
    for number in numbers {
        let copy = match number {
            0 => std::io::stdin().as_fd().try_clone_to_owned().ok(),
            1 => std::io::stdout().as_fd().try_clone_to_owned().ok(),
            2 => std::io::stderr().as_fd().try_clone_to_owned().ok(),
            other => taken.remove(other),
        };
        fds.push(copy.ok_or_else(|| {
            CtlError::Usage(format!(
                "--fd {number}: fdstorectl was not started with it, or it is given twice (a shell passes a file with \
                 {number}<FILE)"
            ))
        })?);
    }
    Ok(fds)
}

fn open_path(path: &Path, mode: Mode) -> Result<OwnedFd, CtlError> {
    let flags = match mode {
        Mode::R => OFlags::RDONLY,
        Mode::W => OFlags::WRONLY,
        Mode::Rw => OFlags::RDWR,
        Mode::Path => OFlags::PATH,
    };
    open(
        path,
        flags | OFlags::CLOEXEC | OFlags::NOCTTY,
        Permissions::empty(),
    )
    .map_err(|error| CtlError::io(format!("opening {}", path.display()))(error.into()))
}

/// A path for unix, ADDRESS:PORT for TCP.
fn listen(address: &str) -> Result<OwnedFd, CtlError> {
    let what = CtlError::io(format!("listening on {address}"));
    if address.contains('/') {
        return UnixListener::bind(address).map(OwnedFd::from).map_err(what);
    }
    TcpListener::bind(address).map(OwnedFd::from).map_err(what)
}

fn content(path: &Path) -> Result<OwnedFd, CtlError> {
    let what = || CtlError::io(format!("reading {}", path.display()));
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).map_err(what())?;
    } else {
        let mut file = File::open(path).map_err(what())?;
        file.read_to_end(&mut bytes).map_err(what())?;
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    sealed_memfd(&name, &bytes).map_err(CtlError::io("copying into memory"))
}
