use super::*;
use crate::image::Kind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn put(path: &Path, data: &[u8], mode: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, data).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Inputs of which each program is the host's shell: a real dynamic one.
fn inputs(top: &Path) -> Inputs {
    let shell = std::fs::read("/bin/sh").unwrap();
    let mut server = shell.clone();
    server.extend(b"mod_indexfile_plugin_init mod_staticfile_plugin_init");
    put(&top.join("programs/softbootd"), &shell, 0o755);
    put(&top.join("programs/softctl"), &shell, 0o755);
    put(&top.join("programs/softctl.d"), b"", 0o755);
    put(&top.join("programs/notes"), b"", 0o644);
    put(&top.join("units/a.service"), b"[Service]\n", 0o600);
    put(&top.join("files/etc/hostname"), b"given\n", 0o600);
    put(
        &top.join("files/etc/lighttpd/lighttpd.conf"),
        b"# \"mod_none\"\n",
        0o644,
    );
    put(&top.join("package/bin/busybox"), &shell, 0o755);
    put(&top.join("package/usr/sbin/lighttpd"), &server, 0o755);
    put(
        &top.join("package/usr/lib/lighttpd/mod_dirlisting.so"),
        &shell,
        0o644,
    );
    let package = PackageRoot {
        name: "all".into(),
        version: "1".into(),
        path: top.join("package"),
    };
    Inputs {
        programs_dir: top.join("programs"),
        units_dir: top.join("units"),
        files_dir: top.join("files"),
        packages: vec![package],
        whole: vec![],
        kernel: None,
        modules: vec![],
    }
}

#[test]
fn the_image_has_init_units_programs_and_what_they_need() {
    let top = tempfile::tempdir().unwrap();
    let image = build(&inputs(top.path())).unwrap();
    for path in [
        "/init",
        "/usr/sbin/init",
        "/usr/lib/softboot/softbootd",
        "/usr/bin/softctl",
        "/usr/bin/sh",
        "/usr/lib/systemd/system/a.service",
        "/usr/lib/lighttpd/mod_dirlisting.so",
        "/dev/console",
        "/etc/passwd",
    ] {
        assert!(image.get(path).is_some(), "{path}");
    }
    assert!(image.get("/usr/bin/softctl.d").is_none() && image.get("/usr/bin/notes").is_none());
    assert_eq!(
        image.get("/usr/lib/systemd/system/a.service").unwrap().mode,
        0o644
    );
    let Kind::File(hostname) = &image.get("/etc/hostname").unwrap().kind else {
        unreachable!()
    };
    assert_eq!(&hostname[..], b"given\n");
}

#[test]
fn a_plugin_that_is_nowhere_names_the_configuration() {
    let top = tempfile::tempdir().unwrap();
    let inputs = inputs(top.path());
    put(
        &top.path().join("files/etc/lighttpd/lighttpd.conf"),
        b"server.modules += (\"mod_lost\")\n",
        0o644,
    );
    let text = build(&inputs).unwrap_err().to_string();
    assert!(
        text.contains("mod_lost") && text.contains("/etc/lighttpd/lighttpd.conf"),
        "{text}"
    );
}

#[test]
fn without_init_there_is_no_image() {
    let top = tempfile::tempdir().unwrap();
    let inputs = inputs(top.path());
    std::fs::remove_file(top.path().join("programs/softbootd")).unwrap();
    assert!(build(&inputs).unwrap_err().to_string().contains("softbootd"));
}

#[test]
fn a_whole_package_comes_with_its_files_and_without_its_manual() {
    let top = tempfile::tempdir().unwrap();
    let mut inputs = inputs(top.path());
    let package = top.path().join("package");
    put(
        &package.join("lib/systemd/system/d.service"),
        b"[Service]\n",
        0o644,
    );
    put(&package.join("lib/systemd/system/a.service"), b"theirs", 0o644);
    put(&package.join("etc/d/secret"), b"x", 0o600);
    put(&package.join("usr/share/man/man8/d.8"), b"x", 0o644);
    inputs.whole = vec!["all".into()];
    let image = build(&inputs).unwrap();
    assert!(image.get("/usr/lib/systemd/system/d.service").is_some());
    assert_eq!(image.get("/etc/d/secret").unwrap().mode, 0o600);
    assert!(image.get("/usr/share/man").is_none());
    let Kind::File(unit) = &image.get("/usr/lib/systemd/system/a.service").unwrap().kind else {
        unreachable!()
    };
    assert_eq!(&unit[..], b"[Service]\n", "ours comes first");
    inputs.whole = vec!["none".into()];
    assert!(build(&inputs).unwrap_err().to_string().contains("none"));
}

#[test]
fn modules_need_a_kernel() {
    let top = tempfile::tempdir().unwrap();
    let inputs = Inputs {
        modules: vec!["dummy".into()],
        ..inputs(top.path())
    };
    assert!(build(&inputs).unwrap_err().to_string().contains("dummy"));
}
