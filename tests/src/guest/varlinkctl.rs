//! The control sockets as the newest systemd's own client sees them: it reads what it is told of an interface with its
//! own parser, and judges what it is answered by its own rules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output as Ran, Stdio};

use serde_json::Value;

use super::check::Output;
use super::{Options, control};
use crate::error::{Context as _, Error};

/// Where the harness puts the program with its loader and its libraries.
const TOOLS: &str = "/run/host/reference";
/// Where tools of systemd look.
const SYSTEMD: &str = "/run/systemd/io.systemd.Manager";
const INTERFACES: [&str; 5] = [
    "io.softboot.Manager",
    "io.systemd.Job",
    "io.systemd.Manager",
    "io.systemd.Unit",
    "org.varlink.service",
];

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let loader = loader()?;
    let varlinkctl = |arguments: &[&str]| {
        Command::new(&loader)
            .args(["--library-path", TOOLS])
            .arg(Path::new(TOOLS).join("varlinkctl"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .doing("running varlinkctl")
    };
    let version = text(&varlinkctl(&["--version"])?);
    output.note(version.lines().next().unwrap_or_default().to_owned());

    for socket in [SYSTEMD, control::SOCKET] {
        let info = good(output, varlinkctl(&["info", socket])?, &format!("info {socket}"))?;
        output.check(
            ["softbootd", env!("CARGO_PKG_VERSION")]
                .iter()
                .all(|word| info.contains(word)),
            format!("info of {socket} names product and version:\n{info}"),
        )?;
        let list = good(
            output,
            varlinkctl(&["list-interfaces", socket])?,
            "list-interfaces",
        )?;
        output.same(
            &list.lines().collect::<Vec<_>>(),
            &INTERFACES.to_vec(),
            format!("interfaces of {socket}"),
        )?;
        for interface in INTERFACES {
            let what = format!("introspect {interface}");
            let text = good(output, varlinkctl(&["introspect", socket, interface])?, &what)?;
            output.check(
                text.contains(&format!("interface {interface}")) && text.contains("method "),
                format!("{what} shows its methods"),
            )?;
        }
        let methods = good(output, varlinkctl(&["list-methods", socket])?, "list-methods")?;
        for method in [
            "io.softboot.Manager.Enqueue",
            "io.systemd.Unit.List",
            "org.varlink.service.GetInfo",
        ] {
            output.check(
                methods.lines().any(|line| line == method),
                format!("{method} is among the methods of {socket}"),
            )?;
        }
    }

    let described = good(
        output,
        varlinkctl(&["call", SYSTEMD, "io.systemd.Manager.Describe", "{}"])?,
        "call io.systemd.Manager.Describe",
    )?;
    let described: Value = decode(&described)?;
    output.same(
        &described.pointer("/runtime/SoftRebootsCount"),
        &Some(&Value::from(0)),
        "Describe says how many soft-reboots there were",
    )?;
    let units = varlinkctl(&[
        "call",
        "--more",
        "--json=short",
        SYSTEMD,
        "io.systemd.Unit.List",
        "{}",
    ])?;
    // A JSON sequence: a record separator before each (RFC 7464).
    let units = good(output, units, "call --more io.systemd.Unit.List")?;
    let mut names = Vec::new();
    for line in units.lines().map(|line| line.trim_start_matches('\u{1e}')) {
        let unit = decode(line)?;
        names.extend(
            unit.pointer("/context/ID")
                .and_then(Value::as_str)
                .map(str::to_owned),
        );
    }
    output.same(
        &names.len(),
        &units.lines().count(),
        "every reply of List is a unit with a name",
    )?;
    output.check(
        names.iter().any(|name| name == "multi-user.target"),
        format!("multi-user.target is among {} units", names.len()),
    )?;

    for (arguments, said) in [
        (&["io.systemd.Unit.List", "{}"][..], "'more' flag"),
        (
            &["io.systemd.Unit.List", r#"{"name":"no-such.service"}"#],
            "io.systemd.Unit.NoSuchUnit",
        ),
        (
            &["io.softboot.Manager.GetUnit", r#"{"name":"no-such.service"}"#],
            "io.softboot.Manager.NoSuchUnit",
        ),
        (&["io.systemd.Manager.NoSuchMethod", "{}"], "NoSuchMethod"),
    ] {
        let ran = varlinkctl(&[&["call", SYSTEMD], arguments].concat())?;
        let error = String::from_utf8_lossy(&ran.stderr).into_owned();
        output.check(
            !ran.status.success() && error.contains(said),
            format!("{arguments:?} is refused with {said}: {}", error.trim()),
        )?;
    }
    for (what, method, parameters) in [
        (
            "a service from a context",
            "io.systemd.Unit.StartTransient",
            r#"{"context":{"ID":"ctl.service","Service":{"Type":"oneshot","ExecStart":[{"path":"/bin/true"}]}}}"#,
        ),
        (
            "a marker",
            "io.systemd.Unit.SetProperties",
            r#"{"name":"basic.target","runtime":true,"properties":{"Markers":["needs-start"]}}"#,
        ),
        (
            "jobs of what is marked",
            "io.systemd.Manager.EnqueueMarkedJobs",
            "{}",
        ),
    ] {
        good(output, varlinkctl(&["call", SYSTEMD, method, parameters])?, what)?;
    }
    for method in ["io.systemd.Manager.Reload", "io.systemd.Manager.Reexecute"] {
        good(output, varlinkctl(&["call", SYSTEMD, method, "{}"])?, method)?;
    }
    good(
        output,
        varlinkctl(&["call", SYSTEMD, "io.systemd.Manager.Describe", "{}"])?,
        "Describe by the program that took over",
    )
    .map(drop)
}

/// The dynamic loader among the tools.
fn loader() -> Result<PathBuf, Error> {
    let entries = fs::read_dir(TOOLS).doing(format!("reading {TOOLS}"))?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("ld-") || name.starts_with("ld.so")
        })
        .ok_or_else(|| Error::Check(format!("there is no loader in {TOOLS}")))
}

fn text(ran: &Ran) -> String {
    String::from_utf8_lossy(&ran.stdout).trim_end().to_owned()
}

/// What it printed, if it succeeded without a complaint: it only warns of a description that it cannot read.
fn good(output: &mut Output, ran: Ran, what: &str) -> Result<String, Error> {
    let complaints = String::from_utf8_lossy(&ran.stderr).into_owned();
    output.same(
        &(ran.status.code(), complaints.trim()),
        &(Some(0), ""),
        format!("{what} succeeds without a complaint"),
    )?;
    Ok(text(&ran))
}

fn decode(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text)
        .map_err(std::io::Error::from)
        .doing(format!("decoding {text}"))
}
