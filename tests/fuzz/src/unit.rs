//! Unit files.

use softboot_unit::files::MemoryFiles;
use softboot_unit::{Loader, Specifiers, UnitName};

/// The input is a unit file and, after a NUL byte each, a drop-in and another unit. Any text gives a definition, with
/// diagnostics that have a place in it.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.split('\0');
    let mut next = || parts.next().unwrap_or_default();
    let (own, drop_in, other) = (next(), next(), next());
    for (name, file) in [
        ("a.service", "/etc/systemd/system/a.service"),
        ("a.socket", "/etc/systemd/system/a.socket"),
        ("t@x.service", "/etc/systemd/system/t@.service"),
    ] {
        let files = MemoryFiles::new()
            .file(file, own)
            .file(&format!("/etc/systemd/system/{name}.d/x.conf"), drop_in)
            .file("/run/systemd/system/b.service", other);
        let loader = Loader::new(
            &files,
            vec!["/etc/systemd/system".to_owned(), "/run/systemd/system".to_owned()],
            Specifiers::default(),
        );
        let definition = loader.load(&UnitName::new(name).unwrap());
        assert_eq!(definition.name.as_str(), name);
    }
}
