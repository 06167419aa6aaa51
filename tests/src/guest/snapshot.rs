//! What would cross an exec, shown by `softctl snapshot` and `softboot-inspect`: it is what runs, nothing changes by
//! looking, and a damaged copy is read as far as it goes.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::Options;
use super::check::{Output, wait_for};
use super::control::{self, call};
use super::softctl::{Ran, finish, softctl, softctl_as};
use super::units::UnitFile;
use crate::error::{Context as _, Error};

const NOBODY: u32 = 65_534;
const COPY: &str = "/run/copy.snapshot";
/// Enough for a snapshot of many pieces.
const UNITS: usize = 300;

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let mut units = Vec::new();
    for number in 0..UNITS {
        let text = format!("[Socket]\nListenStream=@shown-{number}\nService=shown.service\n");
        units.push(UnitFile::write(&format!("shown-{number}.socket"), &text)?);
    }
    let text = "[Unit]\nDescription=is sh\u{f6}wn\n[Service]\nExecStart=/bin/busybox sleep 100000\n";
    units.push(UnitFile::write("shown.service", text)?);
    call("Reload", json!({}))?;
    for number in 0..UNITS {
        control::start(&format!("shown-{number}.socket"))?;
    }
    control::start("shown.service")?;
    by_softctl(output)?;
    by_inspect(output, "at first")?;
    call("Reexecute", json!({}))?;
    by_inspect(output, "after a re-exec")?;
    let crashes = number(&call("Describe", json!({}))?, "crashes");
    let init = Pid::from_raw(1).ok_or_else(|| Error::Check("no process 1".to_owned()))?;
    kill_process(init, Signal::SEGV).doing("sending SIGSEGV to PID 1")?;
    wait_for("the crash is counted", || {
        Ok((number(&call("Describe", json!({}))?, "crashes") > crashes).then_some(()))
    })?;
    by_inspect(output, "after a crash")?;
    damaged(output)?;
    for number in 0..UNITS {
        control::stop(&format!("shown-{number}.socket"))?;
    }
    control::stop("shown.service")
}

/// The state of now, and nobody else's business.
fn by_softctl(output: &mut Output) -> Result<(), Error> {
    let before = call("Describe", json!({}))?;
    let descriptors = descriptors()?;
    let whole = json_of(&softctl(&["snapshot", "--json"])?)?;
    let payload = whole.pointer("/values/0/payload").cloned().unwrap_or_default();
    let pid = whole_main_pid(&payload);
    let listed = call("GetUnit", json!({ "name": "shown.service" }))?;
    output.same(
        &pid,
        &listed.pointer("/unit/mainPid").and_then(Value::as_i64),
        "the snapshot has the main process of a service",
    )?;
    let listening = engine_units(&payload).filter(|unit| {
        name(unit).starts_with("shown-") && unit.pointer("/socket/state") == Some(&json!("running"))
    });
    output.same(
        &listening.count(),
        &UNITS,
        "and every socket unit, in many pieces",
    )?;
    output.same(&whole.get("problems"), &Some(&json!([])), "its checksum is right")?;
    let shown = softctl(&["snapshot"])?;
    output.check(
        shown.code == 0 && shown.stdout.contains("shown.service"),
        "softctl snapshot shows it to people",
    )?;
    let too_long = shown.stdout.lines().find(|line| line.chars().count() > 80);
    output.same(&too_long, &None, "in 80 columns")?;
    let records = json_of(&softctl(&["snapshot", "--json", "shown.service"])?)?;
    output.same(
        &records.get(0).map(name),
        &Some("shown.service"),
        "one unit's record is shown as it is",
    )?;
    let refused = softctl_as(NOBODY, &["snapshot"])?;
    output.check(
        refused.code == 4 && refused.stdout.is_empty(),
        "nobody else than root is shown it",
    )?;
    // One that does not read all of it.
    for _ in 0..3 {
        let mut stream = UnixStream::connect(control::SOCKET).doing("connecting")?;
        let call = json!({ "method": "io.softboot.Manager.Snapshot", "more": true, "parameters": {} });
        stream
            .write_all(format!("{call}\0").as_bytes())
            .doing("asking for a snapshot")?;
        let mut first = [0; 4096];
        stream.read_exact(&mut first).doing("reading its beginning")?;
    }
    let same = |key: &str, now: &Value| before.get(key) == now.get(key);
    let now = call("Describe", json!({}))?;
    output.check(
        ["units", "jobs", "reexecs", "crashes", "pid"]
            .iter()
            .all(|key| same(key, &now)),
        "nothing changes by looking",
    )?;
    wait_for("nothing stays open for those that are gone", || {
        Ok((self::descriptors()? <= descriptors).then_some(()))
    })
}

/// The memory files of process 1.
fn by_inspect(output: &mut Output, when: &str) -> Result<(), Error> {
    let descriptors = descriptors()?;
    let ran = inspect(&["--json", "1"])?;
    let all = json_of(&ran)?;
    let all = all.as_array().cloned().unwrap_or_else(|| vec![all]);
    let of = |kind: &str| all.iter().find(|found| found.get("kind") == Some(&json!(kind)));
    output.check(
        ran.code == 0 && all.iter().all(|found| found.get("problems") == Some(&json!([]))),
        format!(
            "{when}, what softboot-inspect reads of process 1 is whole: {}",
            ran.stderr
        ),
    )?;
    output.check(
        of("journal").is_some() && (of("snapshot").is_some() || of("image").is_some()),
        format!("{when}, there is a journal and what it goes on from"),
    )?;
    let units = [of("snapshot"), of("image")];
    let states: Vec<Value> = units.into_iter().flatten().cloned().collect();
    let shown = inspect(&["1", "shown.service"])?;
    output.check(
        states.is_empty() || shown.code == 0,
        format!("{when}, it has the records of shown.service: {}", shown.stderr),
    )?;
    let text = inspect(&["1"])?;
    output.check(
        text.code == 0 && text.stdout.contains("Goes on from") && text.stdout.contains("shown.service"),
        format!("{when}, softboot-inspect shows it to people"),
    )?;
    wait_for(
        format!("{when}, process 1 has no more descriptors than before"),
        || Ok((self::descriptors()? <= descriptors).then_some(())),
    )
}

/// A copy whose end is missing.
fn damaged(output: &mut Output) -> Result<(), Error> {
    let found = json_of(&inspect(&["--json", "1"])?)?;
    let base = found.as_array().and_then(|all| {
        let of = |kind: &str| all.iter().find(|found| found.get("kind") == Some(&json!(kind)));
        of("image").or(of("snapshot")).cloned()
    });
    let base = base.ok_or_else(|| Error::Check("process 1 has neither image nor snapshot".to_owned()))?;
    let label = base.get("name").and_then(Value::as_str).unwrap_or_default();
    let digits: String = label.chars().filter(char::is_ascii_digit).collect();
    let descriptor = digits.strip_suffix('1').unwrap_or_default();
    let bytes = fs::read(format!("/proc/1/fd/{descriptor}")).doing("copying it")?;
    let cut = bytes.len().saturating_sub(bytes.len() / 3);
    fs::write(COPY, bytes.get(..cut).unwrap_or_default()).doing("writing the copy")?;
    let ran = inspect(&["--json", COPY])?;
    let found = json_of(&ran)?;
    output.same(&ran.code, &1, "a copy that is cut short is told by the exit code")?;
    let at = found.pointer("/problems/0/at").and_then(Value::as_u64);
    output.check(
        at.is_some_and(|at| at <= u64::try_from(cut).unwrap_or(0)),
        "and by the place",
    )?;
    output.check(
        found.pointer("/values/0").is_some_and(|value| !value.is_null()),
        "what is before it is read",
    )?;
    fs::write(COPY, "no such file of ours").doing("writing the copy")?;
    output.same(&inspect(&[COPY])?.code, &2, "another file is told from ours")?;
    fs::remove_file(COPY).doing("removing the copy")
}

fn inspect(arguments: &[&str]) -> Result<Ran, Error> {
    let child = Command::new("/usr/bin/softboot-inspect")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .doing("running softboot-inspect")?;
    finish(child)
}

fn json_of(ran: &Ran) -> Result<Value, Error> {
    serde_json::from_str(&ran.stdout)
        .map_err(|error| Error::Check(format!("{error} in {:?}; {}", ran.stdout, ran.stderr)))
}

fn descriptors() -> Result<usize, Error> {
    Ok(fs::read_dir("/proc/1/fd")
        .doing("listing the descriptors of PID 1")?
        .count())
}

fn engine_units(payload: &Value) -> impl Iterator<Item = &Value> {
    let units = payload.pointer("/engine/units").and_then(Value::as_array);
    units.into_iter().flatten()
}

fn whole_main_pid(payload: &Value) -> Option<i64> {
    engine_units(payload)
        .find(|unit| name(unit) == "shown.service")?
        .pointer("/service/main/pid")?
        .as_i64()
}

fn name(value: &Value) -> &str {
    value.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}
