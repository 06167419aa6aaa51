use super::*;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_closure_of_the_host_shell_is_what_its_files_say() {
    let shell = std::fs::canonicalize("/bin/sh").unwrap();
    let object = Object::parse(&std::fs::read(&shell).unwrap()).unwrap();
    let libraries = closure(&Roots::then_host(vec![]), &shell, "/bin/sh", "the test").unwrap();
    if object.is_static() {
        assert!(libraries.is_empty());
        return;
    }
    assert_eq!(libraries[0].path, object.interpreter.clone().unwrap());
    // Closed: what any of them needs is among them, and nothing is that none of them needs.
    let mut wanted: BTreeSet<String> = object.needed.iter().cloned().collect();
    for library in &libraries {
        wanted.extend(
            Object::parse(&std::fs::read(&library.source).unwrap())
                .unwrap()
                .needed,
        );
    }
    wanted.insert(libraries[0].path.rsplit('/').next().unwrap().to_owned());
    let found: BTreeSet<String> = libraries
        .iter()
        .map(|library| library.path.rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(found, wanted);
}

#[test]
fn a_missing_library_names_the_chain() {
    let empty = tempfile::tempdir().unwrap();
    let shell = std::fs::canonicalize("/bin/sh").unwrap();
    let object = Object::parse(&std::fs::read(&shell).unwrap()).unwrap();
    let Some(interpreter) = object.interpreter else {
        return;
    };
    let roots = Roots(vec![empty.path().into()]);
    let text = closure(&roots, &shell, "/bin/sh", "the package busybox")
        .unwrap_err()
        .to_string();
    assert!(
        text.contains(&interpreter) && text.contains("/bin/sh (the package busybox)"),
        "{text}"
    );
    // The loader alone there: the first library is what is missing.
    let at = empty.path().join(interpreter.trim_start_matches('/'));
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    std::fs::copy(&interpreter, &at).unwrap();
    let text = closure(&roots, &shell, "/bin/sh", "the package busybox")
        .unwrap_err()
        .to_string();
    assert!(
        text.contains(&object.needed[0]) && text.contains("looked in /lib"),
        "{text}"
    );
}

#[test]
fn what_is_no_elf_file_is_an_error_that_names_the_wanter() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("script");
    std::fs::write(&file, "#!/bin/sh\n").unwrap();
    let text = closure(&Roots::default(), &file, "/bin/script", "me")
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("script") && text.contains("wanted by me") && text.contains("ELF"),
        "{text}"
    );
    let shell = std::fs::read(std::fs::canonicalize("/bin/sh").unwrap()).unwrap();
    std::fs::write(&file, &shell[..100]).unwrap();
    assert!(matches!(
        closure(&Roots::default(), &file, "/x", "me"),
        Err(Error::Bad { .. })
    ));
}

#[test]
fn the_directories_follow_the_machine() {
    let arm = Object {
        machine: object::elf::EM_AARCH64,
        wide: true,
        little: true,
        ..Object::default()
    };
    assert_eq!(arm.default_directories()[0], "/lib/aarch64-linux-gnu");
    let unknown = Object {
        machine: 0xFFFF,
        wide: false,
        ..Object::default()
    };
    assert_eq!(unknown.default_directories(), ["/lib", "/usr/lib"]);
}

#[test]
fn origin_is_the_directory_of_the_object() {
    assert_eq!(
        Object::expand("$ORIGIN/../lib", "/opt/bin"),
        Some("/opt/bin/../lib".into())
    );
    assert_eq!(Object::expand("${ORIGIN}", "/opt/bin"), Some("/opt/bin".into()));
    assert_eq!(Object::expand("/x/$LIB", "/opt/bin"), None);
}

#[test]
fn any_cut_or_changed_file_is_read_without_a_panic() {
    let shell = std::fs::read(std::fs::canonicalize(Path::new("/bin/sh")).unwrap()).unwrap();
    for cut in (0..4096.min(shell.len())).step_by(7) {
        let _ = Object::parse(&shell[..cut]);
        let mut changed = shell.clone();
        changed[cut] = 0xFF;
        let _ = Object::parse(&changed);
    }
}
