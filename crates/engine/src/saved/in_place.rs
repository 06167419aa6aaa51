//! The next userspace in the same engine.
//!
//! What [`Engine::restore`] makes of a saved engine and all definitions, this makes of the engine itself and of the definitions that
//! are different, so that it takes no longer with a thousand units that stay as they are. Both lead to the same state; units
//! keep their ids here.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use softboot_unit::{Definition, KindSection, LoadState, UnitName};

use super::restore::has_other_ports;
use super::save::holds_something;
use crate::action::Action;
use crate::engine::{Engine, RetryFlag};
use crate::event::UnitId;
use crate::jobs::JobTable;
use crate::socket::SocketState;
use crate::state::JobResult;
use crate::units::{Machine, Unit, not_found};

/// What is different in the next userspace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NextUserspace {
    /// New definitions, and those that are not as they were.
    pub definitions: Vec<Definition>,
    /// Units that it does not have.
    pub gone: Vec<UnitName>,
}

/// The next userspace's definitions beside those of the running one. Comparing takes time, is no function of the engine, and
/// can be done on another thread while all is well.
#[derive(Debug, Default)]
pub struct Compared {
    /// Equal in both, in the order of ids.
    same: Vec<(UnitId, Arc<Definition>)>,
    /// Those of them that have other names.
    aliased: BTreeSet<UnitId>,
    other: HashMap<UnitName, Definition>,
    /// All other names of the next userspace's units.
    aliases: HashSet<UnitName>,
}

impl Compared {
    /// `known` are the definitions of [`Engine::definitions`], `next` all that the next userspace needs, those of missing
    /// files among them.
    pub fn new(known: Vec<(UnitId, Arc<Definition>)>, next: Vec<Definition>) -> Compared {
        let aliases = next.iter().flat_map(|one| one.aliases.iter().cloned()).collect();
        let mut other: HashMap<UnitName, Definition> =
            next.into_iter().map(|one| (one.name.clone(), one)).collect();
        let mut same = known;
        same.retain(|(_, known)| {
            let equal = other.get(&known.name).is_some_and(|one| *one == **known);
            if equal {
                other.remove(&known.name);
            }
            equal
        });
        let aliased = same.iter().filter(|(_, one)| !one.aliases.is_empty());
        let aliased = aliased.map(|(id, _)| *id).collect();
        Compared {
            same,
            aliased,
            other,
            aliases,
        }
    }

    /// The next userspace does not need these after all.
    pub fn leave_out(&mut self, names: &HashSet<UnitName>) {
        self.same.retain(|(_, one)| !names.contains(&one.name));
        self.other.retain(|name, _| !names.contains(name));
    }
}

/// Whether it has an instance for each connection: those sockets rest for reasons of the manager's, too.
fn is_accepting(unit: &Unit) -> bool {
    matches!(&unit.definition.kind, KindSection::Socket(section) if section.accept)
}

impl Engine {
    /// The definitions as they are now, in the order of ids.
    pub fn definitions(&self) -> Vec<(UnitId, Arc<Definition>)> {
        let all = self.units.iter();
        all.map(|(id, unit)| (id, Arc::clone(&unit.definition))).collect()
    }

    /// Whether the next userspace has this unit, by its name.
    pub fn is_among(&self, unit: UnitId, next: &Compared) -> bool {
        next.same.binary_search_by_key(&unit, |(id, _)| *id).is_ok()
            || next.other.contains_key(self.units[unit].name())
    }

    /// What is different in the next userspace. `None` when names have moved from unit to unit, which [`Engine::restore`] alone
    /// can do.
    pub fn difference(&self, next: Compared) -> Option<NextUserspace> {
        let (mut gone, mut changed) = (Vec::new(), Vec::new());
        // Both are in the order of ids.
        let mut same = next.same.iter().peekable();
        for (id, unit) in self.units.iter() {
            // Forgotten since they were compared.
            while let Some((_, compared)) = same.next_if(|(other, _)| *other < id) {
                changed.push(compared.as_ref().clone());
            }
            let compared = same.next_if(|(other, _)| *other == id);
            let as_it_was = compared.is_some_and(|(_, compared)| Arc::ptr_eq(&unit.definition, compared));
            // Most are, and nothing has to be read of them: services are away meanwhile.
            if as_it_was && next.aliases.is_empty() && !next.aliased.contains(&id) {
                continue;
            }
            let taken = |alias: &UnitName| {
                let known = self.units.find(alias).filter(|known| *known != id);
                next.other.contains_key(alias) || known.is_some_and(|known| self.is_among(known, &next))
            };
            if next.aliases.contains(unit.name()) || unit.definition.aliases.iter().any(taken) {
                return None;
            }
            match compared {
                // Read again since.
                Some((_, compared)) if !as_it_was && unit.definition != *compared => {
                    changed.push(compared.as_ref().clone());
                }
                Some(_) => {}
                None if next.other.contains_key(unit.name()) => {}
                None => gone.push(unit.name().clone()),
            }
        }
        changed.extend(same.map(|(_, compared)| compared.as_ref().clone()));
        let mut definitions: Vec<Definition> = next.other.into_values().chain(changed).collect();
        // The order in which units are added is the order of their ids.
        definitions.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Some(NextUserspace { definitions, gone })
    }

    /// Everything has ended, and the next userspace begins. Nothing of it is started: somebody has to ask.
    pub(crate) fn next_userspace(&mut self, next: NextUserspace) {
        let NextUserspace { definitions, gone } = next;
        let unwatched = self.unwatched_sockets(&definitions);
        self.forget_jobs();
        self.end_userspace();
        let moved: Vec<UnitName> = definitions
            .iter()
            .filter(|new| new.load == LoadState::Loaded)
            .filter(|new| {
                let old = self.units.find(&new.name);
                old.is_some_and(|old| has_other_ports(&self.units[old].definition, new))
            })
            .map(|new| new.name.clone())
            .collect();
        for name in gone {
            match self.units.find(&name) {
                Some(unit) if holds_something(&self.units[unit]) => {
                    self.units.load(vec![not_found(&name)]);
                }
                Some(unit) => self.units.forget(unit),
                None => {}
            }
        }
        self.units.load(definitions);
        let known = &self.units;
        self.deferred.retain(|unit| known.contains(*unit));
        self.processes.retain(|_, unit| known.contains(*unit));
        self.soft_reboots = self.soft_reboots.saturating_add(1);
        // A conflict of the old userspace is over, so what was deferred may try.
        self.retry = RetryFlag::Yes;
        self.begin_userspace();
        self.reconcile(&moved);
        self.rearm(Some(&unwatched));
    }

    /// Sockets that a new program would watch and this one may not be watching. All others need not be named one by one while
    /// services are away.
    fn unwatched_sockets(&self, definitions: &[Definition]) -> BTreeSet<UnitId> {
        let rested = self
            .ending
            .iter()
            .flat_map(|ending| ending.rested.iter().copied());
        let new = definitions.iter().filter_map(|one| self.units.find(&one.name));
        let others = self.units.iter().filter(|(_, unit)| match &unit.machine {
            Machine::Socket(socket) => socket.state != SocketState::Listening || is_accepting(unit),
            _ => false,
        });
        rested.chain(new).chain(others.map(|(id, _)| id)).collect()
    }

    fn forget_jobs(&mut self) {
        let jobs = std::mem::take(&mut self.jobs);
        for (_, job) in jobs.iter() {
            let slots = &mut self.units[job.unit];
            (slots.job, slots.nop) = (None, None);
            for request in &job.requests {
                self.actions.push(Action::RequestDone {
                    request: *request,
                    outcome: Ok(JobResult::Canceled),
                });
            }
        }
        self.jobs = JobTable::default();
        self.jobs.continue_after(jobs.last());
        self.work.clear();
        self.release.clear();
        self.dirty.clear();
        self.idle.clear();
        self.staying.clear();
        self.fresh.clear();
        self.ending = None;
        self.boot_requested = false;
        self.boot_finished = false;
        self.safe_mode = false;
        self.ctrl_alt_del.clear();
    }
}
