//! From what the probe saw to a result: JSON, and a page (docs/greyout-format.md).

use std::collections::BTreeMap;
use std::path::Path;

use softboot_greyout::probe;
use softboot_greyout::record::{Ending, Mark, MarkKind, Recording, Tail};
use softboot_greyout::result::{self, Options, Results, Source, Timeline};

use super::cycle::ATTEMPT;
use super::workload::Event;
use super::{Outcome, shown};
use crate::error::{Context as _, Error};

/// A result with softbootd as what the others are compared with. `command` repeats it; `notes` stand beside it.
pub fn results(outcomes: &[Outcome], command: &str, notes: Vec<String>) -> Result<Results, Error> {
    let options = Options {
        command: command.to_owned(),
        notes,
    };
    let measured = outcomes.iter().filter(|outcome| !outcome.cycles.is_empty());
    result::build(measured.map(source).collect(), &options).context("making the result")
}

fn source(outcome: &Outcome) -> Source {
    let labels = [
        ("manager", outcome.system.as_str()),
        ("case", outcome.case.name()),
        ("view", "host"),
        ("accelerator", "none, a container"),
    ];
    let plan = probe::Plan {
        probes: vec![probe::Probe {
            name: match outcome.case.event() {
                Event::SoftReboot => "echo",
                Event::Reexec => "activation",
            }
            .to_owned(),
            endpoint: outcome.case.endpoint(outcome.case.probed().into()),
            interval: outcome.case.interval(),
            timeout: ATTEMPT,
        }],
        labels: labels
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect::<BTreeMap<_, _>>(),
        command: std::env::args().collect(),
        ..probe::Plan::default()
    };
    let cycles = &outcome.cycles;
    let started = cycles
        .first()
        .and_then(|cycle| cycle.attempts.first())
        .map_or(0, |attempt| attempt.due);
    let attempts: Vec<_> = cycles
        .iter()
        .flat_map(|cycle| cycle.attempts.iter().copied())
        .collect();
    let mark = |time, kind| Mark {
        time,
        kind,
        name: outcome.case.event().name().to_owned(),
        endpoint: None,
    };
    let finished = attempts.last().map_or(started, |attempt| attempt.finished);
    Source {
        file: format!("{} {}", outcome.system, outcome.case.name()),
        recording: Recording {
            header: probe::header(&plan, started),
            attempts: vec![attempts],
            marks: cycles
                .iter()
                .flat_map(|cycle| {
                    [
                        mark(cycle.begun, MarkKind::Begin),
                        mark(cycle.ended, MarkKind::End),
                    ]
                })
                .collect(),
            ending: Some(Ending {
                finished,
                reason: "all cycles are done".to_owned(),
                ..Ending::default()
            }),
            tail: Tail::Whole,
            unknown: 0,
        },
        timeline: Some(Timeline {
            // All of them have this kernel's clock.
            boot_id: String::new(),
            spans: cycles.iter().flat_map(|cycle| cycle.spans.clone()).collect(),
            marks: Vec::new(),
        }),
    }
}

/// The page of a result.
pub fn write_page(results: &Results, to: &Path) -> Result<(), Error> {
    std::fs::write(to, softboot_greyout::report::page(results)).context(&format!("writing {}", shown(to)))
}

#[cfg(test)]
mod tests {
    use super::super::{Case, Cycle};
    use super::*;
    use softboot_greyout::{Attempt, Outcome as Came};

    /// A cycle at `at` seconds whose clients waited for so many milliseconds.
    fn cycle(at: u64, gap: u64) -> Cycle {
        let begun = at * 1_000_000_000;
        let milli = 1_000_000;
        let attempts = (0..200_u64)
            .filter(|index| *index < 100 || *index >= 100 + gap)
            .map(|index| {
                let due = begun + index * milli - 100 * milli;
                Attempt {
                    due,
                    started: due,
                    finished: due + 100_000,
                    outcome: Came::Good,
                }
            })
            .collect();
        Cycle {
            attempts,
            begun,
            ended: begun + 80 * milli,
            spans: Vec::new(),
        }
    }

    #[test]
    fn a_result_has_the_figure_of_each_system() {
        let outcome = |system: &str, gap: u64| Outcome {
            case: Case::Kept,
            system: system.into(),
            cycles: (1..=5).map(|at| cycle(at, gap)).collect(),
        };
        let outcomes = [outcome("softbootd 0", 10), outcome("systemd 9", 60)];
        let results = results(&outcomes, "measure", vec!["a note".to_owned()]).unwrap();
        let medians: Vec<(&str, f64)> = results
            .groups
            .iter()
            .map(|group| (group.labels.manager.as_str(), group.median.unwrap() / 1e6))
            .collect();
        assert_eq!(medians.len(), 2);
        for ((system, median), (name, gap)) in medians
            .into_iter()
            .zip([("softbootd 0", 10.0), ("systemd 9", 60.0)])
        {
            assert_eq!(system, name);
            assert!((gap..gap + 2.0).contains(&median), "{median}");
        }
        assert_eq!(results.comparisons.len(), 1);
        assert!(results.notes.contains(&"a note".to_owned()));
        assert!(softboot_greyout::report::page(&results).contains("systemd 9"));
    }
}
