//! DeferTrigger=, step by step as the table of semantics 1.11 has it. The numbers are those of its rows.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::json;

use super::check::{Output, wait_for};
use super::control::{self, Unit};
use super::softctl::softctl;
use super::units::UnitFile;
use super::{Options, control::call};
use crate::error::{Context as _, Error};

const NODE: &str = "/run/defer/socket";
const FLAG: &str = "/run/defer/flag";
const SOCKET: &str = "[Socket]\nListenStream=/run/defer/socket\nFlushPending=yes\n";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    fs::create_dir_all("/run/defer").doing("making a directory")?;
    let shell = |script: &str| format!("ExecStart=/bin/busybox sh -c '{script}'\n");
    let oneshot = "[Service]\nType=oneshot\nTimeoutStartSec=infinity\n";
    let until_flag = shell(&format!("while ! test -e {FLAG}; do sleep 0.05; done"));
    let while_flag = shell(&format!("while test -e {FLAG}; do sleep 0.05; done"));
    let _units = [
        UnitFile::write(
            "u.service",
            "[Unit]\nConflicts=u-conflict1.service u-conflict2.service\n\
             [Service]\nExecStart=/bin/busybox sleep 100000\n",
        )?,
        UnitFile::write("u-conflict1.service", &format!("{oneshot}{until_flag}"))?,
        UnitFile::write("u-conflict2.service", &format!("[Service]\n{while_flag}"))?,
        UnitFile::write(
            "u-forever.service",
            &format!("{oneshot}ExecStart=/bin/busybox sleep 100000\n"),
        )?,
    ];
    let _socket = UnitFile::install("u.socket", SOCKET)?;
    without_deferring(output)?;
    with_deferring(output)?;
    with_another_job(output)?;
    with_a_limit(output)?;
    for unit in ["u.socket", "u-conflict1.service", "u-forever.service"] {
        control::stop(unit)?;
    }
    Ok(())
}

fn without_deferring(output: &mut Output) -> Result<(), Error> {
    control::start("u.socket")?;
    let node = fs::metadata(NODE).doing("looking at the node")?;
    output.check(node.file_type().is_socket(), "1: the node is a socket")?;
    expect(output, "1", "listening", "dead")?;
    let client = connect()?;
    expect(output, "2", "running", "running")?;

    raise_flag()?;
    control::start("u-conflict2.service")?;
    expect(output, "3", "listening", "dead")?;
    let mut client = client;
    let ended = client
        .read(&mut [0])
        .doing("reading what is left of the connection")?;
    output.same(&ended, &0, "3: the client is let go")?;

    let _client = connect()?;
    expect(output, "4", "running", "running")?;
    // Without an order between the two the stop and the start run side by side.
    wait_for("4: what conflicts to be stopped", || {
        Ok((Unit::get("u-conflict2.service")?.active() == "inactive").then_some(()))
    })?;
    output.check(true, "4: what conflicts was stopped for it")
}

fn with_deferring(output: &mut Output) -> Result<(), Error> {
    append("DeferTrigger=yes\n")?;
    expect(output, "5", "running", "running")?;

    lower_flag()?;
    softctl(&["start", "--no-block", "u-conflict1.service"])?;
    expect(output, "6", "listening", "dead")?;
    conflict1_starts(output, "6")?;
    // The client is gone again; its connection stays queued.
    drop(connect()?);
    expect(output, "7", "deferred", "dead")?;
    conflict1_starts(output, "7")?;
    call("Reload", json!({}))?;
    expect(output, "8", "deferred", "dead")?;
    control::reexec()?;
    expect(output, "8, and by a re-exec", "deferred", "dead")?;
    conflict1_starts(output, "8")?;
    raise_flag()?;
    expect(output, "9", "running", "running")
}

fn with_another_job(output: &mut Output) -> Result<(), Error> {
    softctl(&["start", "--no-block", "u-forever.service"])?;
    control::start("u-conflict2.service")?;
    expect(output, "10", "listening", "dead")?;
    drop(connect()?);
    expect(output, "11", "deferred", "dead")?;
    lower_flag()?;
    expect(output, "12", "running", "running")?;
    output.same(
        &Unit::get("u-forever.service")?.sub(),
        &"start",
        "12: another job was still there",
    )
}

fn with_a_limit(output: &mut Output) -> Result<(), Error> {
    softctl(&["start", "--no-block", "u-conflict1.service"])?;
    expect(output, "13", "listening", "dead")?;
    drop(connect()?);
    expect(output, "13", "deferred", "dead")?;
    append("DeferTriggerMaxSec=2s\n")?;
    expect(output, "14", "deferred", "dead")?;
    wait_for("the limit of the deferral", || {
        Ok((Unit::get("u.socket")?.sub() == "failed").then_some(()))
    })?;
    let socket = Unit::get("u.socket")?;
    output.same(
        &(socket.sub(), socket.result()),
        &("failed", "timeout"),
        "15: the socket gives up",
    )?;
    conflict1_starts(output, "15")?;
    call("ResetFailed", json!({})).map(drop)
}

fn expect(output: &mut Output, step: &str, socket: &str, service: &str) -> Result<(), Error> {
    let now = || -> Result<(String, String), Error> {
        Ok((
            Unit::get("u.socket")?.sub().to_owned(),
            Unit::get("u.service")?.sub().to_owned(),
        ))
    };
    wait_for(
        format!("{step}: the socket {socket}, the service {service}"),
        || {
            let (s, v) = now()?;
            // A service that was ended by a signal it may be ended by is dead, not failed.
            Ok((s == socket && v == service).then_some(()))
        },
    )?;
    output.check(
        true,
        format!("{step}: the socket is {socket}, the service {service}"),
    )
}

fn conflict1_starts(output: &mut Output, step: &str) -> Result<(), Error> {
    output.same(
        &Unit::get("u-conflict1.service")?.sub(),
        &"start",
        format!("{step}: what conflicts goes on"),
    )
}

fn connect() -> Result<UnixStream, Error> {
    UnixStream::connect(NODE).doing("connecting")
}

fn append(line: &str) -> Result<(), Error> {
    let path = Path::new("/run/systemd/system/u.socket");
    let text = fs::read_to_string(path).doing("reading the socket's file")?;
    fs::write(path, text + line).doing("writing the socket's file")?;
    call("Reload", json!({})).map(drop)
}

fn raise_flag() -> Result<(), Error> {
    fs::write(FLAG, "").doing("raising the flag")
}

fn lower_flag() -> Result<(), Error> {
    fs::remove_file(FLAG).doing("lowering the flag")
}
