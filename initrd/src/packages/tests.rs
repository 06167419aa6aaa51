use super::apt::Package;
use super::*;

#[test]
fn a_stanza_gives_name_version_and_dependencies_with_alternatives() {
    let text = "Package: lighttpd\nVersion: 1.4.69-1\nPre-Depends: init-helpers (>= 1.54~)\nSection: universe/libs\n\
                Depends: libc6 (>= 2.36), media-types | mime-support, perl:any\nDescription: x\n more\n\nPackage: other\n";
    let package = Package::parse(text).unwrap();
    assert_eq!(
        (package.name.as_str(), package.version.as_str()),
        ("lighttpd", "1.4.69-1")
    );
    assert!(package.is_library());
    let want: [&[&str]; 4] = [
        &["init-helpers"],
        &["libc6"],
        &["media-types", "mime-support"],
        &["perl"],
    ];
    assert_eq!(package.depends, want);
    assert_eq!(Package::parse(""), None);
}

#[test]
fn a_version_that_is_only_installed_here_is_not_offered() {
    let text = "Package: x\nStatus: install ok installed\nVersion: 3\n\nPackage: x\nVersion: 2\nFilename: pool/x_2.deb\n\n\
                Package: x\nVersion: 1\nFilename: pool/x_1.deb\n";
    assert!(!Package::parse(text).unwrap().offered);
    assert_eq!(Package::parse_offered(text).unwrap().version, "2");
    assert_eq!(Package::parse_offered("Package: x\nVersion: 3\n"), None);
}

#[test]
fn what_was_fetched_is_served_again_without_apt() {
    let dir = tempfile::tempdir().unwrap();
    let root = PackageRoot {
        name: "x".into(),
        version: "1:2".into(),
        path: dir.path().join("x_1%2"),
    };
    std::fs::create_dir(&root.path).unwrap();
    stamp::write(dir.path(), "x y", std::slice::from_ref(&root)).unwrap();
    let store = PackageStore::new(dir.path());
    let mut silent = crate::progress::Silent;
    assert_eq!(
        store.fetch(&["y", "x", "y"], &mut silent).unwrap(),
        vec![root.clone()]
    );
    // Not when its directory is gone.
    std::fs::remove_dir(&root.path).unwrap();
    assert_eq!(stamp::read(dir.path(), "x y"), None);
}
