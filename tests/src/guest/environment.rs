//! What the processes of a service are given, seen from inside them.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::check::Output;
use super::softctl::softctl;
use super::units::UnitFile;
use super::{Options, control};
use crate::error::{Context, Error};

const UNIT: &str = "inside.service";
const CGROUP: &str = "/sys/fs/cgroup/system.slice/inside.service";
const SEEN: &str = "/run/softboot-seen";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    resources(output)?;
    delegation(output)
}

fn resources(output: &mut Output) -> Result<(), Error> {
    let available =
        fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").doing("reading the controllers")?;
    let _slice = UnitFile::write("inside.slice", "[Slice]\nTasksMax=77\nCPUWeight=33\n")?;
    let settings =
        "Slice=inside.slice\nMemoryHigh=64M\nTasksMax=55\nCPUQuota=20%\nCPUWeight=idle\nOOMPolicy=kill";
    let group = "/sys/fs/cgroup/inside.slice/inside.service";
    let files = [
        ("memory", "memory.high", "67108864"),
        ("memory", "memory.oom.group", "1"),
        ("pids", "pids.max", "55"),
        ("pids", "../pids.max", "77"),
        ("cpu", "cpu.max", "20000 100000"),
        ("cpu", "cpu.idle", "1"),
        ("cpu", "../cpu.weight", "33"),
    ];
    let script: Vec<String> = files
        .iter()
        .map(|(_, file, _)| format!("echo {file} $(busybox cat {group}/{file} 2>/dev/null)"))
        .collect();
    let seen = inside(settings, &script.join("; "))?;
    let log = softctl(&["logs", "-n", "100", UNIT])?.stdout;
    for (controller, file, value) in files {
        if available.split_whitespace().any(|known| known == controller) {
            output.check(
                seen.contains(&format!("{file} {value}")),
                format!("{file} is {value}:\n{seen}"),
            )?;
        } else {
            let name = file.trim_start_matches("../");
            output.check(
                log.contains(&format!("{name} cannot be set to {value} here")),
                format!(
                    "there is no {controller} controller, and the log says that {name} is not {value}:\n{log}"
                ),
            )?;
        }
    }
    Ok(())
}

fn delegation(output: &mut Output) -> Result<(), Error> {
    let owners = format!(
        "busybox stat -c %u {CGROUP} {CGROUP}/cgroup.procs {CGROUP}/cgroup.subtree_control {CGROUP}/cgroup.events; \
         busybox grep ^0:: /proc/self/cgroup; busybox mkdir {CGROUP}/own && echo made"
    );
    let seen = inside("User=nobody\nDelegate=yes\nDelegateSubgroup=payload", &owners)?;
    output.same(
        &seen.as_str(),
        &"65534\n65534\n65534\n0\n0::/system.slice/inside.service/payload\nmade\n",
        "a delegated group is its user's, and the main process is in its subgroup",
    )?;
    let stop = format!(
        "RemainAfterExit=yes\nDelegate=yes\nExecStop={}",
        shell("busybox grep ^0:: /proc/self/cgroup")
    );
    inside(&stop, "true")?;
    control::stop(UNIT)?;
    output.same(
        &seen_lines()?.as_str(),
        &"0::/system.slice/inside.service/.control\n",
        "what stops a delegated unit runs in .control",
    )?;
    output.check(!Path::new(CGROUP).exists(), "and its groups are gone after it")
}

/// Runs the script as a service with these settings; what it printed.
fn inside(settings: &str, script: &str) -> Result<String, Error> {
    let started = attempt(settings, &shell(script))?;
    if started != 0 {
        let status = softctl(&["status", UNIT])?.stdout;
        return Err(Error::Check(format!(
            "with these settings the service does not run:\n{settings}\n{status}"
        )));
    }
    seen_lines()
}

/// Starts a service with these settings and this command; what softctl ends with.
fn attempt(settings: &str, command: &str) -> Result<i32, Error> {
    control::stop(UNIT).or_else(|_| control::call("ResetFailed", json!({})).map(drop))?;
    let text = format!(
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart={command}\n{settings}\n"
    );
    let unit = UnitFile::install(UNIT, &text)?;
    fs::write(SEEN, "").doing("emptying what was seen")?;
    let open = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666);
    fs::set_permissions(SEEN, open).doing("opening it to all")?;
    let code = softctl(&["start", UNIT])?.code;
    // It is read again before the next one.
    drop(unit);
    Ok(code)
}

/// A command whose output is seen.
fn shell(script: &str) -> String {
    let script = script.replace('%', "%%").replace('$', "$$");
    format!("/bin/busybox sh -c 'exec >>{SEEN} 2>&1; {script}'")
}

fn seen_lines() -> Result<String, Error> {
    fs::read_to_string(SEEN).doing("reading what was seen")
}
