use super::*;

/// It is the entry that was there.
fn known(inserted: Inserted, id: EntryId) -> bool {
    matches!(inserted, Inserted::Duplicate(known, _) if known == id)
}
use std::fs::File;

fn name(text: &str) -> FdName {
    FdName::new(text).unwrap()
}

fn file() -> OwnedFd {
    tempfile::tempfile().unwrap().into()
}

fn dedup() -> InsertOptions {
    InsertOptions {
        deduplicate: true,
        ..InsertOptions::default()
    }
}

#[test]
fn the_order_is_the_order_of_insertion() {
    let mut store = FdStore::new();
    for text in ["c", "a", "b", "a"] {
        store
            .insert("o", &name(text), file(), InsertOptions::default())
            .unwrap();
    }
    store
        .insert("other", &name("x"), file(), InsertOptions::default())
        .unwrap();
    let names: Vec<_> = store.entries_of("o").map(|entry| entry.name().as_str()).collect();
    assert_eq!(names, ["c", "a", "b", "a"]);
    assert_eq!(store.owners().collect::<Vec<_>>(), ["o", "other"]);
}

#[test]
fn the_same_description_twice_is_one_entry_with_its_first_name() {
    let mut store = FdStore::new();
    let fd = file();
    let copy = fd.try_clone().unwrap();
    let first = store.insert("o", &name("first"), fd, dedup()).unwrap();
    assert!(known(
        store.insert("o", &name("second"), copy, dedup()).unwrap(),
        first.id()
    ));
    assert_eq!(store.entry(first.id()).unwrap().name().as_str(), "first");
    assert_eq!(store.count("o"), 1);
}

#[test]
fn two_opens_of_one_file_are_two() {
    let mut store = FdStore::new();
    for _ in 0..2 {
        let fd = File::open("/proc/self/exe").unwrap().into();
        assert!(matches!(
            store.insert("o", &name("x"), fd, dedup()),
            Ok(Inserted::New(_))
        ));
    }
}

#[test]
fn one_description_may_have_two_owners() {
    let mut store = FdStore::new();
    let fd = file();
    let copy = fd.try_clone().unwrap();
    store.insert("a", &name("x"), fd, dedup()).unwrap();
    assert!(matches!(
        store.insert("b", &name("x"), copy, dedup()),
        Ok(Inserted::New(_))
    ));
}

#[test]
fn over_the_limit_the_descriptor_comes_back() {
    let mut store = FdStore::new();
    let limited = || InsertOptions {
        owner_limit: Some(1),
        ..dedup()
    };
    let kept = file();
    let duplicate = kept.try_clone().unwrap();
    store.insert("o", &name("x"), kept, limited()).unwrap();
    let refused = file();
    let number = std::os::fd::AsRawFd::as_raw_fd(&refused);
    let error = store.insert("o", &name("y"), refused, limited()).unwrap_err();
    assert_eq!(error.rule, Rule::OwnerLimit { limit: 1 });
    assert_eq!(std::os::fd::AsRawFd::as_raw_fd(&error.fd), number);
    // One that is there already needs no room.
    assert!(matches!(
        store.insert("o", &name("z"), duplicate, limited()),
        Ok(Inserted::Duplicate(..))
    ));
}

#[test]
fn removing_by_name_takes_all_of_that_name() {
    let mut store = FdStore::new();
    for text in ["x", "y", "x"] {
        store
            .insert("o", &name(text), file(), InsertOptions::default())
            .unwrap();
    }
    assert_eq!(store.remove_named("o", &name("x")).len(), 2);
    assert_eq!(store.find("o", &name("x")), None);
    assert_eq!(store.count("o"), 1);
    assert_eq!(store.remove_owner("o").len(), 1);
    assert_eq!(store.owners().count(), 0);
}

#[test]
fn ids_are_not_used_again() {
    let mut store = FdStore::new();
    let first = store
        .insert("o", &name("x"), file(), InsertOptions::default())
        .unwrap()
        .id();
    store.remove(first);
    let second = store
        .insert("o", &name("x"), file(), InsertOptions::default())
        .unwrap()
        .id();
    assert!(second > first);
    assert!(store.fd(first).is_none());
}

#[test]
fn among_two_thousand_that_look_alike_each_is_found_again() {
    let mut store = FdStore::new();
    let eventfd = || rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
    let fds: Vec<OwnedFd> = (0..2_000).map(|_| eventfd()).collect();
    let insert = |store: &mut FdStore, fd: &OwnedFd| {
        store
            .insert("o", &name("x"), fd.try_clone().unwrap(), dedup())
            .unwrap()
    };
    let ids: Vec<EntryId> = fds.iter().map(|fd| insert(&mut store, fd).id()).collect();
    assert_eq!(store.count("o"), 2_000);
    for (fd, id) in fds.iter().zip(&ids) {
        assert!(known(insert(&mut store, fd), *id));
    }
    // One that left is new when it comes again; the others are still known.
    let (first, second) = (*ids.first().unwrap(), *ids.get(1).unwrap());
    store.remove(first);
    assert!(matches!(
        insert(&mut store, fds.first().unwrap()),
        Inserted::New(_)
    ));
    assert!(known(insert(&mut store, fds.get(1).unwrap()), second));
}

#[test]
fn a_memfd_that_was_sealed_meanwhile_is_still_the_same() {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    let mut store = FdStore::new();
    let fd = memfd_create("m", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    let first = store
        .insert("o", &name("x"), fd.try_clone().unwrap(), dedup())
        .unwrap();
    fcntl_add_seals(&fd, SealFlags::GROW).unwrap();
    assert!(known(
        store.insert("o", &name("x"), fd, dedup()).unwrap(),
        first.id()
    ));
}

fn insert_with(store: &mut FdStore, fd_name: &str, options: InsertOptions) -> Result<EntryId, Rule> {
    let fd = tempfile::tempfile().unwrap().into();
    store
        .insert("o", &name(fd_name), fd, options)
        .map(|inserted| inserted.id())
        .map_err(|refused| refused.rule)
}

#[test]
fn what_expires_leaves_in_its_turn_and_nothing_else_does() {
    let mut store = FdStore::new();
    for (fd_name, expires_usec) in [
        ("late", Some(20)),
        ("never", None),
        ("early", Some(10)),
        ("gone", Some(5)),
    ] {
        let options = InsertOptions {
            expires_usec,
            ..InsertOptions::default()
        };
        insert_with(&mut store, fd_name, options).unwrap();
    }
    store.remove_named("o", &name("gone"));
    assert_eq!(store.next_expiry(), Some(10));
    assert!(store.remove_expired(9).is_empty());
    let names = |entries: Vec<Entry>| -> Vec<String> {
        entries.iter().map(|entry| entry.name().to_string()).collect()
    };
    assert_eq!(names(store.remove_expired(20)), ["early", "late"]);
    assert_eq!((store.next_expiry(), store.count("o")), (None, 1));
}

#[test]
fn each_lifetime_ends_where_semantics_3_7_says() {
    use Lifetime::{No, OnSuccess, Restart, Yes};
    for (end, left) in [
        (RunEnd::Restart, vec![Restart, Yes, OnSuccess]),
        (RunEnd::Success, vec![Yes, OnSuccess]),
        (RunEnd::Failure, vec![Yes]),
    ] {
        let mut store = FdStore::new();
        for lifetime in [No, Restart, Yes, OnSuccess] {
            let options = InsertOptions {
                lifetime,
                ..InsertOptions::default()
            };
            insert_with(&mut store, "x", options).unwrap();
        }
        let released = store.run_ended("o", end);
        assert_eq!(released.len().saturating_add(left.len()), 4);
        let stays: Vec<Lifetime> = store.entries().map(Entry::lifetime).collect();
        assert_eq!(stays, left, "{end:?}");
    }
}

#[test]
fn the_limit_of_all_owners_names_itself() {
    let mut store = FdStore::new();
    let options = || InsertOptions {
        total_limit: Some(1),
        ..InsertOptions::default()
    };
    insert_with(&mut store, "x", options()).unwrap();
    assert_eq!(
        insert_with(&mut store, "y", options()),
        Err(Rule::TotalLimit { limit: 1 })
    );
    assert_eq!(store.entries().count(), 1);
}
