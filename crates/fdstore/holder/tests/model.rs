//! Long random runs against a model that is obviously right: a list of names and descriptors, oldest first.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers are part of the tests; what goes wrong in them fails a test"
)]

mod common;

use std::collections::BTreeSet;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use common::{Caller, Holder, OWN, entry, memfd, same};
use fdstore::FdName;
use fdstore::notify::{Message, Notifier};
use holder::api::{GetReply, RemoveReply, Request, UpgradeReply};

/// As many as one owner may have.
const LIMIT: usize = 40;
const STEPS: usize = 600;

struct Entry {
    id: u64,
    name: String,
    fd: OwnedFd,
}

/// The same numbers each time (a linear congruential generator; the upper bits are good).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn name(&mut self) -> String {
        format!("n{}", self.below(12))
    }
}

struct Run {
    holder: Holder,
    client: Caller,
    notifier: Notifier,
    model: Vec<Entry>,
    random: Random,
}

impl Run {
    /// Some are new, some are there already.
    fn put(&mut self) {
        let count = 1 + self.random.below(6);
        let (mut fds, mut names) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let known = self.random.below(4) == 0 && !self.model.is_empty();
            fds.push(if known {
                let at = self.random.below(self.model.len());
                self.model[at].fd.try_clone().unwrap()
            } else {
                memfd("model")
            });
            names.push(self.random.name());
        }
        let entries = names
            .iter()
            .enumerate()
            .map(|(at, name)| entry(name, at))
            .collect();
        let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(|fd| fd.as_fd()).collect();
        let result = self.client.put_all(entries, &borrowed);
        let new = fds
            .iter()
            .filter(|fd| self.model.iter().all(|entry| !same(&entry.fd, fd)))
            .count();
        match result {
            Ok(stored) => {
                assert!(self.model.len() + new <= LIMIT);
                for ((stored, name), fd) in stored.into_iter().zip(names).zip(fds) {
                    match self.model.iter().find(|entry| same(&entry.fd, &fd)) {
                        Some(known) => {
                            assert!(stored.duplicate);
                            assert_eq!((stored.id, &stored.name), (known.id, &known.name));
                        }
                        None => {
                            assert!(!stored.duplicate && stored.name == name);
                            self.model.push(Entry {
                                id: stored.id,
                                name,
                                fd,
                            });
                        }
                    }
                }
            }
            Err(error) => {
                assert_eq!(error, "QuotaExceeded");
                assert!(self.model.len() + new > LIMIT);
            }
        }
    }

    fn get(&mut self, take: bool) {
        let name = self.random.name();
        let request = Request::Get {
            names: Some(vec![name.clone()]),
            ids: None,
            take: Some(take),
            owner: None,
        };
        let expected: Vec<&Entry> = self.model.iter().filter(|entry| entry.name == name).collect();
        match self.client.call::<GetReply>(&request, &[]) {
            Ok((reply, fds)) => {
                assert!(!expected.is_empty());
                assert_eq!(reply.entries.len(), expected.len());
                for ((info, fd), entry) in reply.entries.iter().zip(&fds).zip(&expected) {
                    assert_eq!(info.id, entry.id);
                    assert!(same(fd, &entry.fd));
                }
                if take {
                    self.model.retain(|entry| entry.name != name);
                }
            }
            Err(error) => {
                assert_eq!(error, "NoSuchEntry");
                assert!(expected.is_empty());
            }
        }
    }

    fn remove(&mut self) {
        let mut ids: BTreeSet<u64> = BTreeSet::new();
        for _ in 0..self.random.below(3) {
            if let Some(entry) = self.model.get(self.random.below(LIMIT)) {
                ids.insert(entry.id);
            }
        }
        if ids.is_empty() {
            return;
        }
        let absent = self.random.below(5) == 0;
        let request = Request::Remove {
            names: None,
            ids: Some(ids.iter().copied().chain(absent.then_some(1 << 40)).collect()),
            owner: None,
        };
        match self.client.call::<RemoveReply>(&request, &[]) {
            Ok((reply, _)) => {
                assert!(!absent);
                assert_eq!(usize::try_from(reply.removed).unwrap(), ids.len());
                self.model.retain(|entry| !ids.contains(&entry.id));
            }
            Err(error) => assert!(absent && error == "NoSuchEntry"),
        }
    }

    fn notify(&mut self) {
        let name = self.random.name();
        let fd_name = FdName::new(&name).unwrap();
        if self.random.below(3) == 0 {
            self.notifier.remove_fd(&fd_name).unwrap();
            self.model.retain(|entry| entry.name != name);
        } else {
            let fd = memfd("told");
            self.notifier.store_fd(&fd_name, fd.as_fd()).unwrap();
            if self.model.len() < LIMIT {
                // Its id is not told; the list is where it stands.
                self.notifier.barrier(Duration::from_secs(60)).unwrap();
                let id = self.client.list(None).last().unwrap().id;
                self.model.push(Entry { id, name, fd });
            }
        }
        self.notifier.barrier(Duration::from_secs(60)).unwrap();
    }

    fn upgrade(&mut self) {
        let (reply, _): (UpgradeReply, _) = self.client.call(&Request::Upgrade {}, &[]).unwrap();
        assert_eq!(reply.quarantined, 0);
        assert_eq!(usize::try_from(reply.entries).unwrap(), self.model.len());
        self.holder.wait_for(Message::ready);
    }

    fn compare(&mut self) {
        let list: Vec<(u64, String)> = self
            .client
            .list(None)
            .into_iter()
            .map(|entry| (entry.id, entry.name))
            .collect();
        let model: Vec<(u64, String)> = self
            .model
            .iter()
            .map(|entry| (entry.id, entry.name.clone()))
            .collect();
        assert_eq!(list, model);
    }
}

#[test]
fn the_holder_does_what_a_list_does() {
    for seed in 1..=3 {
        let holder = Holder::start(&format!("[limits]\nentries_per_uid = {LIMIT}\n{OWN}"));
        let mut run = Run {
            client: holder.client(),
            notifier: holder.notifier(),
            model: Vec::new(),
            random: Random(seed),
            holder,
        };
        run.compare();
        let empty = run.holder.open();
        for step in 0..STEPS {
            match run.random.below(20) {
                0..8 => run.put(),
                8..12 => run.get(false),
                12..14 => run.get(true),
                14..17 => run.remove(),
                _ => run.notify(),
            }
            if step % 150 == 149 {
                run.upgrade();
            }
            run.compare();
        }
        let held = run.model.len();
        run.holder.wait_for_open(empty + held);
    }
}
