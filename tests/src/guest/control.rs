//! Requests to PID 1, and the parts of its answers that the scenarios look at.
//!
//! The scenarios speak Varlink themselves (a JSON object and a NUL byte each way) and look into the answers as JSON, so
//! that a mistake shared by the manager and the client library does not go unseen.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use super::check::{PATIENCE, wait_for};
use crate::error::{Context, Error};

/// Where PID 1 listens.
pub(super) const SOCKET: &str = "/run/softboot/control";
/// The interface that the methods below belong to.
const INTERFACE: &str = "io.softboot.Manager";

/// One request and its answer.
pub(super) fn call(method: &str, parameters: Value) -> Result<Value, Error> {
    let stream = UnixStream::connect(SOCKET).doing(format!("connecting to {SOCKET}"))?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .doing("setting a time-out")?;
    let mut request =
        json!({ "method": format!("{INTERFACE}.{method}"), "parameters": parameters }).to_string();
    request.push('\0');
    (&stream)
        .write_all(request.as_bytes())
        .doing(format!("asking PID 1 for {method}"))?;
    let mut answer = Vec::new();
    BufReader::new(&stream)
        .read_until(0, &mut answer)
        .doing(format!("waiting for the answer to {method}"))?;
    let refused = |reason: String| Error::Control {
        request: format!("{method} {parameters}"),
        reason,
    };
    if answer.pop() != Some(0) {
        return Err(refused("the connection ended without an answer".to_owned()));
    }
    let answer: Value = serde_json::from_slice(&answer).map_err(|error| refused(error.to_string()))?;
    match answer.get("error") {
        Some(error) => Err(refused(format!(
            "{error} {}",
            answer.get("parameters").unwrap_or(&Value::Null)
        ))),
        None => Ok(answer.get("parameters").cloned().unwrap_or(Value::Null)),
    }
}

/// What GetUnit says of a unit.
#[derive(Debug)]
pub(super) struct Unit(Value);

impl Unit {
    /// Asks for it.
    pub(super) fn get(name: &str) -> Result<Unit, Error> {
        let answer = call("GetUnit", json!({ "name": name }))?;
        Ok(Unit(answer.get("unit").cloned().unwrap_or(answer)))
    }

    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn active(&self) -> &str {
        self.text("activeState")
    }

    pub(super) fn load(&self) -> &str {
        self.text("loadState")
    }

    /// The main process, 0 for none.
    pub(super) fn main_pid(&self) -> i32 {
        self.0
            .get("mainPid")
            .and_then(Value::as_i64)
            .and_then(|pid| i32::try_from(pid).ok())
            .unwrap_or(0)
    }

    /// SO_COOKIE of each listening socket, in order.
    pub(super) fn cookies(&self) -> Vec<u64> {
        let ports = self.0.get("listen").and_then(Value::as_array);
        ports
            .into_iter()
            .flatten()
            .filter_map(|port| port.get("cookie")?.as_u64())
            .collect()
    }

    /// File and line of each mistake.
    pub(super) fn mistakes(&self) -> Vec<(String, u64)> {
        let found = self.0.get("diagnostics").and_then(Value::as_array);
        let place = |mistake: &Value| {
            Some((
                mistake.get("file")?.as_str()?.to_owned(),
                mistake.get("line")?.as_u64()?,
            ))
        };
        found.into_iter().flatten().filter_map(place).collect()
    }
}

/// The manager's state (`running`, `starting`, ...) and how many soft-reboots there were.
pub(super) fn status() -> Result<(String, u64), Error> {
    let answer = call("GetStatus", json!({}))?;
    let state = answer
        .get("state")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    Ok((
        state,
        answer
            .get("softRebootsCount")
            .and_then(Value::as_u64)
            .unwrap_or(0),
    ))
}

/// Names of all loaded units.
pub(super) fn unit_names() -> Result<Vec<String>, Error> {
    let answer = call("ListUnits", json!({}))?;
    let units = answer.get("units").and_then(Value::as_array);
    Ok(units
        .into_iter()
        .flatten()
        .filter_map(|unit| Some(unit.get("name")?.as_str()?.to_owned()))
        .collect())
}

/// The cookies of every socket unit that listens.
pub(super) fn all_cookies() -> Result<BTreeMap<String, Vec<u64>>, Error> {
    let sockets = unit_names()?.into_iter().filter(|name| name.ends_with(".socket"));
    sockets
        .map(|name| Ok((name.clone(), Unit::get(&name)?.cookies())))
        .collect()
}

/// Starts a unit, and waits for the end of the job.
pub(super) fn start(name: &str) -> Result<(), Error> {
    call("StartUnit", json!({ "name": name })).map(drop)
}

/// Stops a unit, and waits for the end of the job.
pub(super) fn stop(name: &str) -> Result<(), Error> {
    call("StopUnit", json!({ "name": name })).map(drop)
}

/// Re-executes PID 1 and returns when the new program has answered.
pub(super) fn reexec() -> Result<(), Error> {
    call("Reexec", json!({})).map(drop)
}

/// One whole soft-reboot: asks for it and waits until the new boot is done.
pub(super) fn soft_reboot() -> Result<(), Error> {
    let (_, before) = status()?;
    call("SoftReboot", json!({}))?;
    wait_for("the end of the soft-reboot", || {
        let (state, count) = status()?;
        Ok((count == before + 1 && matches!(state.as_str(), "running" | "degraded")).then_some(()))
    })
}

/// Waits until the boot is done.
pub(super) fn wait_running() -> Result<String, Error> {
    wait_for("the end of the boot", || {
        let (state, _) = status()?;
        Ok(matches!(state.as_str(), "running" | "degraded").then_some(state))
    })
}
