//! How often the loader asks the file system: once for each directory there is and once for each file.

use std::cell::Cell;
use std::io;

use softboot_unit::files::{DirEntry, FileProvider, MemoryFiles};
use softboot_unit::{DependencyKind, Loader, Specifiers, UnitName, default_paths};

/// Counts what it is asked for.
struct Counted {
    files: MemoryFiles,
    reads: Cell<usize>,
    lists: Cell<usize>,
}

impl FileProvider for Counted {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.reads.set(self.reads.get() + 1);
        self.files.read(path)
    }

    fn list(&self, directory: &str) -> io::Result<Vec<DirEntry>> {
        self.lists.set(self.lists.get() + 1);
        self.files.list(directory)
    }
}

#[test]
fn a_directory_that_its_parent_does_not_list_is_not_asked_for() {
    const UNITS: usize = 300;
    let target = "/usr/lib/systemd/system/all.target";
    let link = |n: usize| format!("{target}.wants/{n}.service");
    let files = (0..UNITS).fold(MemoryFiles::new().file(target, "[Unit]\n"), |files, n| {
        let path = format!("/usr/lib/systemd/system/{n}.service");
        files
            .file(&path, "[Service]\nExecStart=/bin/true\n")
            .link(&link(n), &format!("../{n}.service"))
    });
    // One of them has a drop-in, in another directory than its file.
    let files = files.file(
        "/etc/systemd/system/7.service.d/a.conf",
        "[Service]\nUMask=0077\n",
    );
    let counted = Counted {
        files,
        reads: Cell::new(0),
        lists: Cell::new(0),
    };
    let loader = Loader::new(&counted, default_paths(), Specifiers::default());
    let loaded = loader.load_closure(&[UnitName::new("all.target").unwrap()], &|_| false);

    let of = |name: &str| loaded.iter().find(|unit| unit.name.as_str() == name).unwrap();
    let wants = of("all.target").unit.dependencies.iter();
    assert_eq!(wants.filter(|d| d.kind == DependencyKind::Wants).count(), UNITS);
    assert_eq!(
        of("7.service").drop_ins,
        ["/etc/systemd/system/7.service.d/a.conf"]
    );
    // The search path, the target's links, and the drop-ins of one.
    assert_eq!(counted.lists.get(), default_paths().len() + 2);
    // Each file, each link to look whether it is empty, and the drop-in.
    assert_eq!(counted.reads.get(), 1 + UNITS + UNITS + 1);
}
