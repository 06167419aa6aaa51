//! What probing took, over records of the same kind.

use super::schema::{Labels, Results, Run};

/// Records of the same manager, case, view and accelerator.
#[derive(Clone, Debug, PartialEq)]
pub struct Kind<'a> {
    /// Manager, case and view.
    pub labels: &'a Labels,
    /// What the label says; empty if it is not there.
    pub accelerator: &'a str,
    /// Its records.
    pub runs: Vec<&'a Run>,
}

impl Kind<'_> {
    /// Events in all records.
    pub fn events(&self) -> usize {
        self.runs.iter().map(|run| run.events.len()).sum()
    }

    /// The largest part of a CPU that a probe took, in percent; `None` if no record has an end.
    pub fn cpu(&self) -> Option<f64> {
        let costs = self
            .runs
            .iter()
            .filter_map(|run| Some(&run.ending.as_ref()?.cost));
        let shares = costs.map(|cost| cost.cpu as f64 / cost.wall.max(1) as f64 * 100.0);
        shares.reduce(f64::max)
    }

    /// How late a probe of an endpoint woke up in the median and in 99 of 100 cases, the worst of all; nanoseconds.
    pub fn lateness(&self) -> (u64, u64) {
        let costs = self
            .runs
            .iter()
            .filter_map(|run| Some(&run.ending.as_ref()?.cost));
        costs
            .flat_map(|cost| &cost.endpoints)
            .fold((0, 0), |(median, p99), endpoint| {
                (median.max(endpoint.late_median), p99.max(endpoint.late_p99))
            })
    }
}

impl Results {
    /// The records by kind, in the order in which their first one came.
    pub fn kinds(&self) -> Vec<Kind<'_>> {
        let mut kinds: Vec<Kind<'_>> = Vec::new();
        for run in &self.runs {
            let accelerator = run.other.get("accelerator").map_or("", String::as_str);
            let same = |kind: &&mut Kind<'_>| *kind.labels == run.labels && kind.accelerator == accelerator;
            match kinds.iter_mut().find(same) {
                Some(kind) => kind.runs.push(run),
                None => kinds.push(Kind {
                    labels: &run.labels,
                    accelerator,
                    runs: vec![run],
                }),
            }
        }
        kinds
    }

    /// Each machine once, in words.
    pub fn machines(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for run in &self.runs {
            let machine = &run.machine;
            let mut parts = vec![machine.cpu.clone()];
            if machine.cpus > 0 {
                parts.push(format!("{} CPUs", machine.cpus));
            }
            if machine.memory > 0 {
                parts.push(format!("{} MiB", machine.memory / 1024));
            }
            parts.extend([
                machine.kernel.clone(),
                machine.virtualization.clone(),
                run.program.clone(),
            ]);
            let others = run.other.iter().filter(|(name, _)| *name != "accelerator");
            parts.extend(others.map(|(name, value)| format!("{name} {value}")));
            parts.retain(|part| !part.is_empty());
            let text = parts.join(" · ");
            if !text.is_empty() && !all.contains(&text) {
                all.push(text);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Cost, Ending, EndpointCost};

    fn run(manager: &str, cpu: u64, late: u64) -> Run {
        Run {
            labels: Labels {
                manager: manager.to_owned(),
                ..Labels::default()
            },
            ending: Some(Ending {
                cost: Cost {
                    wall: 1000,
                    cpu,
                    endpoints: vec![EndpointCost {
                        late_p99: late,
                        ..EndpointCost::default()
                    }],
                },
                ..Ending::default()
            }),
            ..Run::default()
        }
    }

    #[test]
    fn turns_of_the_same_manager_are_one_kind_with_its_worst_probe() {
        let results = Results {
            runs: vec![run("a", 10, 5), run("b", 20, 6), run("a", 30, 4), Run::default()],
            ..Results::default()
        };
        let kinds = results.kinds();
        let seen: Vec<_> = kinds
            .iter()
            .map(|kind| (kind.runs.len(), kind.cpu(), kind.lateness().1))
            .collect();
        assert_eq!(seen, [(2, Some(3.0), 5), (1, Some(2.0), 6), (1, None, 0)]);
        assert!(results.machines().is_empty(), "nothing is known of them");
    }
}
