//! Clients that do what they should not.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers are part of the tests; what goes wrong in them fails a test"
)]

mod common;

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use common::{Holder, OWN, closes, memfd};
use fdstore::notify::Message;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketType,
    sendmsg_addr, socket,
};
use rustix::process::Signal;

fn stream(holder: &Holder) -> UnixStream {
    UnixStream::connect(holder.path("varlink")).unwrap()
}

/// Sends a datagram with descriptors to the notify socket.
fn datagram(holder: &Holder, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
    let socket = socket(AddressFamily::UNIX, SocketType::DGRAM, None).unwrap();
    let address = SocketAddrUnix::new(holder.path("notify")).unwrap();
    let mut space = vec![std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(fds)));
    }
    let slices = [std::io::IoSlice::new(bytes)];
    sendmsg_addr(&socket, &address, &slices, &mut ancillary, SendFlags::empty()).unwrap();
}

/// Bytes that look like nothing, the same each time.
fn noise(length: usize, mut seed: u64) -> Vec<u8> {
    (0..length)
        .map(|_| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 56) as u8
        })
        .collect()
}

#[test]
fn garbage_costs_only_the_one_who_sends_it() {
    let holder = Holder::start(OWN);
    let mut client = holder.client();
    client.put("kept", memfd("x")).unwrap();
    let before = holder.open();
    for seed in 0..40 {
        let mut stream = stream(&holder);
        // The holder may close before all is written.
        let _ = stream.write_all(&noise(20_000, seed));
        assert!(closes(&mut stream));
    }
    for bytes in [
        &b"\0"[..],
        b"{}\0",
        b"[]\0",
        b"null\0",
        b"{\"method\":7}\0",
        b"{\"method\":\"x\"\0",
        b"{\"method\":\"a.b.C\",\"parameters\":\"\xff\"}\0",
    ] {
        let mut stream = stream(&holder);
        stream.write_all(bytes).unwrap();
        assert!(closes(&mut stream), "{bytes:?}");
    }
    let deep = [
        b"{\"method\":\"a.b\",\"parameters\":".to_vec(),
        vec![b'['; 100_000],
        vec![0],
    ]
    .concat();
    let mut nested = stream(&holder);
    let _ = nested.write_all(&deep);
    assert!(closes(&mut nested));
    holder.wait_for_open(before);
    assert_eq!(holder.names(), ["kept"]);
}

#[test]
fn a_message_that_does_not_end_is_cut_off() {
    let holder = Holder::start(&format!("[limits]\nmessage_bytes = 4096\n{OWN}"));
    let mut stream = stream(&holder);
    let _ = stream.write_all(&[b'x'; 500_000]);
    assert!(closes(&mut stream));
    assert!(
        holder.log().contains("longer than 4096 bytes"),
        "{}",
        holder.log()
    );
}

#[test]
fn strange_datagrams_are_thrown_away_with_their_descriptors() {
    let holder = Holder::start(OWN);
    let mut client = holder.client();
    client.put("kept", memfd("x")).unwrap();
    let before = holder.open();
    let own = memfd("sent");
    let one = [own.as_fd()];
    let many = vec![own.as_fd(); 253];
    let long = [b"FDSTORE=1\nX=".to_vec(), vec![b'x'; 4_085]].concat();
    assert_eq!(long.len(), 4_097);
    datagram(&holder, &long, &one);
    datagram(&holder, b"FDSTORE=1\0FDNAME=a", &one);
    datagram(&holder, b"FDSTORE=1\nFDNAME=\xff", &one);
    datagram(&holder, b"", &one);
    datagram(&holder, b"nothing", &many);
    datagram(&holder, b"FDSTORE=0", &many);
    datagram(&holder, b"BARRIER=1", &many);
    datagram(&holder, b"BARRIER=1", &one);
    datagram(&holder, b"BARRIER=1", &[]);
    datagram(&holder, b"FDSTOREREMOVE=1", &one);
    datagram(&holder, b"FDSTOREREMOVE=1\nFDNAME=a:b", &one);
    for seed in 0..200 {
        datagram(&holder, &noise(300, seed), &one);
    }
    holder.notifier().barrier(Duration::from_secs(60)).unwrap();
    holder.wait_for_open(before);
    assert_eq!(holder.names(), ["kept"]);
    // One that is stored 253 times is one; its bad name is replaced (semantics 3.5).
    datagram(&holder, b"FDSTORE=1\nFDNAME=a:b", &many);
    holder.notifier().barrier(Duration::from_secs(60)).unwrap();
    assert_eq!(holder.names(), ["kept", "stored"]);
}

#[test]
fn patterns_that_would_cost_much_are_refused() {
    use holder::api::Request;
    let holder = Holder::start(OWN);
    let mut client = holder.client();
    client.put(&"a".repeat(255), memfd("x")).unwrap();
    let patterns = |length: usize| Some(vec![format!("*{}b", "a".repeat(length))]);
    let list = |length| Request::List {
        patterns: patterns(length),
        owner: None,
        after: None,
    };
    let (reply, _): (holder::api::ListReply, _) = client.call(&list(200), &[]).unwrap();
    assert!(reply.entries.is_empty());
    let refused = client.call::<serde_json::Value>(&list(100_000), &[]);
    assert_eq!(refused.unwrap_err(), "InvalidParameter");
    let watch = Request::Watch {
        patterns: patterns(100_000),
        owner: None,
    };
    client.send(&watch, true);
    assert_eq!(
        common::error_name(client.0.receive().unwrap_err()),
        "InvalidParameter"
    );
}

#[test]
fn the_log_cannot_be_flooded() {
    let holder = Holder::start("");
    for _ in 0..2_000 {
        datagram(&holder, b"FDSTORE=1\nFDNAME=x", &[]);
    }
    holder.notifier().barrier(Duration::from_secs(60)).unwrap();
    // 20 lines a second at most, and a second word on those that were left out.
    assert!(
        holder.log().lines().count() < 1_000,
        "{}",
        holder.log().lines().count()
    );
}

#[test]
fn a_client_that_does_not_read_is_dropped() {
    let holder = Holder::start(&format!("[limits]\nstall = \"50ms\"\n{OWN}"));
    let mut client = holder.client();
    for n in 0..200 {
        client.put(&format!("{n:0>200}"), memfd(&n.to_string())).unwrap();
    }
    let mut lazy = stream(&holder);
    let list = b"{\"method\":\"io.softboot.FdStore.List\"}\0".repeat(2_000);
    // Writing fails when the holder has given up; what it has sent can still be read, then comes the end.
    let _ = lazy.write_all(&list);
    holder.wait_for_log("does not read its replies");
    assert!(closes(&mut lazy));
    assert_eq!(client.list(None).len(), 200, "another is served");
}

#[test]
fn many_calls_at_once_are_all_answered_even_after_the_last_word() {
    let holder = Holder::start(OWN);
    let mut client = holder.client();
    for n in 0..100 {
        client.put(&format!("{n:0>200}"), memfd(&n.to_string())).unwrap();
    }
    let mut eager = stream(&holder);
    let list = b"{\"method\":\"io.softboot.FdStore.List\"}\0".repeat(400);
    eager.write_all(&list).unwrap();
    eager.shutdown(std::net::Shutdown::Write).unwrap();
    let mut replies = Vec::new();
    eager.read_to_end(&mut replies).unwrap();
    assert_eq!(replies.iter().filter(|byte| **byte == 0).count(), 400);
}

#[test]
fn a_watcher_that_does_not_read_is_dropped() {
    let holder = Holder::start(&format!("[limits]\nstall = \"1h\"\nunsent_bytes = 65536\n{OWN}"));
    let mut watcher = holder.client();
    watcher.watch();
    let mut client = holder.client();
    let name = "n".repeat(255);
    // What the socket holds, and then 64 KiB more.
    while !holder.log().contains("dropping a client") {
        client.put(&name, memfd("x")).unwrap();
        client.remove(&name).unwrap();
    }
    assert!(holder.log().contains("65536 bytes unread"), "{}", holder.log());
    assert_eq!(client.list(None).len(), 0);
}

#[test]
fn each_user_has_so_many_connections() {
    let holder = Holder::start(&format!("[limits]\nconnections_per_uid = 3\n{OWN}"));
    let mut clients: Vec<_> = (0..3).map(|_| holder.client()).collect();
    for client in &mut clients {
        client.list(None);
    }
    let mut refused = stream(&holder);
    let mut said = String::new();
    refused.read_to_string(&mut said).unwrap();
    assert!(
        said.contains("QuotaExceeded") && said.contains("limit of 3 connections"),
        "{said}"
    );
    drop(clients.pop());
    // Its place is free as soon as the holder has seen it go.
    let mut again = loop {
        let mut client = holder.client();
        let request = holder::api::Request::GetInfo {};
        if client.call::<serde_json::Value>(&request, &[]).is_ok() {
            break client;
        }
    };
    assert!(again.list(None).is_empty());
}

#[test]
fn half_a_message_may_wait_and_its_descriptors_go_with_the_client() {
    let holder = Holder::start(OWN);
    let mut client = holder.client();
    client.list(None);
    let before = holder.open();
    let halves: Vec<UnixStream> = (0..10).map(|_| stream(&holder)).collect();
    let own = memfd("sent");
    for half in &halves {
        let fds: Vec<BorrowedFd<'_>> = vec![own.as_fd(); 100];
        let mut space = vec![std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&fds)));
        let slices = [std::io::IoSlice::new(b"{\"method\"")];
        rustix::net::sendmsg(half, &slices, &mut ancillary, SendFlags::empty()).unwrap();
    }
    holder.wait_for_open(before + 10 + 10 * 100);
    drop(halves);
    holder.wait_for_open(before);
    assert!(client.list(None).is_empty());
}

#[test]
fn out_of_descriptors_the_store_stays_and_others_are_served() {
    let mut holder = Holder::start(OWN);
    let mut client = holder.client();
    client.put("kept", memfd("x")).unwrap();
    let open = u64::try_from(holder.open()).unwrap();
    let limit = rustix::process::Rlimit {
        current: Some(open + 3),
        maximum: Some(open + 3),
    };
    rustix::process::prlimit(Some(holder.pid()), rustix::process::Resource::Nofile, limit).unwrap();
    // More than there is room for: the kernel gives what fits, and the call is refused as a whole.
    let fds: Vec<OwnedFd> = (0..10).map(|n| memfd(&n.to_string())).collect();
    let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(|fd| fd.as_fd()).collect();
    let entries: Vec<_> = (0..10).map(|index| common::entry("more", index)).collect();
    assert_eq!(
        client.put_all(entries.clone(), &borrowed).unwrap_err(),
        "BadDescriptor"
    );
    datagram(&holder, b"FDSTORE=1", &borrowed);
    holder.notifier().barrier(Duration::from_secs(60)).unwrap();
    let open = usize::try_from(open).unwrap();
    holder.wait_for_open(open);
    // Connections beyond the limit are sent away instead of waking the holder for ever.
    let mut streams: Vec<UnixStream> = (0..10).map(|_| stream(&holder)).collect();
    assert!(streams.iter_mut().rev().take(3).all(closes));
    drop(streams);
    assert_eq!(client.list(None).len(), 1);
    holder.wait_for_open(open);
    holder.signal(Signal::HUP);
    holder.wait_for(Message::ready);
    assert_eq!(holder.names(), ["kept"]);
}
