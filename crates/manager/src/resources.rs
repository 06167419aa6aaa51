//! What a cgroup may use: the settings of systemd.resource-control(5) as the kernel's files (its document cgroup-v2).
//!
//! What is not set is not written: the kernel's value stays, and so does an earlier value of a group that is there
//! already, until the unit stops.

use std::fs;
use std::path::Path;

use softboot_unit::{Amount, CpuWeight, ResourceControl, Usec};

/// What percentages are of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// Bytes.
    memory: u64,
    /// Processes and threads.
    tasks: u64,
}

impl Machine {
    /// The machine, or what of it `root`, our part of the cgroup tree, may use.
    pub(crate) fn of(root: &Path) -> Machine {
        let number = |path: &Path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
        let kernel = |name: &str| number(&Path::new("/proc/sys/kernel").join(name));
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let least = |of: [Option<u64>; 3]| of.into_iter().flatten().min().unwrap_or(u64::MAX);
        Machine {
            memory: least([total(&meminfo), number(&root.join("memory.max")), None]),
            tasks: least([
                kernel("pid_max"),
                kernel("threads-max"),
                number(&root.join("pids.max")),
            ]),
        }
    }
}

/// MemTotal of /proc/meminfo, in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// Writes what is set; a sentence for each that the kernel does not take.
pub(crate) fn write(group: &Path, resources: &ResourceControl, root: &Path) -> Vec<String> {
    if *resources == ResourceControl::default() {
        return Vec::new();
    }
    values(resources, Machine::of(root))
        .into_iter()
        .filter_map(|(file, value)| {
            let error = fs::write(group.join(file), &value).err()?;
            Some(format!("{file} cannot be set to {value} here: {error}"))
        })
        .collect()
}

/// The files and what to write into them, in an order that the kernel takes.
fn values(resources: &ResourceControl, machine: Machine) -> Vec<(&'static str, String)> {
    let mut values = Vec::new();
    let amounts = [
        ("memory.min", resources.memory_min, machine.memory),
        ("memory.low", resources.memory_low, machine.memory),
        ("memory.high", resources.memory_high, machine.memory),
        ("memory.max", resources.memory_max, machine.memory),
        ("memory.swap.max", resources.memory_swap_max, machine.memory),
        ("pids.max", resources.tasks_max, machine.tasks),
    ];
    for (file, amount, total) in amounts {
        if let Some(amount) = amount {
            values.push((file, number(amount, total)));
        }
    }
    match resources.cpu_weight {
        Some(CpuWeight::Idle) => values.push(("cpu.idle", "1".to_owned())),
        // An idle group takes no weight.
        Some(CpuWeight::Weight(weight)) => {
            values.extend([("cpu.idle", "0".to_owned()), ("cpu.weight", weight.to_string())])
        }
        None => {}
    }
    if resources.cpu_quota.is_some() || resources.cpu_quota_period.is_some() {
        values.push((
            "cpu.max",
            bandwidth(resources.cpu_quota, resources.cpu_quota_period),
        ));
    }
    if let Some(weight) = resources.io_weight {
        values.push(("io.weight", format!("default {weight}")));
    }
    values
}

fn number(amount: Amount, total: u64) -> String {
    amount
        .of(total)
        .map_or_else(|| "max".to_owned(), |amount| amount.to_string())
}

/// Processor time in each period, and the period, in µs. The kernel takes periods of 1 ms to 1 s and at least 1 ms.
fn bandwidth(quota: Option<Usec>, period: Option<Usec>) -> String {
    const SECOND: u64 = 1_000_000;
    const LEAST: u64 = 1_000;
    let period = period
        .filter(|period| !period.is_infinite())
        .map_or(SECOND / 10, |period| period.0.clamp(LEAST, SECOND));
    match quota {
        Some(quota) if !quota.is_infinite() => {
            let time = u128::from(quota.0).saturating_mul(u128::from(period)) / u128::from(SECOND);
            let time = u64::try_from(time).unwrap_or(u64::MAX).max(LEAST);
            format!("{time} {period}")
        }
        _ => format!("max {period}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Machine = Machine {
        memory: 1_000_000,
        tasks: 32_768,
    };

    #[test]
    fn every_amount_has_its_file() {
        let resources = ResourceControl {
            memory_min: Some(Amount::Absolute(1)),
            memory_low: Some(Amount::Absolute(2)),
            memory_high: Some(Amount::Share(5_000)),
            memory_max: Some(Amount::Infinity),
            memory_swap_max: Some(Amount::Absolute(0)),
            tasks_max: Some(Amount::Share(1_500)),
            cpu_weight: Some(CpuWeight::Weight(200)),
            io_weight: Some(50),
            ..ResourceControl::default()
        };
        let written: Vec<String> = values(&resources, MACHINE)
            .into_iter()
            .map(|(file, value)| format!("{file}={value}"))
            .collect();
        assert_eq!(
            written,
            [
                "memory.min=1",
                "memory.low=2",
                "memory.high=500000",
                "memory.max=max",
                "memory.swap.max=0",
                "pids.max=4915",
                "cpu.idle=0",
                "cpu.weight=200",
                "io.weight=default 50",
            ]
        );
        assert_eq!(values(&ResourceControl::default(), MACHINE), []);
    }

    #[test]
    fn a_quota_is_a_part_of_its_period_and_no_less_than_the_kernel_takes() {
        let quota = |percent: u64| Some(Usec(percent * 10_000));
        assert_eq!(bandwidth(quota(20), None), "20000 100000");
        assert_eq!(bandwidth(quota(250), Some(Usec::from_millis(10))), "25000 10000");
        assert_eq!(bandwidth(quota(1), Some(Usec(1))), "1000 1000");
        assert_eq!(bandwidth(quota(100), Some(Usec::from_secs(9))), "1000000 1000000");
        assert_eq!(bandwidth(None, Some(Usec::from_millis(20))), "max 20000");
        assert_eq!(bandwidth(Some(Usec::INFINITY), None), "max 100000");
    }

    #[test]
    fn memory_is_what_the_kernel_says_it_is() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       2048 kB\n"), Some(2_097_152));
        assert_eq!(total("nothing"), None);
    }

    #[test]
    fn what_the_kernel_does_not_take_is_said() {
        let nowhere = Path::new("/no/such/group");
        let resources = ResourceControl {
            tasks_max: Some(Amount::Absolute(7)),
            ..ResourceControl::default()
        };
        let said = write(nowhere, &resources, nowhere);
        assert!(
            matches!(said.as_slice(), [line] if line.starts_with("pids.max cannot be set to 7 here")),
            "{said:?}"
        );
    }
}
