//! Services made from a context, and markers, by `io.systemd.Unit` and `io.systemd.Manager`: as systemd 262 answers.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use super::Options;
use super::check::{Output, PATIENCE, wait_for};
use super::control::{self, Unit, call};
use super::units::UnitFile;
use crate::error::{Context as _, Error};

const SYSTEMD: &str = "/run/systemd/io.systemd.Manager";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    made(output)?;
    told(output)?;
    refused(output)?;
    markers(output)
}

/// A service is what its context says.
fn made(output: &mut Output) -> Result<(), Error> {
    let context = json!({
        "ID": "context.service",
        "Description": "50% made",
        "Service": { "ExecStart": [{
            "path": "/bin/busybox",
            "arguments": ["sh", "-c", "echo $0 $A; umask; pwd; exec sleep 1000", "first"],
        }] },
        "Exec": {
            "Environment": ["A=b c"], "UMask": 0o27, "Nice": 5, "User": "root",
            "WorkingDirectory": { "path": "/run" },
        },
    });
    let replies = ask(
        "io.systemd.Unit.StartTransient",
        json!({ "context": context }),
        false,
    )?;
    let reply = parameters(&replies, 0);
    output.same(&replies.len(), &1, "without more there is one reply")?;
    output.same(
        &reply.pointer("/job/State"),
        &Some(&json!("running")),
        "which comes when the job is in the table; what waits for nothing has begun",
    )?;
    for (place, wanted) in [
        ("/context/ID", json!("context.service")),
        ("/context/Description", json!("50% made")),
        ("/context/Transient", json!(true)),
        ("/context/Service/Type", json!("simple")),
        ("/context/Service/ExecStart/0/path", json!("/bin/busybox")),
        ("/context/Exec/UMask", json!(0o27)),
        ("/context/Exec/WorkingDirectory/path", json!("/run")),
        ("/context/Exec/Environment", Value::Null),
    ] {
        output.same(
            &reply.pointer(place),
            &Some(&wanted),
            format!("the reply's {place}"),
        )?;
    }
    let lines = wait_for("its output", || {
        let logs = call("Logs", json!({ "name": "context.service", "lines": 10 }))?;
        let lines = logs
            .get("lines")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let text = |line: &Value| line.get("text").and_then(Value::as_str).map(str::to_owned);
        let lines: Vec<String> = lines.iter().filter_map(text).collect();
        Ok((lines.len() >= 3).then_some(lines))
    })?;
    let wanted = ["first b c", "0027", "/run"].map(str::to_owned);
    output.same(&lines.get(..3), &Some(&wanted[..]), "it runs as its context says")?;
    let again = ask(
        "io.systemd.Unit.StartTransient",
        json!({ "context": simple("context.service") }),
        false,
    )?;
    output.same(
        &error(&again),
        &"io.systemd.Unit.UnitExists",
        "a name is used once",
    )?;
    control::stop("context.service")?;
    wait_for("its file is gone", || {
        Ok((!Path::new("/run/systemd/transient/context.service").exists()).then_some(()))
    })
}

/// The replies before the last one.
fn told(output: &mut Output) -> Result<(), Error> {
    let parameters_of = |name: &str, command: &str| {
        json!({
            "context": { "ID": name, "Service": { "Type": "oneshot", "ExecStart": [{ "path": command }] } },
            "notifyJobChanges": true,
            "notifyUnitChanges": true,
        })
    };
    for (name, command, result, active) in [
        ("told-good.service", "/bin/true", "done", "inactive"),
        ("told-bad.service", "/nonexistent", "failed", "failed"),
    ] {
        let replies = ask(
            "io.systemd.Unit.StartTransient",
            parameters_of(name, command),
            true,
        )?;
        let states: Vec<&str> = replies
            .iter()
            .filter_map(|reply| reply.pointer("/parameters/job/State")?.as_str())
            .collect();
        output.same(
            &states,
            &vec!["running", "finished"],
            format!("{name}: what becomes of the job"),
        )?;
        let last = parameters(&replies, replies.len().saturating_sub(1));
        output.same(
            &(last.pointer("/job/Result"), last.pointer("/runtime/ActiveState")),
            &(Some(&json!(result)), Some(&json!(active))),
            format!("{name}: how it ended"),
        )?;
        output.check(
            last.pointer("/context/ID").is_some(),
            format!("{name}: the last reply has its context"),
        )?;
    }
    let mut quick = parameters_of("told-not.service", "/bin/true");
    if let Some(members) = quick.as_object_mut() {
        members.retain(|name, _| name == "context");
    }
    let replies = ask("io.systemd.Unit.StartTransient", quick, true)?;
    output.same(
        &replies.len(),
        &1,
        "who wants to hear of nothing is answered at once",
    )?;
    call("ResetFailed", json!({})).map(drop)
}

/// Calls that systemd 262 refuses, and how.
fn refused(output: &mut Output) -> Result<(), Error> {
    let start = "io.systemd.Unit.StartTransient";
    let set = "io.systemd.Unit.SetProperties";
    let invalid = "org.varlink.service.InvalidParameter";
    let unsupported = "io.systemd.Unit.PropertyNotSupported";
    let of = |context: Value| json!({ "context": context });
    let with = |name: &str, value: Value| {
        let mut context = simple("refused.service");
        if let Some(members) = context.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
        of(context)
    };
    let properties =
        |properties: Value| json!({ "name": "basic.target", "runtime": true, "properties": properties });
    for (method, parameters, wanted, about) in [
        (start, of(json!({})), invalid, json!({ "parameter": "context" })),
        (
            start,
            of(json!({ "ID": "x" })),
            invalid,
            json!({ "parameter": "context" }),
        ),
        (
            start,
            of(simple("x@.service")),
            invalid,
            json!({ "parameter": "context" }),
        ),
        (
            start,
            of(json!({ "ID": "x.target" })),
            "io.systemd.Unit.UnitTypeNotSupported",
            json!({}),
        ),
        (
            start,
            with("After", json!(["a.target"])),
            unsupported,
            json!({ "property": "After" }),
        ),
        (
            start,
            with("Kill", json!({})),
            unsupported,
            json!({ "property": "Kill" }),
        ),
        (
            start,
            with("Exec", json!({ "Nice": -30 })),
            invalid,
            json!({ "parameter": "Exec.Nice" }),
        ),
        (
            start,
            with("Exec", json!({ "User": "no such user\nExecStart=/bin/true" })),
            invalid,
            json!({ "parameter": "Exec.User" }),
        ),
        (
            start,
            json!({ "context": simple("refused.service"), "mode": "frob" }),
            invalid,
            json!({ "parameter": "mode" }),
        ),
        (
            set,
            properties(json!({ "JobId": 1 })),
            unsupported,
            json!({ "property": "JobId" }),
        ),
        (
            set,
            properties(json!({ "Frob": 1 })),
            invalid,
            json!({ "parameter": "properties" }),
        ),
        (
            set,
            properties(json!({ "Markers": ["frob"] })),
            invalid,
            json!({ "parameter": "properties" }),
        ),
        (
            set,
            json!({ "name": "x", "runtime": true, "properties": {} }),
            invalid,
            json!({ "parameter": "name" }),
        ),
        (
            set,
            json!({ "name": "no-such.service", "runtime": true, "properties": {} }),
            "io.systemd.Unit.NoSuchUnit",
            json!({ "parameter": "name" }),
        ),
    ] {
        let replies = ask(method, parameters.clone(), false)?;
        output.same(
            &(error(&replies), parameters_or_none(&replies)),
            &(wanted, about),
            format!("{method} {parameters}"),
        )?;
    }
    output.check(
        !Path::new("/run/systemd/transient/refused.service").exists(),
        "what is refused leaves no file",
    )
}

fn markers(output: &mut Output) -> Result<(), Error> {
    let text = "[Service]\nExecStart=/bin/busybox sleep 100000\n";
    let _units = [
        UnitFile::write("marked-1.service", text)?,
        UnitFile::write("marked-2.service", text)?,
        UnitFile::write("marked-3.service", text)?,
    ];
    call("Reload", json!({}))?;
    control::start("marked-1.service")?;
    control::start("marked-2.service")?;
    for (name, words, wanted) in [
        (
            "marked-1.service",
            json!(["needs-reload"]),
            json!(["needs-reload"]),
        ),
        (
            "marked-1.service",
            json!(["+needs-restart"]),
            json!(["needs-restart"]),
        ),
        (
            "marked-1.service",
            json!(["+needs-reload"]),
            json!(["needs-restart"]),
        ),
        (
            "marked-2.service",
            json!(["needs-stop", "needs-start"]),
            json!(["needs-start"]),
        ),
        ("marked-2.service", json!(["-needs-start"]), Value::Null),
        ("marked-2.service", json!(["needs-stop"]), json!(["needs-stop"])),
        (
            "marked-3.service",
            json!(["needs-restart"]),
            json!(["needs-restart"]),
        ),
    ] {
        mark(name, words.clone())?;
        output.same(&marks(name)?, &wanted, format!("{name} after {words}"))?;
    }
    control::reexec()?;
    output.same(
        &marks("marked-1.service")?,
        &json!(["needs-restart"]),
        "markers cross a re-exec",
    )?;
    let before = Unit::get("marked-1.service")?.main_pid();
    let replies = ask("io.systemd.Manager.EnqueueMarkedJobs", json!({}), true)?;
    let mut units: Vec<&str> = replies
        .iter()
        .filter(|reply| reply.pointer("/parameters/jobID").is_some_and(Value::is_u64))
        .filter_map(|reply| reply.pointer("/parameters/unitID")?.as_str())
        .collect();
    units.sort_unstable();
    output.same(
        &units,
        &vec!["marked-1.service", "marked-2.service", "marked-3.service"],
        "each marked unit gets a job",
    )?;
    wait_for("the marked units have changed", || {
        let restarted = Unit::get("marked-1.service")?.main_pid();
        let stopped = Unit::get("marked-2.service")?.active() == "inactive";
        Ok((restarted != before && restarted > 0 && stopped).then_some(()))
    })?;
    output.same(
        &marks("marked-1.service")?,
        &Value::Null,
        "what was restarted is not marked any more",
    )?;
    output.same(&marks("marked-2.service")?, &Value::Null, "nor what was stopped")?;
    output.same(
        &(
            Unit::get("marked-3.service")?.active(),
            marks("marked-3.service")?,
        ),
        &("inactive", json!(["needs-restart"])),
        "what does not run is not started, and stays marked",
    )?;
    mark("marked-3.service", json!([]))?;
    let replies = ask("io.systemd.Manager.EnqueueMarkedJobs", json!({}), true)?;
    output.same(
        &replies,
        &vec![json!({ "parameters": {} })],
        "with nothing marked nothing is queued",
    )?;
    control::stop("marked-1.service")
}

fn simple(name: &str) -> Value {
    let commands = json!([{ "path": "/bin/busybox", "arguments": ["sleep", "1000"] }]);
    json!({ "ID": name, "Service": { "ExecStart": commands } })
}

fn mark(name: &str, words: Value) -> Result<(), Error> {
    let parameters = json!({ "name": name, "runtime": true, "properties": { "Markers": words } });
    let replies = ask("io.systemd.Unit.SetProperties", parameters, false)?;
    match error(&replies) {
        "" => Ok(()),
        error => Err(Error::Check(format!("marking {name}: {error}"))),
    }
}

fn marks(name: &str) -> Result<Value, Error> {
    let replies = ask("io.systemd.Unit.List", json!({ "name": name }), false)?;
    let marks = parameters(&replies, 0).pointer("/runtime/Markers").cloned();
    Ok(marks.unwrap_or_default())
}

/// Every reply to a call.
fn ask(method: &str, parameters: Value, more: bool) -> Result<Vec<Value>, Error> {
    let stream = UnixStream::connect(SYSTEMD).doing("connecting")?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .doing("setting a time-out")?;
    let call = json!({ "method": method, "parameters": parameters, "more": more });
    (&stream)
        .write_all(format!("{call}\0").as_bytes())
        .doing("calling")?;
    let mut reader = BufReader::new(&stream);
    let mut replies = Vec::new();
    loop {
        let mut frame = Vec::new();
        reader
            .read_until(0, &mut frame)
            .doing(format!("waiting for {method}"))?;
        if frame.pop() != Some(0) {
            return Err(Error::Check(format!("{method} ended after {replies:?}")));
        }
        let reply: Value = serde_json::from_slice(&frame)
            .map_err(std::io::Error::from)
            .doing("decoding")?;
        let continues = reply.get("continues") == Some(&json!(true));
        replies.push(reply);
        if !continues {
            return Ok(replies);
        }
    }
}

fn parameters(replies: &[Value], place: usize) -> Value {
    let reply = replies.get(place).and_then(|reply| reply.get("parameters"));
    reply.cloned().unwrap_or_default()
}

fn parameters_or_none(replies: &[Value]) -> Value {
    match parameters(replies, 0) {
        Value::Null => json!({}),
        other => other,
    }
}

fn error(replies: &[Value]) -> &str {
    let error = replies.first().and_then(|reply| reply.get("error"));
    error.and_then(Value::as_str).unwrap_or_default()
}
