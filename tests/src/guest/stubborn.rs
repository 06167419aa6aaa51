//! Scenario 4: those who do not end when they are asked to.

use std::time::Instant;

use super::check::{Output, wait_for};
use super::units::UnitFile;
use super::{Options, control, processes};
use crate::error::Error;

const GREEDY: &str = "greedy.service";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    for (unit, least) in [("stubborn.service", 3), ("forkbomb.service", 100)] {
        control::start(unit)?;
        let count = wait_for(format!("{least} processes of {unit}"), || {
            let count = count(unit)?;
            Ok((count >= least).then_some(count))
        })?;
        output.check(true, format!("{unit} runs, with {count} processes"))?;
        let begun = Instant::now();
        control::stop(unit)?;
        output.same(
            &self::count(unit)?,
            &0,
            format!("{unit} is gone, and so are its children"),
        )?;
        output.note(format!(
            "its stop took {} ms; TimeoutStopSec=1",
            begun.elapsed().as_millis()
        ));
        let name = unit.trim_end_matches(".service");
        let left = processes::all()?
            .into_iter()
            .filter(|process| process.name == name)
            .count();
        output.same(
            &left,
            &0,
            format!("no process named {name} lives anywhere, or waits to be reaped"),
        )?;
    }
    outgrows_its_memory(output)
}

/// The machine of the test has the memory controller; a container on the host may not.
fn outgrows_its_memory(output: &mut Output) -> Result<(), Error> {
    let _unit = UnitFile::install(
        GREEDY,
        "[Service]\nMemoryMax=8M\n\
         ExecStart=/bin/busybox sh -c 'x=0123456789abcdef; while true; do x=$$x$$x$$x; done'\n",
    )?;
    control::start(GREEDY)?;
    wait_for("the kernel to act", || {
        Ok((control::Unit::get(GREEDY)?.active() == "failed").then_some(()))
    })?;
    output.same(
        &control::Unit::get(GREEDY)?.result(),
        &"oom-kill",
        "what the kernel kills for want of memory has that result, and no mere signal",
    )
}

fn count(unit: &str) -> Result<usize, Error> {
    Ok(processes::all()?
        .iter()
        .filter(|process| process.is_of(unit))
        .count())
}
