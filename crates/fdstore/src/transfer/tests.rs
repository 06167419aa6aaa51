use super::*;
use crate::{FdName, FdStore, Inherited, InsertOptions};
use proptest::prelude::*;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::os::fd::OwnedFd;
use std::time::Instant;

fn pair() -> (OwnedFd, OwnedFd) {
    socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap()
}

fn name(text: &str) -> FdName {
    FdName::new(text).unwrap()
}

/// Sockets, all different.
fn store(count: usize) -> FdStore {
    let mut store = FdStore::new();
    for number in 0..count {
        let fd = rustix::net::socket(AddressFamily::UNIX, SocketType::DGRAM, None).unwrap();
        let owner = if number % 3 == 0 { "a" } else { "b" };
        store
            .insert(owner, &name("x"), fd, InsertOptions::default())
            .unwrap();
    }
    store
}

/// Lets both go on in turns, until both are over or one has failed; at most `steps` turns.
fn drive(
    sender: &mut Sender,
    receiver: &mut Receiver,
    store: &FdStore,
    steps: usize,
) -> (Result<Progress, TransferError>, Result<Progress, TransferError>) {
    for _ in 0..steps {
        let both = (sender.advance(store), receiver.advance());
        match &both {
            (Ok(Progress::Done), Ok(Progress::Done)) | (Err(_), _) | (_, Err(_)) => return both,
            _ => {}
        }
    }
    (sender.advance(store), receiver.advance())
}

fn identities(inherited: &Inherited) -> Vec<(EntryId, crate::Identity)> {
    let entries = inherited.store.entries();
    entries
        .map(|entry| (entry.id(), entry.identity().clone()))
        .collect()
}

#[test]
fn everything_comes_over_in_its_order() {
    let store = store(600);
    let (ours, theirs) = pair();
    let mut sender = Sender::new(ours, &store).unwrap();
    let mut receiver = Receiver::new(theirs).unwrap();
    let ended = drive(&mut sender, &mut receiver, &store, 100);
    assert!(
        matches!(ended, (Ok(Progress::Done), Ok(Progress::Done))),
        "{ended:?}"
    );
    let outcome = sender.finish();
    assert_eq!((outcome.accepted.len(), outcome.refused.len()), (600, 0));
    let inherited = receiver.finish();
    assert!(inherited.quarantined.is_empty());
    let before: Vec<_> = store
        .entries()
        .map(|entry| (entry.id(), entry.identity().clone()))
        .collect();
    assert_eq!(identities(&inherited), before);
    assert_eq!(inherited.store.count("a"), store.count("a"));
}

#[test]
fn an_empty_store_is_a_store() {
    let store = FdStore::new();
    let (ours, theirs) = pair();
    let mut sender = Sender::new(ours, &store).unwrap();
    let mut receiver = Receiver::new(theirs).unwrap();
    let ended = drive(&mut sender, &mut receiver, &store, 10);
    assert!(
        matches!(ended, (Ok(Progress::Done), Ok(Progress::Done))),
        "{ended:?}"
    );
}

#[test]
fn what_the_receiver_refuses_and_what_left_meanwhile_stay_with_their_reason() {
    let mut store = store(9);
    let ids: Vec<EntryId> = store.entries().map(crate::Entry::id).collect();
    let (ours, theirs) = pair();
    let mut sender = Sender::new(ours, &store).unwrap();
    let mut receiver =
        Receiver::new(theirs)
            .unwrap()
            .filter(|entry, accepted| match (entry.owner(), accepted) {
                ("a", _) => Err("a is not allowed".to_owned()),
                (_, 4..) => Err("four are enough".to_owned()),
                _ => Ok(()),
            });
    // The last one leaves before it is sent.
    let last = *ids.last().unwrap();
    store.remove(last);
    let ended = drive(&mut sender, &mut receiver, &store, 10);
    assert!(
        matches!(ended, (Ok(Progress::Done), Ok(Progress::Done))),
        "{ended:?}"
    );
    let outcome = sender.finish();
    assert_eq!(outcome.accepted.len(), 4);
    let count = |part: &str| {
        outcome
            .refused
            .iter()
            .filter(|(_, reason)| reason.contains(part))
            .count()
    };
    assert_eq!(
        (
            count("not allowed"),
            count("four are enough"),
            count("left the store")
        ),
        (3, 1, 1)
    );
    let inherited = receiver.finish();
    assert_eq!(inherited.store.entries().count(), 4);
    assert_eq!(inherited.quarantined.len(), 5);
    assert!(inherited.quarantined.iter().all(|aside| aside.fd.is_none()));
}

#[test]
fn only_what_is_wanted_goes() {
    let store = store(9);
    let (ours, theirs) = pair();
    let mut sender = Sender::some(ours, &store, |entry| entry.owner() == "a").unwrap();
    let mut receiver = Receiver::new(theirs).unwrap();
    drive(&mut sender, &mut receiver, &store, 10).0.unwrap();
    let inherited = receiver.finish();
    assert_eq!((inherited.store.count("a"), inherited.store.count("b")), (3, 0));
}

#[test]
fn another_type_of_socket_is_refused() {
    let (ours, _theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    let refused = Sender::new(ours, &FdStore::new());
    assert!(matches!(refused, Err(TransferError::SocketType)));
}

#[test]
fn a_peer_that_does_not_answer_costs_no_more_than_the_deadline() {
    let store = store(3);
    let (ours, _theirs) = pair();
    let mut sender = Sender::new(ours, &store).unwrap();
    let ended = sender.run(&store, Some(Instant::now()));
    assert!(matches!(ended, Err(TransferError::Deadline)), "{ended:?}");
}

/// Plays the sender by hand.
fn receive(packets: &[(&str, Vec<OwnedFd>)]) -> (Result<Progress, TransferError>, Inherited) {
    let (ours, theirs) = pair();
    let mut receiver = Receiver::new(theirs).unwrap();
    let mut result = Ok(Progress::Done);
    for (text, fds) in packets {
        send(&ours, text.as_bytes(), fds);
        result = receiver.advance();
        if result.is_err() {
            break;
        }
    }
    (result, receiver.finish())
}

fn send(socket: &OwnedFd, bytes: &[u8], fds: &[OwnedFd]) {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    use std::os::fd::AsFd as _;
    let fds: Vec<_> = fds.iter().map(|fd| fd.as_fd()).collect();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(fds.is_empty() || ancillary.push(SendAncillaryMessage::ScmRights(&fds)));
    let bytes = [std::io::IoSlice::new(bytes)];
    sendmsg(socket, &bytes, &mut ancillary, SendFlags::NOSIGNAL).unwrap();
}

const HELLO: &str = r#"{"hello":{"version":1}}"#;

fn manifest_of(store: &FdStore) -> OwnedFd {
    let entries: Vec<_> = store.entries().map(|entry| &entry.record).zip(0..).collect();
    crate::manifest::write(9, &entries, &store.unknown).unwrap()
}

#[test]
fn a_sender_that_breaks_the_protocol_is_told_apart() {
    let file = || OwnedFd::from(tempfile::tempfile().unwrap());
    let good = || vec![manifest_of(&store(1))];
    let batch = r#"{"batch":{"number":0,"positions":[0]}}"#;
    for (packets, part) in [
        (vec![("{", vec![])], "cannot be decoded"),
        (vec![("[]", vec![])], "cannot be decoded"),
        (vec![(r#"{"strange":{}}"#, vec![])], "cannot be decoded"),
        (vec![(batch, vec![])], "out of turn"),
        (vec![(HELLO, vec![])], "0 descriptors"),
        (vec![(HELLO, vec![file(), file()])], "2 descriptors"),
        (vec![(HELLO, vec![file()])], "not sealed"),
        (vec![(r#"{"hello":{"version":2}}"#, good())], "version 2"),
        (vec![(HELLO, good()), (HELLO, good())], "out of turn"),
        (vec![(HELLO, good()), (r#"{"done":{}}"#, vec![])], "out of turn"),
    ] {
        let (result, inherited) = receive(&packets);
        let error = result.unwrap_err().to_string();
        assert!(error.contains(part), "{part}: {error}");
        assert_eq!(inherited.store.entries().count(), 0);
    }
    let long = format!("\"{}\"", "x".repeat(70_000));
    let (result, _) = receive(&[(&long, vec![])]);
    assert!(result.unwrap_err().to_string().contains("longer"));
}

#[test]
fn descriptors_that_are_not_what_they_claim_or_come_twice_are_refused() {
    let store = store(2);
    let right = || store.entries().next().unwrap().fd().try_clone_to_owned().unwrap();
    let wrong = OwnedFd::from(tempfile::tempfile().unwrap());
    let batch = |positions: &str| format!(r#"{{"batch":{{"number":0,"positions":{positions}}}}}"#);
    let (first, second) = (batch("[0,1,7]"), batch("[0]"));
    let (result, inherited) = receive(&[
        (HELLO, vec![manifest_of(&store)]),
        (&first, vec![right(), wrong, right()]),
        (&second, vec![right()]),
        // One announced and not sent.
        (&second, vec![]),
    ]);
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(inherited.store.entries().count(), 1);
    let reasons: Vec<&str> = inherited
        .quarantined
        .iter()
        .map(|aside| aside.reason.as_str())
        .collect();
    assert_eq!(reasons, ["it was a socket unix datagram, it is a file"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Wherever one side goes away, everything is with the sender, and what the sender takes for accepted is with the
    /// receiver.
    #[test]
    fn a_cut_anywhere_loses_nothing(count in 0..700_usize, steps in 0..12_usize, sender_goes: bool) {
        let store = store(count);
        let (ours, theirs) = pair();
        let mut sender = Sender::new(ours, &store).unwrap();
        let mut receiver = Receiver::new(theirs).unwrap();
        drive(&mut sender, &mut receiver, &store, steps).0.unwrap();
        let (outcome, inherited) = if sender_goes {
            let outcome = sender.finish();
            while let Ok(Progress::Pending(_)) = receiver.advance() {}
            (outcome, receiver.finish())
        } else {
            let inherited = receiver.finish();
            while let Ok(Progress::Pending(_)) = sender.advance(&store) {}
            (sender.finish(), inherited)
        };
        prop_assert_eq!(store.entries().count(), count);
        prop_assert!(outcome.refused.is_empty());
        for id in outcome.accepted {
            let identity = store.entry(id).map(|entry| entry.identity());
            prop_assert_eq!(inherited.store.entry(id).map(|entry| entry.identity()), identity);
        }
    }
}
