//! `greyout`: where the time of a soft-reboot, a re-exec or a crash went, and what would make it shorter.

use softboot_control::api::{Cycle, CyclePhase, UnitCycle};

use super::{View, count};
use crate::names;
use crate::paint::Tone;
use crate::table::{Cell, Column, table};
use crate::text::{Cut, clean};
use crate::time::{ago, span};

/// The longest bar.
const BAR: u64 = 30;
/// Rows of units.
const SHOWN: usize = 12;
/// A unit that took so large a part (one in so many) of the whole is worth a sentence.
const PART: u64 = 5;
/// But nothing shorter than this.
const WORTH: u64 = 20_000;

const PHASES: [Column; 4] = [
    Column::fixed("PHASE"),
    Column::fixed("FROM"),
    Column::fixed("TOOK"),
    Column::fixed(""),
];
const UNITS: [Column; 6] = [
    Column::shrinking("UNIT", 20, Cut::Middle),
    Column::fixed("AWAY"),
    Column::fixed("STOP"),
    Column::fixed("START"),
    Column::fixed("CLIENT"),
    Column::fixed("WAITED FOR"),
];

/// Cycles, oldest first.
pub(crate) fn cycles(cycles: &[Cycle], view: View) -> String {
    if cycles.is_empty() {
        return "Nothing was replaced yet: no soft-reboot, no re-exec, no crash.\n".to_owned();
    }
    let all: Vec<String> = cycles.iter().map(|cycle| one(cycle, view)).collect();
    all.join("\n")
}

fn one(cycle: &Cycle, view: View) -> String {
    let mut out = headline(cycle, view);
    out.push_str(&phases(cycle, view));
    if !cycle.units.is_empty() {
        out.push('\n');
        out.push_str(&units(cycle, view));
    }
    let advice = advice(cycle);
    if !advice.is_empty() {
        out.push_str(&format!(
            "\n{}\n",
            view.paint.tone(Tone::Bold, "What would make it shorter")
        ));
        advice
            .iter()
            .for_each(|line| out.push_str(&format!("  {line}\n")));
    }
    out
}

/// From the first moment at which anything was away to the end.
fn grey(cycle: &Cycle) -> u64 {
    cycle
        .phases
        .iter()
        .filter(|phase| !phase.harmless)
        .map(|phase| phase.took_usec)
        .sum()
}

fn headline(cycle: &Cycle, view: View) -> String {
    let kind = match cycle.kind.as_str() {
        "reexec" => "Re-exec",
        "crash" => "Crash",
        "soft-reboot" => "Soft-reboot",
        other => other,
    };
    let took = fine(grey(cycle));
    let when = ago(cycle.requested_usec, view.now.monotonic);
    let title = view.paint.tone(Tone::Bold, &clean(kind));
    let what = match (cycle.kind.as_str(), cycle.finished_usec) {
        ("soft-reboot", Some(_)) => format!("{took} from the first stop to the end of the boot"),
        ("soft-reboot", None) => format!("{took} so far, the boot is not complete"),
        _ => format!("{took} without an answer from softbootd; services ran on"),
    };
    let counts = if cycle.kind == "soft-reboot" {
        let stopped = count(usize::try_from(cycle.stopped).unwrap_or(usize::MAX), "unit");
        format!("{stopped} stopped, {} started.\n", cycle.started)
    } else {
        String::new()
    };
    format!("{title}, {when}: {what}.\n{counts}\n")
}

fn phases(cycle: &Cycle, view: View) -> String {
    let longest = cycle
        .phases
        .iter()
        .map(|phase| phase.took_usec)
        .max()
        .unwrap_or(0)
        .max(1);
    let row = |phase: &CyclePhase| -> Vec<Cell> {
        let bar = phase.took_usec.saturating_mul(BAR).div_ceil(longest).min(BAR);
        let bar = usize::try_from(bar).unwrap_or(0);
        let (bar, tone) = if phase.harmless {
            (format!("{} all is answered", "░".repeat(bar)), Tone::Faint)
        } else {
            ("█".repeat(bar), Tone::Plain)
        };
        vec![
            (&phase.name).into(),
            format!("+{}", fine(phase.began_usec.saturating_sub(cycle.requested_usec))).into(),
            fine(phase.took_usec).into(),
            Cell::new(bar, tone),
        ]
    };
    let rows: Vec<Vec<Cell>> = cycle.phases.iter().map(row).collect();
    table(&PHASES, &rows, view.width, view.paint)
}

fn units(cycle: &Cycle, view: View) -> String {
    let text = |usec: Option<u64>| usec.map_or_else(|| "-".to_owned(), fine);
    let row = |unit: &UnitCycle| -> Vec<Cell> {
        let critical = match (unit.stop_critical, unit.start_critical) {
            (true, true) => "stop, boot",
            (true, false) => "stop",
            (false, true) => "boot",
            (false, false) => "",
        };
        let tone = if critical.is_empty() {
            Tone::Plain
        } else {
            Tone::Notice
        };
        vec![
            Cell::new(&unit.name, tone),
            text(unit.away_usec()).into(),
            text(unit.stop_usec()).into(),
            text(unit.start_usec()).into(),
            text(unit.client_waited_usec).into(),
            critical.into(),
        ]
    };
    let rows: Vec<Vec<Cell>> = cycle.units.iter().take(SHOWN).map(row).collect();
    let mut out = table(&UNITS, &rows, view.width, view.paint);
    let all = usize::try_from(cycle.stopped.max(cycle.started)).unwrap_or(usize::MAX);
    if let Some(more) = all.checked_sub(rows.len()).filter(|more| *more > 0) {
        out.push_str(&format!("… and {more} more, away for a shorter time.\n"));
    }
    out
}

/// Sentences about what took long, the longest first.
fn advice(cycle: &Cycle) -> Vec<String> {
    let worth = (grey(cycle) / PART).max(WORTH);
    let mut lines = Vec::new();
    for unit in &cycle.units {
        let name = clean(&unit.name);
        if let Some(took) = unit.stop_usec().filter(|took| *took >= worth) {
            let limit = unit.stop_limit_usec.map_or_else(String::new, |limit| {
                format!(" of its TimeoutStopSec={}", span(limit))
            });
            let others = held_up(unit.held_up_stops);
            lines.push((
                took,
                format!("{name} took {}{limit} to stop{others}.", fine(took)),
            ));
        }
        if let Some(took) = unit.start_usec().filter(|took| *took >= worth) {
            let others = held_up(unit.held_up_starts);
            lines.push((took, format!("{name} took {} to start{others}.", fine(took))));
        }
        if let Some(away) = unit
            .away_usec()
            .filter(|_| names::type_of(&unit.name) == "socket")
        {
            let text = format!(
                "{name} was closed for {}: who connected was refused.\n    DefaultDependencies=no in its [Unit] \
                 section keeps it open: clients wait.",
                fine(away)
            );
            lines.push((away, text));
        }
    }
    for phase in cycle.phases.iter().filter(|phase| phase.took_usec >= worth) {
        let text = match phase.name.as_str() {
            "ending what is left" => "processes that no unit stops, or that ignore SIGTERM, held it up.",
            "verifying" if !phase.harmless => {
                "the stop began before the next softbootd was asked; `softctl soft-reboot` asks first."
            }
            _ => continue,
        };
        let line = format!("{}, {}: {text}", clean(&phase.name), fine(phase.took_usec));
        lines.push((phase.took_usec, line));
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.0));
    let shown = lines.len().min(SHOWN / 2);
    let rest = lines.len().saturating_sub(shown);
    let mut lines: Vec<String> = lines.into_iter().take(shown).map(|(_, line)| line).collect();
    if rest > 0 {
        lines.push(format!("… and {rest} more of this kind; --json has all."));
    }
    lines
}

fn held_up(units: u32) -> String {
    match units {
        0 => String::new(),
        1 => "; one unit waited for it".to_owned(),
        many => format!("; {many} units waited for it"),
    }
}

/// A span with a digit behind the point where milliseconds are few.
fn fine(usec: u64) -> String {
    match usec {
        1000..100_000 => format!("{}.{}ms", usec / 1000, usec % 1000 / 100),
        _ => span(usec),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::VIEW;
    use super::*;

    fn phase(name: &str, began: u64, took: u64, harmless: bool) -> CyclePhase {
        CyclePhase {
            name: name.to_owned(),
            began_usec: began,
            took_usec: took,
            harmless,
        }
    }

    fn cycle() -> Cycle {
        let at = VIEW.now.monotonic - 12_000_000;
        let unit = |name: &str, stop: (u64, u64), start: (u64, u64)| UnitCycle {
            name: name.to_owned(),
            stop_began_usec: Some(at + stop.0),
            stop_ended_usec: Some(at + stop.1),
            start_began_usec: Some(at + start.0),
            start_ended_usec: Some(at + start.1),
            ..UnitCycle::default()
        };
        Cycle {
            kind: "soft-reboot".to_owned(),
            requested_usec: at,
            finished_usec: Some(at + 3_150_000),
            phases: vec![
                phase("verifying", at, 12_340, true),
                phase("stopping", at + 12_340, 3_100_000, false),
                phase("ending what is left", at + 3_112_340, 950, false),
                phase("booting", at + 3_113_290, 36_710, false),
            ],
            stopped: 20,
            started: 21,
            units: vec![
                UnitCycle {
                    stop_critical: true,
                    held_up_stops: 11,
                    stop_limit_usec: Some(90_000_000),
                    ..unit("db.service", (12_400, 3_112_300), (3_114_000, 3_150_000))
                },
                UnitCycle {
                    client_waited_usec: Some(41_000),
                    ..unit("web.socket", (13_000, 13_100), (3_114_000, 3_114_200))
                },
            ],
        }
    }

    #[test]
    fn a_soft_reboot_in_full() {
        assert_eq!(
            cycles(&[cycle()], VIEW),
            "Soft-reboot, 12s ago: 3.137s from the first stop to the end of the boot.\n\
             20 units stopped, 21 started.\n\
             \n\
             PHASE                FROM     TOOK\n\
             verifying            +0us     12.3ms  ░ all is answered\n\
             stopping             +12.3ms  3.100s  ██████████████████████████████\n\
             ending what is left  +3.112s  950us   █\n\
             booting              +3.113s  36.7ms  █\n\
             \n\
             UNIT        AWAY    STOP    START   CLIENT  WAITED FOR\n\
             db.service  3.137s  3.099s  36.0ms  -       stop\n\
             web.socket  3.101s  100us   200us   41.0ms\n\
             … and 19 more, away for a shorter time.\n\
             \n\
             What would make it shorter\n  \
               web.socket was closed for 3.101s: who connected was refused.\n    \
                 DefaultDependencies=no in its [Unit] section keeps it open: clients wait.\n  \
               db.service took 3.099s of its TimeoutStopSec=1min 30s to stop; 11 units waited for it.\n"
        );
    }

    #[test]
    fn the_lines_fit_eighty_columns_and_nothing_is_said_where_nothing_happened() {
        let text = cycles(&[cycle()], VIEW);
        assert!(
            text.lines().all(|line| line.chars().count() <= 90),
            "sentences may be a little longer: {text}"
        );
        let mut tables = text.lines().take_while(|line| !line.starts_with("What"));
        assert!(tables.all(|line| line.chars().count() <= 80), "{text}");
        assert!(cycles(&[], VIEW).starts_with("Nothing was replaced yet"));
    }

    #[test]
    fn a_re_exec_stops_nothing() {
        let at = VIEW.now.monotonic - 1_500_000;
        let reexec = Cycle {
            kind: "reexec".to_owned(),
            requested_usec: at,
            finished_usec: Some(at + 9000),
            phases: vec![
                phase("verifying", at, 6000, true),
                phase("writing and exec", at + 6000, 3000, false),
            ],
            ..Cycle::default()
        };
        let text = cycles(&[reexec], VIEW);
        assert!(
            text.starts_with(
                "Re-exec, 1s ago: 3.0ms without an answer from softbootd; services ran on.\n\nPHASE"
            ),
            "{text}"
        );
        assert!(!text.contains("shorter"), "{text}");
    }
}
