//! What a unit's cgroup may use (systemd.resource-control(5)).

use super::{Applied, Fault, Outcome};
use crate::model::{Amount, CpuWeight, Delegate, ResourceControl};
use crate::value::{amount, boolean, integer, percent, split_words, time};

/// Controllers of cgroup v2, and the names that the reference has for what it makes of them.
const CONTROLLERS: [&str; 13] = [
    "bpf-bind-network-interface",
    "bpf-devices",
    "bpf-firewall",
    "bpf-foreign",
    "bpf-restrict-network-interfaces",
    "bpf-socket-bind",
    "cpu",
    "cpuacct",
    "cpuset",
    "devices",
    "io",
    "memory",
    "pids",
];

/// Settings whose `%` is a percent sign.
pub(super) fn takes_percent(key: &str) -> bool {
    matches!(
        key,
        "MemoryMin"
            | "MemoryLow"
            | "MemoryHigh"
            | "MemoryMax"
            | "MemorySwapMax"
            | "MemoryZSwapMax"
            | "TasksMax"
            | "CPUQuota"
            | "ManagedOOMMemoryPressureLimit"
    )
}

pub(super) fn apply(resources: &mut ResourceControl, key: &str, value: &str) -> Outcome {
    let limit = || match value {
        "" => Ok(None),
        value => amount(value).map(Some),
    };
    match key {
        "Delegate" => resources.delegate = delegate(&resources.delegate, value)?,
        "DelegateSubgroup" => {
            let valid = !value.contains('/') && !value.starts_with('.') && value.len() <= 255;
            if !valid {
                return Err(Fault::at(
                    value,
                    "a control group's name has no slash and no leading dot",
                ));
            }
            resources.delegate_subgroup = (!value.is_empty()).then(|| value.to_owned());
        }
        "MemoryMin" => resources.memory_min = limit()?,
        "MemoryLow" => resources.memory_low = limit()?,
        "MemoryHigh" => resources.memory_high = limit()?,
        "MemoryMax" => resources.memory_max = limit()?,
        "MemorySwapMax" => resources.memory_swap_max = limit()?,
        "TasksMax" => {
            resources.tasks_max = match (value, limit()?) {
                // A number of tasks has no K or M.
                (value, Some(Amount::Absolute(_))) => Some(Amount::Absolute(integer(value)?)),
                (_, other) => other,
            }
        }
        "CPUWeight" => {
            resources.cpu_weight = match value {
                "" => None,
                "idle" => Some(CpuWeight::Idle),
                value => Some(CpuWeight::Weight(weight(value)?)),
            }
        }
        "IOWeight" => {
            resources.io_weight = match value {
                "" => None,
                value => Some(weight(value)?),
            }
        }
        "CPUQuota" => {
            resources.cpu_quota = match value {
                "" => None,
                // A hundredth of a percent of a second is 100 microseconds.
                value => match percent(value, u32::MAX)? {
                    0 => {
                        return Err(Fault::at(
                            value,
                            "a quota of nothing would stop the unit; expected above 0%",
                        ));
                    }
                    share => Some(crate::model::Usec(u64::from(share).saturating_mul(100))),
                },
            }
        }
        "CPUQuotaPeriodSec" => {
            resources.cpu_quota_period = match value {
                "" => None,
                value => Some(time(value)?),
            }
        }
        _ => return Ok(Applied::Unknown),
    }
    Ok(Applied::Done)
}

fn weight(value: &str) -> Result<u32, String> {
    integer::<u32>(value)
        .ok()
        .filter(|weight| (1..=10_000).contains(weight))
        .ok_or_else(|| format!("{} is no weight from 1 to 10000", crate::syntax::shown(value)))
}

fn delegate(old: &Delegate, value: &str) -> Result<Delegate, Fault> {
    match boolean(value) {
        Ok(true) => return Ok(Delegate::Yes),
        Ok(false) => return Ok(Delegate::No),
        Err(_) => {}
    }
    let mut controllers = match old {
        Delegate::Controllers(known) if !value.is_empty() => known.clone(),
        _ => Vec::new(),
    };
    for word in split_words(value)? {
        if !CONTROLLERS.contains(&word.as_str()) {
            let hint = crate::value::did_you_mean(&word, CONTROLLERS.into_iter());
            return Err(Fault::at(
                &word,
                format!("{word:?} is no controller{hint}; expected yes, no or a list"),
            ));
        }
        if !controllers.contains(&word) {
            controllers.push(word);
        }
    }
    Ok(Delegate::Controllers(controllers))
}
