//! A table that was made before the rest of the state was read leads to the engine that the definitions lead to.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::build::{oneshot, service, target};
use common::{Random, World};
use softboot_engine::*;
use softboot_unit::{Definition, UnitName};

const NAMES: [&str; 8] = [
    "a.service",
    "b@1.service",
    "c.service",
    "d@1.service",
    "e.target",
    "f@1.service",
    "g.service",
    "h@1.service",
];

/// One that needs some of the others, or of those that nobody has.
fn definition(random: &mut Random, unit: &str) -> Definition {
    let mut builder = match random.below(3) {
        _ if unit.ends_with(".target") => target(unit),
        0 => service(unit),
        _ => oneshot(unit),
    };
    for on in NAMES.iter().chain(&["none.target", "none@1.service"]) {
        if random.chance(15) {
            builder = builder.wants(&[on]).after(&[on]);
        }
    }
    let mut definition = builder.done();
    if random.chance(10) {
        let alias = format!("also-{}.{}", random.below(3), definition.name.kind().suffix());
        definition.aliases.push(UnitName::new(&alias).unwrap());
    }
    definition
}

/// All that the manager would have: what was written once, with who is what to whom, and since then what was read.
fn history(random: &mut Random) -> (World, Vec<Definition>, Related, Vec<Definition>) {
    let mut loaded: Vec<Definition> = Vec::new();
    for unit in NAMES {
        if random.chance(60) {
            loaded.push(definition(random, unit));
        }
    }
    let mut world = World::new(loaded);
    let written: Vec<Definition> = world
        .engine
        .definitions()
        .into_iter()
        .map(|(_, one)| Definition::clone(&one))
        .collect();
    let related = world.engine.related();
    let mut newer: BTreeSet<UnitName> = BTreeSet::new();
    for _ in 0..random.below(4) {
        let unit = NAMES[random.below(NAMES.len())];
        let one = definition(random, unit);
        newer.insert(one.name.clone());
        world.feed(Event::Loaded(vec![one]));
        if random.chance(60) {
            world.start(unit);
        }
        world.engine.collect_garbage();
    }
    let newer = newer
        .iter()
        .filter_map(|name| world.engine.definition(world.engine.unit(name)?).cloned())
        .collect();
    (world, written, related, newer)
}

/// What a unit is, and what to others.
type Known = (String, Vec<(String, Vec<UnitName>)>);

fn known(engine: &Engine) -> BTreeMap<String, Known> {
    let of = |unit: UnitId| {
        let state = format!("{:?} {:?}", engine.status(unit), engine.definition(unit));
        (
            engine.name(unit).unwrap().to_string(),
            (state, engine.dependencies(unit)),
        )
    };
    engine.ids().map(of).collect()
}

#[test]
fn both_ways_lead_to_the_same_units() {
    let (mut same_order, mut with_newer, mut with_gone) = (0, 0, 0);
    for seed in 1..3000 {
        let mut random = Random(seed);
        let (world, mut written, related, newer) = history(&mut random);
        let saved = world.engine.save_beside_definitions();
        let names: BTreeSet<&UnitName> = saved.units().collect();
        let swapped = random.chance(10) && written.len() > 1;
        if swapped {
            written.swap(0, 1);
        }
        let gone = written.iter().filter(|one| !names.contains(&one.name)).count();
        let kept = |one: &&Definition| {
            names.contains(&one.name) && !newer.iter().any(|newer| newer.name == one.name)
        };
        let all: Vec<Definition> = written.iter().filter(kept).chain(&newer).cloned().collect();
        let now = world.clocks();
        let (one, first) = Engine::restore(saved.clone(), all, now, Resume::Reexec);
        let mut tables = vec![Table::new(written.clone())];
        if !swapped {
            // Read as a program reads them that makes the table so.
            let late = |one: &Definition| {
                let text = serde_json::to_vec(one).unwrap();
                Definition::read_late(&text).unwrap()
            };
            tables.push(Table::of_related(written.iter().map(late).collect(), &related));
        }
        for table in tables {
            let (other, second) = Engine::restore_beside(saved.clone(), table, newer.clone(), now);
            assert_eq!(known(&one), known(&other), "seed {seed}");
            let texts = [&one, &other].map(|engine| serde_json::to_string(&engine.save()).unwrap());
            assert_eq!(texts[0], texts[1], "seed {seed}");
            assert_eq!(first.len(), second.len(), "seed {seed}");
        }
        same_order += usize::from(newer.is_empty());
        with_newer += usize::from(!newer.is_empty());
        with_gone += usize::from(gone > 0);
    }
    let counts = [same_order, with_newer, with_gone];
    assert!(counts.iter().all(|count| *count > 100), "{counts:?} are no test");
}

/// What the table's units are to each other, beside an engine of the same definitions.
fn partners(written: &[Definition], table: Table) -> BTreeMap<String, Known> {
    let world = World::new(written.to_vec());
    let saved = world.engine.save_beside_definitions();
    let (engine, _) = Engine::restore_beside(saved, table, Vec::new(), world.clocks());
    known(&engine)
}

#[test]
fn who_is_what_to_whom_is_the_same_by_name_and_by_place() {
    let mut many = 0;
    for seed in 1..300 {
        let mut random = Random(seed);
        let (_, written, related, _) = history(&mut random);
        let text = serde_json::to_string(&related).unwrap();
        assert_eq!(serde_json::from_str::<Related>(&text).unwrap(), related);
        let by_name = partners(&written, Table::new(written.clone()));
        let by_place = partners(&written, Table::of_related(written.clone(), &related));
        assert_eq!(by_name, by_place, "seed {seed}");
        many += usize::from(text.len() > 3 * written.len() + 1);
    }
    assert!(many > 200, "{many} with any relation are no test");
}

#[test]
fn numbers_that_no_table_can_have_are_not_used() {
    let written = vec![
        service("a.service").wants(&["b.service"]).done(),
        service("b.service").done(),
    ];
    let by_name = partners(&written, Table::new(written.clone()));
    let by_place = |related: &str| {
        let related = serde_json::from_str::<Related>(related).unwrap();
        partners(&written, Table::of_related(written.clone(), &related))
    };
    for wrong in [
        "[]",
        "[[],[],[]]",
        "[[0],[1,0]]",
        "[[0,2],[1,0]]",
        "[[99,1],[1,0]]",
        "[[0,1,0,1],[1,0]]",
        "[[1,1,0,1],[1,0]]",
        "[[4294967295,4294967295],[]]",
    ] {
        assert_eq!(by_place(wrong), by_name, "{wrong}");
    }
    assert_eq!(by_place("[[0,1],[1,0]]"), by_name);
    // What fits is believed.
    assert_ne!(by_place("[[],[]]"), by_name);
}
