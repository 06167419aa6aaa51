//! The holder replaces its own program, and nobody notices.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers are part of the tests; what goes wrong in them fails a test"
)]

mod common;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::UdpSocket;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use common::{Holder, OWN, directory, entry, error_name, install, memfd, same, text};
use fdstore::FdName;
use fdstore::notify::Message;
use holder::api::{NewEntry, Request, UpgradeReply};
use softboot_varlink::client::Client;

fn upgrade(holder: &mut Holder) -> UpgradeReply {
    let (reply, _): (UpgradeReply, _) = holder.client().call(&Request::Upgrade {}, &[]).unwrap();
    holder.wait_for(Message::ready);
    reply
}

/// Descriptors of several kinds.
fn many(count: usize) -> Vec<OwnedFd> {
    (0..count)
        .map(|n| match n % 4 {
            0 => memfd(&n.to_string()),
            1 => UdpSocket::bind("127.0.0.1:0").unwrap().into(),
            2 => std::fs::File::open("/proc/self/exe").unwrap().into(),
            _ => {
                let flags = rustix::event::EventfdFlags::CLOEXEC;
                rustix::event::eventfd(0, flags).unwrap()
            }
        })
        .collect()
}

/// Sends the beginning of a call with its descriptor, and gives the rest.
fn half(stream: &UnixStream, fd: BorrowedFd<'_>) -> Vec<u8> {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let (method, parameters) = Request::Put {
        entries: vec![entry("half", 0)],
        owner: None,
    }
    .to_call();
    let call = serde_json::json!({ "method": method, "parameters": parameters });
    let mut bytes = serde_json::to_vec(&call).unwrap();
    bytes.push(0);
    let rest = bytes.split_off(bytes.len() / 2);
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds = [fd];
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&fds)));
    let slices = [std::io::IoSlice::new(&bytes)];
    sendmsg(stream, &slices, &mut ancillary, SendFlags::empty()).unwrap();
    rest
}

#[test]
fn clients_and_500_descriptors_survive_upgrades_in_a_row() {
    let mut holder = Holder::start(OWN);
    let pid = holder.child.id();
    let fds = many(500);
    let mut client = holder.client();
    let mut place = 0;
    for part in fds.chunks(200) {
        let borrowed: Vec<BorrowedFd<'_>> = part.iter().map(|fd| fd.as_fd()).collect();
        let entries: Vec<NewEntry> = (0..part.len())
            .map(|index| entry(&format!("n{}", place + index), index))
            .collect();
        place += part.len();
        client.put_all(entries, &borrowed).unwrap();
    }
    let before = client.list(None);
    let mut idle: Vec<_> = (0..20).map(|_| holder.client()).collect();
    for client in &mut idle {
        assert_eq!(client.list(None).len(), 500);
    }
    let mut watcher = holder.client();
    watcher.watch();
    let half_sent = memfd("half");
    let open = holder.open();
    let stream = UnixStream::connect(holder.path("varlink")).unwrap();
    let rest = half(&stream, half_sent.as_fd());
    // Its socket and its descriptor.
    let open = open + 2;
    holder.wait_for_open(open);

    for _ in 0..3 {
        let reply = upgrade(&mut holder);
        assert_eq!(
            (
                u32::try_from(reply.pid).unwrap(),
                reply.entries,
                reply.quarantined
            ),
            (pid, 500, 0)
        );
        // The 20, the first, the watcher, the half, and the one that asked.
        assert_eq!(reply.connections, 24);
    }
    // A new epoll, timer, signalfd and spare for the old ones; nothing else came and nothing is missing.
    holder.wait_for_open(open);

    assert_eq!(client.list(None), before, "the same entries in the same order");
    let by_name: BTreeMap<String, &OwnedFd> = fds
        .iter()
        .enumerate()
        .map(|(n, fd)| (format!("n{n}"), fd))
        .collect();
    for (name, fd) in by_name.iter().step_by(7) {
        let (_, got) = client.get(name).unwrap();
        assert!(same(&got[0], fd), "{name}");
    }
    for client in &mut idle {
        assert_eq!(client.list(None).len(), 500);
    }
    (&stream).write_all(&rest).unwrap();
    let mut half = Client::from_stream(stream);
    let reply = half.receive().unwrap();
    assert_eq!(reply.parameters["stored"][0]["name"], "half");
    assert_eq!(watcher.event(), ("Put".to_owned(), Some("half".to_owned())));
    let (_, got) = client.get("half").unwrap();
    assert!(same(&got[0], &half_sent));
}

#[test]
fn clients_at_work_see_no_failure_in_15_upgrades() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let mut holder = Holder::start(OWN);
    let (path, done) = (holder.path("varlink"), AtomicBool::new(false));
    let work = |number: usize| {
        let mut rounds = 0_u32;
        let mut kept = common::Caller(Client::connect(&path).unwrap());
        let name = format!("w{number}");
        while !done.load(Ordering::Relaxed) {
            let fd = memfd(&name);
            kept.put(&name, &fd).unwrap();
            // A new connection is not refused either.
            let mut other = common::Caller(Client::connect(&path).unwrap());
            let (_, got) = other.get(&name).unwrap();
            assert!(same(&got[0], &fd));
            kept.remove(&name).unwrap();
            rounds += 1;
        }
        rounds
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|number| {
                let work = &work;
                scope.spawn(move || work(number))
            })
            .collect();
        for _ in 0..15 {
            upgrade(&mut holder);
        }
        done.store(true, Ordering::Relaxed);
        for worker in workers {
            assert!(worker.join().unwrap() > 0);
        }
    });
    assert!(holder.names().is_empty());
}

#[test]
fn hang_ups_expiries_and_notifications_go_on_after_an_upgrade() {
    let mut holder = Holder::start(OWN);
    let mut watcher = holder.client();
    watcher.watch();
    let (a, b) = UnixStream::pair().unwrap();
    let mut client = holder.client();
    client.put("goes", &a).unwrap();
    drop(a);
    let expires = NewEntry {
        expires_in_usec: Some(300_000),
        ..entry("soon", 0)
    };
    client.put_all(vec![expires], &[memfd("x").as_fd()]).unwrap();
    // Told before the upgrade, read after it.
    let notifier = holder.notifier();
    notifier
        .store_fd(&FdName::new("told").unwrap(), memfd("y").as_fd())
        .unwrap();
    upgrade(&mut holder);
    drop(b);
    let mut events: Vec<_> = (0..5).map(|_| watcher.event()).collect();
    events.sort();
    let expected = [
        ("Expired", "soon"),
        ("Hangup", "goes"),
        ("Put", "goes"),
        ("Put", "soon"),
        ("Put", "told"),
    ]
    .map(|(event, name)| (event.to_owned(), Some(name.to_owned())));
    assert_eq!(events, expected);
    assert_eq!(holder.names(), ["told"]);
}

#[test]
fn a_program_that_cannot_go_on_does_not_get_the_store() {
    let place = directory();
    let program = place.path().join("program");
    install(common::fdstored(), &program);
    let mut holder = Holder::start_program(&program, OWN, place);
    let mut client = holder.client();
    client.put("kept", memfd("x")).unwrap();
    let open = holder.open();
    let mut refused = |holder: &Holder| {
        let request = Request::Upgrade {}.to_call();
        let error = client.0.call(&request.0, &request.1, &[]).unwrap_err();
        let reason = error.to_string();
        assert_eq!(error_name(error), "UpgradeFailed");
        assert_eq!(holder.names(), ["kept"]);
        reason
    };
    let script = holder.path("script");
    // One that is no program, one that fails, one that is gone.
    std::fs::write(&script, "no program").unwrap();
    install(&script, &program);
    refused(&holder);
    std::fs::write(&script, "#!/bin/sh\necho cannot read this >&2\nexit 1\n").unwrap();
    install(&script, &program);
    assert!(refused(&holder).contains("cannot read this"));
    std::fs::remove_file(&program).unwrap();
    refused(&holder);
    // One whose configuration is wrong.
    install(common::fdstored(), &program);
    std::fs::write(holder.path("config"), "nonsense").unwrap();
    assert!(refused(&holder).contains("config:1:"));
    holder.wait_for_open(open);
    // And one that can.
    std::fs::write(holder.path("config"), OWN).unwrap();
    assert_eq!(upgrade(&mut holder).entries, 1);
    assert_eq!(holder.names(), ["kept"]);
}

#[test]
fn the_command_line_upgrades() {
    let mut holder = Holder::start(OWN);
    holder.client().put("kept", memfd("x")).unwrap();
    let output = holder.ctl(&["upgrade"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let expected = format!("as process {} with 1 entry and 1 connection", holder.child.id());
    assert!(text(&output.stdout).contains(&expected), "{output:?}");
    holder.wait_for(Message::ready);
    assert_eq!(holder.names(), ["kept"]);
}
