//! A store to another process, verified there, beside bare batches of 253 descriptors.

use std::io::{IoSlice, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use fdstore::transfer::{Receiver, Sender};
use fdstore::{FdName, FdStore, InsertOptions};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg,
    socketpair,
};
use softboot_sys::recv::recv_message;

use super::{Kind, Role};
use crate::error::{Context as _, Error};
use crate::measure::in_turns;
use crate::record::Record;

/// What the kernel takes in one message.
const BATCH: usize = 253;

pub(super) fn measure(kind: Kind, size: usize, runs: usize) -> Result<Record, Error> {
    let mut store = FdStore::new();
    let name = FdName::new("connection").context("naming")?;
    for _ in 0..size {
        store
            .insert("unit", &name, kind.make()?, InsertOptions::default())
            .context("inserting")?;
    }
    let results = in_turns(runs, &mut [Box::new(|| ours(&store)), Box::new(|| floor(&store))])?;
    let of = |position: usize| results.get(position).map_or(&[][..], Vec::as_slice);
    Ok(Record::new(format!("transfer/{kind}/{size}"), "time", "us", of(0), of(1)).aim(2.0))
}

/// Starts a child with this role and gives it one end of `pair` as its standard input. It writes a byte when it is
/// there, and the clock starts after that.
fn with_child(
    role: Role,
    kind: SocketType,
    size: usize,
    send: impl FnOnce(OwnedFd) -> Result<(), Error>,
) -> Result<f64, Error> {
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).context("making a socket pair")?;
    let mut command = Command::new("/proc/self/exe");
    command
        .args(["role", &role.name()?, "--kind", "socket", "--size"])
        .arg(size.to_string())
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::piped());
    let mut child = command.spawn().context("starting a child")?;
    drop(command);
    let mut output = child.stdout.take().context("the child's output")?;
    output.read_exact(&mut [0]).context("waiting for the child")?;
    let begun = Instant::now();
    send(ours)?;
    // The child says when it has verified everything.
    output
        .read_exact(&mut [0])
        .context("waiting for the child's answer")?;
    let time = begun.elapsed().as_secs_f64() * 1e6;
    let status = child.wait().context("waiting for the child's end")?;
    status.success().then_some(time).context("a descriptor")
}

fn ours(store: &FdStore) -> Result<f64, Error> {
    let size = store.count("unit");
    with_child(Role::Receive, SocketType::SEQPACKET, size, |socket| {
        let mut sender = Sender::new(socket, store).context("preparing")?;
        sender.run(store, None).context("transferring")?;
        (sender.finish().accepted.len() == size)
            .then_some(())
            .context("a descriptor")
    })
}

fn floor(store: &FdStore) -> Result<f64, Error> {
    let fds: Vec<BorrowedFd<'_>> = store.entries().map(fdstore::Entry::fd).collect();
    with_child(Role::ReceiveFloor, SocketType::STREAM, fds.len(), |socket| {
        for batch in fds.chunks(BATCH) {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            ancillary.push(SendAncillaryMessage::ScmRights(batch));
            sendmsg(
                &socket,
                &[IoSlice::new(b"x")],
                &mut ancillary,
                SendFlags::NOSIGNAL,
            )
            .context("sendmsg")?;
        }
        Ok(())
    })
}

fn say() -> Result<(), Error> {
    let mut output = std::io::stdout();
    output
        .write_all(b".")
        .and_then(|()| output.flush())
        .context("answering")
}

fn input() -> Result<OwnedFd, Error> {
    std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .context("taking the socket")
}

/// The child's part: everything over standard input.
pub(super) fn receive(size: usize) -> Result<(), Error> {
    say()?;
    let mut receiver = Receiver::new(input()?).context("preparing")?;
    receiver.run(None).context("receiving")?;
    let inherited = receiver.finish();
    say()?;
    let count = inherited.store.count("unit");
    std::mem::forget(inherited);
    (count == size).then_some(()).context("a descriptor")
}

/// The same with bare calls.
pub(super) fn receive_floor(size: usize) -> Result<(), Error> {
    let stream = UnixStream::from(input()?);
    stream.set_nonblocking(false).context("waiting on the socket")?;
    say()?;
    let mut kept = Vec::with_capacity(size);
    while kept.len() < size {
        wait(&stream)?;
        let mut byte = [0];
        kept.extend(recv_message(&stream, &mut byte).context("recvmsg")?.fds);
    }
    say()?;
    std::mem::forget(kept);
    Ok(())
}

fn wait(stream: &UnixStream) -> Result<(), Error> {
    use rustix::event::{PollFd, PollFlags, poll};
    poll(&mut [PollFd::new(stream, PollFlags::IN)], None).context("poll")?;
    Ok(())
}
