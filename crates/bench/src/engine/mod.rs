//! The engine: loading unit files, booting them, one event, saving and restoring, each per unit, and how that grows with
//! the number of units.

mod files;
mod kernel;

use std::fs;
use std::time::{Duration, Instant};

use softboot_engine::{Engine, Event, Resume, SavedEngine};
use softboot_unit::{Loader, Specifiers, UnitName};

use crate::error::{Context as _, Error};
use crate::measure::Stopwatch;
use crate::record::Record;
use files::{Disk, Files};
use kernel::Kernel;

/// A size whose turn would take longer is left out.
const LIMIT: Duration = Duration::from_secs(60);
/// Events in a turn.
const EVENTS: u32 = 100;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Numbers of units, the smallest first.
    pub sizes: Vec<usize>,
    /// How often.
    pub runs: usize,
}

/// The metrics: case, metric and unit.
const METRICS: [(&str, &str, &str); 7] = [
    ("load", "time-per-unit", "us"),
    ("insert", "time-per-unit", "us"),
    ("start", "time-per-unit", "us"),
    ("event", "time-per-restart", "us"),
    ("save", "time-per-unit", "us"),
    ("saved", "size-per-unit", "B"),
    ("restore", "time-per-unit", "us"),
];

/// One turn: the figures in the order of [`METRICS`], and reading the same files as the floor of the first.
struct Turn {
    read: f64,
    figures: [f64; 7],
}

/// Measures; `note` is told what is under way.
pub fn run(plan: &Plan, note: &mut dyn FnMut(&str)) -> Result<Vec<Record>, Error> {
    let mut records: Vec<Record> = Vec::new();
    let mut first: Option<(usize, Vec<f64>)> = None;
    let mut last: Option<(usize, Duration)> = None;
    for &size in &plan.sizes {
        if last.is_some_and(|(before, took)| took.mul_f64(size as f64 / before as f64) > LIMIT) {
            note(&format!(
                "{size} units left out: a turn would take more than {} s",
                LIMIT.as_secs()
            ));
            continue;
        }
        note(&format!("{size} units"));
        let files = Files::write(size)?;
        let begun = Instant::now();
        // The first does not count.
        turn(&files)?;
        last = Some((size, begun.elapsed()));
        let turns = (0..plan.runs)
            .map(|_| turn(&files))
            .collect::<Result<Vec<_>, _>>()?;
        let read: Vec<f64> = turns.iter().map(|turn| turn.read).collect();
        let mut medians = Vec::new();
        for (index, (case, metric, unit)) in METRICS.into_iter().enumerate() {
            let runs: Vec<f64> = turns
                .iter()
                .filter_map(|turn| turn.figures.get(index).copied())
                .collect();
            let floor = if case == "load" { &read[..] } else { &[] };
            let record = Record::new(format!("{case}/{size}"), metric, unit, &runs, floor);
            medians.push(record.value);
            records.push(record);
        }
        match &first {
            None => first = Some((size, medians)),
            Some((smallest, base)) => records.extend(growth((*smallest, base), (size, &medians))),
        }
    }
    Ok(records)
}

/// Each figure beside that of the smallest size. Linear times logarithm is what may be.
fn growth(small: (usize, &[f64]), large: (usize, &[f64])) -> Vec<Record> {
    let aim = (large.0 as f64).ln() / (small.0 as f64).ln();
    let pairs = METRICS.into_iter().zip(large.1.iter().zip(small.1));
    pairs
        .map(|((case, _, unit), (value, base))| {
            let metric = "beside-smallest-size";
            Record::new(
                format!("{case}/growth/{}", large.0),
                metric,
                unit,
                &[*value],
                &[*base],
            )
            .aim(aim)
        })
        .collect()
}

fn turn(files: &Files) -> Result<Turn, Error> {
    let mut watch = Stopwatch::of_processor();
    watch.time(|| read_all(files))?;
    let read = watch.micros();

    let root: UnitName = files::ROOT.parse().context("naming the target")?;
    let steady: UnitName = files::STEADY.parse().context("naming the service")?;
    let directory = files.path().to_str().context("naming the directory")?.to_owned();
    let disk = Disk;
    let mut load = Stopwatch::of_processor();
    let definitions = load.time(|| {
        let loader = Loader::new(&disk, vec![directory], Specifiers::default());
        loader.load_closure(std::slice::from_ref(&root), &|_| false)
    });
    let units = definitions.len() as f64;
    let again = definitions.clone();

    let mut kernel = Kernel::new(Engine::new());
    let mut insert = Stopwatch::of_processor();
    insert.time(|| kernel.feed(Event::Loaded(definitions)));
    let mut start = Stopwatch::of_processor();
    start.time(|| kernel.start(&root))?;

    let unit = kernel.engine.unit(&steady).context("finding the service")?;
    let mut event = Stopwatch::of_processor();
    event.time(|| (0..EVENTS).try_for_each(|_| kernel.end_and_restart(unit)))?;

    let mut save = Stopwatch::of_processor();
    let saved = save
        .time(|| serde_json::to_vec(&kernel.engine.save()))
        .context("saving")?;
    let now = kernel.now();
    let mut restore = Stopwatch::of_processor();
    let restored = restore.time(|| {
        let state: SavedEngine = serde_json::from_slice(&saved)?;
        Ok::<_, serde_json::Error>(Engine::restore(state, again, now, Resume::Reexec).0)
    });
    let restored = restored.context("restoring")?;
    if restored.processes().len() != kernel.engine.processes().len() {
        return Err(Error {
            what: "restoring".to_owned(),
            reason: "processes are missing".to_owned(),
        });
    }
    Ok(Turn {
        read: read / units,
        figures: [
            load.micros() / units,
            insert.micros() / units,
            start.micros() / units,
            event.micros() / f64::from(EVENTS),
            save.micros() / units,
            saved.len() as f64 / units,
            restore.micros() / units,
        ],
    })
}

/// The floor of loading: every file opened, read and closed.
fn read_all(files: &Files) -> Result<usize, Error> {
    let mut total = 0_usize;
    for entry in fs::read_dir(files.path()).context("listing the units")? {
        let path = entry.context("listing the units")?.path();
        total = total.saturating_add(fs::read(path).context("reading a unit")?.len());
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_booted_saved_and_restored_and_beside_the_smallest() {
        let plan = Plan {
            sizes: vec![10, 40],
            runs: 1,
        };
        let records = run(&plan, &mut |_| {}).unwrap();
        assert_eq!(records.len(), 3 * METRICS.len());
        assert!(records.iter().all(|record| record.value > 0.0));
        let growth: Vec<&Record> = records
            .iter()
            .filter(|record| record.case.contains("growth"))
            .collect();
        assert!(
            growth
                .iter()
                .all(|record| record.aim.is_some() && record.floor.is_some())
        );
    }
}
