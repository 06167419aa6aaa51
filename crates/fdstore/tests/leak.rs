//! Nothing leaks: whatever is refused, put aside or dropped is closed. The one test of this program, because it counts
//! the descriptors of the whole process.

#![expect(
    clippy::unwrap_used,
    reason = "every part of this program is a test, its helpers too"
)]

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd as _, OwnedFd};

use fdstore::{FdName, FdStore, InsertOptions, memfd::sealed_memfd, write_enveloped};

const MAGIC: [u8; 8] = *b"fdstore\0";

fn open_now() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn file() -> OwnedFd {
    tempfile::tempfile().unwrap().into()
}

fn name(text: &str) -> FdName {
    FdName::new(text).unwrap()
}

fn insert(store: &mut FdStore, fd: OwnedFd, options: InsertOptions) {
    drop(store.insert("o", &name("x"), fd, options));
}

fn cross(payload: &[u8]) {
    let fds = BTreeMap::from([
        (3, file()),
        (4, write_enveloped("m", MAGIC, 1, payload).unwrap()),
        (5, file()),
    ]);
    drop(FdStore::inherit(fds, 4));
}

/// Each is done several times; what stays open afterwards is a leak.
fn scenarios() -> Vec<(&'static str, fn())> {
    vec![
        ("a limit", || {
            let mut store = FdStore::new();
            for _ in 0..3 {
                let options = InsertOptions {
                    owner_limit: Some(1),
                    ..InsertOptions::default()
                };
                insert(&mut store, file(), options);
            }
        }),
        ("a duplicate", || {
            let mut store = FdStore::new();
            let fd = file();
            for _ in 0..3 {
                let options = InsertOptions {
                    deduplicate: true,
                    ..InsertOptions::default()
                };
                insert(&mut store, fd.try_clone().unwrap(), options);
            }
        }),
        ("removal", || {
            let mut store = FdStore::new();
            (0..3).for_each(|_| insert(&mut store, file(), InsertOptions::default()));
            assert_eq!(store.remove_named("o", &name("x")).len(), 3);
            (0..3).for_each(|_| insert(&mut store, file(), InsertOptions::default()));
            assert_eq!(store.remove_owner("o").len(), 3);
        }),
        ("a handoff that does not take place", || {
            let mut store = FdStore::new();
            insert(&mut store, file(), InsertOptions::default());
            drop(store.handoff().unwrap());
        }),
        ("a handoff", || {
            let mut store = FdStore::new();
            (0..3).for_each(|_| insert(&mut store, file(), InsertOptions::default()));
            let handoff = store.handoff().unwrap();
            let fds = handoff
                .descriptors()
                .map(|fd| (fd.as_raw_fd(), fd.try_clone_to_owned().unwrap()))
                .collect();
            let after = FdStore::inherit(fds, handoff.manifest().as_raw_fd()).unwrap();
            assert_eq!(after.store.entries().count(), 3);
        }),
        ("a manifest that is not JSON", || cross(b"{")),
        ("entries that are none", || {
            cross(br#"{"groups":[1,{"columns":["fd"],"rows":[[3],[3],[-1],[]]}]}"#)
        }),
        ("a manifest that is not sealed", || {
            drop(FdStore::inherit(BTreeMap::from([(3, file()), (4, file())]), 4));
        }),
        ("a manifest that is not there", || {
            drop(FdStore::inherit(BTreeMap::from([(3, file())]), 4));
        }),
        ("a truncated manifest", || {
            let short = sealed_memfd("m", b"fdstore").unwrap();
            drop(FdStore::inherit(BTreeMap::from([(3, file()), (4, short)]), 4));
        }),
    ]
}

#[test]
fn nothing_stays_open() {
    for (what, scenario) in scenarios() {
        let before = open_now();
        (0..3).for_each(|_| scenario());
        assert_eq!(open_now(), before, "{what}");
    }
}
