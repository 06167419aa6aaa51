//! The verbs that change files, below a root of their own, without softbootd.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers are part of the tests; what goes wrong in them fails a test"
)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const UNIT: &str = "[Service]\nExecStart=/x\n[Install]\nWantedBy=multi-user.target\n";

struct Root {
    directory: tempfile::TempDir,
}

impl Root {
    fn new() -> Root {
        let directory = tempfile::tempdir().unwrap();
        let root = Root { directory };
        for (name, text) in [("a.service", UNIT), ("mine.target", "[Unit]\n")] {
            let path = root.at(&format!("/usr/lib/systemd/system/{name}"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path.trim_start_matches('/'))
    }

    /// Exit code and everything printed.
    fn softctl(&self, words: &[&str], editor: &str, stdin: &str) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_softctl"));
        command
            .args(words)
            .arg("--root")
            .arg(self.directory.path())
            .env_remove("SYSTEMD_EDITOR")
            .env_remove("VISUAL")
            .env("EDITOR", editor)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    /// An editor that does this to the file `$1`.
    fn editor(&self, script: &str) -> String {
        let path = self.at("/editor");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        // Run by the shell: a file that was just written may be busy for another test's fork.
        format!("sh {}", path.display())
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.at(path)).ok()
    }
}

fn link(path: &Path) -> Option<String> {
    Some(fs::read_link(path).ok()?.to_str()?.to_owned())
}

const DROP_IN: &str = "/etc/systemd/system/a.service.d/override.conf";

#[test]
fn a_drop_in_is_what_the_editor_leaves_between_the_marks() {
    let root = Root::new();
    let editor = root.editor("cp \"$1\" \"$1.seen\"; sed -i '2a [Service]\\nNice=5' \"$1\"; mv \"$1.seen\" \"$(dirname \"$1\")/../../seen\"");
    let (code, text) = root.softctl(&["edit", "a"], &editor, "");
    assert_eq!((code, text.as_str()), (0, format!("Wrote {DROP_IN}.\n").as_str()));
    assert_eq!(root.read(DROP_IN).as_deref(), Some("[Service]\nNice=5\n"));
    let seen = root.read("/etc/systemd/seen").unwrap();
    assert!(seen.contains("# ExecStart=/x"), "{seen}");
    let left: Vec<_> = fs::read_dir(root.at("/etc/systemd/system/a.service.d"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "nothing else is left");
    let (code, text) = root.softctl(&["edit", "a"], "true", "");
    assert_eq!(code, 0);
    assert!(text.contains("stays as it was"), "{text}");
    let (code, _) = root.softctl(&["revert", "a"], "", "");
    assert_eq!(code, 0);
    assert!(!root.at("/etc/systemd/system/a.service.d").exists());
}

#[test]
fn nothing_is_written_for_an_empty_text_or_an_editor_that_fails() {
    let root = Root::new();
    for (editor, code, said) in [
        ("true", 0, "empty"),
        ("false", 1, "nothing was changed"),
        ("/no/such/editor -w", 1, "/no/such/editor"),
    ] {
        let (found, text) = root.softctl(&["edit", "a"], editor, "");
        assert_eq!(found, code, "{text}");
        assert!(text.contains(said), "{text}");
        assert!(!root.at("/etc/systemd/system/a.service.d").exists(), "{editor}");
    }
    let (code, text) = root.softctl(&["edit", "a"], "", "");
    assert_eq!(code, 1);
    assert!(text.contains("--stdin"), "{text}");
}

#[test]
fn the_new_text_may_come_from_standard_input_and_its_mistakes_are_said() {
    let root = Root::new();
    let words = ["edit", "--stdin", "--runtime", "--drop-in=nice", "a"];
    let (code, text) = root.softctl(&words, "", "\n[Service]\nNice=5\nNicce=5");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Nicce") && text.contains("Nice"), "{text}");
    let path = "/run/systemd/system/a.service.d/nice.conf";
    assert_eq!(root.read(path).as_deref(), Some("[Service]\nNice=5\nNicce=5\n"));
    let (code, _) = root.softctl(&["edit", "--stdin", "--drop-in=../x", "a"], "", "x");
    assert_eq!(code, 2);
}

#[test]
fn a_whole_file_is_copied_edited_and_new_ones_are_made_by_force() {
    let root = Root::new();
    let editor = root.editor("echo Also=x.service >> \"$1\"");
    let (code, text) = root.softctl(&["edit", "--full", "a"], &editor, "");
    assert_eq!(code, 0, "{text}");
    assert_eq!(
        root.read("/etc/systemd/system/a.service"),
        Some(format!("{UNIT}Also=x.service\n"))
    );
    let (code, text) = root.softctl(&["edit", "--full", "new"], &editor, "");
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("--force --full new.service"), "{text}");
    let (code, _) = root.softctl(&["edit", "--full", "--force", "--stdin", "new"], "", UNIT);
    assert_eq!(code, 0);
    assert_eq!(
        root.read("/etc/systemd/system/new.service").as_deref(),
        Some(UNIT)
    );
    let (code, _) = root.softctl(&["edit", "--full", "--drop-in=x", "a"], &editor, "");
    assert_eq!(code, 2);
}

#[test]
fn what_a_boot_starts_is_a_link() {
    let root = Root::new();
    assert_eq!(
        root.softctl(&["get-default"], "", ""),
        (0, "multi-user.target\n".to_owned())
    );
    let (code, text) = root.softctl(&["set-default", "mine"], "", "");
    assert_eq!(code, 0, "{text}");
    assert_eq!(
        link(&root.at("/etc/systemd/system/default.target")).as_deref(),
        Some("/usr/lib/systemd/system/mine.target")
    );
    assert_eq!(
        root.softctl(&["get-default"], "", ""),
        (0, "mine.target\n".to_owned())
    );
    assert_eq!(root.softctl(&["set-default", "a.service"], "", "").0, 1);
    assert_eq!(root.softctl(&["set-default", "no"], "", "").0, 5);
}

#[test]
fn files_anywhere_are_linked_and_targets_pull_in_what_they_are_told_to() {
    let root = Root::new();
    fs::create_dir_all(root.at("/srv")).unwrap();
    fs::write(root.at("/srv/own.service"), UNIT).unwrap();
    let state = |unit: &str| root.softctl(&["is-enabled", unit], "", "").1;
    assert_eq!(root.softctl(&["link", "/srv/own.service"], "", "").0, 0);
    assert_eq!(state("own"), "linked\n");
    assert_eq!(root.softctl(&["link", "/srv/no.service"], "", "").0, 1);
    assert_eq!(root.softctl(&["enable", "/srv/own.service"], "", "").0, 0);
    assert_eq!(state("own"), "enabled\n");
    assert_eq!(root.softctl(&["reenable", "own"], "", ""), (0, String::new()));
    assert_eq!(state("a"), "disabled\n");
    assert_eq!(root.softctl(&["add-wants", "mine", "a"], "", "").0, 0);
    assert!(link(&root.at("/etc/systemd/system/mine.target.wants/a.service")).is_some());
    assert_eq!(state("a"), "enabled\n");
    assert_eq!(root.softctl(&["disable", "a"], "", "").0, 0);
    let (code, _) = root.softctl(&["--runtime", "add-requires", "mine", "a"], "", "");
    assert_eq!(code, 0);
    assert_eq!(state("a"), "enabled-runtime\n");
}
