//! What is in a snapshot, an image, a journal, a manifest or a list of definitions.

use std::collections::BTreeMap;

use serde_json::Value;
use softboot_reexec::inspect::{Found, Kind};

use super::{View, count, field};
use crate::inspect::Looked;
use crate::paint::Tone;
use crate::table::{Cell, Column, table};
use crate::text::{Cut, clean};
use crate::time::{ago, span};

const UNITS: [Column; 5] = [
    Column::shrinking("UNIT", 20, Cut::Middle),
    Column::fixed("STATE"),
    Column::fixed("RESULT"),
    Column::fixed("PID"),
    Column::fixed("STORED"),
];
const ENTRIES: [Column; 2] = [Column::fixed("ENTRY"), Column::fixed("COUNT")];

/// All files, one after the other.
pub(crate) fn all(looked: &[Looked], view: View) -> String {
    let texts: Vec<String> = looked.iter().map(|looked| one(looked, view)).collect();
    texts.join("\n")
}

fn one(looked: &Looked, view: View) -> String {
    let found = &looked.found;
    let mut out = format!("{}\n", view.paint.tone(Tone::Bold, &clean(&looked.name)));
    field(&mut out, "File", &envelope(found));
    let last = found.values.last();
    if let Some(writer) = last.and_then(|value| value.get("writer")?.as_str()) {
        field(&mut out, "Writer", &format!("softbootd {}", clean(writer)));
    }
    for problem in &found.problems {
        field(
            &mut out,
            "Wrong",
            &view.paint.tone(Tone::Bad, &clean(&problem.to_string())),
        );
    }
    let first = found.values.first().unwrap_or(&Value::Null);
    match found.kind {
        Kind::Snapshot => state(&mut out, first.get("payload").unwrap_or(&Value::Null), view),
        Kind::Image => state(&mut out, first, view),
        Kind::Journal => journal(&mut out, &found.values, view),
        Kind::Definitions => field(&mut out, "Units", &count(length(first), "definition")),
        Kind::Manifest => field(&mut out, "Contents", &clean(&first.to_string())),
    }
    out
}

fn envelope(found: &Found) -> String {
    let mut text = format!("{}, {}", found.kind.word(), count(found.bytes, "byte"));
    if let Some(format) = found.format {
        text.push_str(&format!(", format {format}"));
    }
    match found.checksum {
        Some(checksum) => text.push_str(&format!(", checksum {checksum:08x}")),
        None if found.is_whole() => {}
        None => text.push_str(", damaged"),
    }
    text
}

/// The engine's and the manager's part.
fn state(out: &mut String, state: &Value, view: View) {
    let manager = state
        .get("manager")
        .or_else(|| state.get("rest")?.get("manager"))
        .unwrap_or(&Value::Null);
    let engine = state.get("engine").unwrap_or(&Value::Null);
    if let Some(written) = manager.get("written").and_then(Value::as_u64) {
        field(out, "Taken", &ago(written, view.now.monotonic));
    }
    let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64).unwrap_or(0);
    let units = units_of(state);
    let has = [
        count(units.len(), "unit"),
        count(length(engine.get("jobs").unwrap_or(&Value::Null)), "job"),
        plural(
            length(manager.get("processes").unwrap_or(&Value::Null)),
            "process",
            "processes",
        ),
        count(
            length(
                manager
                    .get("clients")
                    .and_then(|clients| clients.get("by_id"))
                    .unwrap_or(&Value::Null),
            ),
            "client",
        ),
    ];
    field(out, "Has", &has.join(", "));
    let before = [
        count(
            usize::try_from(number(engine, "soft_reboots")).unwrap_or(usize::MAX),
            "soft-reboot",
        ),
        count(
            usize::try_from(number(manager, "reexecs")).unwrap_or(usize::MAX),
            "re-exec",
        ),
    ];
    field(out, "After", &before.join(", "));
    let rows: Vec<Vec<Cell>> = units.iter().filter_map(|unit| row(unit)).collect();
    if !rows.is_empty() {
        out.push('\n');
        out.push_str(&table(&UNITS, &rows, view.width, view.paint));
    }
    let quiet = units.len() - rows.len();
    if quiet > 0 {
        out.push_str(&format!(
            "{} of {} not shown: they are inactive.\n",
            quiet,
            count(units.len(), "unit")
        ));
    }
}

/// A unit that is more than inactive.
fn row(unit: &Value) -> Option<Vec<Cell>> {
    let machine = machine(unit);
    let text = |name: &str| {
        let value = machine.get(name);
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let on = unit.get("on").and_then(Value::as_bool).unwrap_or(false)
        || machine.get("on").and_then(Value::as_bool).unwrap_or(false);
    let state = match text("state") {
        state if state.is_empty() && on => "active".to_owned(),
        state => state,
    };
    let stored = machine.get("stored_fds").and_then(Value::as_u64).unwrap_or(0);
    let result = text("result");
    let failed = !result.is_empty() && result != "success";
    if (state.is_empty() || state == "dead") && stored == 0 && !failed {
        return None;
    }
    let pid = machine
        .get("main")
        .and_then(|main| main.get("pid"))
        .and_then(Value::as_i64)
        .map(|pid| pid.to_string());
    Some(vec![
        Cell::from(name(unit)),
        Cell::from(state),
        Cell::new(result, if failed { Tone::Bad } else { Tone::Plain }),
        Cell::from(pid.unwrap_or_default()),
        Cell::from(if stored > 0 {
            stored.to_string()
        } else {
            String::new()
        }),
    ])
}

/// A snapshot has what a unit is under its kind, an image under `machine`.
fn machine(unit: &Value) -> &Value {
    let inner = unit.get("machine").unwrap_or(unit);
    let kinds = ["service", "socket", "mount", "plain"];
    let mut of_kind = kinds.iter().filter_map(|kind| inner.get(kind));
    of_kind.find(|machine| !machine.is_null()).unwrap_or(&Value::Null)
}

fn name(unit: &Value) -> &str {
    let own = unit.get("name").or_else(|| unit.get("definition")?.get("name"));
    own.and_then(Value::as_str).unwrap_or_default()
}

/// The records of units in a snapshot's payload or an image.
fn units_of(state: &Value) -> Vec<&Value> {
    // An image has each with its id, beside the rest of the engine.
    if let Some(Value::Array(units)) = state.get("units") {
        return units.iter().filter_map(|unit| unit.get(1)).collect();
    }
    let units = state.get("engine").and_then(|engine| engine.get("units"));
    units.and_then(Value::as_array).into_iter().flatten().collect()
}

/// Every record of a unit in a file's value: of its state, and its definition.
pub(crate) fn records_of<'a>(value: &'a Value, unit: &str) -> Vec<&'a Value> {
    let payload = value.get("payload").unwrap_or(value);
    let newer = payload.get("definitions").and_then(Value::as_array);
    let definitions = value.as_array().or(newer);
    let mut all = units_of(payload);
    all.extend(definitions.into_iter().flatten());
    all.retain(|record| name(record) == unit);
    all
}

/// How many entries of which kind, and when the last step was.
fn journal(out: &mut String, records: &[Value], view: View) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut last = None;
    for entry in records.iter().filter_map(Value::as_array).flatten() {
        let kind = match entry {
            Value::String(kind) => kind.as_str(),
            Value::Object(one) => one.keys().next().map_or("", String::as_str),
            _ => "",
        };
        *counts.entry(kind).or_default() += 1;
        let step = entry.get("step").and_then(|now| now.get("monotonic")?.as_u64());
        last = step.or(last);
    }
    let entries: usize = counts.values().sum();
    let has = format!(
        "{}, {}",
        count(records.len(), "record"),
        plural(entries, "entry", "entries")
    );
    field(out, "Has", &has);
    let begin = records.first().and_then(|record| record.get(0)?.get("begin"));
    if let Some(base) = begin.and_then(|begin| begin.get("base")) {
        field(out, "Goes on from", &describe_base(base));
    }
    if let Some(crashes) = begin.and_then(|begin| begin.get("crashes")?.as_array()) {
        field(
            out,
            "Crashes",
            &format!("{} in the minute before the last", crashes.len()),
        );
    }
    if let Some(last) = last {
        let since = view.now.monotonic.saturating_sub(last);
        field(out, "Last step", &format!("{} ago", span(since)));
    }
    let rows: Vec<Vec<Cell>> = counts
        .iter()
        .map(|(kind, count)| vec![Cell::from(*kind), Cell::from(count.to_string())])
        .collect();
    if !rows.is_empty() {
        out.push('\n');
        out.push_str(&table(&ENTRIES, &rows, view.width, view.paint));
    }
}

fn describe_base(base: &Value) -> String {
    if let Some(image) = base.get("image") {
        return format!("the image in descriptor {image}");
    }
    match base.get("snapshot") {
        Some(snapshot) => {
            let number = |name: &str| snapshot.get(name).unwrap_or(&Value::Null);
            format!(
                "the snapshot in descriptor {} and the definitions in {}",
                number("snapshot"),
                number("definitions")
            )
        }
        None => "nothing: the boot of this userspace".to_owned(),
    }
}

fn plural(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn length(value: &Value) -> usize {
    match value {
        Value::Array(all) => all.len(),
        Value::Object(all) => all.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::VIEW;
    use serde_json::json;
    use softboot_reexec::inspect::{look, snapshot_of};

    fn payload() -> Value {
        json!({"writer": "0.1.0", "payload": {
            "kind": "reexec",
            "engine": {"soft_reboots": 1, "jobs": [], "units": [
                {"name": "a.service", "service": {"state": "running", "result": "success", "main": {"pid": 17}, "stored_fds": 2}},
                {"name": "b.service", "service": {"state": "failed", "result": "exit-code", "stored_fds": 0}},
                {"name": "c.service", "service": {"state": "dead", "result": "success"}},
                {"name": "d.target", "on": true},
            ]},
            "manager": {"written": 3_598_000_000_u64, "reexecs": 2, "processes": {"1": {}}, "clients": {"by_id": {}}},
        }})
    }

    fn shown(found: Found) -> String {
        all(
            &[Looked {
                name: "a copy".to_owned(),
                found,
            }],
            VIEW,
        )
    }

    #[test]
    fn a_snapshot_shows_what_is_more_than_inactive() {
        let text = payload().to_string();
        let shown = shown(snapshot_of(1, crc32(&text), &text));
        let bytes = text.len() + 24;
        let wanted = format!(
            "a copy
        File: snapshot, {bytes} bytes, format 1, checksum {:08x}
      Writer: softbootd 0.1.0
       Taken: 2s ago
         Has: 4 units, 0 jobs, 1 process, 0 clients
       After: 1 soft-reboot, 2 re-execs

UNIT       STATE    RESULT     PID  STORED
a.service  running  success    17   2
b.service  failed   exit-code
d.target   active
1 of 4 units not shown: they are inactive.
",
            crc32(&text)
        );
        assert_eq!(shown, wanted);
        assert_eq!(records_of(&payload(), "b.service").len(), 1);
    }

    #[test]
    fn what_is_wrong_comes_before_what_can_be_read() {
        let text = payload().to_string();
        let cut = text.find("c.service").unwrap();
        let shown = shown(snapshot_of(1, 0, &text[..cut]));
        let wrong = shown.find("Wrong: byte").unwrap();
        assert!(shown.find("a.service").unwrap() > wrong, "{shown}");
    }

    #[test]
    fn a_journal_is_counted() {
        let mut journal = softboot_reexec::journal::Journal::create().unwrap();
        for record in [
            json!([{"begin": {"base": {"image": 9}, "crashes": [1]}}]),
            json!([{"step": {"monotonic": 3_599_000_000_u64}}, "done"]),
        ] {
            journal.append(record.to_string().as_bytes()).unwrap();
        }
        let file = std::fs::File::from(std::os::fd::AsFd::as_fd(&journal).try_clone_to_owned().unwrap());
        let mut bytes = vec![0; usize::try_from(journal.length()).unwrap()];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 0).unwrap();
        let shown = shown(look(&bytes).unwrap());
        for part in [
            "Has: 2 records, 3 entries",
            "Goes on from: the image in descriptor 9",
            "Crashes: 1 in the minute before the last",
            "Last step: 1.000s ago",
            "done   1",
        ] {
            assert!(shown.contains(part), "{part} in\n{shown}");
        }
    }

    fn crc32(text: &str) -> u32 {
        let found = snapshot_of(1, 0, text);
        let problem = found.problems.first().unwrap().what.clone();
        u32::from_str_radix(problem.rsplit(' ').next().unwrap(), 16).unwrap()
    }
}
