//! Only with the feature `next-version`, for tests: a softbootd that is the next version in all that an older one can
//! see of it. Its snapshots have members that no version here knows, of the manager and of each unit, and it looks at
//! what came of them when it takes over from an older one.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

/// The version that its snapshots say they are of.
pub(super) const WRITER: &str = "99.0.0";
/// Where it says how often it has taken over, and of how many units the older one gave back what it did not know.
const REPORT: &str = "/run/softboot/next-version";

/// How often this version has taken over, as far as anybody remembers.
static TAKEN_OVER: AtomicU64 = AtomicU64::new(0);

/// What this version adds to a snapshot.
pub(super) fn add(snapshot: &mut Value) {
    let times = TAKEN_OVER.load(Ordering::Relaxed);
    if let Some(manager) = snapshot.get_mut("manager").and_then(Value::as_object_mut) {
        manager.insert("mood".to_owned(), json!({ "times": times }));
    }
    let units = snapshot
        .pointer_mut("/engine/units")
        .and_then(Value::as_array_mut);
    for unit in units.into_iter().flatten().filter_map(Value::as_object_mut) {
        unit.insert("mood".to_owned(), json!(times));
    }
}

/// Reads that again.
pub(super) fn take(snapshot: &Value) {
    let times = snapshot.pointer("/manager/mood/times").and_then(Value::as_u64);
    let units = snapshot.pointer("/engine/units").and_then(Value::as_array);
    let units = units.map_or(0, |units| {
        let same = |unit: &&Value| times.is_some() && unit.get("mood").and_then(Value::as_u64) == times;
        units.iter().filter(same).count()
    });
    let times = times.unwrap_or(0).saturating_add(1);
    TAKEN_OVER.store(times, Ordering::Relaxed);
    // Who wants to know compares it with what must be; a missing file is an answer, too.
    let _ = std::fs::write(REPORT, format!("{times} {units}\n"));
}
