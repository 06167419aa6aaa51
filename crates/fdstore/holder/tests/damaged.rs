//! What comes over an upgrade is damaged: the clients' descriptors stay, whatever else is lost.
//!
//! This program runs itself as a child, which makes a store with a bad state and executes fdstored with it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers are part of the tests; what goes wrong in them fails a test"
)]

mod common;

use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::Command;

use common::{Holder, OWN, directory, memfd, text};
use fdstore::{FdName, FdStore, InsertOptions, Program};
use holder::api::owner_of;

const DAMAGE: &str = "FDSTORED_TEST_DAMAGE";
const SOCKETS_CAME: &str = "no state, but sockets";
/// What is wrong, and the state that says so.
const KINDS: [(&str, Option<&str>); 5] = [
    ("none", None),
    (SOCKETS_CAME, Some("[]")),
    ("no JSON", Some("{\"listener\":")),
    ("no sockets", Some("{\"listener\":0,\"notify\":99999}")),
    // The numbers are those of clients' entries: a state must not be able to take them away.
    (
        "others' entries",
        Some(
            "{\"listener\":1,\"notify\":2,\"clients\":[{\"socket\":1,\"fds\":[2],\"connection\":{\"connection\":{\"peer\":\
             {\"pid\":1,\"uid\":0,\"gid\":0},\"input\":[],\"output\":[],\"outstanding\":null},\"taken\":0,\
             \"arrivals\":[[0,1,false]],\"sent\":0,\"departures\":[]}}]}",
        ),
    ),
];

fn main() {
    match std::env::var(DAMAGE) {
        Ok(kind) => child(&kind),
        Err(_) => {
            for (kind, _) in KINDS {
                parent(kind);
                println!("test damaged_state: {kind} ... ok");
            }
            println!(
                "\ntest result: ok. {} passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
                KINDS.len()
            );
        }
    }
}

fn parent(kind: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(DAMAGE, kind);
    let mut holder = Holder::start_command(command, OWN, directory());
    let log = holder.log();
    let anew = log.contains("binding them anew");
    assert_eq!(anew, kind != SOCKETS_CAME, "{kind}: {log}");
    assert_eq!(holder.names(), ["first", "second"], "{kind}: {log}");
    let (_, fds) = holder.client().get("second").unwrap();
    let mut client = holder.client();
    client.put("third", &fds[0]).unwrap();
    let contents = holder.ctl(&["get", "first", "--to-stdout"]);
    assert_eq!(text(&contents.stdout), "first", "{kind}: {contents:?}");
    // And from there on all is well.
    assert_eq!(holder.ctl(&["upgrade"]).status.code(), Some(0), "{kind}");
    holder.wait_for(fdstore::notify::Message::ready);
    assert_eq!(holder.names(), ["first", "second"], "{kind}");
}

fn child(kind: &str) {
    let mut store = FdStore::new();
    let owner = owner_of(rustix::process::geteuid().as_raw());
    for name in ["first", "second"] {
        let fd_name = FdName::new(name).unwrap();
        store
            .insert(&owner, &fd_name, memfd(name), InsertOptions::default())
            .unwrap();
    }
    if kind == SOCKETS_CAME {
        let argument = |wanted: &str| std::env::args().skip_while(|one| one != wanted).nth(1).unwrap();
        let name = FdName::new("socket").unwrap();
        let listener = UnixListener::bind(argument("--socket")).unwrap();
        let notify = UnixDatagram::bind(argument("--notify-socket")).unwrap();
        softboot_sys::recv::pass_credentials(notify.as_fd()).unwrap();
        notify.set_nonblocking(true).unwrap();
        listener.set_nonblocking(true).unwrap();
        for fd in [notify.into(), listener.into()] {
            store
                .insert("fdstored", &name, fd, InsertOptions::default())
                .unwrap();
        }
    }
    let (_, state) = KINDS.iter().find(|(name, _)| *name == kind).unwrap();
    if let Some(state) = state {
        store.put_state("fdstored", "state", state.as_bytes()).unwrap();
    }
    let program = std::env::args_os()
        .skip(1)
        .fold(Program::new(common::fdstored()), Program::arg);
    panic!("{}", store.handoff().unwrap().exec_program(&program));
}
