//! Another root, and what appears in it. Only root can change either.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

/// A directory with the means to run a shell when [`programs`] appear in it.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Option<Root> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let place = tempfile::tempdir().unwrap();
        for name in TOP {
            if let Ok(target) = fs::read_link(Path::new("/").join(name)) {
                symlink(target, place.path().join(name)).unwrap();
            }
        }
        Some(Root(place))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn shell(&self, script: &str, appearances: Vec<Appearance>) -> (String, i32) {
        super::shell(script, |plan| {
            plan.root = Some(path(self.path()));
            plan.appearances = programs().chain(appearances).collect();
        })
    }
}

const TOP: [&str; 4] = ["usr", "bin", "lib", "lib64"];

fn programs() -> impl Iterator<Item = Appearance> {
    TOP.into_iter()
        .filter(|name| fs::symlink_metadata(Path::new("/").join(name)).is_ok_and(|found| found.is_dir()))
        .map(|name| appearance(Path::new("/"), &[name], &[name]))
}

fn path(at: &Path) -> CString {
    c(at.to_str().unwrap())
}

fn appearance(base: &Path, parts: &[&str], target: &[&str]) -> Appearance {
    Appearance {
        step: Step::Appearance,
        base: path(base),
        parts: parts.iter().map(|part| c(part)).collect(),
        target: target.iter().map(|name| c(name)).collect(),
        read_only: false,
        data_only: false,
        need: Need::Must,
    }
}

#[test]
fn a_directory_of_the_old_root_appears_in_the_new_one_and_nowhere_else() {
    let Some(root) = Root::new() else { return };
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("mark"), "outside\n").unwrap();
    let shown = appearance(outside.path(), &[], &["run", "deep", "shown"]);
    let script = "cat /run/deep/shown/mark; echo new >/run/deep/shown/new; pwd; \
                  for name in /*; do case $name in /bin|/lib|/lib64|/run|/usr) ;; *) echo $name;; esac; done; echo alone";
    let (text, code) = root.shell(script, vec![shown]);
    assert_eq!((text.as_str(), code), ("outside\n/\nalone\n", 0));
    assert_eq!(fs::read_to_string(outside.path().join("new")).unwrap(), "new\n");
    let left = fs::read_dir(root.path().join("run/deep/shown")).unwrap().count();
    assert_eq!(left, 0, "it was mounted for the process alone");
}

#[test]
fn links_of_the_new_root_lead_to_places_in_it() {
    let Some(root) = Root::new() else { return };
    let outside = tempfile::tempdir().unwrap();
    let trap = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("mark"), "").unwrap();
    fs::create_dir(root.path().join("tmp")).unwrap();
    fs::create_dir_all(root.path().join(trap.path().strip_prefix("/").unwrap())).unwrap();
    symlink(trap.path(), root.path().join("run")).unwrap();
    let shown = appearance(outside.path(), &[], &["run", "shown"]);
    let (text, code) = root.shell("ls /run/shown", vec![shown]);
    assert_eq!((text.as_str(), code), ("mark\n", 0));
    assert_eq!(fs::read_dir(trap.path()).unwrap().count(), 0);
}

#[test]
fn below_its_first_part_a_source_is_no_link() {
    let Some(root) = Root::new() else { return };
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("own")).unwrap();
    symlink("/etc", outside.path().join("own/link")).unwrap();
    symlink("own", outside.path().join("first")).unwrap();
    let run = |parts: &[&str]| root.shell("echo ran", vec![appearance(outside.path(), parts, &["x"])]);
    assert_eq!(run(&["own", "link"]), (String::new(), 226));
    assert_eq!(run(&["own", "link", "ssl"]), (String::new(), 226));
    assert_eq!(run(&["first"]), ("ran\n".to_owned(), 0));
}

#[test]
fn what_is_read_only_or_data_only_is_so_for_the_process_alone() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("dir")).unwrap();
    let names: Vec<String> = place.path().join("dir").to_str().unwrap()[1..]
        .split('/')
        .map(str::to_owned)
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let at = place.path().join("dir");
    let script = format!(
        "cd {0}; echo x 2>/dev/null >file && echo written; cp /bin/true . 2>/dev/null && ./true 2>/dev/null && echo executed; \
         touch {1}/beside && echo beside",
        at.display(),
        place.path().display()
    );
    for (read_only, data_only, expected) in [
        (true, false, "beside\n"),
        (false, true, "written\nbeside\n"),
        (false, false, "written\nexecuted\nbeside\n"),
    ] {
        let (text, code) = shell(&script, |plan| {
            let mut shown = appearance(place.path(), &["dir"], &names);
            (shown.read_only, shown.data_only) = (read_only, data_only);
            plan.appearances = vec![shown];
        });
        assert_eq!((text.as_str(), code), (expected, 0), "{read_only} {data_only}");
    }
    fs::write(at.join("file"), "it is nobody else's").unwrap();
}

#[test]
fn what_may_be_missing_is_left_out() {
    let Some(root) = Root::new() else { return };
    let outside = tempfile::tempdir().unwrap();
    let socket = outside.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    fs::write(root.path().join("file"), "").unwrap();
    let with = |need, parts: &[&str], target: &[&str]| {
        let mut shown = appearance(outside.path(), parts, target);
        shown.need = need;
        root.shell("test -S /run/socket && echo socket; echo ran", vec![shown])
    };
    let ran = ("ran\n".to_owned(), 0);
    let refused = (String::new(), 226);
    let socket = ("socket\nran\n".to_owned(), 0);
    for (need, missing, no_place) in [
        (Need::Must, &refused, &refused),
        (Need::IfThere, &ran, &refused),
        (Need::IfPossible, &ran, &ran),
    ] {
        assert_eq!(&with(need, &["missing"], &["run", "socket"]), missing, "{need:?}");
        assert_eq!(
            &with(need, &["socket"], &["file", "socket"]),
            no_place,
            "{need:?}"
        );
        assert_eq!(with(need, &["socket"], &["run", "socket"]), socket, "{need:?}");
    }
}

#[test]
fn what_is_made_inside_is_made_in_the_new_root() {
    let Some(root) = Root::new() else { return };
    let link = |path: &str| Preparation {
        step: Step::StateDirectory,
        task: Task::Link {
            target: c("/target"),
            path: c(path),
        },
    };
    let outside = root.path().join("outside");
    let (_, code) = shell("exit 0", |plan| {
        plan.root = Some(path(root.path()));
        plan.appearances = programs().collect();
        plan.preparations = vec![link(outside.to_str().unwrap())];
        plan.inside = vec![link("/inside")];
    });
    assert_eq!(code, 0);
    for name in ["outside", "inside"] {
        assert_eq!(
            fs::read_link(root.path().join(name)).unwrap(),
            Path::new("/target")
        );
    }
}

#[test]
fn a_root_that_is_not_there_is_an_error_of_its_own() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for appearances in [Vec::new(), programs().collect()] {
        let (_, code) = shell("exit 0", |plan| {
            plan.root = Some(c("/no/such/root"));
            plan.appearances = appearances;
        });
        assert_eq!(code, 210);
    }
}
