//! A socket unit that is open is configured anew.

use std::sync::Arc;

use softboot_unit::{Definition, KindSection, SocketSection};

use crate::action::{Action, Level};
use crate::engine::Engine;
use crate::event::UnitId;
use crate::socket::SocketState;

impl Engine {
    /// Traffic on its ports is waited for.
    pub fn is_listening(&self, unit: UnitId) -> bool {
        self.ending.is_none() && self.socket_state(unit) == SocketState::Listening && !self.rests(unit)
    }

    /// Sockets that have open ports, as they are configured now.
    pub(crate) fn open_sockets(&self) -> Vec<(UnitId, Arc<Definition>)> {
        self.units
            .iter()
            .filter(|(_, unit)| unit.socket().is_some_and(|socket| socket.state.has_ports()))
            .map(|(id, unit)| (id, Arc::clone(&unit.definition)))
            .collect()
    }

    /// What a new configuration means for those.
    pub(crate) fn sockets_reloaded(&mut self, before: Vec<(UnitId, Arc<Definition>)>) {
        for (unit, old) in before {
            let KindSection::Socket(old) = &old.kind else {
                continue;
            };
            let Some(new) = self.socket_section(unit).cloned() else {
                continue;
            };
            if new.ports != old.ports {
                self.act(Action::ReconcileSockets { unit });
            }
            self.defer_limit_reloaded(unit, old, &new);
        }
    }

    /// A changed DeferTriggerMaxSec= counts from now on; one that is as it was goes on with what is left of it.
    fn defer_limit_reloaded(&mut self, unit: UnitId, old: &SocketSection, new: &SocketSection) {
        if self.socket_state(unit) == SocketState::Deferred && old.defer_trigger_max != new.defer_trigger_max
        {
            let limit = new.defer_trigger_max;
            self.log(
                Level::Info,
                Some(unit),
                format!("waits for its service at most {limit} more"),
            );
            self.set_socket_deadline(unit, limit);
        }
    }
}
