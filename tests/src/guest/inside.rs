//! One service after another, each with settings of its own, that prints what it sees.

use std::fs;

use serde_json::json;

use super::check::Output;
use super::control;
use super::softctl::softctl;
use super::units::UnitFile;
use crate::error::{Context, Error};

pub(super) const UNIT: &str = "inside.service";
/// Where it prints to.
pub(super) const SEEN: &str = "/run/softboot-seen";

/// With these settings the service does not start: status has the exit code, and says why.
pub(super) fn refused(output: &mut Output, settings: &str, code: i32, why: &str) -> Result<(), Error> {
    let started = attempt(settings, &shell("echo ran"))?;
    let status = softctl(&["status", UNIT])?.stdout;
    output.check(
        started == 1
            && status.contains(&format!("{code}"))
            && status.contains(why)
            && seen_lines()?.is_empty(),
        format!(
            "{} does not start, with {code} and {why:?}:\n{status}",
            settings.replace('\n', ", ")
        ),
    )
}

/// Runs the script as a service with these settings; what it printed.
pub(super) fn inside(settings: &str, script: &str) -> Result<String, Error> {
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
pub(super) fn attempt(settings: &str, command: &str) -> Result<i32, Error> {
    let unit = install(settings, command)?;
    let code = softctl(&["start", UNIT])?.code;
    // It is read again before the next one.
    drop(unit);
    Ok(code)
}

/// A new service of the same name, with nothing left of the one before.
pub(super) fn install(settings: &str, command: &str) -> Result<UnitFile, Error> {
    control::stop(UNIT).or_else(|_| control::call("ResetFailed", json!({})).map(drop))?;
    let text = format!(
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart={command}\n{settings}\n"
    );
    let unit = UnitFile::install(UNIT, &text)?;
    fs::write(SEEN, "").doing("emptying what was seen")?;
    let open = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666);
    fs::set_permissions(SEEN, open).doing("opening it to all")?;
    Ok(unit)
}

/// A command whose output is seen.
pub(super) fn shell(script: &str) -> String {
    let script = script.replace('%', "%%").replace('$', "$$");
    format!("/bin/busybox sh -c 'exec >>{SEEN} 2>&1; {script}'")
}

/// What the service has printed.
pub(super) fn seen_lines() -> Result<String, Error> {
    fs::read_to_string(SEEN).doing("reading what was seen")
}
