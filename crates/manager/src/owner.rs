//! How PID 1 names its own descriptors in the fd store.
//!
//! Every descriptor that has to cross an execve is in the one store, under an owner that says what it is for. A
//! unit's own fd store is the owner `store:UNIT`, so its limit and its order are the store's.

use std::os::fd::OwnedFd;

use fdstore::FdStore;
use softboot_unit::UnitName;

/// What a descriptor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// A unit's fd store.
    Store,
    /// A listening port of a socket unit; the name is the port's position.
    Port,
    /// The pidfd of a process; the name is its token.
    Process,
    /// The pipe that tells whether the exec of a process succeeded; the name is its token.
    ExecStatus,
    /// The ends of a unit's log pipe, `read` and `write`.
    Log,
    /// The connection of an Accept=yes instance; the name is its token.
    Connection,
}

impl Role {
    const ALL: [Role; 6] = [
        Role::Store,
        Role::Port,
        Role::Process,
        Role::ExecStatus,
        Role::Log,
        Role::Connection,
    ];

    fn word(self) -> &'static str {
        match self {
            Role::Store => "store",
            Role::Port => "port",
            Role::Process => "process",
            Role::ExecStatus => "exec-status",
            Role::Log => "log",
            Role::Connection => "connection",
        }
    }

    /// The owner of `unit`'s descriptors of this role.
    pub(crate) fn of(self, unit: &UnitName) -> String {
        format!("{}:{unit}", self.word())
    }
}

/// The owner of what belongs to PID 1 itself: `notify`, `control`, `varlink`,
/// `cgroup-events`, `snapshot`, `definitions`.
pub(crate) const MANAGER: &str = "manager";
/// The name of the socket that notifications come to.
pub(crate) const NOTIFY: &str = "notify";
/// The control listener's name there.
pub(crate) const CONTROL: &str = "control";
/// The name of the listener at the place that tools of systemd know.
pub(crate) const VARLINK: &str = "varlink";
/// The name of the inotify descriptor that watches cgroups.
pub(crate) const CGROUP_EVENTS: &str = "cgroup-events";
/// The owner of the connections of control clients; the name is the client's number.
pub(crate) const CLIENTS: &str = "clients";

/// Takes an owner apart; `None` for one that is not of a unit.
pub(crate) fn parse(owner: &str) -> Option<(Role, UnitName)> {
    let (word, unit) = owner.split_once(':')?;
    let role = Role::ALL.into_iter().find(|role| role.word() == word)?;
    Some((role, UnitName::new(unit).ok()?))
}

/// What a boot can use of the descriptors of one whose state is lost.
pub(crate) struct Salvaged {
    /// What services have stored, where their output goes, and the sockets of PID 1 itself.
    pub(crate) store: FdStore,
    /// Listening sockets, which units adopt by their addresses (semantics 1.13).
    pub(crate) ports: Vec<OwnedFd>,
    /// Units that had them.
    pub(crate) sockets: Vec<UnitName>,
}

/// Sorts them out; closes the others.
pub(crate) fn salvage(mut store: FdStore) -> Salvaged {
    let owners: Vec<String> = store.owners().map(str::to_owned).collect();
    let (mut ports, mut sockets) = (Vec::new(), Vec::new());
    for owner in owners {
        match parse(&owner) {
            Some((Role::Store | Role::Log, _)) => {}
            Some((Role::Port, unit)) => {
                ports.extend(store.remove_owner(&owner));
                sockets.push(unit);
            }
            None if owner == MANAGER => {
                let kept = [NOTIFY, CONTROL, VARLINK];
                let others = store.entries_of(MANAGER);
                let others = others.filter(|entry| !kept.contains(&entry.name().as_str()));
                let others: Vec<_> = others.map(fdstore::Entry::id).collect();
                others.into_iter().for_each(|entry| drop(store.remove(entry)));
            }
            _ => drop(store.remove_owner(&owner)),
        }
    }
    Salvaged {
        store,
        ports,
        sockets,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_come_apart_as_they_were_made() {
        let unit = UnitName::new("a@b:c.service").unwrap();
        for role in Role::ALL {
            assert_eq!(parse(&role.of(&unit)), Some((role, unit.clone())));
        }
        assert_eq!(parse(MANAGER), None);
        assert_eq!(parse(CLIENTS), None);
    }

    #[test]
    fn of_a_lost_state_what_is_stored_and_what_listens_can_be_used() {
        let mut store = FdStore::new();
        let name = fdstore::FdName::new("x").unwrap();
        for owner in [
            "store:a.service",
            "port:a.socket",
            "process:a.service",
            "log:a.service",
            MANAGER,
            CLIENTS,
        ] {
            let fd = tempfile::tempfile().unwrap().into();
            let options = fdstore::InsertOptions::default();
            store.insert(owner, &name, fd, options).unwrap();
        }
        for own in [NOTIFY, CONTROL, VARLINK, CGROUP_EVENTS] {
            let fd = tempfile::tempfile().unwrap().into();
            let own = fdstore::FdName::new(own).unwrap();
            store
                .insert(MANAGER, &own, fd, fdstore::InsertOptions::default())
                .unwrap();
        }
        let salvaged = salvage(store);
        let left = salvaged.store.entries();
        let mut left: Vec<_> = left
            .map(|entry| format!("{} {}", entry.owner(), entry.name().as_str()))
            .collect();
        left.sort();
        let kept = [
            "log:a.service x",
            "manager control",
            "manager notify",
            "manager varlink",
            "store:a.service x",
        ];
        assert_eq!(left, kept);
        assert_eq!(salvaged.ports.len(), 1);
        assert_eq!(salvaged.sockets, [UnitName::new("a.socket").unwrap()]);
    }
}
