//! Descriptors through the notify socket into a store, beside sendmsg, recvmsg and fstat.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use fdstore::notify::{Notifier, Receiver};
use fdstore::{FdName, FdStore, InsertOptions, Inserted};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg,
    socketpair,
};
use softboot_sys::recv::{pass_credentials, recv_message};

use super::Kind;
use crate::error::{Context as _, Error};
use crate::measure::{Stopwatch, in_turns};
use crate::record::Record;

/// So many descriptors are made, then sent, so that a host's limit is not needed twice over.
const BATCH: usize = 200;

pub(super) fn measure(kind: Kind, size: usize, runs: usize) -> Result<Record, Error> {
    let [ours, floor] = <[Vec<f64>; 2]>::try_from(in_turns(
        runs,
        &mut [
            Box::new(|| through_the_store(kind, size)),
            Box::new(|| bare(kind, size)),
        ],
    )?)
    .map_err(|_| "two contestants")
    .map_err(|reason| Error {
        what: "running in turns".to_owned(),
        reason: reason.to_owned(),
    })?;
    Ok(Record::new(
        format!("push/{kind}/{size}"),
        "time-per-descriptor",
        "us",
        &ours,
        &floor,
    )
    .aim(3.0))
}

/// Sends `size` descriptors one by one; `send` sends one, `receive` takes one. Microseconds for each.
fn each(
    kind: Kind,
    size: usize,
    mut send: impl FnMut(BorrowedFd<'_>) -> Result<(), Error>,
    mut receive: impl FnMut() -> Result<(), Error>,
) -> Result<f64, Error> {
    let mut stopwatch = Stopwatch::default();
    let mut left = size;
    while left > 0 {
        let batch = kind.make_many(left.min(BATCH))?;
        left = left.saturating_sub(batch.len());
        stopwatch.time(|| {
            batch.iter().try_for_each(|fd| {
                send(fd.as_fd())?;
                receive()
            })
        })?;
    }
    Ok(stopwatch.micros() / size as f64)
}

fn through_the_store(kind: Kind, size: usize) -> Result<f64, Error> {
    let path = std::env::temp_dir().join(format!("softboot-bench-{}", std::process::id()));
    let mut receiver = Receiver::bind(&path, 0o600).context("binding a notify socket")?;
    let notifier = Notifier::connect(path.clone().into_os_string()).context("connecting to it");
    std::fs::remove_file(&path).context("removing its name")?;
    let notifier = notifier?;
    let name = FdName::new("connection").context("naming")?;
    let mut store = FdStore::new();
    let time = each(
        kind,
        size,
        |fd| notifier.store_fd(&name, fd).context("pushing"),
        || {
            let datagram = receiver
                .recv()
                .context("receiving")?
                .context("receiving")?
                .context("receiving")?;
            let fd_name = datagram
                .message
                .fd_name()
                .context("reading")?
                .context("reading")?;
            for fd in datagram.fds {
                let options = InsertOptions {
                    poll: datagram.message.fd_poll(),
                    deduplicate: true,
                    ..InsertOptions::default()
                };
                match store.insert("unit", &fd_name, fd, options).context("inserting")? {
                    Inserted::New(_) => {}
                    Inserted::Duplicate(..) => return None.context("a new entry"),
                }
            }
            Ok(())
        },
    )?;
    (store.count("unit") == size)
        .then_some(time)
        .context("a descriptor")
}

fn bare(kind: Kind, size: usize) -> Result<f64, Error> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
        .context("making a socket pair")?;
    // A manager has to know who sent what.
    pass_credentials(theirs.as_fd()).context("asking for credentials")?;
    let mut kept: Vec<OwnedFd> = Vec::with_capacity(size);
    each(
        kind,
        size,
        |fd| {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            ancillary.push(SendAncillaryMessage::ScmRights(std::slice::from_ref(&fd)));
            let bytes = [IoSlice::new(b"FDSTORE=1\nFDNAME=connection")];
            sendmsg(&ours, &bytes, &mut ancillary, SendFlags::NOSIGNAL).context("sendmsg")?;
            Ok(())
        },
        || {
            let mut buffer = [0; 4097];
            let received = recv_message(&theirs, &mut buffer).context("recvmsg")?;
            for fd in &received.fds {
                rustix::fs::fstat(fd).context("fstat")?;
            }
            kept.extend(received.fds);
            Ok(())
        },
    )
}
