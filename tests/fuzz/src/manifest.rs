//! Manifests of an fd store.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;

use fdstore::{FdStore, Identity, memfd, write_enveloped};

use crate::leak;

/// The number of the manifest.
const MANIFEST: i32 = 9;

/// The first byte says whether the rest is the whole memfd, or a payload in a sound envelope. In a payload `@iN`, `@cN`
/// and `@dN` stand for inode, cookie and device of descriptor N (3: socket, 4: memfd, 5: file), which nobody could guess.
///
/// Nothing leaks and nothing is lost: every descriptor is in the store, put aside, or unclaimed, and what is in the
/// store is what it is said to be. What comes out goes through another handoff unchanged.
pub fn run(data: &[u8]) {
    leak::none(|| inherit(data));
}

fn inherit(data: &[u8]) {
    let Some((form, rest)) = data.split_first() else {
        return;
    };
    let mut descriptors: BTreeMap<i32, OwnedFd> = BTreeMap::from([
        (3, UdpSocket::bind("127.0.0.1:0").unwrap().into()),
        (4, memfd::sealed_memfd("fuzz", b"x").unwrap()),
        (5, File::open("/proc/self/exe").unwrap().into()),
    ]);
    let manifest = if form.is_multiple_of(2) {
        memfd::sealed_memfd("manifest", rest)
    } else {
        let mut text = String::from_utf8_lossy(rest).into_owned();
        for (number, fd) in &descriptors {
            let identity = Identity::of(fd).unwrap();
            for (letter, value) in [
                ('i', identity.inode()),
                ('c', identity.cookie().unwrap_or(0)),
                ('d', identity.device()),
            ] {
                text = text.replace(&format!("@{letter}{number}"), &value.to_string());
            }
        }
        write_enveloped("manifest", *b"fdstore\0", 1, text.as_bytes())
    };
    descriptors.insert(MANIFEST, manifest.unwrap());
    let inherited = match FdStore::inherit(descriptors, MANIFEST) {
        Ok(inherited) => inherited,
        Err(error) => {
            assert_eq!(error.descriptors.len(), 4, "a refusal gives everything back");
            return;
        }
    };
    let aside = inherited
        .quarantined
        .iter()
        .filter(|aside| aside.fd.is_some())
        .count();
    let stored = inherited.store.entries().count();
    assert_eq!(stored + aside + inherited.unclaimed.len(), 3, "one was lost");
    for entry in inherited.store.entries() {
        assert_eq!(entry.identity().verify(entry.fd()), Ok(()));
    }
    again(&inherited.store);
}

/// Once more, by numbers of our own.
fn again(store: &FdStore) {
    use std::os::fd::AsRawFd as _;
    let handoff = store.handoff().unwrap();
    let descriptors = handoff
        .descriptors()
        .map(|fd| (fd.as_raw_fd(), fd.try_clone_to_owned().unwrap()))
        .collect();
    let again = FdStore::inherit(descriptors, handoff.manifest().as_raw_fd()).unwrap();
    let describe = |store: &FdStore| -> Vec<_> {
        let all = store.entries().map(|entry| {
            let identity = entry.identity().clone();
            (
                entry.id(),
                entry.owner().to_owned(),
                entry.name().clone(),
                identity,
                entry.expires_usec(),
            )
        });
        all.collect()
    };
    assert_eq!(describe(store), describe(&again.store));
}
