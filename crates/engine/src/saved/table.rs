//! The table of units of a re-exec, made from the definitions alone: a thread can do that while the rest of the state is
//! still being read, and nobody is answered meanwhile.

use std::collections::{BTreeSet, HashMap};

use softboot_unit::{Definition, UnitName};

use super::SavedUnit;
use crate::event::UnitId;
use crate::units::{Related, Units, not_found};

/// Units that were never up, by the definitions that were written beside a saved engine or before it.
#[derive(Debug)]
pub struct Table(Units);

impl Table {
    /// The units of these definitions, in their order.
    pub fn new(definitions: Vec<Definition>) -> Table {
        let mut units = Units::new();
        units.load(definitions);
        Table(units)
    }

    /// The same, if it is known who is what to whom: then nobody has to be found by name.
    pub fn of_related(mut definitions: Vec<Definition>, related: &Related) -> Table {
        match Units::of_related(&mut definitions, related) {
            Some(units) => Table(units),
            None => Table::new(definitions),
        }
    }

    /// The table of the saved units, if these are the ones it was made for in their order, less those that are gone, and
    /// then the newer ones. Otherwise all the definitions there are for them.
    pub(super) fn fit(self, saved: &[SavedUnit], newer: Vec<Definition>) -> Result<Units, Vec<Definition>> {
        let Table(mut units) = self;
        let Some((gone, added)) = difference(&units, saved, &newer) else {
            return Err(definitions(&units, saved, newer));
        };
        gone.into_iter().for_each(|unit| units.forget(unit));
        if !added.is_empty() {
            units.load(added);
        }
        Ok(units)
    }
}

/// Who is gone, and the newer ones in the order in which they came. `None` if that is not all the difference there is.
fn difference(
    units: &Units,
    saved: &[SavedUnit],
    newer: &[Definition],
) -> Option<(Vec<UnitId>, Vec<Definition>)> {
    let (mut gone, mut rest) = (Vec::new(), saved);
    for (id, unit) in units.iter() {
        match rest.split_first() {
            // What holds something over a soft-reboot has its own definition, and may keep it.
            Some((first, others)) if first.name == *unit.name() && first.definition.is_none() => {
                rest = others
            }
            // Another unit may have its other names now.
            _ if !unit.definition.aliases.is_empty() => return None,
            _ => gone.push(id),
        }
    }
    if rest.len() != newer.len() {
        return None;
    }
    let newer: HashMap<&UnitName, &Definition> = newer.iter().map(|one| (&one.name, one)).collect();
    let added = rest
        .iter()
        .filter(|unit| unit.definition.is_none())
        .map(|unit| newer.get(&unit.name).map(|one| Definition::clone(one)));
    let added: Vec<Definition> = added.collect::<Option<_>>()?;
    (added.len() == rest.len()).then_some((gone, added))
}

/// Those of the table that are still wanted, and the newer ones.
fn definitions(units: &Units, saved: &[SavedUnit], newer: Vec<Definition>) -> Vec<Definition> {
    let replaced: BTreeSet<&UnitName> = newer.iter().map(|one| &one.name).collect();
    let wanted: BTreeSet<&UnitName> = saved.iter().map(|unit| &unit.name).collect();
    let mut all: Vec<Definition> = units
        .iter()
        .map(|(_, unit)| &unit.definition)
        .filter(|one| wanted.contains(&one.name) && !replaced.contains(&one.name))
        // One that only another's file names is made again by that.
        .filter(|one| ***one != not_found(&one.name))
        .map(|one| Definition::clone(one))
        .collect();
    all.extend(newer);
    all
}
