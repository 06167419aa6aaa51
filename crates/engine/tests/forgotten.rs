//! Units that are there only because somebody has named them: anybody may ask, so they must not stay.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

mod common;

use common::build::{device, service, slice, target};
use common::{World, name};
use softboot_engine::*;
use softboot_unit::{Definition, LoadState};

fn missing(unit: &str) -> Definition {
    Definition {
        load: LoadState::NotFound,
        ..target(unit).done()
    }
}

fn known(world: &World) -> Vec<String> {
    let names = world.engine.ids().filter_map(|unit| world.engine.name(unit));
    names.map(ToString::to_string).collect()
}

fn load(world: &mut World, definitions: Vec<Definition>) {
    world.feed(Event::Loaded(definitions));
    world.engine.collect_garbage();
}

#[test]
fn the_next_load_forgets_what_nobody_used() {
    let mut world = World::new(vec![service("a.service").done()]);
    for round in 0..50 {
        let instance = format!("x@{round}.service");
        let needs = format!("y@{round}.service");
        load(
            &mut world,
            vec![
                missing(&format!("no{round}.target")),
                slice(&format!("s{round}.slice")).done(),
                device(&format!("d{round}.device")).done(),
                service(&instance).requires(&[&needs]).done(),
                service(&needs).wants(&[&format!("z{round}.service")]).done(),
            ],
        );
        assert!(
            world.engine.unit(&name(&instance)).is_some(),
            "who asked is answered"
        );
        assert!(known(&world).len() <= 1 + 6, "{:?}", known(&world));
    }
    load(&mut world, vec![]);
    assert_eq!(known(&world), ["a.service"]);
}

#[test]
fn what_a_file_names_or_somebody_uses_stays() {
    let mut world = World::new(vec![
        service("a.service")
            .wants(&["no.target", "x@named.service"])
            .done(),
    ]);
    load(
        &mut world,
        vec![
            service("x@named.service").done(),
            service("x@used.service").done(),
        ],
    );
    world.start("x@used.service");
    load(&mut world, vec![service("b.service").done()]);
    load(&mut world, vec![]);
    let wanted = [
        "a.service",
        "no.target",
        "x@named.service",
        "x@used.service",
        "b.service",
    ];
    assert_eq!(known(&world), wanted);
    // How it ended can still be asked.
    world.stop("x@used.service");
    load(&mut world, vec![]);
    assert!(world.engine.unit(&name("x@used.service")).is_some());
}

#[test]
fn a_handoff_forgets_no_sooner_and_no_later() {
    let mut world = World::new(vec![service("a.service").done()]);
    for round in 0..5 {
        let asked = format!("x@{round}.service");
        load(&mut world, vec![service(&asked).done()]);
        world.reexec();
        assert!(
            world.engine.unit(&name(&asked)).is_some(),
            "who asked may ask again"
        );
        assert_eq!(known(&world).len(), 2, "{:?}", known(&world));
    }
    load(&mut world, vec![]);
    assert_eq!(known(&world), ["a.service"]);
}
