use super::*;
use crate::Identity;
use crate::memfd::{read_sealed, sealed_memfd};
use crate::name::FdName;
use crate::record::{Extra, Who};
use crate::store::{EntryId, Lifetime};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn read(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    Manifest::read(sealed_memfd("t", bytes).unwrap()).map(|(manifest, _)| manifest)
}

fn good() -> Vec<u8> {
    read_sealed(write(1, &[], &Map::new()).unwrap(), MAX).unwrap()
}

fn encode(manifest: &Manifest) -> Vec<u8> {
    let entries: Vec<Numbered<'_>> = manifest
        .entries
        .iter()
        .map(|record| (record, record.fd))
        .collect();
    encode::encode("w", manifest.next_id, &entries, &manifest.unknown).unwrap()
}

#[test]
fn every_kind_of_damage_has_its_name() {
    let bytes = good();
    assert!(read(&bytes).is_ok());
    assert!(matches!(
        read(bytes.get(..10).unwrap()),
        Err(ManifestError::Truncated { .. })
    ));
    assert!(matches!(
        read(bytes.get(..bytes.len() - 1).unwrap()),
        Err(ManifestError::Truncated { .. })
    ));
    let changed = |at: usize| {
        let mut copy = bytes.clone();
        *copy.get_mut(at).unwrap() ^= 0x40;
        read(&copy)
    };
    assert!(matches!(changed(0), Err(ManifestError::Magic)));
    assert!(matches!(changed(8), Err(ManifestError::Version(0x41, 1))));
    assert!(matches!(changed(12), Err(ManifestError::Checksum)));
    assert!(matches!(changed(23), Err(ManifestError::Truncated { .. })));
    assert!(matches!(changed(bytes.len() - 2), Err(ManifestError::Checksum)));
    let longer = [&bytes[..], b"x"].concat();
    assert!(matches!(read(&longer), Err(ManifestError::Inconsistent(_))));
}

fn decode(text: &str) -> (Manifest, Vec<Malformed>) {
    Manifest::decode(text.as_bytes()).unwrap()
}

/// A group whose entries are the rows, with two columns that this version knows and the others shared.
fn group(more: &str, columns: &str, rows: &str) -> String {
    format!(
        r#"{{"groups":[{{"owner":"o","name":"n","kind":"file","device":1,"access":"read",{more}
            "columns":[{columns}],"rows":{rows}}}]}}"#
    )
}

#[test]
fn members_of_a_newer_version_are_kept_wherever_they_stand() {
    let columns = r#""id","fd","inode","colour""#;
    let text = group(
        r#""shape":{"round":true},"#,
        columns,
        r#"[[1,3,7,"red"],[2,4,8,null]]"#,
    );
    let text = text.replacen('{', r#"{"later":{"a":[1]},"#, 1);
    let (manifest, malformed) = decode(&text);
    assert!(malformed.is_empty(), "{malformed:?}");
    let (again, _) = Manifest::decode(&encode(&manifest)).unwrap();
    assert_eq!(again.unknown.get("later"), Some(&serde_json::json!({"a": [1]})));
    let unknown = |record: &Record| serde_json::to_value(&record.extra.as_ref().unwrap().unknown).unwrap();
    let kept: Vec<Value> = again.entries.iter().map(unknown).collect();
    let shape = serde_json::json!({"round": true});
    assert_eq!(
        kept,
        [
            serde_json::json!({"colour": "red", "shape": shape}),
            serde_json::json!({"colour": null, "shape": shape})
        ]
    );
    assert_eq!(again.entries, manifest.entries);
}

#[test]
fn it_does_not_matter_where_a_member_stands() {
    let (plain, _) = decode(&group("", r#""id","fd","inode""#, "[[1,3,7]]"));
    for other in [
        group(r#""inode":7,"#, r#""fd","id""#, "[[3,1]]"),
        group("", r#""poll","inode","fd","id""#, "[[false,7,3,1]]"),
        group(r#""rows":[[1,3,7]],"#, r#""id","fd","inode""#, "[[1,3,7]]"),
    ] {
        assert_eq!(decode(&other).0.entries, plain.entries, "{other}");
    }
}

#[test]
fn entries_that_are_none_come_beside_the_manifest() {
    let rows = r#"[7,[1,9],[1,9,"x"],[-1,10,1],[2,11,5],[3,1e99,5]]"#;
    let (manifest, malformed) = decode(&group("", r#""id","fd","inode""#, rows));
    let ids: Vec<u64> = manifest.entries.iter().map(|record| record.id.0).collect();
    assert_eq!(ids, [2]);
    let seen: Vec<_> = malformed
        .iter()
        .map(|bad| (bad.fd, bad.owner.as_deref()))
        .collect();
    let owner = Some("o");
    assert_eq!(
        seen,
        [
            (None, owner),
            (Some(9), owner),
            (Some(9), owner),
            (Some(10), owner),
            (None, owner)
        ]
    );
    for nothing in [r#"{"groups":7}"#, "{}", "[]", r#"{"groups":[{}]"#] {
        assert!(Manifest::decode(nothing.as_bytes()).is_err(), "{nothing}");
    }
    for bad in [
        "[7]",
        r#"[{"columns":[]}]"#,
        r#"[{"rows":[],"columns":7}]"#,
        r#"[{"rows":[]}]"#,
    ] {
        let (manifest, malformed) = decode(&format!(r#"{{"next_id":-7,"groups":{bad}}}"#));
        assert_eq!((manifest.next_id, malformed.len()), (0, 1), "{bad}");
    }
}

fn record(id: u64, shape: u8) -> Record {
    let file: std::os::fd::OwnedFd = match shape % 3 {
        0 => std::fs::File::open("/proc/self/exe").unwrap().into(),
        1 => std::net::UdpSocket::bind("127.0.0.1:0").unwrap().into(),
        _ => sealed_memfd("m", b"").unwrap(),
    };
    let extra = Extra {
        labels: if shape & 8 == 0 {
            BTreeMap::new()
        } else {
            BTreeMap::from([("k".to_owned(), "v".to_owned())])
        },
        expires_usec: (shape & 16 != 0).then_some(id),
        unknown: Map::new(),
    };
    Record {
        id: EntryId(id),
        fd: 7,
        who: std::sync::Arc::new(Who {
            owner: if shape & 32 == 0 { "a".into() } else { "b".into() },
            name: FdName::new(if shape & 64 == 0 { "x" } else { "y" }).unwrap(),
            poll: shape & 128 == 0,
            lifetime: if shape & 4 == 0 {
                Lifetime::Yes
            } else {
                Lifetime::No
            },
        }),
        identity: Identity::of(file).unwrap(),
        entered_usec: id,
        extra: extra.boxed(),
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_manifest_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
        let mut start = good();
        start.extend(&bytes);
        prop_assert!(bytes.is_empty() || read(&start).is_err());
    }

    #[test]
    fn what_is_written_is_read_at_once(shapes in proptest::collection::vec(any::<u8>(), 0..20)) {
        let entries: Vec<Record> = (1..).zip(shapes).map(|(id, shape)| record(id, shape)).collect();
        let manifest = Manifest { next_id: 99, entries, ..Manifest::default() };
        let bytes = encode(&manifest);
        let fast = decode::decode(&bytes).unwrap();
        prop_assert_eq!(&fast.entries, &manifest.entries);
        // Both readers agree.
        let (slow, malformed) = loose::decode(&bytes).unwrap();
        prop_assert!(malformed.is_empty());
        prop_assert_eq!(&slow.entries, &manifest.entries);
        prop_assert_eq!((fast.next_id, slow.next_id), (99, 99));
    }
}
