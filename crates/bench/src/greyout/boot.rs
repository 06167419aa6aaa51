//! How long a boot takes and what PID 1 keeps in memory: softbootd beside others, with the same unit files, in turns.
//!
//! Both figures are as outside of any manager as they can be: the time is from PID 1's first instruction to the end of its
//! boot, by the two time stamps that systemd and softbootd both give; the memory is what the kernel says of PID 1.

use std::time::Duration;

use super::{Peer, Plan, System, boot, cycle};
use crate::error::{Context as _, Error};
use crate::record::Record;

/// What a boot has used only for itself is given back by then.
const SETTLED: Duration = Duration::from_secs(1);

/// What it is called, its unit, and where it is.
type Figure = (&'static str, &'static str, fn(&Boot) -> f64);

/// What came of one boot.
struct Boot {
    time_us: f64,
    memory_kib: f64,
}

/// Boots each system in each case as often as the plan has cycles, and once before that does not count.
///
/// # Errors
/// A system that does not boot, or does not say how long it took.
pub fn boots(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    for peer in &plan.peers {
        progress(&format!("beside {}", peer.name));
    }
    let peers = || std::iter::once(None).chain(plan.peers.iter().map(Some));
    for &case in &plan.cases {
        let mut runs: Vec<Vec<Boot>> = peers().map(|_| Vec::new()).collect();
        for number in 0..=plan.cycles {
            for (peer, runs) in peers().zip(&mut runs) {
                let name = peer.map_or("softbootd", |peer| &peer.name);
                progress(&format!(
                    "{}: boot {number} of {}, {name}",
                    case.name(),
                    plan.cycles
                ));
                let booted = once(boot(plan, case, peer)?)?;
                if number > 0 {
                    runs.push(booted);
                }
            }
        }
        records.extend(compared(case.name(), &plan.peers, &runs));
    }
    Ok(records)
}

fn once(mut system: System) -> Result<Boot, Error> {
    let what = format!("the boot of {}", system.name);
    let state = system.container.wait_up(0, cycle::PATIENCE).context(&what)?;
    let time = state.boot.context(&format!("{what}: its time stamps"))?;
    std::thread::sleep(SETTLED);
    let status = format!("/proc/{}/status", system.container.init());
    let status = std::fs::read_to_string(&status).context(&what)?;
    let memory_kib = resident(&status).context(&format!("{what}: VmRSS"))?;
    system.container.remove().context("removing a container")?;
    Ok(Boot {
        time_us: time.as_secs_f64() * 1e6,
        memory_kib,
    })
}

/// proc_pid_status(5).
fn resident(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// One record for each figure and peer; alone where there is no peer.
fn compared(case: &str, peers: &[Peer], runs: &[Vec<Boot>]) -> Vec<Record> {
    let figures: [Figure; 2] = [
        ("boot", "us", |boot| boot.time_us),
        ("memory", "KiB", |boot| boot.memory_kib),
    ];
    let mut records = Vec::new();
    let Some((ours, others)) = runs.split_first() else {
        return records;
    };
    for (metric, unit, figure) in figures {
        let of = |boots: &[Boot]| boots.iter().map(figure).collect::<Vec<f64>>();
        let own = || Record::new(format!("{case}/{metric}"), metric, unit, &of(ours), &[]);
        if peers.is_empty() {
            records.push(own());
        }
        let beside = peers.iter().zip(others);
        // The last word of a name, which tells them apart: a table has 80 columns.
        let word = |peer: &Peer| peer.name.rsplit(' ').next().unwrap_or_default().to_owned();
        records.extend(beside.map(|(peer, boots)| own().peer(&word(peer), &of(boots))));
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_stands_beside_each_peer() {
        let boots = |times: [f64; 2]| {
            let boot = |time_us| Boot {
                time_us,
                memory_kib: 7.0,
            };
            times.map(boot).into_iter().collect::<Vec<Boot>>()
        };
        let runs = vec![boots([1.0, 3.0]), boots([10.0, 20.0]), boots([50.0, 50.0])];
        let peers = ["init 1 x", "init 1 y"].map(|name| Peer {
            name: name.to_owned(),
            root: "/".into(),
        });
        let records = compared("kept", &peers, &runs);
        let shown: Vec<_> = records
            .iter()
            .map(|record| {
                (
                    record.case.as_str(),
                    record.value,
                    record.peer.as_deref(),
                    record.peer_value,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("kept/boot", 2.0, Some("x"), Some(15.0)),
                ("kept/boot", 2.0, Some("y"), Some(50.0)),
                ("kept/memory", 7.0, Some("x"), Some(7.0)),
                ("kept/memory", 7.0, Some("y"), Some(7.0)),
            ]
        );
        assert_eq!(compared("kept", &[], &runs).len(), 2);
    }

    #[test]
    fn what_is_resident_is_found() {
        assert_eq!(
            resident("Name:\tinit\nVmRSS:\t    5124 kB\nRssAnon: 1 kB\n"),
            Some(5124.0)
        );
        assert_eq!(resident("Name:\tkthread\n"), None);
    }
}
