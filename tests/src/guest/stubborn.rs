//! Scenario 4: those who do not end when they are asked to.

use std::time::Instant;

use super::check::{Output, wait_for};
use super::{Options, control, processes};
use crate::error::Error;

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
    Ok(())
}

fn count(unit: &str) -> Result<usize, Error> {
    Ok(processes::all()?
        .iter()
        .filter(|process| process.is_of(unit))
        .count())
}
