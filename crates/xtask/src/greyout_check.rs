//! A short run of `cargo xtask greyout --workload` with every kind of endpoint, and what has to come out of it. No time is
//! judged.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::exit::Failure;
use crate::greyout::{self, Options};
use crate::places::Places;

const WORKLOAD: &str = "crates/greyout/workloads/endpoints.toml";
/// Its endpoints and events.
const ENDPOINTS: usize = 9;
const EVENTS: usize = 3;
/// A connection to a service that does not survive: it has to be lost, and nothing else.
const CUT: &str = "held by one that ends";

/// Runs it; what is wrong with the result.
pub(crate) fn run(places: &Places) -> Result<Vec<String>, Failure> {
    let directory = tempfile::tempdir().map_err(|error| Failure::host("making a directory", error))?;
    let json = directory.path().join("result.json");
    let options = Options::of_workload(places.source(WORKLOAD), 1, json.clone());
    let code = greyout::run(&options)?;
    if code != 0 {
        return Ok(vec![format!("it ended with exit code {code}")]);
    }
    let text = std::fs::read(&json).map_err(|error| Failure::host("reading the result", error))?;
    let result = serde_json::from_slice(&text)
        .map_err(|error| Failure::host("reading the result", std::io::Error::other(error)))?;
    Ok(faults(&result))
}

fn faults(result: &Value) -> Vec<String> {
    let groups = result.get("groups").and_then(Value::as_array);
    let groups = groups.map(Vec::as_slice).unwrap_or_default();
    let mut faults = Vec::new();
    let word = |group: &Value, name: &str| {
        let word = group.get(name).and_then(Value::as_str);
        word.unwrap_or_default().to_owned()
    };
    let seen: BTreeSet<(String, String)> = groups
        .iter()
        .map(|group| (word(group, "event"), word(group, "endpoint")))
        .collect();
    if seen.len() != ENDPOINTS * EVENTS {
        faults.push(format!(
            "{} endpoints and events, not {}: {seen:?}",
            seen.len(),
            ENDPOINTS * EVENTS
        ));
    }
    for group in groups {
        let (event, endpoint) = (word(group, "event"), word(group, "endpoint"));
        if group.get("without_length").and_then(Value::as_u64) != Some(0) {
            faults.push(format!("{endpoint} did not come back after the {event}"));
        }
        let failed = group.get("failed").and_then(Value::as_object);
        let lost = failed.is_some_and(|failed| !failed.is_empty());
        let loses = endpoint == CUT && event != "re-exec";
        if lost != loses {
            let word = if lost { "lost" } else { "not lost" };
            faults.push(format!("{endpoint} was {word} in the {event}: {failed:?}"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_result_that_lacks_endpoints_or_has_losses_is_told_so() {
        assert_eq!(faults(&json!({})).len(), 1);
        let group = |event: &str, endpoint: &str, failed: Value| json!({"event": event, "endpoint": endpoint, "without_length": 0, "failed": failed});
        let mut groups = Vec::new();
        for event in ["soft-reboot", "re-exec", "restart"] {
            for number in 1..ENDPOINTS {
                groups.push(group(event, &number.to_string(), json!({})));
            }
            let failed = if event == "re-exec" {
                json!({})
            } else {
                json!({"reset": 1})
            };
            groups.push(group(event, CUT, failed));
        }
        assert_eq!(faults(&json!({ "groups": groups })), Vec::<String>::new());
        if let Some(first) = groups.first_mut() {
            *first = group("soft-reboot", "1", json!({"refused": 3}));
        }
        assert!(faults(&json!({ "groups": groups }))[0].contains("refused"));
    }
}
