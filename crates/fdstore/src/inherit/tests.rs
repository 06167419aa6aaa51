use super::*;
use crate::InsertOptions;
use std::os::fd::AsRawFd as _;

fn name(text: &str) -> FdName {
    FdName::new(text).unwrap()
}

fn file() -> OwnedFd {
    tempfile::tempfile().unwrap().into()
}

/// Duplicates of everything under the numbers the manifest says, as an exec would leave them.
fn cross(
    store: &FdStore,
    adjust: impl FnOnce(&mut BTreeMap<i32, OwnedFd>),
) -> Result<Inherited, InheritError> {
    let handoff = store.handoff().unwrap();
    let mut descriptors: BTreeMap<i32, OwnedFd> = handoff
        .descriptors()
        .map(|fd| (fd.as_raw_fd(), fd.try_clone_to_owned().unwrap()))
        .collect();
    adjust(&mut descriptors);
    FdStore::inherit(descriptors, handoff.manifest().as_raw_fd())
}

fn store() -> FdStore {
    let mut store = FdStore::new();
    for text in ["z", "a", "m"] {
        let labels = BTreeMap::from([("k".to_owned(), text.to_owned())]);
        let options = InsertOptions {
            poll: text == "a",
            labels,
            lifetime: crate::Lifetime::OnSuccess,
            expires_usec: (text == "m").then_some(7),
            ..InsertOptions::default()
        };
        store.insert("o", &name(text), file(), options).unwrap();
    }
    store
}

#[test]
fn everything_comes_over_in_its_order() {
    let before = store();
    let after = cross(&before, |_| {}).unwrap();
    assert!(after.quarantined.is_empty() && after.unclaimed.is_empty());
    let describe = |store: &FdStore| -> Vec<_> {
        store
            .entries()
            .map(|e| {
                (
                    e.id(),
                    e.name().clone(),
                    e.poll(),
                    e.labels().clone(),
                    (e.lifetime(), e.expires_usec()),
                    e.identity().clone(),
                    e.entered_usec(),
                )
            })
            .collect()
    };
    assert_eq!(describe(&before), describe(&after.store));
    // And again: a second crossing turns nothing round.
    let twice = cross(&after.store, |_| {}).unwrap();
    assert_eq!(describe(&before), describe(&twice.store));
}

#[test]
fn what_is_something_else_is_put_aside() {
    let before = store();
    let victim = before.entries().next().unwrap().fd().as_raw_fd();
    let after = cross(&before, |all| {
        all.insert(victim, file());
    })
    .unwrap();
    assert_eq!(after.store.entries().count(), 2);
    let [aside] = &after.quarantined[..] else {
        panic!("{:?}", after.quarantined)
    };
    assert_eq!(aside.name, Some(name("z")));
    assert!(
        aside.fd.is_some() && aside.reason.contains("inode"),
        "{}",
        aside.reason
    );
}

#[test]
fn what_is_not_open_is_put_aside_and_what_is_not_named_is_unclaimed() {
    let before = store();
    let victim = before.entries().next().unwrap().fd().as_raw_fd();
    let after = cross(&before, |all| {
        let fd = all.remove(&victim).unwrap();
        all.insert(99_999, fd);
    })
    .unwrap();
    assert!(after.quarantined.first().unwrap().reason.contains("not open"));
    assert_eq!(after.unclaimed.len(), 1);
}

#[test]
fn a_bad_manifest_gives_every_descriptor_back() {
    let fds = BTreeMap::from([(7, file()), (8, file())]);
    let error = FdStore::inherit(fds, 7).unwrap_err();
    assert_eq!(error.descriptors.len(), 2);
    assert!(error.to_string().contains("not sealed"), "{error}");
    let error = FdStore::inherit(error.descriptors, 5).unwrap_err();
    assert!(error.to_string().contains("5 is not open"), "{error}");
}

fn record(id: u64, fd: i32, identity: &Identity) -> Record {
    Record {
        id: EntryId(id),
        fd,
        who: std::sync::Arc::new(crate::record::Who {
            owner: "o".into(),
            name: name("x"),
            poll: false,
            lifetime: crate::Lifetime::default(),
        }),
        identity: identity.clone(),
        entered_usec: 0,
        extra: None,
    }
}

/// Takes over `fds` by a manifest of these entries under the number 99.
fn inherit(entries: Vec<Record>, next_id: u64, mut fds: BTreeMap<i32, OwnedFd>) -> Inherited {
    let numbered: Vec<_> = entries.iter().map(|record| (record, record.fd)).collect();
    let manifest = crate::manifest::write(next_id, &numbered, &serde_json::Map::new()).unwrap();
    fds.insert(99, manifest);
    FdStore::inherit(fds, 99).unwrap()
}

#[test]
fn two_entries_with_one_number_give_one_descriptor() {
    let one = file();
    let identity = Identity::of(&one).unwrap();
    let entries = vec![
        record(1, 10, &identity),
        record(2, 10, &identity),
        record(3, -4, &identity),
        record(4, 99, &identity),
    ];
    let after = inherit(entries, 0, BTreeMap::from([(10, one)]));
    assert_eq!((after.store.entries().count(), after.quarantined.len()), (1, 3));
    assert!(after.store.fd(EntryId(1)).is_some());
    assert!(after.quarantined.iter().all(|aside| aside.fd.is_none()));
}

#[test]
fn a_wrong_claim_takes_nothing_from_a_right_one() {
    let (one, other) = (file(), file());
    let (right, wrong) = (Identity::of(&one).unwrap(), Identity::of(&other).unwrap());
    let entries = vec![record(1, 10, &wrong), record(2, 10, &right)];
    let after = inherit(entries, 0, BTreeMap::from([(10, one)]));
    assert!(after.store.fd(EntryId(2)).is_some());
    let [aside] = &after.quarantined[..] else {
        panic!("{:?}", after.quarantined)
    };
    assert!(aside.fd.is_none() && aside.reason.contains("inode"), "{aside}");
}

#[test]
fn one_malformed_entry_costs_only_itself() {
    let before = store();
    let handoff = before.handoff().unwrap();
    let bytes = crate::memfd::read_sealed(handoff.manifest(), 1 << 20).unwrap();
    let mut value: serde_json::Value = serde_json::from_slice(bytes.get(24..).unwrap()).unwrap();
    // A kind that only a later version knows.
    *value.pointer_mut("/groups/1/kind").unwrap() = "hologram".into();
    let manifest =
        crate::write_enveloped("m", *b"fdstore\0", 1, &serde_json::to_vec(&value).unwrap()).unwrap();
    let mut descriptors: BTreeMap<i32, OwnedFd> = before
        .entries()
        .map(|entry| (entry.fd().as_raw_fd(), entry.fd().try_clone_to_owned().unwrap()))
        .collect();
    descriptors.insert(0, manifest);
    let after = FdStore::inherit(descriptors, 0).unwrap();
    let names: Vec<_> = after.store.entries().map(|entry| entry.name().as_str()).collect();
    assert_eq!(names, ["z", "m"]);
    let [aside] = &after.quarantined[..] else {
        panic!("{:?}", after.quarantined)
    };
    assert_eq!(
        (aside.owner.as_deref(), &aside.name),
        (Some("o"), &Some(name("a")))
    );
    assert!(aside.fd.is_some() && aside.reason.contains("hologram"), "{aside}");
    assert!(after.unclaimed.is_empty());
}

#[test]
fn ids_that_cannot_be_are_no_ids() {
    let (one, other) = (file(), file());
    let entries = vec![
        record(3, 10, &Identity::of(&one).unwrap()),
        record(u64::MAX, 11, &Identity::of(&other).unwrap()),
    ];
    let mut after = inherit(entries, u64::MAX, BTreeMap::from([(10, one), (11, other)]));
    assert_eq!((after.warnings.len(), after.quarantined.len()), (1, 1));
    assert!(after.quarantined.first().unwrap().reason.contains("out of range"));
    let mut insert = || {
        after
            .store
            .insert("o", &name("new"), file(), InsertOptions::default())
            .unwrap()
            .id()
    };
    assert_eq!((insert(), insert()), (EntryId(4), EntryId(5)));
}

#[test]
fn when_the_ids_are_used_up_nothing_is_overwritten() {
    let one = file();
    let entries = vec![record(EntryId::MAX, 10, &Identity::of(&one).unwrap())];
    let mut after = inherit(entries, 0, BTreeMap::from([(10, one)]));
    let refused = after
        .store
        .insert("o", &name("new"), file(), InsertOptions::default())
        .unwrap_err();
    assert_eq!(refused.rule, crate::Rule::IdsExhausted);
    assert_eq!(after.store.entries().count(), 1);
}
