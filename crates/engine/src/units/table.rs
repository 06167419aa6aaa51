//! Units by id and by name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use softboot_unit::{Definition, KindSection, LoadState, UnitName};

use super::by_id::ById;
use super::{Machine, Relation, Relations, Unit, not_found};
use crate::event::UnitId;

/// Who is what to whom in a table of units: of each unit its relations, each followed by the place of a partner. Made once
/// and read often, by programs of the same version: finding everybody by name takes most of the time that it takes to make
/// a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Related(Vec<Vec<u32>>);

/// Every unit. An id that is not in the table reads as a unit that is not found and never active, so that an event
/// about a unit that is gone meanwhile does no harm; what is written to it is lost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Units {
    /// Of an image apart from the rest ([`crate::saved`]).
    #[serde(skip)]
    list: ById<Unit>,
    /// Looked up only: nothing may depend on its order.
    #[serde(serialize_with = "in_order")]
    names: HashMap<UnitName, UnitId>,
    next: u32,
    #[serde(skip, default = "nowhere")]
    nowhere: Box<Unit>,
}

/// The same table gives the same image.
fn in_order<S: Serializer>(names: &HashMap<UnitName, UnitId>, serializer: S) -> Result<S::Ok, S::Error> {
    names.iter().collect::<BTreeMap<_, _>>().serialize(serializer)
}

/// Nothing ever finds this unit by its name.
fn nowhere() -> Box<Unit> {
    #[expect(
        clippy::expect_used,
        reason = "a literal, and a valid name; every test of the engine runs this line"
    )]
    let name = UnitName::new("nowhere.target").expect("nowhere.target is a unit name");
    Box::new(Unit::new(not_found(&name)))
}

impl Index<UnitId> for Units {
    type Output = Unit;

    fn index(&self, id: UnitId) -> &Unit {
        self.list.get(id).unwrap_or(&self.nowhere)
    }
}

impl IndexMut<UnitId> for Units {
    fn index_mut(&mut self, id: UnitId) -> &mut Unit {
        self.list.get_mut(id).unwrap_or(&mut self.nowhere)
    }
}

impl Units {
    pub(crate) fn new() -> Units {
        Units {
            list: ById::default(),
            names: HashMap::new(),
            next: 0,
            nowhere: nowhere(),
        }
    }

    pub(crate) fn contains(&self, id: UnitId) -> bool {
        self.list.contains(id)
    }

    pub(crate) fn find(&self, name: &UnitName) -> Option<UnitId> {
        self.names.get(name).copied()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = UnitId> + '_ {
        self.list.ids()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (UnitId, &Unit)> + '_ {
        self.list.iter()
    }

    /// The id that the next new unit gets.
    pub(crate) fn next_id(&self) -> UnitId {
        UnitId(self.next)
    }

    /// Units with this id or a later one for which a name is enough: of those there can be any number, whatever files
    /// there are.
    pub(crate) fn named_since(&self, first: UnitId) -> BTreeSet<UnitId> {
        self.list
            .since(first)
            .filter(|(_, unit)| unit.is_made_by_its_name())
            .map(|(id, _)| id)
            .collect()
    }

    /// Nothing would be lost if the table forgot it: it never did anything, and no other unit's file names it.
    pub(crate) fn is_unused(&self, id: UnitId) -> bool {
        let unit = &self[id];
        let names = |partner: &UnitId| {
            let dependencies = &self[*partner].definition.unit.dependencies;
            dependencies
                .iter()
                .any(|dependency| self.find(&dependency.on) == Some(id))
        };
        let is_named = || {
            unit.relations
                .iter()
                .any(|(_, partners)| partners.iter().any(names))
        };
        unit.is_made_by_its_name() && unit.was_never_up() && !is_named()
    }

    /// Adds definitions and replaces known ones. True when dependencies of known units changed.
    pub(crate) fn load(&mut self, definitions: Vec<Definition>) -> bool {
        let mut added = Vec::new();
        let mut replaced = false;
        self.names.reserve(definitions.len());
        for definition in definitions {
            match self.find(&definition.name) {
                Some(id) if *self[id].definition == definition => {}
                Some(id) => {
                    self.replace(id, definition);
                    replaced = true;
                }
                None => added.push(self.add(definition)),
            }
        }
        if replaced {
            self.relate_all();
        } else {
            for id in added {
                self.relate(id);
            }
        }
        replaced
    }

    /// Units of these definitions, whose partners are known: the lists of `related` are in the definitions' order and
    /// name partners by their places in it. `None` if that cannot be.
    pub(crate) fn of_related(definitions: &mut Vec<Definition>, related: &Related) -> Option<Units> {
        let count = u32::try_from(definitions.len()).ok()?;
        if related.0.len() != definitions.len() {
            return None;
        }
        let mut lists = Vec::with_capacity(definitions.len());
        for pairs in &related.0 {
            lists.push(Relations::of_pairs(pairs, count)?);
        }
        let mut units = Units::new();
        units.names.reserve(definitions.len());
        for (definition, relations) in std::mem::take(definitions).into_iter().zip(lists) {
            let id = units.add(definition);
            units[id].relations = relations;
        }
        Some(units)
    }

    /// Who is what to whom, by places in the table.
    pub(crate) fn related(&self) -> Related {
        let ids: Vec<UnitId> = self.ids().collect();
        let place = |id: &UnitId| ids.binary_search(id).ok().and_then(|at| u32::try_from(at).ok());
        let pairs = |unit: &Unit| {
            let lists = unit.relations.iter();
            lists
                .flat_map(|(relation, partners)| {
                    let place = &place;
                    partners
                        .iter()
                        .filter_map(move |partner| Some([u32::from(relation.number()), place(partner)?]))
                })
                .flatten()
                .collect()
        };
        Related(self.list.iter().map(|(_, unit)| pairs(unit)).collect())
    }

    fn add(&mut self, definition: Definition) -> UnitId {
        let id = UnitId(self.next);
        self.next = self.next.saturating_add(1);
        self.names.insert(definition.name.clone(), id);
        for alias in &definition.aliases {
            self.names.entry(alias.clone()).or_insert(id);
        }
        self.list.insert(id, Unit::new(definition));
        id
    }

    /// A unit whose file is gone lives on with its old settings while it is up (semantics 6.5).
    fn replace(&mut self, id: UnitId, mut definition: Definition) {
        let old = Arc::clone(&self[id].definition);
        for name in std::iter::once(&old.name).chain(&old.aliases) {
            if self.find(name) == Some(id) {
                self.names.remove(name);
            }
        }
        let unit = &mut self[id];
        let alive = !unit.active().is_inactive_ish() || unit.service().is_some_and(|s| s.stored_fds > 0);
        if alive && definition.load != LoadState::Loaded {
            definition.kind = unit.definition.kind.clone();
            let old = &unit.definition.unit;
            definition.unit.description.clone_from(&old.description);
            definition.unit.survive_final_kill_signal = old.survive_final_kill_signal;
            definition.unit.ignore_on_isolate = old.ignore_on_isolate;
        }
        let same_type = matches!(
            (&unit.machine, &definition.kind),
            (Machine::Service(_), KindSection::Service(_))
                | (Machine::Socket(_), KindSection::Socket(_))
                | (Machine::Mount(_), KindSection::Mount(_))
                | (
                    Machine::Plain { .. },
                    KindSection::Target | KindSection::Slice | KindSection::Device | KindSection::Other
                )
        );
        if !same_type {
            unit.machine = Machine::of(&definition);
        }
        let names: Vec<_> = std::iter::once(&definition.name)
            .chain(&definition.aliases)
            .cloned()
            .collect();
        unit.definition = Arc::new(definition);
        for name in names {
            self.names.entry(name).or_insert(id);
        }
    }

    /// The unit of that name, as not found if nobody defined it.
    fn find_or_add(&mut self, name: &UnitName) -> UnitId {
        match self.find(name) {
            Some(id) => id,
            None => self.add(not_found(name)),
        }
    }

    fn relate_all(&mut self) {
        for unit in self.list.values_mut() {
            unit.relations = Relations::default();
        }
        let ids: Vec<_> = self.ids().collect();
        for id in ids {
            self.relate(id);
        }
    }

    fn relate(&mut self, id: UnitId) {
        let definition = Arc::clone(&self[id].definition);
        for dependency in definition.unit.dependencies.iter() {
            let on = self.find_or_add(&dependency.on);
            if on == id {
                continue;
            }
            let (forward, inverse) = Relation::pair(dependency.kind);
            self[id].relations.insert(forward, on);
            self[on].relations.insert(inverse, id);
        }
    }

    /// Takes a unit out of the table.
    pub(crate) fn forget(&mut self, id: UnitId) {
        let Some(unit) = self.list.remove(id) else { return };
        let mut names = vec![unit.definition.name.clone()];
        names.extend(unit.definition.aliases.iter().cloned());
        for name in names {
            if self.find(&name) == Some(id) {
                self.names.remove(&name);
            }
        }
        for partner in unit.relations.iter().flat_map(|(_, partners)| partners) {
            self[*partner].relations.remove(id);
        }
    }

    /// The units of an image, whose names the rest of the table has already.
    pub(crate) fn put_back(&mut self, units: impl Iterator<Item = (UnitId, Unit)>) {
        self.list = units.collect();
    }

    /// Takes as little room as can be. Nothing else changes.
    pub(crate) fn pack(&mut self) {
        for unit in self.list.values_mut() {
            unit.relations.shrink();
            // Somebody may be using it just now.
            if let Some(definition) = Arc::get_mut(&mut unit.definition) {
                definition.pack();
            }
        }
    }
}
