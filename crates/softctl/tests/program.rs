//! The program against a socket that answers as softbootd would.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers are part of the tests; what goes wrong in them fails a test"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// A socket whose every call is answered by `answer`, which gets the method's last part and the parameters.
fn serve(
    answer: impl Fn(&str, &Value) -> Vec<Value> + Clone + Send + 'static,
) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.clone();
            std::thread::spawn(move || converse(stream.unwrap(), &answer));
        }
    });
    (directory, path)
}

fn converse(mut stream: UnixStream, answer: &impl Fn(&str, &Value) -> Vec<Value>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut bytes = Vec::new();
        if reader.read_until(0, &mut bytes).unwrap_or(0) == 0 {
            return;
        }
        bytes.pop();
        let call: Value = serde_json::from_slice(&bytes).unwrap();
        let method = call["method"]
            .as_str()
            .unwrap()
            .rsplit('.')
            .next()
            .unwrap()
            .to_owned();
        for reply in answer(&method, &call["parameters"]) {
            let mut bytes = serde_json::to_vec(&reply).unwrap();
            bytes.push(0);
            if stream.write_all(&bytes).is_err() {
                return;
            }
        }
    }
}

fn softctl(path: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_softctl"))
        .args(words)
        .env("SOFTBOOT_CONTROL", path)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Units: a.service is active, b.service failed, all others are unknown.
fn units(method: &str, parameters: &Value) -> Vec<Value> {
    let name = parameters["name"].as_str().unwrap_or("");
    let active = match name {
        "a.service" => "active",
        "b.service" => "failed",
        _ => {
            let parameters = json!({ "name": name, "suggestions": ["a.service"], "message": "unknown" });
            return vec![json!({ "error": "io.softboot.Manager.NoSuchUnit", "parameters": parameters })];
        }
    };
    vec![match method {
        "GetUnit" => {
            json!({ "parameters": { "unit": { "name": name, "active": active, "description": "x\u{1b}[2J" } } })
        }
        "GetProperties" => {
            json!({ "parameters": { "properties": { "NeedDaemonReload": active == "active" } } })
        }
        "Enqueue" if active == "active" => json!({ "parameters": { "jobId": 1, "result": "done" } }),
        "Enqueue" => json!({ "parameters": { "jobId": 2, "result": "failed" } }),
        other => panic!("{other}"),
    }]
}

#[test]
fn a_missing_socket_says_what_to_do() {
    let output = softctl(Path::new("/no/such/socket"), &["status"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("SOFTBOOT_CONTROL"));
}

#[test]
fn exit_codes_of_looking_are_those_of_the_table() {
    let (_directory, path) = serve(units);
    for (words, code) in [
        (["status", "a"], 0),
        (["status", "b"], 3),
        (["status", "c"], 4),
        (["is-active", "a"], 0),
        (["is-active", "b"], 3),
        (["is-active", "c"], 4),
        (["is-failed", "a"], 1),
        (["is-failed", "b"], 0),
        (["is-failed", "c"], 4),
        (["start", "a"], 0),
        (["start", "b"], 1),
        (["start", "c"], 5),
    ] {
        assert_eq!(softctl(&path, &words).status.code(), Some(code), "{words:?}");
    }
}

#[test]
fn no_verb_lists_units_and_help_is_no_unit() {
    let list = |method: &str, _: &Value| match method {
        "ListUnits" => {
            let unit = json!({ "name": "a.service", "load": "loaded", "active": "active", "sub": "running" });
            vec![json!({ "parameters": { "units": [unit] } })]
        }
        other => panic!("{other}"),
    };
    let (_directory, path) = serve(list);
    let output = softctl(&path, &["--no-legend", "--no-pager", "-t", "service"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text_of(&output), "●  a.service  loaded  active  running\n");
    let output = softctl(&path, &["list-units", "-t", "fluff"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("service, socket"));
    let output = softctl(&path, &["help", "start"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text_of(&output).contains("softctl start lighttpd"));
    let output = softctl(&path, &["run", "--pty", "/bin/true"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no option --pty"));
}

#[test]
fn changed_files_are_told_where_they_matter() {
    let (_directory, path) = serve(units);
    for (words, told) in [
        (["start", "a"], true),
        (["restart", "a"], true),
        (["start", "b"], false),
        (["is-active", "a"], false),
    ] {
        let output = softctl(&path, &words);
        let said = text(&output.stderr).contains("softctl daemon-reload");
        assert_eq!(said, told, "{words:?}");
    }
    assert!(text_of(&softctl(&path, &["status", "a"])).contains("softctl daemon-reload"));
    assert_eq!(
        text_of(&softctl(&path, &["is-active", "a", "c"])),
        "active\ninactive\n"
    );
}

#[test]
fn several_jobs_are_all_made_and_the_first_problem_is_the_code() {
    let (_directory, path) = serve(units);
    let output = softctl(&path, &["start", "--json", "a", "b", "c"]);
    assert_eq!(output.status.code(), Some(1));
    let outcomes: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(outcomes[0]["result"], "done");
    assert_eq!(outcomes[1]["result"], "failed");
    assert!(
        outcomes[2]["error"]
            .as_str()
            .unwrap()
            .contains("Did you mean a.service?")
    );
    assert!(text(&output.stderr).contains("softctl status b.service"));
}

#[test]
fn nothing_steers_the_terminal_and_nothing_is_coloured_in_a_pipe() {
    let (_directory, path) = serve(units);
    let output = softctl(&path, &["status", "a", "b"]);
    assert!(!output.stdout.contains(&0x1b), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("x\\x1b[2J"));
}

#[test]
fn a_check_tells_programs_the_reasons() {
    let no = |_: &str, _: &Value| {
        let parameters = json!({ "reasons": ["snapshot too new"], "message": "cannot take over" });
        vec![json!({ "error": "io.softboot.Manager.HandoffRefused", "parameters": parameters })]
    };
    let (_directory, path) = serve(no);
    let output = softctl(&path, &["soft-reboot", "--check", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        answer,
        json!({ "possible": false, "reasons": ["snapshot too new"] })
    );
    let output = softctl(&path, &["daemon-reexec", "--check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("  - snapshot too new"));
}

#[test]
fn a_forced_end_needs_no_answer_and_another_does() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = BufReader::new(stream.unwrap()).read_until(0, &mut Vec::new());
        }
    });
    assert_eq!(softctl(&path, &["reboot", "--force"]).status.code(), Some(0));
    assert_eq!(softctl(&path, &["reboot"]).status.code(), Some(1));
}

#[test]
fn a_reader_that_goes_away_ends_a_follower_quietly() {
    let endless = |_: &str, _: &Value| {
        let line = json!({ "timeUsec": 1, "text": "x".repeat(1000) });
        vec![json!({ "continues": true, "parameters": { "lines": [line] } }); 2000]
    };
    let (_directory, path) = serve(endless);
    let mut child = Command::new(env!("CARGO_BIN_EXE_softctl"))
        .args(["logs", "-f", "a"])
        .env("SOFTBOOT_CONTROL", &path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.ends_with("xxx\n"));
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stderr).as_str()),
        (Some(0), "")
    );
}

#[test]
fn links_below_another_root_are_made_and_removed_without_softbootd() {
    let root = tempfile::tempdir().unwrap();
    let units = root.path().join("usr/lib/systemd/system");
    std::fs::create_dir_all(&units).unwrap();
    let text = "[Service]\nExecStart=/bin/x\n[Install]\nWantedBy=multi-user.target\n";
    std::fs::write(units.join("a.service"), text).unwrap();
    let run = |words: &[&str]| {
        let option = format!("--root={}", root.path().display());
        let words: Vec<&str> = words.iter().copied().chain([option.as_str()]).collect();
        softctl(Path::new("/no/such/socket"), &words)
    };
    let state = |wanted: &str, code: i32| {
        let output = run(&["is-enabled", "a"]);
        assert_eq!(
            (text_of(&output), output.status.code()),
            (format!("{wanted}\n"), Some(code))
        );
    };
    let wants = root.path().join("etc/systemd/system/multi-user.target.wants");
    state("disabled", 1);
    for _ in 0..2 {
        assert_eq!(run(&["enable", "a"]).status.code(), Some(0));
        state("enabled", 0);
        let target = std::fs::read_link(wants.join("a.service")).unwrap();
        assert_eq!(target, Path::new("/usr/lib/systemd/system/a.service"));
        assert_eq!(std::fs::read_dir(&wants).unwrap().count(), 1);
    }
    assert!(text_of(&run(&["list-unit-files"])).contains("a.service  enabled"));
    assert_eq!(run(&["disable", "a"]).status.code(), Some(0));
    assert!(!wants.exists());
    assert_eq!(run(&["mask", "--runtime", "a"]).status.code(), Some(0));
    assert!(root.path().join("run/systemd/system/a.service").is_symlink());
    assert_eq!(run(&["unmask", "--runtime", "a"]).status.code(), Some(0));
    state("disabled", 1);
    assert_eq!(run(&["mask", "a"]).status.code(), Some(0));
    state("masked", 1);
    assert_eq!(run(&["enable", "a"]).status.code(), Some(1));
    assert_eq!(run(&["enable", "absent"]).status.code(), Some(5));
    assert_eq!(run(&["is-enabled", "absent"]).status.code(), Some(4));
}

fn text_of(output: &Output) -> String {
    text(&output.stdout)
}

#[test]
fn properties_are_shown_in_the_order_asked_for_and_an_unknown_unit_is_no_error() {
    let answer = |_: &str, parameters: &Value| {
        let name = parameters["name"].as_str().unwrap_or("");
        vec![if name == "a.service" {
            json!({ "parameters": { "properties": { "ActiveState": "active", "Id": "a.service", "MainPID": 7 } } })
        } else {
            let parameters = json!({ "name": name, "suggestions": [], "message": "unknown" });
            json!({ "error": "io.softboot.Manager.NoSuchUnit", "parameters": parameters })
        }]
    };
    let (_directory, path) = serve(answer);
    let shown = |words: &[&str]| {
        let output = softctl(&path, words);
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        text_of(&output)
    };
    assert_eq!(
        shown(&["show", "-p", "MainPID,Nothing", "-p", "Id", "a"]),
        "MainPID=7\nId=a.service\n"
    );
    assert_eq!(shown(&["show", "-P", "MainPID", "a"]), "7\n");
    assert_eq!(shown(&["show", "-p", "LoadState", "--value", "b"]), "not-found\n");
    let objects: Value = serde_json::from_str(&shown(&["show", "--json", "a"])).unwrap();
    assert_eq!(objects[0]["MainPID"], 7);
}

#[test]
fn refusals_of_the_newer_verbs_have_their_codes() {
    for (error, words, code) in [
        ("UnitBusy", &["clean", "a"][..], 1),
        ("NoSuchUnit", &["kill", "a"], 5),
        ("Failed", &["kill", "a"], 1),
        ("AccessDenied", &["kill", "a"], 4),
        ("UnitExists", &["run", "--unit=a", "true"], 1),
        ("BadUnitSetting", &["run", "true"], 6),
        ("NoIsolation", &["isolate", "a"], 4),
        ("JobTypeNotApplicable", &["reload-or-restart", "a"], 3),
    ] {
        let answer = move |_: &str, _: &Value| {
            let parameters = json!({ "message": "no", "name": "a", "suggestions": [] });
            vec![json!({ "error": format!("io.softboot.Manager.{error}"), "parameters": parameters })]
        };
        let (_directory, path) = serve(answer);
        assert_eq!(
            softctl(&path, words).status.code(),
            Some(code),
            "{error} {words:?}"
        );
    }
}

#[test]
fn rescue_emergency_and_default_isolate_and_options_may_come_first() {
    let isolated = |method: &str, parameters: &Value| match method {
        "Enqueue" => {
            let ok = parameters["mode"] == "isolate" && parameters["job"] == "start";
            let known = ["rescue.target", "emergency.target", "default.target"];
            assert!(ok && known.contains(&parameters["name"].as_str().unwrap()));
            let result = if parameters["wait"] == true {
                json!("done")
            } else {
                Value::Null
            };
            vec![json!({ "parameters": { "jobId": 1, "result": result } })]
        }
        "GetProperties" => vec![json!({ "parameters": { "properties": {} } })],
        "Reload" => vec![json!({ "parameters": {} })],
        other => panic!("{other}"),
    };
    let (_directory, path) = serve(isolated);
    for words in [
        &["rescue"][..],
        &["--no-block", "emergency", "--no-wall"],
        &["default", "--no-block"],
        &["--no-block", "daemon-reload"],
    ] {
        let output = softctl(&path, words);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{words:?}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn a_verb_of_systemctl_that_is_not_there_says_what_to_do_instead() {
    for (words, said) in [
        (&["set-property", "a", "CPUWeight=5"][..], "softctl edit"),
        (&["preset", "a"], "presets are not read"),
        (&["--user", "status"], "no manager of users"),
        (&["strat", "a"], "'start'"),
    ] {
        let output = softctl(Path::new("/no/such/socket"), words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(
            text(&output.stderr).contains(said),
            "{words:?}: {}",
            text(&output.stderr)
        );
    }
}
