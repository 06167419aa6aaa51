//! The tables of semantics chapter 2, row by row.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

#[path = "../common/mod.rs"]
mod common;

mod building;
mod circles;
mod kinds;
mod modes;
mod order;
mod results;
mod rules;

use common::World;
use softboot_engine::*;
use softboot_unit::{Definition, DependencyKind as D, JobMode};

/// The job of a unit.
fn job(world: &World, unit: &str) -> Option<JobInfo> {
    let id = world.id(unit);
    world.engine.jobs().into_iter().find(|job| job.unit == id)
}

fn kind(world: &World, unit: &str) -> Option<JobKind> {
    job(world, unit).map(|job| job.kind)
}

/// Asks, and says what became of it so far.
fn ask(
    world: &mut World,
    kind: JobKind,
    unit: &str,
    mode: JobMode,
) -> Option<Result<JobResult, RequestError>> {
    let request = world.request(kind, unit, mode);
    world.done.get(&request).cloned()
}

/// The word of a refusal, or of a result.
fn word(outcome: Option<Result<JobResult, RequestError>>) -> String {
    let value = match outcome {
        None => return "waits".to_owned(),
        Some(Ok(result)) => serde_json::to_value(result).unwrap(),
        Some(Err(error)) => serde_json::to_value(error).unwrap()["error"].clone(),
    };
    value.as_str().unwrap().to_owned()
}
