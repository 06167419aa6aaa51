//! Whether the files of a unit say something else by now than when they were read.

use softboot_unit::{Definition, LoadState, Origin, UnitName};

use crate::run::Manager;

impl Manager {
    /// A reload would change the unit (property `NeedDaemonReload`). Reads its files, as a load for a question does.
    pub(super) fn needs_reload(&self, known: &Definition) -> bool {
        let other = |name: &UnitName| *name != known.name;
        let names = std::slice::from_ref(&known.name);
        let read = crate::load::closure(names, &other, &self.listings);
        read.iter()
            .find(|definition| definition.name == known.name)
            .is_some_and(|read| differs(known, read))
    }
}

/// Only what is in the files counts: what else a unit depends on follows from the units around it.
fn differs(known: &Definition, read: &Definition) -> bool {
    if known.load == LoadState::NotFound && read.load == LoadState::NotFound {
        return false;
    }
    let section = |definition: &Definition| {
        let mut unit = definition.unit.clone();
        unit.dependencies
            .retain(|dependency| dependency.origin == Origin::File);
        unit
    };
    known.load != read.load
        || known.fragment != read.fragment
        || known.drop_ins != read.drop_ins
        || known.kind != read.kind
        || section(known) != section(read)
}

#[cfg(test)]
mod tests {
    use softboot_unit::files::MemoryFiles;
    use softboot_unit::{Loader, Specifiers};

    use super::*;

    const TARGET: &str = "[Unit]\nWants=a.service\n";

    fn read(name: &str, files: &MemoryFiles, whole: bool) -> Definition {
        let loader = Loader::new(files, vec!["/u".to_owned()], Specifiers::default());
        let name = UnitName::new(name).unwrap();
        let known = |other: &UnitName| !whole && *other != name;
        let read = loader.load_closure(std::slice::from_ref(&name), &known);
        read.into_iter()
            .find(|definition| definition.name == name)
            .unwrap()
    }

    fn files() -> MemoryFiles {
        MemoryFiles::new()
            .file("/u/t.target", TARGET)
            .file("/u/a.service", "[Service]\nExecStart=/bin/a\n")
    }

    #[test]
    fn what_the_other_units_add_is_no_change() {
        for name in ["t.target", "a.service", "none.service"] {
            let (known, again) = (read(name, &files(), true), read(name, &files(), false));
            assert!(!differs(&known, &again), "{name}");
        }
        assert_ne!(
            read("t.target", &files(), true),
            read("t.target", &files(), false),
            "the order after what a target wants"
        );
    }

    #[test]
    fn each_change_of_a_file_is_one() {
        let known = read("a.service", &files(), true);
        let changed =
            |path: &str, text: &str| differs(&known, &read("a.service", &files().file(path, text), false));
        assert!(changed("/u/a.service", "[Service]\nExecStart=/bin/b\n"));
        assert!(changed(
            "/u/a.service",
            "[Unit]\nAfter=x.service\n[Service]\nExecStart=/bin/a\n"
        ));
        assert!(changed("/u/a.service", "[Service]\n"));
        assert!(changed("/u/a.service.d/x.conf", "[Service]\nNice=5\n"));
        assert!(!changed(
            "/u/a.service",
            "# A remark.\n[Service]\nExecStart=/bin/a\n"
        ));
        let none = read("none.service", &files(), true);
        let there = files().file("/u/none.service", "[Service]\nExecStart=/bin/a\n");
        assert!(differs(&none, &read("none.service", &there, false)));
    }
}
