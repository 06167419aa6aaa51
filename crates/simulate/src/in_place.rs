//! A soft-reboot in the same engine is the same as one with a new engine.

use std::collections::BTreeSet;

use serde_json::Value;
use softboot_engine::{Action, Compared, Engine, Event, Resume};
use softboot_unit::{Definition, KindSection, UnitName};

use crate::world::World;

impl World {
    /// Both ways. What they come to must be the same; which one goes on is chance.
    pub(crate) fn next_userspace(&mut self) -> Vec<Action> {
        // Sockets that stay open are in the next userspace, or a new engine would not know them.
        if state(&self.engine).get("staying").is_none() {
            let mut altered = self.definitions();
            self.alter(&mut altered);
            self.both_ways(altered);
        }
        let ((engine, actions), other) = self.both_ways(self.definitions());
        let (engine, actions) = match other {
            Some(other) if self.random.percent(50) => other,
            _ => {
                self.watched.clear();
                (engine, actions)
            }
        };
        self.watched.retain(|name| engine.unit(name).is_some());
        self.engine = engine;
        actions
    }

    /// With a new engine, and in place if that can be.
    fn both_ways(&mut self, definitions: Vec<Definition>) -> (Next, Option<Next>) {
        let now = self.clocks();
        self.engine.collect_garbage();
        let (new, news) = Engine::restore(self.engine.save(), definitions.clone(), now, Resume::SoftReboot);
        let compared = Compared::new(self.engine.definitions(), definitions);
        let Some(next) = self.engine.difference(compared) else {
            return ((new, news), None);
        };
        let mut image = Vec::new();
        let copied = self.engine.image(&mut image).map(|()| Engine::from_image(&image));
        let Ok(Ok(mut same)) = copied else {
            self.breaks("the engine cannot be copied");
            return ((new, news), None);
        };
        let sames = same.step(now, Event::NextUserspace(next));
        let (here, there) = (state(&same), state(&new));
        if here != there {
            self.breaks(format!("in place {here}, with a new engine {there}"));
        }
        // The program that goes on watches sockets already, a new one watches none.
        let (mut here, mut there) = (self.watched.clone(), BTreeSet::new());
        watch(&mut here, &same, &sames);
        watch(&mut there, &new, &news);
        let listening = |name: &UnitName| same.unit(name).is_some_and(|unit| same.is_listening(unit));
        here.retain(listening);
        if here != there {
            self.breaks(format!("watched in place {here:?}, with a new engine {there:?}"));
        }
        let (here, there) = (wishes(&same, &sames), wishes(&new, &news));
        if here != there {
            self.breaks(format!("in place {here:?}, with a new engine {there:?}"));
        }
        ((new, news), Some((same, sames)))
    }

    /// Another userspace: some units are not in it, and some are different.
    fn alter(&mut self, definitions: &mut Vec<Definition>) {
        let mentioned: BTreeSet<UnitName> = definitions
            .iter()
            .flat_map(|one| one.unit.dependencies.iter())
            .map(|dependency| dependency.on.clone())
            .collect();
        let random = &mut self.random;
        definitions.retain(|one| mentioned.contains(&one.name) || random.percent(70));
        for definition in definitions.iter_mut() {
            if !random.percent(30) {
                continue;
            }
            definition.unit.description = "another".to_owned();
            match &mut definition.kind {
                KindSection::Socket(socket) => socket.ports.clear(),
                KindSection::Service(_) if random.percent(20) => definition.kind = KindSection::Other,
                _ => {}
            }
        }
    }
}

type Next = (Engine, Vec<Action>);

/// What is saved, in the order of names: ids are given anew in a new engine, and kept in the old one.
fn state(engine: &Engine) -> Value {
    let mut saved = serde_json::to_value(engine.save()).unwrap_or_default();
    for member in ["units", "processes", "deferred"] {
        if let Some(Value::Array(list)) = saved.get_mut(member) {
            list.sort_by_key(|one| one.get("name").unwrap_or(one).to_string());
        }
    }
    saved
}

/// The sockets that are watched after these actions.
fn watch(watched: &mut BTreeSet<UnitName>, engine: &Engine, actions: &[Action]) {
    for action in actions {
        let (unit, on) = match action {
            Action::PollSockets { unit, on } => (*unit, *on),
            Action::CloseSockets { unit } => (*unit, false),
            _ => continue,
        };
        match engine.name(unit).cloned() {
            Some(name) if on => watched.insert(name),
            Some(name) => watched.remove(&name),
            None => false,
        };
    }
}

/// What else the manager is asked for, by name.
fn wishes(engine: &Engine, actions: &[Action]) -> Vec<String> {
    let mut all: Vec<String> = actions
        .iter()
        .filter(|action| !matches!(action, Action::PollSockets { .. }))
        .map(|action| {
            let unit = match action {
                Action::FindMain { unit }
                | Action::CloseSockets { unit }
                | Action::ReconcileSockets { unit } => *unit,
                Action::ArmTimer { timer, .. } => timer.unit,
                other => return format!("{other:?}"),
            };
            let name = engine.name(unit).map(ToString::to_string).unwrap_or_default();
            format!("{action:?}").replace(&format!("{unit:?}"), &name)
        })
        .collect();
    all.sort();
    all
}
