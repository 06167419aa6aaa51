use std::fs;

use super::*;

/// What happens, and its name.
type Way = (&'static str, fn(&Path));

/// A directory of this test's own.
fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("softboot-watch-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(path.join("units/b.service.d")).unwrap();
    fs::write(path.join("units/a.service"), "[Unit]\n").unwrap();
    fs::write(path.join("units/other.service"), "[Unit]\n").unwrap();
    fs::write(path.join("target"), "[Unit]\n").unwrap();
    fs::write(path.join("units/twice.service"), "[Unit]\n").unwrap();
    fs::hard_link(path.join("units/twice.service"), path.join("twice")).unwrap();
    std::os::unix::fs::symlink("../target", path.join("units/link.service")).unwrap();
    path
}

/// Whether it stays quiet while something happens.
fn is_quiet(name: &str, happens: impl FnOnce(&Path)) -> bool {
    let path = directory(name);
    let units = path.join("units");
    let [at, above] = [&units, &path].map(|path| path.to_str().unwrap().to_owned());
    let names = [
        "a.service",
        "none.service",
        "b.service.d",
        "link.service",
        "twice.service",
    ];
    let files = names.iter().map(|name| (at.as_str(), *name));
    let listed = [(above.as_str(), "units")];
    let mut watch = Watch::begin(files.chain(listed)).unwrap();
    assert!(watch.is_quiet());
    happens(&path);
    let quiet = watch.is_quiet();
    assert_eq!(watch.is_quiet(), quiet, "it remembers");
    fs::remove_dir_all(&path).unwrap();
    quiet
}

#[test]
fn each_way_to_change_what_was_read_is_heard() {
    let ways: [Way; 11] = [
        ("write", |at| {
            fs::write(at.join("units/a.service"), "[Unit]\nA=b\n").unwrap()
        }),
        ("remove", |at| {
            fs::remove_file(at.join("units/a.service")).unwrap()
        }),
        ("replace", |at| {
            fs::rename(at.join("target"), at.join("units/a.service")).unwrap()
        }),
        ("come", |at| fs::write(at.join("units/none.service"), "").unwrap()),
        ("add", |at| fs::write(at.join("units/c.service"), "").unwrap()),
        ("drop-in", |at| {
            fs::write(at.join("units/b.service.d/x.conf"), "").unwrap()
        }),
        ("link", |at| {
            fs::write(at.join("target"), "[Unit]\nA=b\n").unwrap()
        }),
        ("other-name", |at| {
            fs::write(at.join("twice"), "[Unit]\nA=b\n").unwrap()
        }),
        ("rename", |at| {
            fs::rename(at.join("units"), at.join("gone")).unwrap()
        }),
        ("above", |at| {
            let aside = at.with_extension("aside");
            fs::rename(at, &aside).unwrap();
            fs::rename(&aside, at).unwrap();
        }),
        ("mode", |at| {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(at.join("units/a.service"), fs::Permissions::from_mode(0o600)).unwrap();
        }),
    ];
    for (name, way) in ways {
        assert!(!is_quiet(name, way), "{name}");
    }
}

#[test]
fn what_was_not_read_is_not_heard() {
    let ways: [Way; 4] = [
        ("nothing", |_| {}),
        ("look", |at| drop(fs::read(at.join("units/a.service")).unwrap())),
        ("unread", |at| {
            fs::write(at.join("units/other.service"), "[Unit]\nA=b\n").unwrap()
        }),
        ("beside", |at| fs::write(at.join("beside"), "").unwrap()),
    ];
    for (name, way) in ways {
        assert!(is_quiet(name, way), "{name}");
    }
}

#[test]
fn where_the_kernel_does_not_tell_there_is_no_watch() {
    assert!(Watch::begin([("/proc/self", "status")]).is_none());
}
