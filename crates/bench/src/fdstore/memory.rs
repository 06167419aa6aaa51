//! What a held descriptor takes in this process, beside a plain list. The kernel's own share is the same for both.

use fdstore::{FdName, FdStore, InsertOptions};

use super::{Kind, Role};
use crate::error::{Context as _, Error};
use crate::measure::in_turns;
use crate::record::Record;

pub(super) fn measure(kind: Kind, size: usize, runs: usize) -> Result<Record, Error> {
    let results = in_turns(
        runs,
        &mut [
            Box::new(|| Role::Memory.spawn(kind, size)),
            Box::new(|| Role::MemoryFloor.spawn(kind, size)),
        ],
    )?;
    let of = |position: usize| results.get(position).map_or(&[][..], Vec::as_slice);
    Ok(Record::new(
        format!("memory/{kind}/{size}"),
        "resident-per-descriptor",
        "B",
        of(0),
        of(1),
    ))
}

pub(super) fn ours(kind: Kind, size: usize) -> Result<f64, Error> {
    let name = FdName::new("connection").context("naming")?;
    let before = resident()?;
    let mut store = FdStore::new();
    for _ in 0..size {
        store
            .insert("unit", &name, kind.make()?, InsertOptions::default())
            .context("inserting")?;
    }
    let grown = resident()? - before;
    (store.count("unit") == size)
        .then_some(grown / size as f64)
        .context("a descriptor")
}

pub(super) fn floor(kind: Kind, size: usize) -> Result<f64, Error> {
    let before = resident()?;
    let mut list = Vec::new();
    for _ in 0..size {
        list.push(kind.make()?);
    }
    let grown = resident()? - before;
    (list.len() == size)
        .then_some(grown / size as f64)
        .context("a descriptor")
}

/// Anonymous resident memory of this process, in bytes (proc_pid_status(5), RssAnon).
fn resident() -> Result<f64, Error> {
    let status = std::fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix("RssAnon:")?
                .split_whitespace()
                .next()?
                .parse::<f64>()
                .ok()
        })
        .map(|kib| kib * 1024.0)
        .context("RssAnon in /proc/self/status")
}
