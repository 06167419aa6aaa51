//! Transfers to another process: ten thousand descriptors, a receiver with too few numbers, one that dies.
//!
//! This program runs itself as the receiver, which prints what it got.

mod common;

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use common::{Outcome as Checked, Test, exit, expect, open_now, run, text};
use fdstore::transfer::{Outcome, Receiver, Sender, TransferError};
use fdstore::{FdName, FdStore, InsertOptions};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const ROLE: &str = "FDSTORE_TEST_RECEIVER";
/// A sender of its own, with a receiver of its own.
const CROWDED: &str = "crowded";
const LIMIT: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let tests: [(&str, Test); 5] = [
        ("ten_thousand_descriptors_cross_and_are_verified", ten_thousand),
        (
            "a_receiver_without_numbers_refuses_and_nothing_is_lost",
            few_numbers,
        ),
        ("a_receiver_that_dies_costs_nothing", dies),
        ("others_may_have_all_that_may_be_in_flight", in_flight),
        ("a_socket_in_its_own_store_is_no_obstacle", itself),
    ];
    match std::env::var(ROLE) {
        Ok(role) => exit(receiver(&role)),
        Err(_) => run(&tests, open_now),
    }
}

fn filled(count: usize) -> Result<FdStore, String> {
    let hard = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: hard,
        maximum: hard,
    };
    setrlimit(Resource::Nofile, limit).map_err(text)?;
    let mut store = FdStore::new();
    let name = FdName::new("connection").map_err(text)?;
    for _ in 0..count {
        let flags = SocketFlags::CLOEXEC;
        let fd =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(text)?;
        store
            .insert("me", &name, fd, InsertOptions::default())
            .map_err(text)?;
    }
    Ok(store)
}

/// Sends the store to a child with this role. What came of it, and what the child says.
fn transfer(store: &FdStore, role: &str) -> Result<(Result<(), TransferError>, Outcome, String), String> {
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(text)?;
    let child = Command::new("/proc/self/exe")
        .env(ROLE, role)
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::piped())
        .spawn()
        .map_err(text)?;
    let mut sender = Sender::new(ours, store).map_err(text)?;
    let deadline = Instant::now().checked_add(LIMIT);
    let result = sender.run(store, deadline);
    let outcome = sender.finish();
    let output = child.wait_with_output().map_err(text)?;
    Ok((
        result,
        outcome,
        String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    ))
}

/// The kernel counts descriptors in flight for each user, root's not. So this goes on as another user.
fn in_flight() -> Checked {
    let mut command = Command::new("/proc/self/exe");
    command.env(ROLE, CROWDED);
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let status = command.status().map_err(text)?;
    expect(status.success(), || status.to_string())
}

/// A user with more in flight than a process may have open (unix(7), ETOOMANYREFS), until somebody fetches them.
fn crowded() -> Checked {
    const LIMIT_OF_USER: u64 = 450;
    let store = filled(390)?;
    let limit = Rlimit {
        current: Some(LIMIT_OF_USER),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    setrlimit(Resource::Nofile, limit).map_err(text)?;
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(text)?;
    let fds: Vec<_> = store.entries().map(fdstore::Entry::fd).take(253).collect();
    for _ in 0..2 {
        park(&ours, &fds)?;
    }
    let refused = park(&ours, &fds);
    expect(refused.is_err(), || {
        "the kernel does not count what is in flight".to_owned()
    })?;
    let fetch = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(150));
        // Closed, they are in flight no more.
        drop(theirs);
    });
    let (result, outcome, said) = transfer(&store, "all")?;
    fetch.join().map_err(|_| "a panic")?;
    result.map_err(text)?;
    expect(outcome.accepted.len() == 390, || {
        format!("{} were accepted", outcome.accepted.len())
    })?;
    expect(said == "390 0", || said.clone())
}

fn park(socket: &OwnedFd, fds: &[BorrowedFd<'_>]) -> Checked {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(fds));
    let bytes = [std::io::IoSlice::new(b"x")];
    sendmsg(socket, &bytes, &mut ancillary, SendFlags::DONTWAIT)
        .map(drop)
        .map_err(text)
}

/// The other process: receives over standard input.
fn receiver(role: &str) -> Checked {
    if role == CROWDED {
        return crowded();
    }
    if let Some(limit) = role.strip_prefix("limit-") {
        let current: u64 = limit.parse().map_err(text)?;
        let maximum = getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit {
            current: Some(current),
            maximum,
        };
        setrlimit(Resource::Nofile, limit).map_err(text)?;
    }
    let socket: OwnedFd = std::io::stdin().as_fd().try_clone_to_owned().map_err(text)?;
    let mut receiver = Receiver::new(socket).map_err(text)?;
    if let Some(count) = role.strip_prefix("die-") {
        let count: usize = count.parse().map_err(text)?;
        let mut receiver = receiver.filter(move |_, accepted| {
            if accepted == count {
                std::process::exit(0);
            }
            Ok(())
        });
        return receiver.run(None).map_err(text);
    }
    receiver.run(Instant::now().checked_add(LIMIT)).map_err(text)?;
    let inherited = receiver.finish();
    println!(
        "{} {}",
        inherited.store.entries().count(),
        inherited.quarantined.len()
    );
    Ok(())
}

fn ten_thousand() -> Checked {
    let store = filled(10_000)?;
    let (result, outcome, said) = transfer(&store, "all")?;
    result.map_err(text)?;
    let ids: Vec<_> = store.entries().map(fdstore::Entry::id).collect();
    expect(outcome.accepted == ids, || {
        "not all were accepted, or in another order".to_owned()
    })?;
    expect(outcome.refused.is_empty(), || "something was refused".to_owned())?;
    expect(said == "10000 0", || said.clone())
}

fn few_numbers() -> Checked {
    let store = filled(1_000)?;
    let (result, outcome, said) = transfer(&store, "limit-300")?;
    result.map_err(text)?;
    let (accepted, refused) = (outcome.accepted.len(), outcome.refused.len());
    expect(accepted + refused == 1_000, || {
        "not every descriptor was decided on".to_owned()
    })?;
    expect((200..300).contains(&accepted), || {
        format!("{accepted} were accepted")
    })?;
    expect(
        outcome
            .refused
            .iter()
            .all(|(_, reason)| reason.contains("RLIMIT_NOFILE")),
        || "a refusal has another reason".to_owned(),
    )?;
    expect(said == format!("{accepted} {refused}"), || said.clone())?;
    expect(store.entries().count() == 1_000, || {
        "the sender has lost something".to_owned()
    })
}

fn dies() -> Checked {
    let store = filled(2_000)?;
    let (result, outcome, _) = transfer(&store, "die-700")?;
    expect(matches!(result, Err(TransferError::Gone)), || {
        format!("{result:?}")
    })?;
    // It died in the third batch, so at most two are acknowledged.
    expect(outcome.accepted.len() <= 506, || {
        "more were accepted than were received".to_owned()
    })?;
    expect(store.entries().count() == 2_000, || {
        "the sender has lost something".to_owned()
    })
}

/// A store may hold the very socket that it crosses over.
fn itself() -> Checked {
    let mut store = filled(1)?;
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(text)?;
    let name = FdName::new("line").map_err(text)?;
    let copy = ours.try_clone().map_err(text)?;
    expect(copy.as_raw_fd() != ours.as_raw_fd(), || {
        "a duplicate has a number of its own".to_owned()
    })?;
    store
        .insert("me", &name, copy, InsertOptions::default())
        .map_err(text)?;
    let other = std::thread::spawn(move || {
        let mut receiver = Receiver::new(theirs)?;
        receiver.run(Instant::now().checked_add(LIMIT))?;
        Ok::<_, TransferError>(receiver.finish())
    });
    let mut sender = Sender::new(ours, &store).map_err(text)?;
    sender
        .run(&store, Instant::now().checked_add(LIMIT))
        .map_err(text)?;
    drop(sender);
    let inherited = other.join().map_err(|_| "a panic")?.map_err(text)?;
    expect(inherited.store.entries().count() == 2, || {
        "not both came".to_owned()
    })
}
