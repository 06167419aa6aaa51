//! Dependencies that nobody writes (semantics 1.6, 4.11, 5.6).

use crate::model::{Dependency, DependencyKind as D, KindSection, Origin};
use crate::name::{UnitKind, UnitName};

/// Adds them to what the files say.
pub(crate) fn add(
    name: &UnitName,
    kind: &KindSection,
    default_dependencies: bool,
    dependencies: &mut Vec<Dependency>,
) {
    let mut adder = Adder {
        own: name,
        dependencies,
    };
    match kind {
        KindSection::Service(service) => {
            adder.implicit(&[D::Requires, D::After], &service.slice);
            for socket in &service.sockets {
                adder.implicit(&[D::Wants, D::After], socket);
            }
        }
        KindSection::Socket(socket) => {
            adder.implicit(&[D::Requires, D::After], &socket.slice);
            if !socket.accept {
                adder.implicit(&[D::Before, D::Triggers], &socket.service);
            }
        }
        KindSection::Slice => {
            if let Some(parent) = parent_slice(name) {
                adder.implicit(&[D::Requires, D::After], &parent);
            }
        }
        KindSection::Target | KindSection::Other => {}
    }
    if !default_dependencies {
        return;
    }
    match name.kind() {
        UnitKind::Service => {
            adder.default(&[D::Requires, D::After], "sysinit.target");
            adder.default(&[D::After], "basic.target");
        }
        UnitKind::Socket => {
            adder.default(&[D::Before], "sockets.target");
            adder.default(&[D::Requires, D::After], "sysinit.target");
        }
        UnitKind::Timer => {
            adder.default(&[D::Before], "timers.target");
            adder.default(&[D::Requires, D::After], "sysinit.target");
        }
        UnitKind::Path => {
            adder.default(&[D::Before], "paths.target");
            adder.default(&[D::Requires, D::After], "sysinit.target");
        }
        UnitKind::Mount | UnitKind::Swap => adder.default(&[D::Before, D::Conflicts], "umount.target"),
        _ => {}
    }
    let shut_down = matches!(
        name.kind(),
        UnitKind::Service
            | UnitKind::Socket
            | UnitKind::Target
            | UnitKind::Timer
            | UnitKind::Path
            | UnitKind::Slice
            | UnitKind::Scope
    );
    if shut_down {
        adder.default(&[D::Before, D::Conflicts], "shutdown.target");
    }
}

/// `a.slice` of `a-b.slice`, `-.slice` of `a.slice`.
fn parent_slice(name: &UnitName) -> Option<UnitName> {
    match name.stem() {
        "-" => None,
        stem => {
            let parent = stem.rsplit_once('-').map_or("-", |(parent, _)| parent);
            UnitName::new(&format!("{parent}.slice")).ok()
        }
    }
}

/// A target comes after what it wants, if both follow the default rules and nothing else was said. Needs the other
/// unit, so it is done when all are loaded.
pub(crate) fn order_target(
    target: &UnitName,
    dependencies: &[Dependency],
    follows_defaults: impl Fn(&UnitName) -> bool,
    is_before: impl Fn(&UnitName) -> bool,
) -> Vec<Dependency> {
    let pulled = |kind| {
        matches!(
            kind,
            D::Wants | D::Requires | D::Requisite | D::BindsTo | D::Upholds | D::PartOf
        )
    };
    let mut added: Vec<Dependency> = Vec::new();
    for dependency in dependencies.iter().filter(|dependency| pulled(dependency.kind)) {
        let on = &dependency.on;
        let ordered = dependencies
            .iter()
            .chain(&added)
            .any(|d| d.on == *on && matches!(d.kind, D::Before | D::After));
        if on != target && !ordered && follows_defaults(on) && !is_before(on) {
            added.push(Dependency {
                kind: D::After,
                on: on.clone(),
                origin: Origin::Default,
            });
        }
    }
    added
}

struct Adder<'a> {
    own: &'a UnitName,
    dependencies: &'a mut Vec<Dependency>,
}

impl Adder<'_> {
    fn add(&mut self, kinds: &[D], on: &UnitName, origin: Origin) {
        if on == self.own {
            return;
        }
        for kind in kinds {
            let known = self.dependencies.iter().any(|d| d.kind == *kind && d.on == *on);
            if !known {
                self.dependencies.push(Dependency {
                    kind: *kind,
                    on: on.clone(),
                    origin,
                });
            }
        }
    }

    fn implicit(&mut self, kinds: &[D], on: &UnitName) {
        self.add(kinds, on, Origin::Implicit);
    }

    fn default(&mut self, kinds: &[D], on: &str) {
        if let Ok(on) = UnitName::new(on) {
            self.add(kinds, &on, Origin::Default);
        }
    }
}
