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
    outgrows_its_memory(output)?;
    outside_the_stop(output)
}

/// Nothing stops these in a soft-reboot, and they have no mark of a survivor: the final kill ends them, although they ignore
/// its SIGTERM and go on forking.
fn outside_the_stop(output: &mut Output) -> Result<(), Error> {
    let text = |program: &str| {
        format!(
            "[Unit]\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n[Service]\nExecStart=/usr/bin/{program}\n"
        )
    };
    let units = [("left-stubborn.service", 3), ("left-forkbomb.service", 100)];
    let _files = [
        UnitFile::write("left-stubborn.service", &text("stubborn"))?,
        UnitFile::install("left-forkbomb.service", &text("forkbomb"))?,
    ];
    for (unit, least) in units {
        control::start(unit)?;
        wait_for(format!("{least} processes of {unit}"), || {
            Ok((count(unit)? >= least).then_some(()))
        })?;
    }
    let survivor = control::Unit::get("survivor.service")?.main_pid();
    control::soft_reboot()?;
    control::wait_running()?;
    for (unit, _) in units {
        output.same(
            &count(unit)?,
            &0,
            format!("after a soft-reboot no process of {unit} is left"),
        )?;
        let active = control::Unit::get(unit)?.active().to_owned();
        output.check(active != "active", format!("and PID 1 knows that it is {active}"))?;
    }
    output.same(
        &control::Unit::get("survivor.service")?.main_pid(),
        &survivor,
        "who survives has survived it",
    )
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
