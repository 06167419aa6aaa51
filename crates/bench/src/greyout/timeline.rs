//! What each manager says of its own soft-reboot: phases and units, in nanoseconds of CLOCK_MONOTONIC, which containers
//! have in common with the host.

use std::collections::BTreeMap;

use serde_json::Value;
use softboot_greyout::result::{Lane, Span};

/// From the reply of `softctl --json greyout`: the last cycle.
pub(super) fn of_softbootd(reply: &str) -> Vec<Span> {
    let Ok(cycles) = serde_json::from_str::<Value>(reply) else {
        return Vec::new();
    };
    let Some(cycle) = cycles.as_array().and_then(|all| all.last()) else {
        return Vec::new();
    };
    let list = |field: &str| {
        let values = cycle.get(field).and_then(Value::as_array);
        values.cloned().unwrap_or_default()
    };
    let phases = list("phases").into_iter().filter_map(|phase| {
        let began = nanos(&phase, "beganUsec")?;
        let harmless = flag(&phase, "harmless");
        Some(Span {
            lane: Lane::Phase,
            name: phase.get("name")?.as_str()?.to_owned(),
            begin: began,
            end: began.saturating_add(nanos(&phase, "tookUsec")?),
            critical: !harmless,
            note: if harmless { "all is answered" } else { "" }.to_owned(),
        })
    });
    let units = list("units");
    let sides = units.iter().flat_map(|unit| {
        [
            (
                Lane::Stop,
                "stopBeganUsec",
                "stopEndedUsec",
                "stopCritical",
                "heldUpStops",
            ),
            (
                Lane::Start,
                "startBeganUsec",
                "startEndedUsec",
                "startCritical",
                "heldUpStarts",
            ),
        ]
        .into_iter()
        .filter_map(|(lane, began, ended, critical, held_up)| {
            let waited = unit.get(held_up).and_then(Value::as_u64).unwrap_or(0);
            Some(Span {
                lane,
                name: unit.get("name")?.as_str()?.to_owned(),
                begin: nanos(unit, began)?,
                end: nanos(unit, ended)?,
                critical: flag(unit, critical),
                note: match waited {
                    0 => String::new(),
                    count => format!("{count} units waited for it"),
                },
            })
        })
    });
    phases.chain(sides).collect()
}

fn nanos(value: &Value, field: &str) -> Option<u64> {
    Some(value.get(field)?.as_u64()?.saturating_mul(1000))
}

fn flag(value: &Value, field: &str) -> bool {
    value.get(field).and_then(Value::as_bool) == Some(true)
}

/// Time stamps of systemd's manager in the order in which a soft-reboot passes them, and the phase that ends there
/// (org.freedesktop.systemd1, properties of the manager). Those of the shutdown before are left out: in 262 they are of the
/// soft-reboot before the last.
const STAMPS: [(&str, &str); 5] = [
    ("Userspace", "stopping, killing, exec, reading"),
    ("GeneratorsStart", "setting up"),
    ("GeneratorsFinish", "generators"),
    ("UnitsLoadFinish", "loading units"),
    ("Finish", "booting"),
];

/// From the output of `systemctl show`, and of the same for each unit, with an empty line in between, after a soft-reboot
/// that was asked for at `begun`.
pub(super) fn of_systemd(manager: &str, units: &str, begun: u64) -> Vec<Span> {
    let stamps = properties(manager);
    let mut spans = Vec::new();
    let mut begin = begun;
    for (name, phase) in STAMPS {
        // What this form does not have is part of the next phase.
        let at = stamp(&stamps, &format!("{name}TimestampMonotonic"));
        if let Some(end) = at.filter(|at| *at >= begin) {
            spans.push(span(Lane::Phase, phase, begin, end));
            begin = end;
        }
    }
    for unit in units.split("\n\n") {
        let unit = properties(unit);
        let Some(name) = unit.get("Id") else { continue };
        let at = |name: &str| stamp(&unit, &format!("{name}TimestampMonotonic")).filter(|at| *at >= begun);
        for (lane, from, to) in [
            (Lane::Stop, "ActiveExit", "InactiveEnter"),
            (Lane::Start, "InactiveExit", "ActiveEnter"),
        ] {
            if let (Some(begin), Some(end)) = (at(from), at(to))
                && end >= begin
            {
                spans.push(span(lane, name, begin, end));
            }
        }
    }
    spans
}

fn span(lane: Lane, name: &str, begin: u64, end: u64) -> Span {
    Span {
        lane,
        name: name.to_owned(),
        begin,
        end,
        critical: lane == Lane::Phase,
        note: String::new(),
    }
}

fn properties(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once('=')).collect()
}

/// In nanoseconds; never is 0 there.
fn stamp(properties: &BTreeMap<&str, &str>, name: &str) -> Option<u64> {
    let usec: u64 = properties.get(name)?.trim().parse().ok()?;
    (usec > 0).then(|| usec.saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(spans: &[Span]) -> Vec<(Lane, &str, u64, u64)> {
        spans
            .iter()
            .map(|span| (span.lane, span.name.as_str(), span.begin, span.end))
            .collect()
    }

    #[test]
    fn softbootd_says_phases_and_units() {
        let reply = r#"[{"kind": "reexec"}, {"kind": "soft-reboot", "phases": [
            {"name": "verifying", "beganUsec": 10, "tookUsec": 5, "harmless": true},
            {"name": "stopping", "beganUsec": 15, "tookUsec": 2}],
            "units": [{"name": "a.service", "stopBeganUsec": 15, "stopEndedUsec": 16, "stopCritical": true,
            "heldUpStops": 3, "startBeganUsec": 20, "startEndedUsec": null}]}]"#;
        let spans = of_softbootd(reply);
        assert_eq!(
            short(&spans),
            [
                (Lane::Phase, "verifying", 10_000, 15_000),
                (Lane::Phase, "stopping", 15_000, 17_000),
                (Lane::Stop, "a.service", 15_000, 16_000),
            ]
        );
        let critical: Vec<bool> = spans.iter().map(|span| span.critical).collect();
        assert_eq!(critical, [false, true, true]);
        assert_eq!(spans[2].note, "3 units waited for it");
        assert_eq!(of_softbootd("nonsense"), Vec::new());
    }

    #[test]
    fn systemd_says_time_stamps() {
        let manager = "Version=262\nUserspaceTimestampMonotonic=200\n\
                       GeneratorsStartTimestampMonotonic=0\nUnitsLoadFinishTimestampMonotonic=230\n\
                       FinishTimestampMonotonic=300\n";
        let units = "Id=echo.service\nActiveExitTimestampMonotonic=110\nInactiveEnterTimestampMonotonic=120\n\
                     InactiveExitTimestampMonotonic=250\nActiveEnterTimestampMonotonic=260\n\n\
                     Id=echo.socket\nActiveEnterTimestampMonotonic=50\nInactiveExitTimestampMonotonic=49\n";
        assert_eq!(
            short(&of_systemd(manager, units, 105_000)),
            [
                (Lane::Phase, "stopping, killing, exec, reading", 105_000, 200_000),
                (Lane::Phase, "loading units", 200_000, 230_000),
                (Lane::Phase, "booting", 230_000, 300_000),
                (Lane::Stop, "echo.service", 110_000, 120_000),
                (Lane::Start, "echo.service", 250_000, 260_000),
            ]
        );
    }
}
