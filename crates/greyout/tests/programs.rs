//! The two programs together, on a server that really stalls and really closes. No time is judged but by what the same
//! record's quiet time says of the machine, or by time stamps of the record itself.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use softboot_greyout::record::Tail;
use softboot_greyout::result::Results;
use softboot_greyout::{Outcome, Recording, clock};

const PROBE: &str = env!("CARGO_BIN_EXE_softboot-probe");
const GREYOUT: &str = env!("CARGO_BIN_EXE_softboot-greyout");

fn answer(mut stream: TcpStream, stall: &Mutex<()>) {
    let mut buffer = [0; 64];
    let length = stream.read(&mut buffer).unwrap_or(0);
    drop(stall.lock().unwrap());
    let _ = stream.write_all(&buffer[..length]);
}

/// An echo server that stands still as long as the lock is held.
fn echo(stall: &Arc<Mutex<()>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let stall = Arc::clone(stall);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &stall);
        }
    });
    address
}

/// A probe at work. It takes marks as soon as this returns.
fn probe(directory: &Path, address: SocketAddr) -> Child {
    let marks = directory.join("marks");
    let child = Command::new(PROBE)
        .args(["run", "--rate", "500", "--label", "manager=none", "--out"])
        .arg(directory.join("record"))
        .arg("--marks")
        .arg(&marks)
        .arg(format!("echo=tcp:{address}"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while !marks.exists() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "the probe does not begin"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn mark(directory: &Path, words: &[&str]) {
    let status = Command::new(PROBE)
        .arg("mark")
        .arg(directory.join("marks"))
        .args(words)
        .status();
    assert!(status.unwrap().success());
}

fn end(mut probe: Child) {
    kill_process(Pid::from_child(&probe), Signal::TERM).unwrap();
    assert!(probe.wait().unwrap().success());
}

fn greyout(arguments: &[&str], directory: &Path) -> Output {
    Command::new(GREYOUT)
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_stall_of_250_ms_is_found_in_the_report_and_does_not_differ_from_itself() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let stall = Arc::new(Mutex::new(()));
    let probe = probe(directory, echo(&stall));
    std::thread::sleep(Duration::from_millis(1500));
    mark(directory, &["begin", "stall"]);
    let stalled = {
        let held = stall.lock().unwrap();
        let from = clock::now();
        std::thread::sleep(Duration::from_millis(250));
        let to = clock::now();
        drop(held);
        to - from
    };
    mark(directory, &["end"]);
    std::thread::sleep(Duration::from_millis(500));
    end(probe);

    let json = text(&greyout(
        &["report", "record", "--json", "--html", "page"],
        directory,
    ));
    std::fs::write(directory.join("result"), &json).unwrap();
    let results = Results::parse(&json).unwrap();
    let group = &results.groups[0];
    assert_eq!(
        (group.event.as_str(), group.lengths.len(), group.lost()),
        ("stall", 1, 0)
    );
    // A loaded machine can also be late just once, at the worst moment; more often after the stall than before it.
    let noise = 4 * group.control.max;
    for seen in [group.lengths[0], group.worst_latency] {
        assert!(
            seen + noise + 150_000_000 >= stalled,
            "{seen} and not {stalled}, noise {noise}"
        );
        assert!(
            seen <= stalled + noise + 2_000_000_000,
            "{seen} and not {stalled}, noise {noise}"
        );
    }

    for file in ["record", "result"] {
        assert!(text(&greyout(&["compare", "--check", file, file], directory)).contains("no difference"));
    }
    let page = std::fs::read_to_string(directory.join("page")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("stall"));
    assert!(text(&greyout(&["show", "record"], directory)).contains("begin stall"));

    let whole = std::fs::read(directory.join("record")).unwrap();
    std::fs::write(directory.join("cut"), &whole[..whole.len() - 5]).unwrap();
    assert!(text(&greyout(&["report", "cut"], directory)).contains("ends inside a record"));
    std::fs::write(directory.join("other"), "something else").unwrap();
    assert_eq!(greyout(&["report", "other"], directory).status.code(), Some(3));
    assert_eq!(greyout(&["report", "missing"], directory).status.code(), Some(1));
}

#[test]
fn every_attempt_on_a_closed_socket_is_refused_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let mut listener = Some(TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.as_ref().unwrap().local_addr().unwrap();
    let probe = probe(directory, address);
    let stop = Arc::new(AtomicBool::new(false));
    let serve = |listener: TcpListener, stop: Arc<AtomicBool>| {
        std::thread::spawn(move || {
            let no_stall = Mutex::new(());
            while !stop.load(Ordering::Relaxed) {
                answer(listener.accept().unwrap().0, &no_stall);
            }
            listener
        })
    };
    let serving = serve(listener.take().unwrap(), Arc::clone(&stop));
    std::thread::sleep(Duration::from_millis(300));
    stop.store(true, Ordering::Relaxed);
    let open = serving.join().unwrap();
    let closing = clock::now();
    drop(open);
    let closed = clock::now();
    std::thread::sleep(Duration::from_millis(200));
    let opening = clock::now();
    let again = TcpListener::bind(address).unwrap();
    let opened = clock::now();
    serve(again, Arc::new(AtomicBool::new(false)));
    std::thread::sleep(Duration::from_millis(300));
    end(probe);

    let record = Recording::load(&directory.join("record")).unwrap();
    assert_eq!(record.tail, Tail::Whole);
    let (mut refused, mut good) = (0, 0);
    for attempt in &record.attempts[0] {
        if attempt.started > closed && attempt.finished < opening {
            assert_eq!(attempt.outcome, Outcome::Refused, "{attempt:?}");
            refused += 1;
        } else if attempt.finished < closing || attempt.started > opened {
            assert_eq!(attempt.outcome, Outcome::Good, "{attempt:?}");
            good += 1;
        }
    }
    assert!(refused > 0 && good > 0);
    let all = record.attempts[0]
        .iter()
        .filter(|attempt| attempt.outcome == Outcome::Refused)
        .count();
    // On each side one attempt may be under way.
    assert!(
        (refused..=refused + 2).contains(&all),
        "{all} refused, {refused} in the closed time"
    );
}

#[test]
fn a_bad_workload_is_told_its_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("w.toml");
    std::fs::write(
        &path,
        "case = \"x\"\n[[probe]]\nname = \"a\"\nendpoint = \"tcp:nowhere\"\n",
    )
    .unwrap();
    let checked = greyout(&["check", "w.toml"], directory.path());
    assert_eq!(checked.status.code(), Some(3));
    assert!(
        String::from_utf8(checked.stderr)
            .unwrap()
            .contains("w.toml:4:12: \"tcp:nowhere\" is no endpoint")
    );
    std::fs::write(
        &path,
        "case = \"x\"\n[[service]]\nname = \"a.service\"\nexec = \"/a\"\n[[probe]]\nname = \"a\"\nendpoint = \"udp:127.0.0.1:9\"\n[[event]]\ndo = \"re-exec\"\n",
    )
    .unwrap();
    assert!(text(&greyout(&["check", "w.toml", "--units", "."], directory.path())).contains("1 unit files"));
    assert!(directory.path().join("a.service").exists());
}
