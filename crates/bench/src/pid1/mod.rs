//! PID 1 in a container: what it takes, how long a boot takes, and how long nobody is answered while it is replaced.
//!
//! The container is that of the tests: `softboot-container` runs softbootd in namespaces of its own, and
//! `softboot-scenario --measure` takes the figures inside.

mod container;
mod floor;
mod here;
mod soft_reboot;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::error::{Context as _, Error};
use crate::measure::in_turns;
use crate::record::Record;

pub use container::Container;
pub use floor::exec_and_read;
pub use here::Here;

/// What to measure.
#[derive(Debug)]
pub struct Plan {
    /// Numbers of idle socket units.
    pub sizes: Vec<usize>,
    /// How often each is done.
    pub runs: usize,
    /// An unpacked image; unit files are put into it and taken out again.
    pub root: PathBuf,
    /// Where `softboot-container` and `softboot-scenario` are.
    pub programs: PathBuf,
}

/// Memory and boot: 4 MiB and 60 ms at 500 units are the aims.
pub fn idle(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    for &size in &plan.sizes {
        progress(&format!("PID 1 with {size} idle socket units"));
        let container = Container::with_units(plan, size)?;
        let mut all: Vec<Value> = Vec::new();
        let times = in_turns(
            plan.runs,
            &mut [
                Box::new(|| {
                    let figures = container.measure("idle", 1)?;
                    let boot = number(&figures, "boot_us")?;
                    all.push(figures);
                    Ok(boot)
                }),
                Box::new(|| floor::sockets(size)),
            ],
        )?;
        let of = |position: usize| times.get(position).map_or(&[][..], Vec::as_slice);
        let boot = Record::new(format!("pid1/boot/{size}"), "time", "us", of(0), of(1));
        records.push(boot);
        for (name, field, aim) in [("rss", "rss_kib", 4096.0), ("pss", "pss_kib", 4096.0)] {
            let values = all
                .iter()
                .map(|figures| number(figures, field))
                .collect::<Result<Vec<f64>, Error>>()?;
            let record = Record::new(format!("pid1/{name}/{size}"), "memory", "KiB", &values, &[]);
            records.push(if size == 500 { record.aim(aim) } else { record });
        }
        if size == 500
            && let Some(boot) = records.iter_mut().find(|record| record.case == "pid1/boot/500")
        {
            // The aim is a time, and the table judges ratios: 60 ms beside this run's floor.
            boot.aim = boot.floor.map(|floor| 60_000.0 / floor);
        }
    }
    Ok(records)
}

/// A way to replace PID 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum HandoffEvent {
    /// By the same program.
    Reexec,
    /// After a crash.
    Crash,
    /// With all of userspace.
    SoftReboot,
}

/// Replacing PID 1.
pub fn handoff(
    plan: &Plan,
    events: &[HandoffEvent],
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    for (event, name) in [(HandoffEvent::Reexec, "reexec"), (HandoffEvent::Crash, "crash")] {
        if events.contains(&event) {
            for &size in &plan.sizes {
                let container = Container::with_units(plan, size)?;
                progress(&format!("{name} with {size} idle socket units"));
                let figures = container.measure(name, plan.runs)?;
                records.extend(manager_alone(&figures, name, &size.to_string(), plan.runs)?);
            }
        }
    }
    if events.contains(&HandoffEvent::SoftReboot) {
        records.extend(soft_reboot::soft_reboot(plan, progress)?);
    }
    Ok(records)
}

/// Replacing PID 1 of the machine this runs in, beside so many open ports.
pub fn handoff_here(
    sizes: &[usize],
    runs: usize,
    events: &[HandoffEvent],
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    for &size in sizes {
        progress(&format!("opening {size} ports"));
        let here = Here::with_sockets(size)?;
        for (event, name) in [(HandoffEvent::Reexec, "reexec"), (HandoffEvent::Crash, "crash")] {
            if events.contains(&event) {
                progress(&format!("{name} with {size} open ports"));
                let figures = here.measure(name, runs)?;
                records.extend(manager_alone(&figures, name, &format!("{size}-ports"), runs)?);
            }
        }
    }
    Ok(records)
}

/// The manager without its services.
fn manager_alone(figures: &Value, event: &str, size: &str, runs: usize) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    let descriptors = number(figures, "descriptors")?;
    let bytes = number(figures, "state_bytes")?;
    let floor = (0..runs)
        .map(|_| floor::spawn(descriptors, bytes))
        .collect::<Result<Vec<f64>, Error>>()?;
    for (name, field, quiet) in [
        ("control", "control_us", "quiet_control_us"),
        ("accept", "accept_us", "quiet_accept_us"),
    ] {
        let values = numbers(figures, field)?;
        let record = Record::new(format!("{event}/{name}/{size}"), "gap", "us", &values, &floor);
        let record = if event == "reexec" {
            record.aim(3.0)
        } else {
            record
        };
        records.push(record);
        let values = numbers(figures, quiet)?;
        records.push(Record::new(
            format!("{event}/{name}/{size}/quiet"),
            "gap",
            "us",
            &values,
            &[],
        ));
    }
    let values = numbers(figures, "total_us")?;
    records.push(Record::new(
        format!("{event}/call/{size}"),
        "time",
        "us",
        &values,
        &floor,
    ));
    records.extend(phases(figures, &format!("{event}/phase/{size}"))?);
    Ok(records)
}

/// What the next program says its time went into.
fn phases(figures: &Value, case: &str) -> Result<Vec<Record>, Error> {
    let all = figures.get("taken_over").and_then(Value::as_array);
    let mut by_name: Vec<(String, Vec<f64>)> = Vec::new();
    for phase in all
        .context("taken_over")?
        .iter()
        .filter_map(|one| one.get("phases")?.as_array())
        .flatten()
    {
        let name = phase
            .get("name")
            .and_then(Value::as_str)
            .context("a phase's name")?;
        let usec = number(phase, "usec")?;
        match by_name.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(usec),
            None => by_name.push((name.to_owned(), vec![usec])),
        }
    }
    let record = |(name, values): (String, Vec<f64>)| {
        Record::new(
            format!("{case}/{}", name.replace(' ', "-")),
            "time",
            "us",
            &values,
            &[],
        )
    };
    Ok(by_name.into_iter().map(record).collect())
}

/// What a command that measures `subject` prints.
fn figures(command: &mut Command, subject: &str) -> Result<Value, Error> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context(&format!("measuring {subject}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(Error {
            what: format!("measuring {subject}"),
            reason: text.into_owned(),
        });
    }
    serde_json::from_str(&text).context(&format!("the figures of {subject}"))
}

fn number(figures: &Value, field: &str) -> Result<f64, Error> {
    figures.get(field).and_then(Value::as_f64).context(field)
}

fn numbers(figures: &Value, field: &str) -> Result<Vec<f64>, Error> {
    let list = figures.get(field).and_then(Value::as_array).context(field)?;
    list.iter().map(|value| value.as_f64().context(field)).collect()
}
