//! The receiver of a transfer, with a sender that does not keep to the protocol.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use fdstore::transfer::Receiver;
use fdstore::{FdName, FdStore, InsertOptions};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg,
    socketpair,
};

use crate::leak;

/// Lines are packets. The digit that a line begins with says how many descriptors go with it; `m` in its place, the
/// manifest of a store with two.
pub fn run(data: &[u8]) {
    leak::none(|| receive(data));
}

fn receive(data: &[u8]) {
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    let mut store = FdStore::new();
    for name in ["a", "b"] {
        let fd = fdstore::memfd::sealed_memfd("fuzz", b"x").unwrap();
        let name = FdName::new(name).unwrap();
        store.insert("o", &name, fd, InsertOptions::default()).unwrap();
    }
    let fds: Vec<BorrowedFd<'_>> = store.entries().map(fdstore::Entry::fd).collect();
    let handoff = store.handoff().unwrap();
    let mut receiver = Receiver::new(theirs).unwrap();
    for line in data.split(|byte| *byte == b'\n') {
        let Some((first, packet)) = line.split_first() else {
            continue;
        };
        let with: Vec<BorrowedFd<'_>> = match first {
            b'm' => vec![handoff.manifest()],
            digit => fds
                .iter()
                .cycle()
                .take(usize::from(*digit % 16))
                .copied()
                .collect(),
        };
        send(&ours, packet, &with);
        if receiver.advance().is_err() {
            break;
        }
    }
    let inherited = receiver.finish();
    for entry in inherited.store.entries() {
        assert_eq!(entry.identity().verify(entry.fd()), Ok(()));
    }
}

fn send(socket: &OwnedFd, packet: &[u8], fds: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(fds.is_empty() || ancillary.push(SendAncillaryMessage::ScmRights(fds)));
    // A packet that does not fit is not sent, which is as good as none.
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let _ = sendmsg(socket.as_fd(), &[IoSlice::new(packet)], &mut ancillary, flags);
}
