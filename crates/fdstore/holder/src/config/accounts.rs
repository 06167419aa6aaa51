//! Users and groups, from the files only: asking a name service could wait for a network.

use std::collections::{BTreeMap, BTreeSet};

/// What /etc/passwd and /etc/group say (passwd(5), group(5)).
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    users: BTreeMap<String, u32>,
    groups: BTreeMap<String, u32>,
    /// Which users are members of which groups, beside each one's first group.
    members: BTreeSet<(u32, u32)>,
}

impl Accounts {
    /// Reads the files; one that is not there names nobody.
    pub(super) fn load() -> Accounts {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Accounts::parse(&read("/etc/passwd"), &read("/etc/group"))
    }

    fn parse(passwd: &str, group: &str) -> Accounts {
        let mut accounts = Accounts::default();
        for line in passwd.lines() {
            let mut fields = line.split(':');
            if let (Some(name), Some(uid)) = (fields.next(), fields.nth(1).and_then(|uid| uid.parse().ok())) {
                accounts.users.entry(name.to_owned()).or_insert(uid);
            }
        }
        for line in group.lines() {
            let mut fields = line.split(':');
            let (Some(name), Some(gid)) = (fields.next(), fields.nth(1).and_then(|gid| gid.parse().ok()))
            else {
                continue;
            };
            accounts.groups.entry(name.to_owned()).or_insert(gid);
            for member in fields.next().unwrap_or("").split(',') {
                if let Some(uid) = accounts.users.get(member.trim()) {
                    accounts.members.insert((*uid, gid));
                }
            }
        }
        accounts
    }

    pub(super) fn uid(&self, name: &str) -> Option<u32> {
        self.users.get(name).copied()
    }

    pub(super) fn gid(&self, name: &str) -> Option<u32> {
        self.groups.get(name).copied()
    }

    pub(super) fn is_member(&self, uid: u32, gid: u32) -> bool {
        self.members.contains(&(uid, gid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_and_broken_lines_are_nobody() {
        let accounts = Accounts::parse(
            "root:x:0:0::/:/bin/sh\nweb:x:33:33::/:\nbroken\nnone:x:-1:0:\n",
            "root:x:0:\nwww:x:33:\ncerts:x:70:web, root,ghost\nbad\n",
        );
        assert_eq!((accounts.uid("web"), accounts.gid("certs")), (Some(33), Some(70)));
        assert_eq!((accounts.uid("none"), accounts.gid("ghost")), (None, None));
        assert!(accounts.is_member(33, 70) && accounts.is_member(0, 70));
        assert!(!accounts.is_member(33, 0));
    }
}
