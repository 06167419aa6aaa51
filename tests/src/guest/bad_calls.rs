//! Calls that no client should make: each has its error, and PID 1 goes on.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::check::{Output, PATIENCE};
use super::units::UnitFile;
use super::{Options, control, processes};
use crate::error::{Context, Error};

/// Where tools of systemd connect.
const SYSTEMD: &str = "/run/systemd/io.systemd.Manager";
/// nobody
const NOBODY: u32 = 65534;
/// Longer than any name, shorter than what a connection may send.
const GIANT: usize = 500_000;
/// Changes often, with much text.
const CHANGING: &str = "changing.service";
/// More starts than a subscriber may leave unread.
const CHANGES: usize = 600;
/// Subscribers that never read.
const DEAF: usize = 20;
/// So many units that their list is longer than what a client may leave unread.
const UNITS: usize = 6000;
/// Readers of that list; all of it for each of them would be many times the memory of PID 1.
const SLOW: usize = 10;

/// One call on a connection of its own: the error's name, or nothing.
fn error_of(call: &Value) -> Result<String, Error> {
    error_at(control::SOCKET, call)
}

/// The same at another socket.
fn error_at(socket: &str, call: &Value) -> Result<String, Error> {
    let mut client = UnixStream::connect(socket).doing(format!("connecting to {socket}"))?;
    client
        .set_read_timeout(Some(PATIENCE))
        .doing("setting a time-out")?;
    client
        .write_all(format!("{call}\0").as_bytes())
        .doing("sending a call")?;
    let mut answer = Vec::new();
    BufReader::new(client)
        .read_until(0, &mut answer)
        .doing(format!("reading the answer to {}", shortened(call)))?;
    if answer.pop() != Some(0) {
        return Err(Error::Check(format!("{} has no answer", shortened(call))));
    }
    let answer: Value = serde_json::from_slice(&answer)
        .map_err(|error| Error::Check(format!("the answer is no JSON: {error}")))?;
    let name = answer.get("error").and_then(Value::as_str).unwrap_or_default();
    Ok(name.rsplit('.').next().unwrap_or_default().to_owned())
}

fn shortened(call: &Value) -> String {
    call.to_string().chars().take(150).collect()
}

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let init = processes::process(1).map(|process| process.start);
    let giant = "x".repeat(GIANT);
    let command = json!(["/bin/busybox", "true"]);
    let cases = [
        ("GetProperties", json!({ "name": 7 }), "InvalidParameter"),
        (
            "GetProperties",
            json!({ "name": "no-such.service" }),
            "NoSuchUnit",
        ),
        ("GetProperties", json!({ "name": giant }), "NoSuchUnit"),
        (
            "GetProperties",
            json!({ "name": "../../etc/passwd" }),
            "NoSuchUnit",
        ),
        (
            "ListDependencies",
            json!({ "relations": "After" }),
            "InvalidParameter",
        ),
        ("ListDependencies", json!({ "relations": [giant] }), ""),
        ("Timeline", json!([]), "InvalidParameter"),
        ("Kill", json!({}), "InvalidParameter"),
        (
            "Kill",
            json!({ "name": "survivor.service", "signal": "KILL" }),
            "InvalidParameter",
        ),
        (
            "Kill",
            json!({ "name": "survivor.service", "signal": 0 }),
            "Failed",
        ),
        (
            "Kill",
            json!({ "name": "survivor.service", "signal": 2_000_000_000 }),
            "Failed",
        ),
        (
            "Kill",
            json!({ "name": "survivor.service", "signal": 1, "whom": giant }),
            "Failed",
        ),
        ("Kill", json!({ "name": giant, "signal": 1 }), "NoSuchUnit"),
        (
            "Clean",
            json!({ "name": "survivor.service", "what": [giant] }),
            "Failed",
        ),
        (
            "Clean",
            json!({ "name": "survivor.service", "what": "fdstore" }),
            "InvalidParameter",
        ),
        ("Clean", json!({ "name": "survivor.service" }), "UnitBusy"),
        ("Clean", json!({ "name": giant }), "NoSuchUnit"),
        ("StartTransient", json!({}), "InvalidParameter"),
        ("StartTransient", json!({ "command": [] }), "BadUnitSetting"),
        ("StartTransient", json!({ "command": "true" }), "InvalidParameter"),
        (
            "StartTransient",
            json!({ "command": ["-/bin/busybox"] }),
            "BadUnitSetting",
        ),
        (
            "StartTransient",
            json!({ "command": command, "name": giant }),
            "Failed",
        ),
        (
            "StartTransient",
            json!({ "command": command, "name": "../x.service" }),
            "Failed",
        ),
        (
            "StartTransient",
            json!({ "command": command, "name": "x.target" }),
            "Failed",
        ),
        (
            "StartTransient",
            json!({ "command": command, "name": "survivor.service" }),
            "UnitExists",
        ),
        (
            "StartTransient",
            json!({ "command": command, "mode": "fly" }),
            "Failed",
        ),
        (
            "StartTransient",
            json!({ "command": command, "settings": [{ "section": "Install", "key": "Alias", "value": "x" }] }),
            "BadUnitSetting",
        ),
        (
            "StartTransient",
            json!({ "command": command, "settings": [
                { "section": "Service", "key": "User", "value": "x\nExecStart=/bin/evil" }
            ] }),
            "BadUnitSetting",
        ),
        ("Subscribe", json!({}), "ExpectedMore"),
        ("Subscribe", json!({ "units": "x" }), "InvalidParameter"),
        (
            "Enqueue",
            json!({ "name": "survivor.service", "job": giant }),
            "Failed",
        ),
    ];
    for (method, parameters, wanted) in cases {
        let call = json!({ "method": format!("io.softboot.Manager.{method}"), "parameters": parameters });
        output.same(
            &error_of(&call)?.as_str(),
            &wanted,
            format!("{} ends with {wanted:?}", shortened(&call)),
        )?;
    }
    let cases = [
        ("Manager.Describe", json!({}), ""),
        ("Manager.Describe", json!([]), "InvalidParameter"),
        ("Manager.KExec", json!({}), "Failed"),
        (
            "Manager.SoftReboot",
            json!({ "root": "elsewhere" }),
            "InvalidParameter",
        ),
        (
            "Manager.SoftReboot",
            json!({ "root": "/elsewhere" }),
            "HandoffRefused",
        ),
        ("Unit.List", json!({}), "ExpectedMore"),
        ("Unit.List", json!({ "name": "survivor.service" }), ""),
        ("Unit.List", json!({ "name": 7 }), "InvalidParameter"),
        ("Unit.List", json!({ "name": giant }), "NoSuchUnit"),
        ("Unit.List", json!({ "cgroup": giant }), "NoSuchUnit"),
        ("Unit.List", json!({ "invocationID": "0" }), "NoSuchUnit"),
        ("Unit.List", json!({ "pid": { "pid": 0 } }), ""),
        (
            "Unit.List",
            json!({ "pid": { "pid": 0 }, "name": "survivor.service" }),
            "NoSuchUnit",
        ),
        ("Job.List", json!({ "id": 4_000_000_000_u32 }), "NoSuchJob"),
        ("Job.Cancel", json!({ "id": 4_000_000_000_u32 }), "NoSuchJob"),
        ("Job.Cancel", json!({ "id": -1 }), "InvalidParameter"),
        ("Job.ClearAll", json!({}), ""),
    ];
    for (method, parameters, wanted) in cases {
        let call = json!({ "method": format!("io.systemd.{method}"), "parameters": parameters });
        output.same(
            &error_at(SYSTEMD, &call)?.as_str(),
            &wanted,
            format!("{} ends with {wanted:?}", shortened(&call)),
        )?;
    }
    without_rights(output)?;
    names_without_end(output)?;
    deaf_subscribers(output)?;
    slow_reader(output)?;
    output.same(
        &processes::process(1).map(|process| process.start),
        &init,
        "PID 1 is the same as before",
    )?;
    control::call("Ping", json!({})).map(|_| ())
}

/// Each new call that changes something is refused to others than root.
fn without_rights(output: &mut Output) -> Result<(), Error> {
    let refused = std::thread::spawn(|| {
        // Of this thread only, and it ends here.
        let uid = rustix::process::Uid::from_raw(NOBODY);
        rustix::thread::set_thread_uid(uid).doing("becoming nobody")?;
        let mut found = Vec::new();
        for (method, parameters) in [
            ("io.softboot.Manager.Kill", json!({ "name": "survivor.service" })),
            ("io.softboot.Manager.Clean", json!({ "name": "survivor.service" })),
            (
                "io.softboot.Manager.StartTransient",
                json!({ "command": ["true"] }),
            ),
            ("io.systemd.Manager.Reload", json!({})),
            ("io.systemd.Manager.Reexecute", json!({})),
            ("io.systemd.Manager.PowerOff", json!({})),
            ("io.systemd.Manager.SoftReboot", json!({})),
            ("io.systemd.Job.Cancel", json!({ "id": 1 })),
            ("io.systemd.Job.ClearAll", json!({})),
            (
                "io.softboot.Manager.GetProperties",
                json!({ "name": "survivor.service" }),
            ),
            ("io.softboot.Manager.ListDependencies", json!({})),
            ("io.softboot.Manager.Timeline", json!({})),
            ("io.systemd.Manager.Describe", json!({})),
            ("io.systemd.Unit.List", json!({ "name": "survivor.service" })),
        ] {
            let call = json!({ "method": method, "parameters": parameters });
            found.push((method, error_at(SYSTEMD, &call)?));
        }
        Ok::<_, Error>(found)
    });
    let found = refused
        .join()
        .map_err(|_| Error::Check("the thread of nobody panicked".to_owned()))??;
    for (position, (method, error)) in found.iter().enumerate() {
        let wanted = match position {
            0..3 => "AccessDenied",
            3..9 => "PermissionDenied",
            _ => "",
        };
        output.same(
            &error.as_str(),
            &wanted,
            format!("{method} by nobody ends with {wanted:?}"),
        )?;
    }
    Ok(())
}

/// Anybody may ask for any name, and a template has an instance of every name: PID 1 keeps none that nobody uses.
fn names_without_end(output: &mut Output) -> Result<(), Error> {
    const NAMES: usize = 300;
    let before = control::unit_names()?.len();
    for number in 0..NAMES {
        for (name, wanted) in [
            (format!("none-{number}.service"), "NoSuchUnit"),
            (format!("hello@{number}.service"), ""),
            (format!("dev-none{number}.device"), ""),
        ] {
            let call = json!({ "method": "io.softboot.Manager.GetUnit", "parameters": { "name": name } });
            let error = error_of(&call)?;
            if error != wanted {
                return Err(Error::Check(format!("{name}: {error:?} instead of {wanted:?}")));
            }
        }
    }
    let after = control::unit_names()?.len();
    output.check(
        after <= before + 10,
        format!("{NAMES} names of three kinds were asked for: {before} units before, {after} after"),
    )
}

/// One that subscribes and never reads is dropped, and nobody waits for it.
fn deaf_subscribers(output: &mut Output) -> Result<(), Error> {
    let subscribe = json!({ "method": "io.softboot.Manager.Subscribe", "more": true, "parameters": {} });
    let mut deaf = Vec::new();
    for _ in 0..DEAF {
        let mut client = UnixStream::connect(control::SOCKET).doing("connecting to the control socket")?;
        client
            .write_all(format!("{subscribe}\0").as_bytes())
            .doing("subscribing")?;
        deaf.push(client);
    }
    let unit = format!(
        "[Unit]\nDescription={}\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/busybox true\n",
        "x".repeat(2000)
    );
    let _unit = UnitFile::install(CHANGING, &unit)?;
    for _ in 0..CHANGES {
        control::start(CHANGING)?;
        // White space between calls is nothing, unless nobody is there any more.
        deaf.retain_mut(|client| client.write_all(b" ").is_ok());
        if deaf.is_empty() {
            return output.check(
                true,
                "subscribers that never read are dropped, and jobs go on meanwhile",
            );
        }
    }
    Err(Error::Check(format!(
        "{} subscribers that never read are kept",
        deaf.len()
    )))
}

/// A list that is longer than what a client may leave unread comes in pieces, and nobody waits for who reads it.
fn slow_reader(output: &mut Output) -> Result<(), Error> {
    // Mentioned, and not there: still a unit. The names make the list long.
    let long = "x".repeat(225);
    let names: Vec<String> = (0..UNITS)
        .map(|number| format!("slow-{number}-{long}.target"))
        .collect();
    let wants: Vec<String> = names.iter().map(|name| format!("Wants={name}\n")).collect();
    let _unit = UnitFile::install("slow.target", &format!("[Unit]\n{}", wants.concat()))?;
    control::call("GetUnit", json!({ "name": "slow.target" }))?;
    let known = control::unit_names()?.len();
    let memory = resident()?;
    let list = json!({ "method": "io.systemd.Unit.List", "more": true, "parameters": {} });
    let mut slow = Vec::new();
    for _ in 0..SLOW {
        let mut client = UnixStream::connect(SYSTEMD).doing("connecting")?;
        client
            .set_read_timeout(Some(PATIENCE))
            .doing("setting a time-out")?;
        client
            .write_all(format!("{list}\0").as_bytes())
            .doing("asking for all units")?;
        slow.push(BufReader::new(client));
    }
    let mut readers = slow.into_iter();
    let Some(mut reader) = readers.next() else {
        return Err(Error::Check("there is no reader".to_owned()));
    };
    let (mut replies, mut bytes) = (0, 0);
    loop {
        let mut reply = Vec::new();
        reader
            .read_until(0, &mut reply)
            .doing("reading a list of units")?;
        if reply.pop() != Some(0) {
            return Err(Error::Check(format!("the list ends after {replies} replies")));
        }
        let value: Value = serde_json::from_slice(&reply)
            .map_err(|error| Error::Check(format!("the answer is no JSON: {error}")))?;
        (replies, bytes) = (replies + 1, bytes + reply.len());
        if replies == 100 {
            let began = Instant::now();
            control::call("Ping", json!({}))?;
            let grown = resident()?.saturating_sub(memory);
            output.check(
                began.elapsed() < Duration::from_secs(5) && grown < 24 * 1024,
                format!("with {SLOW} slow readers PID 1 answers, and is {grown} KiB larger"),
            )?;
        }
        if value.get("continues") != Some(&Value::Bool(true)) {
            break;
        }
    }
    output.check(
        replies >= known.min(UNITS) && bytes > 8 * 1024 * 1024,
        format!("a list of {replies} units and {bytes} bytes comes whole"),
    )
}

/// Memory of PID 1 in KiB.
fn resident() -> Result<usize, Error> {
    let status = std::fs::read_to_string("/proc/1/status").doing("reading the status of PID 1")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| Error::Check("PID 1 has no VmRSS".to_owned()))
}
