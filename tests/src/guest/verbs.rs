//! The verbs of softctl that look closely, signal, run commands and wait for events, as people use them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use super::check::{Output, PATIENCE, wait_for};
use super::softctl::{softctl, softctl_as};
use super::units::UnitFile;
use super::{Options, control, processes, words};
use crate::error::{Context, Error};

/// nobody
pub(super) const NOBODY: u32 = 65534;
const SYSTEMD: &str = "/run/systemd/io.systemd.Manager";
const UNIT: &str = "verbs.service";
const TRANSIENT: &str = "/run/systemd/transient/made.service";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    shown(output)?;
    signalled(output)?;
    cleaned(output)?;
    graphs(output)?;
    planned(output)?;
    enabled(output)?;
    varlink(output)?;
    transient(output)?;
    across_a_reexec(output)?;
    events(output)?;
    bad_words(output)
}

/// Verb, exit code, and what must be among the output.
pub(super) fn prints(output: &mut Output, words: &[&str], code: i32, wanted: &str) -> Result<(), Error> {
    let ran = softctl(words)?;
    let text = format!("{}{}", ran.stdout, ran.stderr);
    output.check(
        ran.code == code && text.contains(wanted),
        format!(
            "softctl {} ends with {code} and says {wanted:?} (found {}: {})",
            words.join(" "),
            ran.code,
            text.chars().take(300).collect::<String>()
        ),
    )
}

/// What would happen, and nothing happens.
fn planned(output: &mut Output) -> Result<(), Error> {
    prints(
        output,
        &["start", "--dry-run", "forkbomb.service"],
        0,
        "forkbomb.service  requested",
    )?;
    output.same(
        &control::Unit::get("forkbomb.service")?.active(),
        &"inactive",
        "a dry run starts nothing",
    )?;
    prints(
        output,
        &["stop", "--dry-run", "system.slice"],
        0,
        "RequiredBy of system.slice",
    )?;
    prints(
        output,
        &["isolate", "--dry-run", "lighttpd.service"],
        4,
        "refused: ",
    )?;
    prints(output, &["start", "--explain", "holdfds.service"], 0, "requested")
}

fn shown(output: &mut Output) -> Result<(), Error> {
    let main = control::Unit::get("survivor.service")?.main_pid();
    let ran = softctl(&["show", "-p", "MainPID,ActiveState", "survivor"])?;
    output.same(
        &ran.stdout,
        &format!("MainPID={main}\nActiveState=active\n"),
        "show prints the properties that were asked for",
    )?;
    let ran = softctl(&["show", "-P", "LoadState", "no-such-unit"])?;
    output.same(
        &(ran.code, ran.stdout.as_str()),
        &(0, "not-found\n"),
        "show says that a unit does not exist, and does not fail",
    )?;
    properties(output, main)?;
    prints(output, &["show"], 0, "SystemState=running")?;
    words::used(output, main)?;
    prints(output, &["cat", "survivor"], 0, "# /")?;
    prints(output, &["cat", "survivor"], 0, "[Service]")?;
    prints(output, &["cat", "no-such-unit"], 5, "no-such-unit.service")?;
    prints(output, &["list-sockets"], 0, "lighttpd.socket")?;
    let nobody = softctl_as(NOBODY, &["show", "survivor"])?;
    output.check(
        nobody.code == 0 && nobody.stdout.contains("MainPID=") && !nobody.stdout.contains("Environment="),
        "nobody sees a unit's properties, but not its environment",
    )
}

/// What people ask of units most (semantics 8.3).
fn properties(output: &mut Output, main: i32) -> Result<(), Error> {
    let names = |unit: &str| -> Result<Vec<String>, Error> {
        let lines = softctl(&["show", "--all", unit])?.stdout;
        let names = lines.lines().filter_map(|line| line.split_once('='));
        Ok(names.map(|(name, _)| name.to_owned()).collect())
    };
    let common = "Id Names Description LoadState ActiveState SubState FragmentPath DropInPaths UnitFileState Result \
         InvocationID StateChangeTimestampMonotonic ActiveEnterTimestampMonotonic InactiveEnterTimestampMonotonic \
         ControlGroup MemoryCurrent TasksCurrent CPUUsageNSec Requires After Before Conflicts";
    let service = "MainPID ExecMainPID ExecMainStartTimestampMonotonic ExecMainExitTimestampMonotonic ExecMainStatus \
         ExecMainCode NRestarts NFileDescriptorStore FileDescriptorStoreMax";
    let socket = "Triggers NAccepted NConnections NRefused Listen";
    for (unit, own) in [("survivor.service", service), ("lighttpd.socket", socket)] {
        let found = names(unit)?;
        let missing: Vec<&str> = common
            .split_whitespace()
            .chain(own.split_whitespace())
            .filter(|name| !found.iter().any(|known| known == name))
            .collect();
        output.same(
            &missing,
            &Vec::new(),
            format!("show {unit} has what people ask for"),
        )?;
    }
    let value = |name: &str| -> Result<String, Error> {
        let ran = softctl(&["show", "-P", name, "survivor"])?;
        Ok(ran.stdout.trim().to_owned())
    };
    let started: u64 = value("ExecMainStartTimestampMonotonic")?.parse().unwrap_or(0);
    let active: u64 = value("ActiveEnterTimestampMonotonic")?.parse().unwrap_or(0);
    output.check(
        value("ExecMainPID")? == main.to_string() && started > 0 && started <= active,
        format!("its main process began at {started}, before it was active at {active}"),
    )?;
    output.check(
        value("TasksCurrent")? != "0" && value("ControlGroup")?.ends_with("/survivor.service"),
        "and its cgroup is counted",
    )
}

fn signalled(output: &mut Output) -> Result<(), Error> {
    let _unit = UnitFile::install(UNIT, "[Service]\nExecStart=/bin/busybox sleep 1000\n")?;
    control::start(UNIT)?;
    let main = control::Unit::get(UNIT)?.main_pid();
    prints(
        output,
        &["kill", "--kill-whom=control", UNIT],
        1,
        "no control process",
    )?;
    prints(
        output,
        &["kill", "-s", "SIGSTOP", "--kill-whom=main", UNIT],
        0,
        "",
    )?;
    wait_for("the process to be stopped", || {
        Ok(processes::process(main)
            .is_some_and(|process| process.state == 'T')
            .then_some(()))
    })?;
    output.check(true, "SIGSTOP stops a process, and nothing wakes it up again")?;
    prints(output, &["kill", "-s", "KILL", UNIT], 0, "")?;
    wait_for("the unit to fail", || {
        Ok((control::Unit::get(UNIT)?.result() == "signal").then_some(()))
    })?;
    prints(output, &["kill", "--kill-whom=all-fail", UNIT], 1, "no process")?;
    prints(output, &["kill", "--kill-whom=all", UNIT], 0, "")?;
    prints(output, &["kill", "-s", "NOSIG", UNIT], 2, "no signal")?;
    prints(output, &["reset-failed", UNIT], 0, "")?;
    prints(output, &["try-reload-or-restart", UNIT], 0, "")?;
    output.same(
        &control::Unit::get(UNIT)?.active(),
        &"inactive",
        "try-reload-or-restart leaves a unit alone that does not run",
    )?;
    prints(output, &["reload-or-restart", UNIT], 0, "")?;
    let first = control::Unit::get(UNIT)?.main_pid();
    prints(output, &["reload-or-restart", UNIT], 0, "")?;
    let second = control::Unit::get(UNIT)?.main_pid();
    output.check(
        first != 0 && second != 0 && first != second,
        "reload-or-restart starts what is down, and restarts what cannot reload",
    )?;
    control::stop(UNIT)
}

fn cleaned(output: &mut Output) -> Result<(), Error> {
    prints(
        output,
        &["clean", "--what=fdstore", "survivor"],
        1,
        "inactive unit",
    )?;
    prints(
        output,
        &["clean", "--what=fdstore", "no-such-unit"],
        5,
        "no-such-unit",
    )?;
    words::left_behind(output)?;
    words::surroundings(output)
}

fn graphs(output: &mut Output) -> Result<(), Error> {
    prints(output, &["list-dependencies", "--all"], 0, "─survivor.service")?;
    prints(
        output,
        &["list-dependencies", "--reverse", "lighttpd.socket"],
        0,
        "─sockets.target",
    )?;
    prints(
        output,
        &["list-dependencies", "no-such.target"],
        5,
        "no-such.target",
    )?;
    prints(
        output,
        &["dot", "--order", "survivor.service"],
        0,
        "\"survivor.service\" -> ",
    )?;
    prints(output, &["critical-chain"], 0, ".target @")?;
    let blame = softctl(&["blame"])?;
    output.check(
        blame.code == 0 && blame.stdout.contains(".service"),
        format!("blame lists what took time: {}", blame.stdout.trim()),
    )?;
    prints(output, &["isolate", "survivor.service"], 4, "solat")?;
    prints(output, &["isolate", "survivor"], 5, "survivor.target")?;
    prints(output, &["verify", "broken"], 1, "broken.service:4")?;
    prints(output, &["verify", "survivor"], 0, "")
}

/// Enabling and masking count at once: PID 1 reads the files again.
fn enabled(output: &mut Output) -> Result<(), Error> {
    let text = "[Service]\nExecStart=/bin/busybox sleep 1000\n[Install]\nWantedBy=multi-user.target\n";
    let _unit = UnitFile::install(UNIT, text)?;
    prints(output, &["is-enabled", UNIT], 1, "disabled")?;
    prints(
        output,
        &["enable", "--now", UNIT],
        0,
        "Linked /etc/systemd/system/",
    )?;
    output.same(
        &control::Unit::get(UNIT)?.active(),
        &"active",
        "enable --now starts the unit",
    )?;
    prints(output, &["is-enabled", UNIT], 0, "enabled")?;
    prints(output, &["list-unit-files", "verbs*"], 0, "enabled")?;
    prints(
        output,
        &["list-dependencies", "--reverse", UNIT],
        0,
        "multi-user.target",
    )?;
    prints(output, &["disable", "--now", UNIT], 0, "Removed /etc/")?;
    output.same(
        &control::Unit::get(UNIT)?.active(),
        &"inactive",
        "disable --now stops the unit",
    )?;
    prints(output, &["mask", UNIT], 0, "/dev/null")?;
    prints(output, &["start", UNIT], 1, "masked")?;
    prints(output, &["unmask", UNIT], 0, "Removed")?;
    prints(output, &["enable", "no-such-unit"], 5, "nothing was changed")?;
    words::edited(output)?;
    let nobody = softctl_as(NOBODY, &["enable", UNIT])?;
    output.same(&nobody.code, &4, "nobody may not enable a unit")
}

/// What the tool of systemd would send, at the place where it looks.
fn varlink(output: &mut Output) -> Result<(), Error> {
    let ask = |call: Value, count: usize| -> Result<String, Error> {
        let mut client = UnixStream::connect(SYSTEMD).doing(format!("connecting to {SYSTEMD}"))?;
        client
            .set_read_timeout(Some(PATIENCE))
            .doing("setting a time-out")?;
        client
            .write_all(format!("{call}\0").as_bytes())
            .doing("sending a call")?;
        let mut reader = BufReader::new(client);
        let mut replies = Vec::new();
        for _ in 0..count {
            reader.read_until(0, &mut replies).doing("reading a reply")?;
        }
        Ok(String::from_utf8_lossy(&replies).into_owned())
    };
    let info = ask(json!({ "method": "org.varlink.service.GetInfo" }), 1)?;
    for interface in [
        "org.varlink.service",
        "io.softboot.Manager",
        "io.systemd.Manager",
        "io.systemd.Unit",
        "io.systemd.Job",
    ] {
        let parameters = json!({ "interface": interface });
        let call =
            json!({ "method": "org.varlink.service.GetInterfaceDescription", "parameters": parameters });
        let text = ask(call, 1)?;
        output.check(
            info.contains(interface) && text.contains(&format!("interface {interface}\\n")),
            format!("{interface} is named and described"),
        )?;
    }
    let unit = ask(
        json!({ "method": "io.systemd.Unit.List", "parameters": { "name": "survivor.service" } }),
        1,
    )?;
    output.check(
        unit.contains("\"ActiveState\":\"active\"") && unit.contains("\"ID\":\"survivor.service\""),
        "io.systemd.Unit.List finds a unit by its name",
    )?;
    let count = control::unit_names()?.len();
    let units = ask(json!({ "method": "io.systemd.Unit.List", "more": true }), count)?;
    output.same(
        &(
            units.matches("\"context\"").count(),
            units.matches("\"continues\":true").count(),
        ),
        &(count, count - 1),
        "io.systemd.Unit.List lists every unit, and says which is the last",
    )?;
    let manager = ask(json!({ "method": "io.systemd.Manager.Describe" }), 1)?;
    output.check(
        manager.contains("\"SystemState\":\"running\""),
        "io.systemd.Manager.Describe tells the state",
    )
}

fn transient(output: &mut Output) -> Result<(), Error> {
    prints(
        output,
        &["run", "--wait", "/bin/busybox", "sh", "-c", "exit 7"],
        7,
        "exited 7",
    )?;
    prints(
        output,
        &["run", "--wait", "/bin/busybox", "true"],
        0,
        "Running as run-",
    )?;
    prints(
        output,
        &["run", "--wait", "-p", "Type=oneshot", "/no/such/program"],
        203,
        "203",
    )?;
    let words = [
        "run",
        "--unit=made",
        "-p",
        "Nice=5",
        "/bin/busybox",
        "sleep",
        "1000",
    ];
    prints(output, &words, 0, "made.service")?;
    output.same(
        &control::Unit::get("made.service")?.active(),
        &"active",
        "a command runs as a service of its own",
    )?;
    prints(output, &["show", "-P", "Transient", "made"], 0, "yes")?;
    prints(output, &["cat", "made"], 0, "Nice=5")?;
    prints(output, &words, 1, "already")?;
    prints(
        output,
        &["run", "--unit=survivor", "/bin/busybox", "true"],
        1,
        "already",
    )?;
    for setting in ["Typ=oneshot", "Nice=5\nUser=root", "Nice=much", "Type=oneshot\\"] {
        let words = ["run", "--unit=wrong", "-p", setting, "/bin/busybox", "true"];
        prints(output, &words, 6, "")?;
    }
    output.check(
        !fs::exists("/run/systemd/transient/wrong.service").doing("looking for a file")?,
        "a service that was refused leaves no file",
    )
}

/// A service that was made like this, and its file, cross a re-exec and are gone when it stops.
fn across_a_reexec(output: &mut Output) -> Result<(), Error> {
    let main = control::Unit::get("made.service")?.main_pid();
    control::reexec()?;
    output.same(
        &control::Unit::get("made.service")?.main_pid(),
        &main,
        "it goes on through a re-exec",
    )?;
    prints(output, &["daemon-reload"], 0, "")?;
    prints(output, &["cat", "made"], 0, "busybox")?;
    control::stop("made.service")?;
    wait_for("the file to go", || {
        Ok((!fs::exists(TRANSIENT).doing("looking for a file")?).then_some(()))
    })?;
    prints(
        output,
        &["run", "--unit=made", "--wait", "/bin/busybox", "true"],
        0,
        "made.service",
    )
}

/// A subscriber is told what happens, before and after a re-exec.
fn events(output: &mut Output) -> Result<(), Error> {
    let _unit = UnitFile::install(UNIT, "[Service]\nExecStart=/bin/busybox sleep 1000\n")?;
    let mut client = UnixStream::connect(control::SOCKET).doing("connecting to the control socket")?;
    client
        .set_read_timeout(Some(PATIENCE))
        .doing("setting a time-out")?;
    let call = "{\"method\":\"io.softboot.Manager.Subscribe\",\"more\":true,\"parameters\":{\"units\":[\"verbs.*\"]}}\0";
    client.write_all(call.as_bytes()).doing("subscribing")?;
    let mut events = BufReader::new(client);
    let mut until = |wanted: &[&str]| -> Result<(), Error> {
        loop {
            let mut event = Vec::new();
            events
                .read_until(0, &mut event)
                .doing(format!("waiting for {wanted:?}"))?;
            let text = String::from_utf8_lossy(&event);
            if event.is_empty() {
                return Err(Error::Check(format!("before {wanted:?} came {text:?}")));
            }
            if wanted.iter().all(|part| text.contains(part)) {
                return Ok(());
            }
        }
    };
    until(&["\"subscribed\""])?;
    control::start(UNIT)?;
    until(&["\"job-new\"", "\"start\""])?;
    until(&["\"job-done\"", "\"done\""])?;
    until(&["\"unit-changed\"", "\"running\""])?;
    control::reexec()?;
    control::stop(UNIT)?;
    until(&["\"unit-changed\"", "\"inactive\""])?;
    output.check(
        true,
        "a subscriber is told of jobs and states, through a re-exec too",
    )
}

fn bad_words(output: &mut Output) -> Result<(), Error> {
    for verb in [
        &["kill", "survivor"][..],
        &["clean", "survivor"],
        &["run", "/bin/busybox", "true"],
        &["isolate", "rescue.target"],
        &["set-environment", "A=1"],
        &["exit"],
        &["reload-or-restart", "survivor"],
    ] {
        let ran = softctl_as(NOBODY, verb)?;
        output.same(
            &(ran.code, ran.stderr.contains("only root")),
            &(4, true),
            format!("{verb:?} is refused to nobody ({})", ran.stderr.trim()),
        )?;
    }
    for verb in [
        &["list-dependencies"][..],
        &["blame"],
        &["list-sockets"],
        &["dot"],
    ] {
        output.same(
            &softctl_as(NOBODY, verb)?.code,
            &0,
            format!("nobody may ask for {verb:?}"),
        )?;
    }
    Ok(())
}
