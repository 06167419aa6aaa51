use super::*;
use crate::client::Client;
use crate::connection::Peer;
use proptest::prelude::*;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::net::UnixStream;

const PEER: Peer = Peer {
    pid: 1,
    uid: 0,
    gid: 0,
};

fn pair() -> (Client, UnixStream, FdConnection) {
    let (client, server) = UnixStream::pair().unwrap();
    (
        Client::from_stream(client),
        server,
        FdConnection::new(Connection::new(PEER)),
    )
}

fn files(count: usize) -> Vec<File> {
    (0..count).map(|_| tempfile()).collect()
}

fn tempfile() -> File {
    // Each open makes a description of its own.
    File::open("/proc/self/exe").unwrap()
}

fn same(a: &OwnedFd, b: &File) -> bool {
    softboot_sys::kcmp::same_file(a.as_fd(), b.as_fd()).unwrap()
}

fn borrowed(files: &[File]) -> Vec<BorrowedFd<'_>> {
    files.iter().map(|file| file.as_fd()).collect()
}

#[test]
fn descriptors_belong_to_the_message_that_they_were_sent_with() {
    let (mut client, server, mut connection) = pair();
    let own = files(3);
    client.send("a.None", &(), false, &[]).unwrap();
    client.send("a.Two", &(), false, &borrowed(&own[..2])).unwrap();
    client.send("a.None", &(), false, &[]).unwrap();
    client.send("a.One", &(), false, &borrowed(&own[2..])).unwrap();
    while connection.read_from(server.as_fd()).unwrap() == ReadOutcome::Progress {}
    let mut seen = Vec::new();
    while let Some(call) = connection.next_call().unwrap() {
        assert_eq!(call.refusal, None);
        seen.push((call.call.method, call.fds));
        connection.reply(&(), Vec::new()).unwrap();
    }
    let counts: Vec<_> = seen
        .iter()
        .map(|(method, fds)| (method.as_str(), fds.len()))
        .collect();
    assert_eq!(counts, [("a.None", 0), ("a.Two", 2), ("a.None", 0), ("a.One", 1)]);
    assert!(same(&seen[1].1[0], &own[0]) && same(&seen[1].1[1], &own[1]) && same(&seen[3].1[0], &own[2]));
}

#[test]
fn replies_bring_their_descriptors_and_no_others() {
    let (mut client, server, mut connection) = pair();
    let own = files(3);
    for _ in 0..3 {
        client.send("a.Get", &(), false, &[]).unwrap();
    }
    connection.read_from(server.as_fd()).unwrap();
    for give in [&own[..1], &[], &own[1..]] {
        connection.next_call().unwrap().unwrap();
        let copies = give.iter().map(|file| file.try_clone().unwrap().into()).collect();
        connection.reply(&(), copies).unwrap();
    }
    while !connection.write_to(server.as_fd()).unwrap() {}
    let counts: Vec<usize> = (0..3).map(|_| client.receive().unwrap().fds.len()).collect();
    assert_eq!(counts, [1, 0, 2]);
    assert_eq!(connection.take_surplus().len(), 3, "sent ones are ours to close");
}

#[test]
fn a_message_with_too_many_descriptors_is_refused() {
    let (mut client, server, mut connection) = pair();
    let own = files(200);
    // Two pieces of one message, each with descriptors.
    send_with(
        client.stream().as_fd(),
        b"{\"method\":",
        &borrowed(&own),
        SendFlags::empty(),
    )
    .unwrap();
    send_with(
        client.stream().as_fd(),
        b"\"a.Put\"}\0",
        &borrowed(&own),
        SendFlags::empty(),
    )
    .unwrap();
    client.send("a.Fine", &(), false, &borrowed(&own[..1])).unwrap();
    for _ in 0..3 {
        connection.read_from(server.as_fd()).unwrap();
    }
    let call = connection.next_call().unwrap().unwrap();
    assert_eq!(call.refusal, Some(FdRefusal::TooMany(400)));
    connection.reply(&(), Vec::new()).unwrap();
    let call = connection.next_call().unwrap().unwrap();
    assert_eq!((call.refusal, call.fds.len()), (None, 1));
}

#[test]
fn no_more_than_a_bound_wait_for_a_message_to_end() {
    let (mut client, server, mut connection) = pair();
    let own = files(250);
    client.stream().write_all(b"{\"method\":\"").unwrap();
    for _ in 0..8 {
        send_with(client.stream().as_fd(), b"x", &borrowed(&own), SendFlags::empty()).unwrap();
        connection.read_from(server.as_fd()).unwrap();
        assert!(connection.arrivals.waiting() <= MAX_WAITING);
    }
    client.stream().write_all(b"\"}\0").unwrap();
    connection.read_from(server.as_fd()).unwrap();
    let call = connection.next_call().unwrap().unwrap();
    assert_eq!(call.refusal, Some(FdRefusal::Lost));
    assert_eq!(connection.take_surplus().len(), 4 * 250);
    connection.reply(&(), Vec::new()).unwrap();
    client.send("a.Next", &(), false, &[]).unwrap();
    connection.read_from(server.as_fd()).unwrap();
    assert_eq!(connection.next_call().unwrap().unwrap().refusal, None);
}

#[test]
fn a_client_that_sends_descriptors_for_ever_is_given_up() {
    let (client, server, mut connection) = pair();
    let own = files(1);
    let mut pieces = 0;
    let error = loop {
        send_with(client.stream().as_fd(), b"x", &borrowed(&own), SendFlags::empty()).unwrap();
        match connection.read_from(server.as_fd()) {
            Ok(_) => pieces += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ConnectionError::TooManyPieces(_)));
    assert_eq!(pieces, MAX_PIECES + 1);
    assert!(connection.arrivals.waiting() <= MAX_WAITING);
}

#[test]
fn half_a_message_with_descriptors_and_an_unsent_reply_cross_a_handoff() {
    let (mut client, server, mut connection) = pair();
    let own = files(2);
    client.send("a.Get", &(), false, &[]).unwrap();
    connection.read_from(server.as_fd()).unwrap();
    connection.next_call().unwrap().unwrap();
    connection
        .reply(&(), vec![own[0].try_clone().unwrap().into()])
        .unwrap();
    send_with(
        client.stream().as_fd(),
        b"{\"meth",
        &borrowed(&own[1..]),
        SendFlags::empty(),
    )
    .unwrap();
    connection.read_from(server.as_fd()).unwrap();

    let (state, fds) = connection.state();
    let text = serde_json::to_string(&state).unwrap();
    let copies: Vec<OwnedFd> = fds.iter().map(|fd| fd.try_clone_to_owned().unwrap()).collect();
    let state: FdConnectionState = serde_json::from_str(&text).unwrap();
    assert!(FdConnection::restore(state.clone(), Vec::new()).is_err());
    let mut connection = FdConnection::restore(state, copies).unwrap();

    client.stream().write_all(b"od\":\"a.Put\"}\0").unwrap();
    connection.read_from(server.as_fd()).unwrap();
    let call = connection.next_call().unwrap().unwrap();
    assert!(call.fds.len() == 1 && same(&call.fds[0], &own[1]));
    connection.write_to(server.as_fd()).unwrap();
    let reply = client.receive().unwrap();
    assert!(reply.fds.len() == 1 && same(&reply.fds[0], &own[0]));
}

#[test]
fn a_oneway_call_gets_no_descriptors() {
    let (client, server, mut connection) = pair();
    client
        .stream()
        .write_all(b"{\"method\":\"a.b\",\"oneway\":true}\0")
        .unwrap();
    connection.read_from(server.as_fd()).unwrap();
    connection.next_call().unwrap().unwrap();
    connection.reply(&(), vec![tempfile().into()]).unwrap();
    assert!(connection.write_to(server.as_fd()).unwrap());
    assert_eq!(connection.take_surplus().len(), 1);
}

#[test]
fn nothing_is_left_open_at_the_end() {
    let (mut client, server, mut connection) = pair();
    let own = files(2);
    client.send("a.Put", &(), false, &borrowed(&own[..1])).unwrap();
    connection.read_from(server.as_fd()).unwrap();
    connection.next_call().unwrap().unwrap();
    connection
        .reply(&(), vec![own[1].try_clone().unwrap().into()])
        .unwrap();
    client.send("a.Put", &(), false, &borrowed(&own[..1])).unwrap();
    connection.read_from(server.as_fd()).unwrap();
    assert_eq!(connection.into_descriptors().len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever the pieces, and whenever the server reads: each message gets its own descriptors, in their order.
    #[test]
    fn descriptors_find_their_messages_in_any_pieces(
        messages in proptest::collection::vec((0_usize..4, 0_usize..30, any::<bool>(), any::<bool>()), 1..12),
    ) {
        let (client, server, mut connection) = pair();
        let mut sent = Vec::new();
        let mut seen = Vec::new();
        let mut take = |connection: &mut FdConnection| {
            while let Some(call) = connection.next_call().unwrap() {
                assert_eq!(call.refusal, None);
                seen.push((call.call.method, call.fds));
                connection.reply(&(), Vec::new()).unwrap();
            }
        };
        for (number, (count, cut, read_between, read_after)) in messages.into_iter().enumerate() {
            let method = format!("a.Method{number}");
            let mut bytes = serde_json::to_vec(&serde_json::json!({ "method": method })).unwrap();
            bytes.push(0);
            let own = files(count);
            let (first, second) = bytes.split_at(cut.clamp(1, bytes.len()));
            let socket = client.stream().as_fd();
            send_with(socket, first, &borrowed(&own), SendFlags::empty()).unwrap();
            if read_between {
                connection.read_from(server.as_fd()).unwrap();
                take(&mut connection);
            }
            client.stream().write_all(second).unwrap();
            if read_after {
                connection.read_from(server.as_fd()).unwrap();
                take(&mut connection);
            }
            sent.push((method, own));
        }
        while connection.read_from(server.as_fd()).unwrap() == ReadOutcome::Progress {
            take(&mut connection);
        }
        prop_assert_eq!(sent.len(), seen.len());
        for ((method, own), (called, got)) in sent.iter().zip(&seen) {
            prop_assert_eq!(method, called);
            prop_assert_eq!(own.len(), got.len());
            prop_assert!(own.iter().zip(got).all(|(own, got)| same(got, own)));
        }
    }
}
