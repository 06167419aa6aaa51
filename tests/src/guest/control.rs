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
    call_of(INTERFACE, method, parameters)
}

/// The same of another interface.
pub(super) fn call_of(interface: &str, method: &str, parameters: Value) -> Result<Value, Error> {
    let stream = UnixStream::connect(SOCKET).doing(format!("connecting to {SOCKET}"))?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .doing("setting a time-out")?;
    let mut request =
        json!({ "method": format!("{interface}.{method}"), "parameters": parameters }).to_string();
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

/// A field of an answer by its name in snake case; the interface may spell it in camel case.
fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let camel = name
        .split('_')
        .enumerate()
        .map(|(index, word)| match word.split_at_checked(1) {
            Some((first, rest)) if index > 0 => first.to_ascii_uppercase() + rest,
            _ => word.to_owned(),
        });
    value.get(name).or_else(|| value.get(camel.collect::<String>()))
}

/// What GetUnit says of a unit.
#[derive(Debug)]
pub(super) struct Unit {
    short: Value,
    detail: Value,
}

impl Unit {
    /// Asks for it.
    pub(super) fn get(name: &str) -> Result<Unit, Error> {
        let answer = call("GetUnit", json!({ "name": name }))?;
        let part = |key: &str| {
            let reason = || format!("the answer has no field {key}: {answer}");
            let missing = || Error::Control {
                request: format!("GetUnit {name}"),
                reason: reason(),
            };
            answer.get(key).cloned().ok_or_else(missing)
        };
        Ok(Unit {
            short: part("unit")?,
            detail: part("detail")?,
        })
    }

    fn text(&self, key: &str) -> &str {
        field(&self.short, key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub(super) fn active(&self) -> &str {
        self.text("active")
    }

    pub(super) fn description(&self) -> &str {
        self.text("description")
    }

    pub(super) fn sub(&self) -> &str {
        self.text("sub")
    }

    /// How the last run ended.
    pub(super) fn result(&self) -> &str {
        self.text("result")
    }

    pub(super) fn load(&self) -> &str {
        self.text("load")
    }

    /// The main process, 0 for none.
    pub(super) fn main_pid(&self) -> i32 {
        let pid = field(&self.short, "main_pid").and_then(Value::as_i64);
        pid.and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0)
    }

    /// SO_COOKIE of each listening socket, in order.
    pub(super) fn cookies(&self) -> Vec<u64> {
        let ports = field(&self.detail, "listen").and_then(Value::as_array);
        ports
            .into_iter()
            .flatten()
            .filter_map(|port| field(port, "cookie")?.as_u64())
            .collect()
    }

    /// File and line of each mistake.
    pub(super) fn mistakes(&self) -> Vec<(String, u64)> {
        let found = field(&self.detail, "diagnostics").and_then(Value::as_array);
        found
            .into_iter()
            .flatten()
            .filter_map(|text| place(text.as_str()?))
            .collect()
    }
}

/// File and line at the head of a diagnostic: `FILE:LINE: MESSAGE`.
fn place(text: &str) -> Option<(String, u64)> {
    let mut parts = text.splitn(3, ':');
    Some((parts.next()?.to_owned(), parts.next()?.parse().ok()?))
}

/// The manager's state (`running`, `starting`, ...) and how many soft-reboots there were.
pub(super) fn status() -> Result<(String, u64), Error> {
    let answer = call("Describe", json!({}))?;
    let state = field(&answer, "state")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    Ok((
        state,
        field(&answer, "soft_reboots")
            .and_then(Value::as_u64)
            .unwrap_or(0),
    ))
}

/// How often this userspace's manager was re-executed.
pub(super) fn reexecs() -> Result<u64, Error> {
    let answer = call("Describe", json!({}))?;
    Ok(field(&answer, "reexecs").and_then(Value::as_u64).unwrap_or(0))
}

/// Names of all loaded units.
pub(super) fn unit_names() -> Result<Vec<String>, Error> {
    let answer = call("ListUnits", json!({ "all": true }))?;
    let units = answer.get("units").and_then(Value::as_array);
    Ok(units
        .into_iter()
        .flatten()
        .filter_map(|unit| Some(field(unit, "name")?.as_str()?.to_owned()))
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
    enqueue(name, "start")
}

/// Stops a unit, and waits for the end of the job.
pub(super) fn stop(name: &str) -> Result<(), Error> {
    enqueue(name, "stop")
}

/// Restarts a unit, and waits for the end of the job.
pub(super) fn restart(name: &str) -> Result<(), Error> {
    enqueue(name, "restart")
}

fn enqueue(name: &str, job: &str) -> Result<(), Error> {
    let answer = call(
        "Enqueue",
        json!({ "name": name, "job": job, "mode": "replace", "wait": true }),
    )?;
    match field(&answer, "result").and_then(Value::as_str) {
        Some("done") => Ok(()),
        _ => Err(Error::Control {
            request: format!("{job} {name}"),
            reason: format!("the job ended with {answer}"),
        }),
    }
}

/// Re-executes PID 1. The answer comes from the new program.
pub(super) fn reexec() -> Result<(), Error> {
    call("Reexecute", json!({})).map(drop)
}

/// One whole soft-reboot: the answer comes from the new program, when its boot is done.
pub(super) fn soft_reboot() -> Result<(), Error> {
    let (_, before) = status()?;
    call("SoftReboot", json!({ "wait": true }))?;
    wait_running()?;
    let (_, after) = status()?;
    if after == before + 1 {
        return Ok(());
    }
    Err(Error::Check(format!(
        "{before} soft-reboots were counted before this one, and {after} after it"
    )))
}

/// Waits until the boot is done.
pub(super) fn wait_running() -> Result<String, Error> {
    wait_for("the end of the boot", || {
        let (state, _) = status()?;
        Ok(matches!(state.as_str(), "running" | "degraded").then_some(state))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_in_either_spelling() {
        let answer = json!({ "mainPid": 1, "stored_fds": 2 });
        assert_eq!(field(&answer, "main_pid"), Some(&json!(1)));
        assert_eq!(field(&answer, "stored_fds"), Some(&json!(2)));
        assert_eq!(field(&answer, "pid"), None);
    }

    #[test]
    fn a_diagnostic_begins_with_its_place() {
        assert_eq!(
            place("/a/b.service:4: no: such"),
            Some(("/a/b.service".to_owned(), 4))
        );
        assert_eq!(place("no place"), None);
    }
}
