//! The status files of the demo image's programs.

use std::fs;

use serde_json::Value;

use super::check::wait_for;
use crate::error::{Context, Error};

/// The status file of a program: `survivor` or `holdfds`.
pub(super) fn report(program: &str) -> Result<Value, Error> {
    let path = format!("/run/softboot-demo/{program}.json");
    let text = fs::read(&path).doing(format!("reading {path}"))?;
    serde_json::from_slice(&text)
        .map_err(std::io::Error::from)
        .doing(format!("decoding {path}"))
}

/// The number at a JSON pointer, 0 if there is none.
pub(super) fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// The survivor's status once it is later than `after_usec` and both connections are up.
pub(super) fn survivor_after(after_usec: u64) -> Result<Value, Error> {
    wait_for("a new status of the survivor with both connections", || {
        let found = report("survivor")?;
        let up = |link: &str| found.pointer(link).and_then(Value::as_bool) == Some(true);
        let settled =
            number(&found, "/now_usec") > after_usec && up("/pair/connected") && up("/echo/connected");
        Ok(settled.then_some(found))
    })
}
