//! How long the clients of one kept socket wait in a soft-reboot, and what that time goes into.

use serde_json::Value;

use super::{Container, Plan, number};
use crate::error::{Context as _, Error};
use crate::record::Record;

/// What the fd store holds for a service beside the idle units.
const STORED: [usize; 2] = [1000, 10_000];
/// The aim beside a bare holder of the socket that ends the service and starts it again.
const AIM: f64 = 1.5;

/// With no idle units and with each number of them; and with each number of stored descriptors.
pub(super) fn soft_reboot(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    let sizes = [0].iter().chain(&plan.sizes);
    let units = sizes.map(|size| (*size, 0));
    let stored = STORED.iter().map(|stored| (0, *stored));
    for (size, stored) in units.chain(stored) {
        let case = match stored {
            0 => format!("soft-reboot/{size}"),
            _ => format!("soft-reboot/stored-{stored}"),
        };
        progress(&format!(
            "soft-reboot with {size} idle socket units and {stored} stored descriptors"
        ));
        let container = Container::with_units(plan, size)?;
        let figures = container.measure_with("soft-reboot", plan.runs, stored)?;
        let rounds = figures
            .get("rounds")
            .and_then(Value::as_array)
            .context("rounds")?;
        records.extend(one(&case, rounds)?);
    }
    Ok(records)
}

fn one(case: &str, rounds: &[Value]) -> Result<Vec<Record>, Error> {
    let all = |field: &str| -> Result<Vec<f64>, Error> {
        rounds.iter().map(|round| number(round, field)).collect()
    };
    // The next program may have said yes between two attempts.
    let some = |field: &str| -> Vec<f64> {
        let values = rounds.iter().filter_map(|round| round.get(field)?.as_f64());
        values.collect()
    };
    let floor = all("floor_us")?;
    let plain = |name: &str, metric: &str, unit: &str, values: &[f64]| {
        Record::new(format!("{case}/{name}"), metric, unit, values, &[])
    };
    let mut records = vec![
        Record::new(format!("{case}/client"), "gap", "us", &all("gap_us")?, &floor).aim(AIM),
        plain("client/quiet", "gap", "us", &all("quiet_us")?),
        plain("client/failed", "attempts", "", &all("failed")?),
        plain("total", "time", "us", &all("total_us")?),
        // Services are answered as usual while the next program is asked: beside it the time before.
        Record::new(
            format!("{case}/verifying"),
            "latency",
            "us",
            &some("verifying_us"),
            &some("before_us"),
        ),
    ];
    for (name, values) in phases(rounds)? {
        records.push(plain(&format!("phase/{name}"), "time", "us", &values));
    }
    Ok(records)
}

/// The phases by name, in their order.
fn phases(rounds: &[Value]) -> Result<Vec<(String, Vec<f64>)>, Error> {
    let mut by_name: Vec<(String, Vec<f64>)> = Vec::new();
    for phase in rounds
        .iter()
        .filter_map(|round| round.get("cycle")?.get("phases")?.as_array())
        .flatten()
    {
        let name = phase
            .get("name")
            .and_then(Value::as_str)
            .context("a phase's name")?;
        let took = number(phase, "tookUsec")?;
        match by_name.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(took),
            None => by_name.push((name.to_owned(), vec![took])),
        }
    }
    let named = by_name
        .into_iter()
        .map(|(name, values)| (name.replace(' ', "-"), values));
    Ok(named.collect())
}
