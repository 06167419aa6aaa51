//! Put, Get, List, Remove and Watch against a real fdstored.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers are part of the tests; what goes wrong in them fails a test"
)]

mod common;

use std::net::TcpListener;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Duration;

use common::{Holder, OWN, directory, entry, fdstorectl, identity, install, is_root, memfd, same, text};
use fdstore::FdName;
use holder::api::{GetReply, NewEntry, RemoveReply, Request};

#[test]
fn what_was_put_is_what_is_got() {
    let holder = Holder::start(OWN);
    let mut client = holder.client();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let contents = memfd("contents");
    let stored = client.put("http", &listener).unwrap();
    assert!((stored.watched, stored.duplicate) == (true, false));
    assert!(
        !client.put("data", &contents).unwrap().watched,
        "a memfd cannot hang up"
    );
    // Another client of the same user, later.
    let (entries, fds) = holder.client().get("http").unwrap();
    assert_eq!(entries[0].cookie, identity(&listener).cookie());
    assert_eq!(identity(&fds[0]), identity(&listener));
    assert!(same(&fds[0], &listener));
    let (entries, fds) = client.get("data").unwrap();
    assert_eq!((entries[0].index, entries[0].kind.as_str()), (Some(0), "memfd"));
    assert!(same(&fds[0], &contents));
    assert_eq!(holder.names(), ["http", "data"]);
    assert_eq!(client.get("nothing").unwrap_err(), "NoSuchEntry");
}

#[test]
fn labels_and_expiry_come_with_the_entry() {
    let holder = Holder::start(&format!("default_expiry = \"1h\"\n{OWN}"));
    let mut client = holder.client();
    let fd = memfd("x");
    let labelled = NewEntry {
        labels: Some([("version".to_owned(), "7".to_owned())].into()),
        expires_in_usec: Some(0),
        ..entry("a", 0)
    };
    client.put_all(vec![labelled], &[fd.as_fd()]).unwrap();
    client.put("b", memfd("y")).unwrap();
    let list = holder.list();
    assert_eq!(list[0].labels["version"], "7");
    assert_eq!(list[0].expires_in_usec, None, "0 is never");
    assert!(list[1].expires_in_usec.is_some_and(|usec| usec <= 3_600_000_000));
    let too_many = NewEntry {
        labels: Some([("k".to_owned(), "v".repeat(2_000))].into()),
        ..entry("c", 0)
    };
    assert_eq!(
        client.put_all(vec![too_many], &[memfd("z").as_fd()]).unwrap_err(),
        "InvalidParameter"
    );
}

#[test]
fn the_same_description_twice_keeps_its_first_name() {
    let holder = Holder::start(OWN);
    let mut client = holder.client();
    let fd = memfd("x");
    let first = client.put("first", &fd).unwrap();
    let second = client.put("second", &fd).unwrap();
    assert_eq!(
        (second.id, second.name.as_str(), second.duplicate),
        (first.id, "first", true)
    );
    assert_eq!(holder.names(), ["first"]);
}

#[test]
fn a_put_stores_all_or_nothing() {
    let holder = Holder::start(&format!("[limits]\nentries_per_uid = 3\n{OWN}"));
    let mut client = holder.client();
    client.put("kept", memfd("x")).unwrap();
    let before = holder.open();
    let fds: Vec<OwnedFd> = (0..3).map(|n| memfd(&n.to_string())).collect();
    let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(|fd| fd.as_fd()).collect();
    let entries: Vec<NewEntry> = (0..3).map(|index| entry("many", index)).collect();
    assert_eq!(
        client.put_all(entries.clone(), &borrowed).unwrap_err(),
        "QuotaExceeded"
    );
    assert_eq!(holder.names(), ["kept"]);
    holder.wait_for_open(before);
    client.put_all(entries[..2].to_vec(), &borrowed[..2]).unwrap();
    assert_eq!(holder.names(), ["kept", "many", "many"]);
}

#[test]
fn wrong_calls_are_refused_and_leak_nothing() {
    let holder = Holder::start(OWN);
    let mut client = holder.client();
    // It is accepted when it has its first answer.
    assert!(client.list(None).is_empty());
    let before = holder.open();
    let (a, b) = (memfd("a"), memfd("b"));
    let both = [a.as_fd(), b.as_fd()];
    let mut put = |entries: Vec<NewEntry>, fds: &[BorrowedFd<'_>]| client.put_all(entries, fds).unwrap_err();
    assert_eq!(put(vec![entry("x", 0)], &both), "InvalidParameter");
    assert_eq!(put(vec![entry("x", 0), entry("y", 0)], &both), "InvalidParameter");
    assert_eq!(put(vec![entry("x", 0), entry("y", 2)], &both), "InvalidParameter");
    assert_eq!(put(vec![entry("a:b", 0)], &both[..1]), "InvalidParameter");
    assert_eq!(put(vec![], &[]), "InvalidParameter");
    let list = Request::List {
        patterns: None,
        owner: Some("nobody".to_owned()),
        after: None,
    };
    // Descriptors that no call wants are closed.
    assert_eq!(
        client.call::<serde_json::Value>(&list, &both).unwrap_err(),
        "InvalidParameter"
    );
    let watch = Request::Watch {
        patterns: None,
        owner: None,
    };
    assert_eq!(
        client.call::<serde_json::Value>(&watch, &[]).unwrap_err(),
        "ExpectedMore"
    );
    holder.wait_for_open(before);
    assert_eq!(holder.names(), Vec::<String>::new());
}

#[test]
fn the_limit_of_all_owners_holds_for_one() {
    let holder = Holder::start(&format!("[limits]\nentries = 2\n{OWN}"));
    let mut client = holder.client();
    for name in ["a", "b"] {
        client.put(name, memfd(name)).unwrap();
    }
    assert_eq!(client.put("c", memfd("c")).unwrap_err(), "QuotaExceeded");
    client.remove("a").unwrap();
    // The closing thread may not be done yet, and what it has still counts.
    while client.put("c", memfd("c")).is_err() {}
    assert_eq!(holder.names(), ["b", "c"]);
}

#[test]
fn taking_leaves_nothing_behind() {
    let holder = Holder::start(OWN);
    let mut client = holder.client();
    let fd = memfd("x");
    for _ in 0..2 {
        client.put("x", fd.try_clone().unwrap()).unwrap();
    }
    client.put("x", memfd("y")).unwrap();
    let take = Request::Get {
        names: Some(vec!["x".to_owned()]),
        ids: None,
        take: Some(true),
        owner: None,
    };
    let (reply, fds): (GetReply, _) = client.call(&take, &[]).unwrap();
    assert_eq!((reply.entries.len(), fds.len()), (2, 2));
    assert!(same(&fds[0], &fd), "oldest first");
    assert!(holder.list().is_empty());
}

#[test]
fn what_hangs_up_leaves_unless_asked_to_stay() {
    let holder = Holder::start(OWN);
    let mut watcher = holder.client();
    watcher.watch();
    let mut client = holder.client();
    let (a, b) = UnixStream::pair().unwrap();
    client.put("goes", &a).unwrap();
    drop(a);
    let (c, d) = UnixStream::pair().unwrap();
    let stays = NewEntry {
        poll: Some(false),
        ..entry("stays", 0)
    };
    client.put_all(vec![stays], &[c.as_fd()]).unwrap();
    assert_eq!(watcher.event(), ("Put".to_owned(), Some("goes".to_owned())));
    assert_eq!(watcher.event(), ("Put".to_owned(), Some("stays".to_owned())));
    drop(d);
    drop(b);
    assert_eq!(watcher.event(), ("Hangup".to_owned(), Some("goes".to_owned())));
    assert_eq!(holder.names(), ["stays"]);
    client.remove("stays").unwrap();
    assert_eq!(watcher.event(), ("Removed".to_owned(), Some("stays".to_owned())));
}

#[test]
fn what_has_had_its_time_leaves() {
    let holder = Holder::start(OWN);
    let mut watcher = holder.client();
    watcher.watch();
    let soon = NewEntry {
        expires_in_usec: Some(30_000),
        ..entry("soon", 0)
    };
    let fd = memfd("x");
    holder.client().put_all(vec![soon], &[fd.as_fd()]).unwrap();
    holder.client().put("later", memfd("y")).unwrap();
    let events: Vec<_> = (0..3).map(|_| watcher.event()).collect();
    assert!(events.contains(&("Expired".to_owned(), Some("soon".to_owned()))));
    assert_eq!(holder.names(), ["later"]);
}

#[test]
fn a_long_list_comes_in_pages() {
    let holder = Holder::start(&format!("[limits]\nunsent_bytes = 65536\n{OWN}"));
    let mut client = holder.client();
    let fds: Vec<OwnedFd> = (0..200).map(|n| memfd(&n.to_string())).collect();
    let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(|fd| fd.as_fd()).collect();
    let entries = (0..200).map(|n| entry(&format!("{n:0>200}"), n)).collect();
    client.put_all(entries, &borrowed).unwrap();
    let list = client.list(None);
    assert_eq!(list.len(), 200);
    assert!(list.windows(2).all(|pair| pair[0].id < pair[1].id));
    let names = list.iter().map(|entry| entry.name.clone()).collect();
    let all = Request::Get {
        names: Some(names),
        ids: None,
        take: Some(true),
        owner: None,
    };
    // It would not fit into what may wait for one client, and nothing is taken.
    assert_eq!(client.call::<GetReply>(&all, &[]).unwrap_err(), "QuotaExceeded");
    assert_eq!(holder.list().len(), 200);
}

#[test]
fn notifications_store_under_the_sender_and_a_barrier_waits_for_them() {
    let holder = Holder::start(OWN);
    let mut watcher = holder.client();
    watcher.watch();
    let notifier = holder.notifier();
    let (kept, _peer) = UnixStream::pair().unwrap();
    let name = FdName::new("kept").unwrap();
    notifier.store_fd(&name, kept.as_fd()).unwrap();
    notifier
        .store_fd(&FdName::new("also").unwrap(), memfd("x").as_fd())
        .unwrap();
    notifier.barrier(Duration::from_secs(60)).unwrap();
    assert_eq!(holder.names(), ["kept", "also"]);
    let (entries, fds) = holder.client().get("kept").unwrap();
    assert!(same(&fds[0], &kept) && entries[0].poll);
    assert_eq!(
        entries[0].owner,
        format!("uid:{}", rustix::process::geteuid().as_raw())
    );
    notifier.remove_fd(&name).unwrap();
    notifier.barrier(Duration::from_secs(60)).unwrap();
    assert_eq!(holder.names(), ["also"]);
    let events: Vec<String> = (0..3).map(|_| watcher.event().0).collect();
    assert_eq!(events, ["Put", "Put", "Removed"]);
}

#[test]
fn what_no_rule_allows_is_refused_on_both_sockets() {
    let own = "[[allow]]\nself = true\nnames = [\"web-*\"]\nverbs = [\"put\", \"list\"]\n";
    let holder = Holder::start(own);
    let mut client = holder.client();
    client.put("web-1", memfd("x")).unwrap();
    assert_eq!(client.put("other", memfd("y")).unwrap_err(), "AccessDenied");
    assert_eq!(client.get("web-1").unwrap_err(), "AccessDenied");
    assert_eq!(
        client.get("web-2").unwrap_err(),
        "AccessDenied",
        "no word on whether it is there"
    );
    assert_eq!(client.remove("web-1").unwrap_err(), "AccessDenied");
    let watch = Request::Watch {
        patterns: None,
        owner: None,
    };
    client.send(&watch, true);
    assert!(client.0.receive().is_err());
    let notifier = holder.notifier();
    notifier
        .store_fd(&FdName::new("other").unwrap(), memfd("z").as_fd())
        .unwrap();
    notifier.remove_fd(&FdName::new("web-1").unwrap()).unwrap();
    notifier.barrier(Duration::from_secs(60)).unwrap();
    assert_eq!(holder.names(), ["web-1"]);
    assert!(holder.log().contains("may not put other"), "{}", holder.log());
}

/// Runs fdstorectl as another user; needs root.
fn as_other(holder: &Holder, uid: u32, arguments: &[&str]) -> std::process::Output {
    use std::os::unix::process::CommandExt as _;
    let copy = holder.path("fdstorectl");
    if !copy.exists() {
        install(fdstorectl(), &copy);
    }
    std::process::Command::new(copy)
        .args(arguments)
        .env("FDSTORED_SOCKET", holder.path("varlink"))
        .uid(uid)
        .gid(uid)
        .output()
        .unwrap()
}

#[test]
fn another_user_has_a_store_of_its_own_and_only_what_rules_give_it() {
    if !is_root() {
        eprintln!("only root can be another user: not tested");
        return;
    }
    let rules = format!(
        "{OWN}[[allow]]\nuid = 54321\nnames = [\"mine*\", \"shared\"]\nverbs = [\"put\", \"get\", \"list\"]\n"
    );
    let holder = Holder::start(&rules);
    let mut root = holder.client();
    root.put("shared", memfd("of root")).unwrap();
    let stranger = as_other(&holder, 54322, &["list"]);
    assert_eq!(stranger.status.code(), Some(1));
    assert!(
        text(&stranger.stderr).contains("no [[allow]] rule"),
        "{stranger:?}"
    );
    let other = |arguments: &[&str]| as_other(&holder, 54321, arguments);
    assert_eq!(
        other(&["get", "shared"]).status.code(),
        Some(4),
        "names are each owner's own"
    );
    assert_eq!(
        other(&["put", "mine-1", "--content", "/etc/passwd"])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(
        other(&["put", "else", "--content", "/etc/passwd"]).status.code(),
        Some(1)
    );
    assert_eq!(
        other(&["rm", "mine-1"]).status.code(),
        Some(1),
        "nobody allowed removing"
    );
    assert_eq!(
        other(&["list", "--owner", "0"]).status.code(),
        Some(1),
        "only root may act for another"
    );
    assert_eq!(other(&["list", "--all"]).status.code(), Some(1));
    assert_eq!(other(&["upgrade"]).status.code(), Some(1));
    assert_eq!(
        root.list(Some("uid:54321"))
            .iter()
            .map(|entry| entry.name.as_str())
            .collect::<Vec<_>>(),
        ["mine-1"]
    );
    assert_eq!(root.list(Some("*")).len(), 2);
    let remove = Request::Remove {
        names: Some(vec!["mine-1".to_owned()]),
        ids: None,
        owner: Some("uid:54321".to_owned()),
    };
    let (reply, _): (RemoveReply, _) = root.call(&remove, &[]).unwrap();
    assert_eq!(reply.removed, 1);
}

#[test]
fn sockets_can_be_passed_instead_of_bound() {
    use std::os::unix::net::UnixListener;
    let outer = Holder::start(OWN);
    let place = directory();
    let path = |name: &str| place.path().join(name);
    let mut client = outer.client();
    client
        .put("varlink", UnixListener::bind(path("v")).unwrap())
        .unwrap();
    client
        .put("notify", UnixDatagram::bind(path("n")).unwrap())
        .unwrap();
    std::fs::write(path("config"), OWN).unwrap();
    let mut inner = outer
        .ctl_command(&["exec", "varlink", "notify", "--"])
        .arg(common::fdstored())
        .arg("--config")
        .arg(path("config"))
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // The socket is there before the program is; the call waits for it.
    let mut own = common::Caller(softboot_varlink::client::Client::connect(&path("v")).unwrap());
    own.put("inner", memfd("x")).unwrap();
    let notifier = fdstore::notify::Notifier::connect(path("n").into_os_string()).unwrap();
    notifier
        .store_fd(&FdName::new("told").unwrap(), memfd("y").as_fd())
        .unwrap();
    notifier.barrier(Duration::from_secs(60)).unwrap();
    let names: Vec<_> = own.list(None).into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["inner", "told"]);
    // What was passed once is not looked for again by the next program.
    let (reply, _): (holder::api::UpgradeReply, _) = own.call(&Request::Upgrade {}, &[]).unwrap();
    assert_eq!((reply.entries, reply.connections), (2, 1));
    assert_eq!(own.list(None).len(), 2);
    assert_eq!(outer.names(), ["varlink", "notify"]);
    inner.kill().unwrap();
    inner.wait().unwrap();
}
