//! When units changed: the time line, and how units hang together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use softboot_control::api::{DependenciesReply, TimelineReply, UnitNode, UnitTimeline, UnitTimes};
use softboot_engine::{ActiveState, UnitId};
use softboot_unit::UnitName;

use crate::run::Manager;

/// So many names of units that are gone may be kept before they are looked for.
const SLACK: usize = 64;

/// The last changes of each unit that has changed at all.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Timeline {
    units: BTreeMap<UnitName, Entry>,
    /// With so many, those that are gone are looked for.
    #[serde(default)]
    limit: usize,
    /// Sockets with a client that nobody takes yet, and when it was seen.
    #[serde(default)]
    waiting: BTreeMap<UnitName, u64>,
    /// How long such a client waited, since the last cycle began.
    #[serde(default)]
    waited: BTreeMap<UnitName, u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    active: ActiveState,
    times: UnitTimes,
}

impl Timeline {
    /// A unit is in this state at this moment. What is not here yet was inactive before.
    pub(crate) fn note(&mut self, unit: &UnitName, active: ActiveState, now: u64) -> bool {
        let old = self
            .units
            .get(unit)
            .map_or(ActiveState::Inactive, |entry| entry.active);
        if old == active {
            return false;
        }
        let entry = self.units.entry(unit.clone()).or_insert_with(|| Entry {
            active,
            times: UnitTimes::default(),
        });
        entry.active = active;
        let times = &mut entry.times;
        match (old.is_inactive_ish(), active.is_inactive_ish()) {
            (true, false) => times.inactive_exit_usec = Some(now),
            (false, true) => times.inactive_enter_usec = Some(now),
            _ => {}
        }
        match (old.is_active_ish(), active.is_active_ish()) {
            (false, true) => times.active_enter_usec = Some(now),
            (true, false) => times.active_exit_usec = Some(now),
            _ => {}
        }
        true
    }

    /// When a unit changed.
    pub(crate) fn of(&self, unit: &UnitName) -> UnitTimes {
        self.units.get(unit).map(|entry| entry.times).unwrap_or_default()
    }

    /// All of them.
    pub(crate) fn times(&self) -> impl Iterator<Item = (&UnitName, &UnitTimes)> {
        self.units.iter().map(|(name, entry)| (name, &entry.times))
    }

    /// There is a client for this socket, and no service that would take it.
    pub(crate) fn client_seen(&mut self, socket: &UnitName, now: u64) {
        if !self.waiting.contains_key(socket) {
            self.waiting.insert(socket.clone(), now);
        }
    }

    /// Somebody takes the clients of this socket now, or nobody ever will.
    fn client_taken(&mut self, socket: &UnitName, taken: bool, now: u64) {
        if let Some(since) = self.waiting.remove(socket)
            && taken
        {
            let took = now.saturating_sub(since);
            let longest = self.waited.entry(socket.clone()).or_default();
            *longest = took.max(*longest);
        }
    }

    /// How long the client of a socket waited that was seen first.
    pub(crate) fn waited(&self, socket: &UnitName) -> Option<u64> {
        self.waited.get(socket).copied()
    }

    /// A cycle begins.
    pub(crate) fn forget_waits(&mut self) {
        self.waited.clear();
    }
}

impl Manager {
    /// Notes a unit's state.
    pub(super) fn note_times(&mut self, unit: UnitId, now: u64) {
        let (Some(name), Some(active)) = (self.engine.name(unit), self.engine.active(unit)) else {
            return;
        };
        let timeline = &mut self.clients.timeline;
        if timeline.note(name, active, now) {
            // What was noted is done, or no longer right.
            self.clients.markers.0.remove(name);
        }
        if !timeline.waiting.is_empty() {
            let (up, down) = (active.is_active_ish(), active.is_inactive_ish());
            if down {
                timeline.client_taken(name, false, now);
            }
            if up || down {
                for socket in self.engine.sockets_of(unit) {
                    if let Some(name) = self.engine.name(socket) {
                        timeline.client_taken(name, up, now);
                    }
                }
            }
        }
        // Instances come and go; what the engine has forgotten is forgotten here too. The next look is due when there
        // are twice as many, so that a change costs the same however many units there are.
        if timeline.units.len() > timeline.limit.max(SLACK) {
            let engine = &self.engine;
            timeline.units.retain(|name, _| engine.unit(name).is_some());
            timeline.limit = timeline.units.len().saturating_mul(2);
        }
    }

    pub(super) fn show_timeline(&mut self, client: u64) {
        let units = self.clients.timeline.units.iter();
        let reply = TimelineReply {
            started_usec: self.facts.started.0,
            boot_finished_usec: self.facts.boot_finished.map(|at| at.0),
            units: units
                .map(|(name, entry)| UnitTimeline {
                    name: name.to_string(),
                    active: entry.active.word().to_owned(),
                    times: entry.times,
                })
                .collect(),
        };
        self.reply(client, &reply);
    }

    pub(super) fn list_dependencies(&mut self, client: u64, relations: &[String]) {
        let wanted = |relation: &String| relations.is_empty() || relations.contains(relation);
        let node = |unit: UnitId| {
            let status = self.engine.status(unit)?;
            let dependencies = self.engine.dependencies(unit).into_iter();
            Some(UnitNode {
                name: status.name.to_string(),
                load: status.load,
                active: status.active.word().to_owned(),
                dependencies: dependencies
                    .filter(|(relation, _)| wanted(relation))
                    .map(|(relation, names)| (relation, names.iter().map(ToString::to_string).collect()))
                    .collect(),
            })
        };
        let units = self.engine.ids().filter_map(node).collect();
        self.reply(client, &DependenciesReply { units });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_that_was_seen_first_counts_and_one_that_nobody_takes_does_not() {
        let socket = UnitName::new("a.socket").unwrap();
        let mut timeline = Timeline::default();
        timeline.client_seen(&socket, 10);
        timeline.client_seen(&socket, 15);
        timeline.client_taken(&socket, true, 40);
        assert_eq!(timeline.waited(&socket), Some(30));
        // A shorter wait after it changes nothing.
        timeline.client_seen(&socket, 50);
        timeline.client_taken(&socket, true, 51);
        assert_eq!(timeline.waited(&socket), Some(30));
        timeline.forget_waits();
        timeline.client_seen(&socket, 60);
        timeline.client_taken(&socket, false, 90);
        assert_eq!(timeline.waited(&socket), None);
    }

    #[test]
    fn each_change_has_its_time_and_the_last_one_counts() {
        let name = UnitName::new("a.service").unwrap();
        let mut timeline = Timeline::default();
        timeline.note(&name, ActiveState::Inactive, 1);
        assert_eq!(timeline.of(&name), UnitTimes::default());
        timeline.note(&name, ActiveState::Activating, 10);
        timeline.note(&name, ActiveState::Active, 20);
        timeline.note(&name, ActiveState::Active, 25);
        timeline.note(&name, ActiveState::Reloading, 30);
        timeline.note(&name, ActiveState::Deactivating, 40);
        timeline.note(&name, ActiveState::Failed, 50);
        let all = |exit, enter, leave, end| UnitTimes {
            inactive_exit_usec: Some(exit),
            active_enter_usec: Some(enter),
            active_exit_usec: Some(leave),
            inactive_enter_usec: Some(end),
        };
        assert_eq!(timeline.of(&name), all(10, 20, 40, 50));
        timeline.note(&name, ActiveState::Inactive, 55);
        timeline.note(&name, ActiveState::Active, 60);
        assert_eq!(timeline.of(&name), all(60, 60, 40, 50));
    }
}
