//! The notify socket: sd_notify's FDSTORE and its companions (semantics 3), for programs that speak nothing else.
//! The owner is the user that the kernel names as the sender, and the rules are the same as over Varlink.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use fdstore::notify::{MAX_MESSAGE, Message};
use fdstore::{FdKind, FdName, Identity, Inserted};
use rustix::io::Errno;
use softboot_sys::recv::recv_message;

use super::Daemon;
use crate::api::{Event, owner_of};
use crate::config::{Subject, Verb};

/// Datagrams in one wake-up.
const BATCH: usize = 32;

impl Daemon {
    pub(super) fn receive_notifications(&mut self) {
        for _ in 0..BATCH {
            // One more than allowed, so that a longer message is seen to be longer.
            let mut buffer = [0_u8; MAX_MESSAGE + 1];
            let received = match recv_message(self.sockets.notify(), &mut buffer) {
                Ok(received) => received,
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => continue,
                Err(error) => {
                    self.complaints
                        .log(format_args!("receiving a notification: {error}"));
                    return;
                }
            };
            let lost = received.control_truncated;
            let text = buffer.get(..received.len).unwrap_or(&[]);
            let parsed = match received.credentials {
                _ if lost => Err("not all of its descriptors could be received".to_owned()),
                None => Err("it came without credentials".to_owned()),
                Some(sender) => Message::parse(text)
                    .map(|message| (sender, message))
                    .map_err(|error| error.to_string()),
            };
            self.closer.close(received.pidfd);
            match parsed {
                Ok((sender, message)) => {
                    let who = Subject {
                        uid: sender.uid,
                        gid: sender.gid,
                    };
                    let left = self.notified(who, &message, received.fds);
                    self.closer.close(left);
                }
                Err(reason) => {
                    self.complaints
                        .log(format_args!("a notification was thrown away: {reason}"));
                    self.closer.close(received.fds);
                }
            }
        }
    }

    /// Does what one message says; the descriptors that nobody took.
    fn notified(&mut self, who: Subject, message: &Message, mut fds: Vec<OwnedFd>) -> Vec<OwnedFd> {
        if message.is_barrier() {
            if let [fd] = fds.as_slice()
                && Identity::of(fd).is_ok_and(|identity| *identity.kind() == FdKind::Pipe)
            {
                // What was sent before is done; closing a pipe does not block, and somebody waits for it.
                fds.clear();
            }
            return fds;
        }
        let name = match message.fd_name() {
            Some(Ok(name)) => Some(name),
            Some(Err(error)) => {
                self.complaints
                    .log(format_args!("a notification of user {}: {error}", who.uid));
                None
            }
            None => None,
        };
        if message.fd_store_remove() {
            match name {
                Some(name) => self.notified_remove(who, &name),
                None => self.complaints.log(format_args!(
                    "user {} asks to remove descriptors and gives no name",
                    who.uid
                )),
            }
            return fds;
        }
        if !message.fd_store() {
            return fds;
        }
        let name = name.unwrap_or_else(FdName::stored);
        if !self.allowed(who, Verb::Put, &name) {
            return fds;
        }
        self.notified_store(who, &name, message.fd_poll(), fds)
    }

    fn notified_store(&mut self, who: Subject, name: &FdName, poll: bool, fds: Vec<OwnedFd>) -> Vec<OwnedFd> {
        let expires = self.expiry(None);
        let owner = owner_of(who.uid);
        let mut fds = fds.into_iter();
        for fd in fds.by_ref() {
            match self.insert(&owner, name, fd, poll, BTreeMap::new(), expires) {
                Ok(Inserted::New(id)) => {
                    self.watch_entry(id);
                    self.tell_of(Event::Put, id);
                }
                Ok(Inserted::Duplicate(_, fd)) => self.closer.close([fd]),
                Err(refused) => {
                    self.complaints
                        .log(format_args!("storing {name} for user {}: {refused}", who.uid));
                    let mut left = vec![refused.fd];
                    left.extend(fds);
                    return left;
                }
            }
        }
        Vec::new()
    }

    fn notified_remove(&mut self, who: Subject, name: &FdName) {
        if !self.allowed(who, Verb::Remove, name) {
            return;
        }
        let owner = owner_of(who.uid);
        while let Some(id) = self.store.find(&owner, name) {
            if let Some(entry) = self.store.detach(id) {
                self.let_go(entry, Event::Removed);
            }
        }
    }

    fn allowed(&mut self, who: Subject, verb: Verb, name: &FdName) -> bool {
        let allowed = self.config.access.allows(who, verb, name.as_str());
        if !allowed {
            self.complaints.log(format_args!(
                "user {} may not {verb} {name}: no rule allows it",
                who.uid
            ));
        }
        allowed
    }
}
