//! Descriptors through the notify socket into a store, beside sendmsg, recvmsg and fstat.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use fdstore::notify::{Notifier, Receiver};
use fdstore::{FdName, FdStore, InsertOptions, Inserted};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg,
    socketpair,
};
use softboot_sys::recv::{pass_credentials, recv_message};

use super::{Kind, Role};
use crate::error::{Context as _, Error};
use crate::measure::{Stopwatch, in_turns};
use crate::record::Record;

/// So many descriptors are made, then sent, so that a host's limit is not needed twice over.
const BATCH: usize = 200;

pub(super) fn measure(kind: Kind, size: usize, runs: usize) -> Result<Record, Error> {
    let results = in_turns(
        runs,
        &mut [
            Box::new(|| through_the_store(kind, size)),
            Box::new(|| bare(kind, size)),
            Box::new(|| Role::PushPeer.spawn_with(kind, size, &[("NOTIFY_SOCKET", &path("peer"))])),
        ],
    )?;
    let of = |position: usize| results.get(position).map_or(&[][..], Vec::as_slice);
    let record = Record::new(
        format!("push/{kind}/{size}"),
        "time-per-descriptor",
        "us",
        of(0),
        of(1),
    );
    Ok(record.peer("sd-notify", of(2)).aim(3.0))
}

fn path(what: &str) -> PathBuf {
    std::env::temp_dir().join(format!("softboot-bench-{}-{what}", std::process::id()))
}

/// The same with another library on the service's side, and bare calls on the manager's: what it costs to send.
pub(super) fn peer(kind: Kind, size: usize) -> Result<f64, Error> {
    use sd_notify::NotifyState;
    let path = std::env::var_os("NOTIFY_SOCKET").context("NOTIFY_SOCKET")?;
    let receiver = Receiver::bind(path.as_ref(), 0o600).context("binding a notify socket")?;
    let mut kept: Vec<OwnedFd> = Vec::with_capacity(size);
    let time = each(
        kind,
        size,
        |fd| {
            let message = [NotifyState::FdStore, NotifyState::FdName("connection")];
            sd_notify::notify_with_fds(false, &message, &[fd]).context("pushing")
        },
        || {
            let mut buffer = [0; 4097];
            let received = recv_message(&receiver, &mut buffer).context("recvmsg")?;
            for fd in &received.fds {
                rustix::fs::fstat(fd).context("fstat")?;
            }
            kept.extend(received.fds);
            Ok(())
        },
    );
    std::fs::remove_file(&path).context("removing the socket")?;
    time
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
    let path = path("push");
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
