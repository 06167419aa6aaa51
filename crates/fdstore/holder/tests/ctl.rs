//! fdstorectl against a real fdstored.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers are part of the tests; what goes wrong in them fails a test"
)]

mod common;

use std::io::{BufRead as _, BufReader};
use std::os::fd::AsFd as _;
use std::process::Stdio;

use common::{Holder, OWN, memfd, text};
use serde_json::Value;

fn code(output: &std::process::Output) -> i32 {
    output.status.code().unwrap()
}

fn json(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_a_shell_puts_a_shell_gets() {
    let holder = Holder::start(OWN);
    let file = holder.path("file");
    std::fs::write(&file, "some text\n").unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(code(&holder.ctl(&["put", "copy", "--content", file])), 0);
    assert_eq!(code(&holder.ctl(&["put", "open", "--open", file])), 0);
    assert_eq!(
        code(&holder.ctl(&["put", "ns", "--open", "/proc/self/ns/net"])),
        0
    );
    std::fs::write(file, "other text\n").unwrap();
    let get = |name| text(&holder.ctl(&["get", name, "--to-stdout"]).stdout);
    assert_eq!(get("copy"), "some text\n");
    assert_eq!(get("open"), "other text\n");
    assert_eq!(get("open"), "other text\n", "the offset is nobody's");
    let refused = holder.ctl(&["get", "ns", "--to-stdout"]);
    assert_eq!(code(&refused), 5);
    assert!(text(&refused.stderr).contains("net namespace"), "{refused:?}");
    let shown = text(&holder.ctl(&["get", "ns"]).stdout);
    assert!(shown.contains("kind:    net namespace"), "{shown}");
    assert_eq!(code(&holder.ctl(&["get", "copy", "--to-stdout", "--take"])), 0);
    assert_eq!(holder.names(), ["open", "ns"]);
    assert_eq!(code(&holder.ctl(&["rm", "open", "ns"])), 0);
    assert!(holder.names().is_empty());
}

#[test]
fn a_descriptor_of_the_shell_is_put_by_its_number() {
    let holder = Holder::start(OWN);
    let ctl = common::fdstorectl().display().to_string();
    let output = holder
        .ctl_command(&[])
        .get_envs()
        .fold(std::process::Command::new("sh"), |mut shell, (name, value)| {
            if let Some(value) = value {
                shell.env(name, value);
            }
            shell
        })
        .args([
            "-c",
            &format!("{ctl} put five --fd 5 5</etc/passwd && {ctl} put in --fd 0 </etc/group && {ctl} put no --fd 7"),
        ])
        .output()
        .unwrap();
    assert_eq!(code(&output), 2, "{output:?}");
    assert!(text(&output.stderr).contains("--fd 7"));
    assert_eq!(holder.names(), ["five", "in"]);
    let passwd = std::fs::read("/etc/passwd").unwrap();
    assert_eq!(holder.ctl(&["get", "five", "--to-stdout"]).stdout, passwd);
}

#[test]
fn a_command_gets_them_by_listen_fds() {
    let holder = Holder::start(OWN);
    let mut client = holder.client();
    for name in ["b", "a", "a"] {
        client.put(name, memfd(name)).unwrap();
    }
    let script = "test \"$LISTEN_PID\" = $$ || exit 9; echo $LISTEN_FDS $LISTEN_FDNAMES; cat <&3; cat <&4; cat <&5; \
                  test -e /proc/self/fd/6 && exit 8; exit 42";
    let output = holder.ctl(&["exec", "a", "b", "--", "sh", "-c", script]);
    assert_eq!(code(&output), 42, "{output:?}");
    assert_eq!(text(&output.stdout), "3 a:a:b\n", "their offsets are at the end");
    assert_eq!(holder.names().len(), 3);
    // The offset is shared: the reader of another life has read it.
    rustix::fs::seek(
        client.get("b").unwrap().1[0].as_fd(),
        rustix::fs::SeekFrom::Start(0),
    )
    .unwrap();
    let output = holder.ctl(&["exec", "b", "--take", "--", "sh", "-c", "cat <&3"]);
    assert_eq!((code(&output), text(&output.stdout)), (0, "b".to_owned()));
    assert_eq!(holder.names(), ["a", "a"]);
}

#[test]
fn what_is_not_there_yet_can_be_left_out() {
    let holder = Holder::start(OWN);
    let script = "test -z \"$LISTEN_FDS$LISTEN_PID\" && test ! -e /proc/self/fd/3";
    for arguments in [&["exec", "--all"][..], &["exec", "--optional", "a"]] {
        let output = holder.ctl(&[arguments, &["--", "sh", "-c", script]].concat());
        assert_eq!(code(&output), 0, "{output:?}");
    }
    let mut client = holder.client();
    for name in ["b", "a", "c"] {
        client.put(name, memfd(name)).unwrap();
    }
    let script = "echo $LISTEN_FDS $LISTEN_FDNAMES";
    let optional = holder.ctl(&["exec", "--optional", "c", "x", "b", "--", "sh", "-c", script]);
    assert_eq!(text(&optional.stdout), "2 c:b\n");
    for n in 0..300 {
        client.put("many", memfd(&n.to_string())).unwrap();
    }
    // More than one message holds; the oldest first, and the last in its place.
    let script = "echo $LISTEN_FDS; cat /proc/self/fd/305";
    let all = holder.ctl(&["exec", "--all", "--take", "--", "sh", "-c", script]);
    assert_eq!(text(&all.stdout), "303\n299", "{all:?}");
    assert!(holder.names().is_empty());
}

#[test]
fn nested_execs_add_up_and_other_descriptors_stay() {
    let holder = Holder::start(OWN);
    let mut client = holder.client();
    for name in ["one", "two"] {
        client.put(name, memfd(name)).unwrap();
    }
    let ctl = common::fdstorectl().to_str().unwrap().to_owned();
    let shell = format!(
        "exec 9</etc/passwd; exec {ctl} exec one -- {ctl} exec two -- sh -c 'echo $LISTEN_FDS $LISTEN_FDNAMES; \
         readlink /proc/self/fd/9'"
    );
    let output = holder
        .ctl_command(&["exec", "one", "--", "sh", "-c", &shell])
        .env_remove("LISTEN_FDS")
        .output()
        .unwrap();
    // The shell between has the same process id as what it executes, so its descriptor counts, too.
    assert_eq!(text(&output.stdout), "3 one:one:two\n/etc/passwd\n", "{output:?}");
}

#[test]
fn each_failure_has_its_status_and_says_what_to_do() {
    let holder = Holder::start("[[allow]]\nself = true\nnames = [\"x\"]\nverbs = [\"get\", \"list\"]\n");
    let check = |arguments: &[&str], status: i32, says: &str| {
        let output = holder.ctl(arguments);
        assert_eq!(code(&output), status, "{arguments:?} {output:?}");
        assert!(text(&output.stderr).contains(says), "{arguments:?} {output:?}");
    };
    check(&["get", "x"], 4, "fdstorectl list");
    check(&["rm", "x"], 1, "may not remove");
    check(&["put", "x", "--open", "/"], 1, "may not put");
    check(&["put", "x"], 2, "");
    check(&["put", "x", "--open", "/no/such"], 5, "/no/such");
    check(
        &["put", "x", "--open", "/", "--expires", "soon"],
        2,
        "number with a unit",
    );
    check(&["put", "x", "--open", "/", "--label", "y"], 2, "KEY=VALUE");
    check(&["get", "a:b"], 1, "printable ASCII");
    check(&["rm"], 2, "");
    check(&["exec", "x", "--", "true"], 4, "no entry");
    check(&["list", "--owner", "no such user"], 2, "/etc/passwd");
    check(
        &["list", "--socket", "/no/such/socket"],
        3,
        "is fdstored running?",
    );
    let output = holder.ctl(&["--json", "get", "x"]);
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["status"], 4);
}

#[test]
fn a_command_that_cannot_be_executed_has_its_status() {
    let holder = Holder::start(OWN);
    holder.client().put("x", memfd("x")).unwrap();
    assert_eq!(code(&holder.ctl(&["exec", "x", "--", "/no/such/command"])), 127);
    assert_eq!(code(&holder.ctl(&["exec", "x", "--", "/etc/passwd"])), 126);
    assert_eq!(holder.names(), ["x"]);
}

#[test]
fn tables_fit_a_terminal_and_json_has_everything() {
    let holder = Holder::start(OWN);
    let mut client = holder.client();
    client.put(&"long".repeat(60), memfd("x")).unwrap();
    client
        .put("web", std::net::TcpListener::bind("127.0.0.1:0").unwrap())
        .unwrap();
    for arguments in [&["list"][..], &["list", "--all"]] {
        if arguments.len() > 1 && !common::is_root() {
            continue;
        }
        let table = text(&holder.ctl(arguments).stdout);
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        assert_eq!(table.lines().count(), 3);
        assert!(table.contains("socket inet stream listening"), "{table}");
    }
    let list = json(&holder.ctl(&["list", "w*", "--json"]));
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["name"], "web");
    assert!(list[0]["cookie"].is_u64() && list[0]["id"].is_u64());
}

#[test]
fn events_are_told_line_by_line() {
    let holder = Holder::start(OWN);
    let mut child = holder
        .ctl_command(&["watch", "x*", "--json", "-n", "2"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut event = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(event()["event"], "ready");
    holder.ctl(&["put", "other", "--open", "/"]);
    let mut client = holder.client();
    client.put("x2", memfd("x")).unwrap();
    client.remove("x2").unwrap();
    // Of the other it says nothing.
    let put = event();
    assert_eq!(
        (&put["event"], &put["entry"]["name"]),
        (&"put".into(), &"x2".into())
    );
    assert_eq!(event()["event"], "removed");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_listening_socket_can_be_made_and_kept() {
    use std::os::unix::net::UnixStream;
    let holder = Holder::start(OWN);
    let path = holder.path("listen");
    let path = path.to_str().unwrap();
    assert_eq!(
        code(&holder.ctl(&["put", "l", "--listen", path, "--label", "a=b"])),
        0
    );
    assert_eq!(
        code(&holder.ctl(&["put", "t", "--listen", "127.0.0.1:0", "--expires", "1h"])),
        0
    );
    // Nobody has it open but the holder.
    drop(UnixStream::connect(path).unwrap());
    let list = holder.list();
    assert_eq!(list[0].labels["a"], "b");
    assert!(list[1].expires_in_usec.is_some());
}
