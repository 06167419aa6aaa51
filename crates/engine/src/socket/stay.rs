//! Sockets that a soft-reboot leaves open although they have default dependencies: the next userspace opens the same.
//!
//! The reference closes them and opens them again (semantics 7.3), and in between their clients are refused. Here those
//! clients wait. Which sockets these are says the manager, who asked the next userspace
//! ([`softboot_unit::stays_open`]); what it means until the next userspace:
//!
//! | | Accept=no | Accept=yes |
//! |---|---|---|
//! | default dependencies | do not stop the socket in the transaction of soft-reboot.target; what a file says does | the same |
//! | traffic | the service waits as with DeferTrigger=yes | stays in the backlog |

use softboot_unit::{DeferTrigger, Dependency, DependencyKind, Origin, UnitName};

use crate::action::Action;
use crate::engine::{Engine, RetryFlag};
use crate::event::UnitId;
use crate::socket::SocketState;
use crate::units::Relation;

impl Engine {
    pub(crate) fn stay_open(&mut self, sockets: &[UnitName]) {
        let rested: Vec<UnitId> = self
            .staying
            .iter()
            .copied()
            .filter(|unit| self.rests(*unit))
            .collect();
        self.staying = sockets
            .iter()
            .filter_map(|name| self.units.find(name))
            .filter(|unit| self.socket_state(*unit).has_ports())
            .collect();
        let all: Vec<UnitId> = rested
            .iter()
            .copied()
            .chain(self.staying.iter().copied())
            .collect();
        for unit in all {
            let (before, now) = (rested.contains(&unit), self.rests(unit));
            if before != now && self.ending.is_none() && self.socket_state(unit) == SocketState::Listening {
                self.act(Action::PollSockets { unit, on: before });
            }
        }
        // What waits for the next userspace alone need not wait any more.
        self.retry = RetryFlag::Yes;
    }

    /// An instance for each connection could not be started before the next userspace, and an accepted connection
    /// cannot be put back.
    pub(crate) fn rests(&self, unit: UnitId) -> bool {
        self.staying.contains(&unit) && self.socket_section(unit).is_some_and(|section| section.accept)
    }

    /// DeferTrigger=, as it holds now.
    pub(super) fn defer_trigger(&self, unit: UnitId) -> DeferTrigger {
        let own = self
            .socket_section(unit)
            .map_or(DeferTrigger::No, |section| section.defer_trigger);
        if own == DeferTrigger::No && self.staying.contains(&unit) {
            return DeferTrigger::Yes;
        }
        own
    }

    /// Whether the stop of a socket that stays open is asked for by its default dependencies alone. `by` is what goes up
    /// or down, and `relation` what the socket is to it.
    pub(crate) fn only_default(&self, by: UnitId, relation: Relation, socket: UnitId) -> bool {
        let kind = match relation {
            // Conflicts= of the other side comes as a relation of its own.
            Relation::ConflictedBy => DependencyKind::Conflicts,
            Relation::RequiredBy => DependencyKind::Requires,
            _ => return false,
        };
        if !self.staying.contains(&socket) {
            return false;
        }
        let says =
            |dependency: &&Dependency| dependency.kind == kind && self.units.find(&dependency.on) == Some(by);
        let mut lines = self.units[socket]
            .definition
            .unit
            .dependencies
            .iter()
            .filter(says)
            .peekable();
        lines.peek().is_some() && lines.all(|dependency| dependency.origin == Origin::Default)
    }
}
