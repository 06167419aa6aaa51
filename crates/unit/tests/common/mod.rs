//! Units from text.
#![allow(dead_code, reason = "each test program uses its own part")]

use softboot_unit::files::MemoryFiles;
use softboot_unit::{
    Definition, DependencyKind, KindSection, Loader, MountSection, ServiceSection, SocketSection, Specifiers,
    UnitName, default_paths,
};

/// A unit whose file has this text; no text, no file.
pub(crate) fn load_among(unit: &str, text: &str, others: &[(&str, &str)]) -> Definition {
    let all = others.iter().copied().chain([(unit, text)]);
    let files = all
        .filter(|(_, text)| !text.is_empty())
        .fold(MemoryFiles::new(), |files, (name, text)| {
            files.file(&format!("/etc/systemd/system/{name}"), text)
        });
    Loader::new(&files, default_paths(), Specifiers::default()).load(&UnitName::new(unit).unwrap())
}

pub(crate) fn load(unit: &str, text: &str) -> Definition {
    load_among(unit, text, &[])
}

pub(crate) fn service(unit: &Definition) -> &ServiceSection {
    match &unit.kind {
        KindSection::Service(section) => section,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn socket(unit: &Definition) -> &SocketSection {
    match &unit.kind {
        KindSection::Socket(section) => section,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn mount(unit: &Definition) -> &MountSection {
    match &unit.kind {
        KindSection::Mount(section) => section,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn has(unit: &Definition, kind: DependencyKind, on: &str) -> bool {
    unit.unit
        .dependencies
        .iter()
        .any(|d| d.kind == kind && d.on.as_str() == on)
}
