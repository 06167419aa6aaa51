//! How long the clients of a service wait in a soft-reboot: softbootd beside systemd, on one machine, with the same
//! service, unit files and probe, in turns.
//!
//! Each system is a container of its own that stays for all its cycles. The probe runs outside, in this process, and
//! reaches the service's socket through `/proc/PID/root`: whatever happens inside, it goes on.

mod cycle;
mod floor;
mod root;
mod table;
mod workload;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use softboot_tests::container::Running;

use crate::error::{Context as _, Error};
use crate::record::{Record, median};

pub use cycle::Cycle;
pub use table::render;
pub use workload::Case;

/// A root with systemd, ready to be booted.
#[derive(Clone, Debug)]
pub struct Peer {
    /// What it is called in the results, such as `systemd 262-1 stripped`.
    pub name: String,
    /// The directory. A copy is booted.
    pub root: PathBuf,
}

/// What to measure.
#[derive(Debug)]
pub struct Plan {
    /// Where `softboot-container`, `softboot-scenario`, `softbootd` and `softctl` are, static.
    pub programs: PathBuf,
    /// What softbootd is compared with.
    pub peers: Vec<Peer>,
    /// What to measure them in.
    pub cases: Vec<Case>,
    /// How many soft-reboots of each, beside a first that does not count.
    pub cycles: usize,
    /// An existing directory for the roots, which are removed again.
    pub scratch: PathBuf,
}

/// What came of one system in one case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The case.
    pub case: Case,
    /// `softbootd VERSION`, the peer's name, or the floor's.
    pub system: String,
    /// One for each soft-reboot.
    pub cycles: Vec<Cycle>,
}

/// How a system is told to soft-reboot: as its users do.
#[derive(Clone, Copy, Debug)]
enum Client {
    Softctl,
    Systemctl,
}

impl Client {
    fn command(self) -> [&'static str; 2] {
        match self {
            Client::Softctl => ["softctl", "soft-reboot"],
            Client::Systemctl => ["systemctl", "soft-reboot"],
        }
    }
}

/// A system that runs.
struct System {
    name: String,
    client: Client,
    container: Running,
    reboots: u64,
    cycles: Vec<Cycle>,
    // Last: what it runs in goes after it.
    _root: tempfile::TempDir,
}

/// Measures all of it, softbootd first.
///
/// # Errors
/// A system that does not boot, or does not come back.
pub fn run(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Vec<Outcome>, Error> {
    let service = plan.programs.join("softboot-scenario");
    // Caught, so that containers and roots are taken away again.
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).context("catching signals")?;
    }
    let mut outcomes = Vec::new();
    for &case in &plan.cases {
        let mut systems = Vec::new();
        let mut holder = floor::Holder::start(&service)?;
        let mut floor = Vec::new();
        progress(&format!("{}: booting softbootd", case.name()));
        systems.push(boot(plan, case, None)?);
        for peer in &plan.peers {
            progress(&format!("{}: booting {}", case.name(), peer.name));
            systems.push(boot(plan, case, Some(peer))?);
        }
        for number in 0..=plan.cycles {
            progress(&format!(
                "{}: soft-reboot {number} of {}",
                case.name(),
                plan.cycles
            ));
            for system in &mut systems {
                if interrupted.load(Ordering::Relaxed) {
                    return Err(Error {
                        what: "measuring".to_owned(),
                        reason: "interrupted; the containers are removed".to_owned(),
                    });
                }
                let cycle = system.cycle()?;
                // The first brings everything into the state that all others find.
                if number > 0 {
                    system.cycles.push(cycle);
                }
            }
            let cycle = holder.cycle()?;
            if number > 0 {
                floor.push(cycle);
            }
        }
        for system in systems {
            system.container.remove().context("removing a container")?;
            outcomes.push(Outcome {
                case,
                system: system.name,
                cycles: system.cycles,
            });
        }
        outcomes.push(Outcome {
            case,
            system: floor::NAME.to_owned(),
            cycles: floor,
        });
    }
    Ok(outcomes)
}

fn boot(plan: &Plan, case: Case, peer: Option<&Peer>) -> Result<System, Error> {
    let name = peer.map_or("softbootd", |peer| &peer.name);
    let what = format!("booting {name}");
    let directory = tempfile::tempdir_in(&plan.scratch).context(&what)?;
    let root = directory.path().join("root");
    let client = match peer {
        None => {
            root::softboot(&root, &plan.programs)?;
            Client::Softctl
        }
        Some(peer) => {
            root::copy(&peer.root, &root)?;
            Client::Systemctl
        }
    };
    workload::install(&root, case, &plan.programs.join("softboot-scenario"))?;
    let harness = plan.programs.join("softboot-container");
    let mut container = Running::start(&harness, &root, |_| Ok(())).context(&what)?;
    let state = container.wait_up(0, cycle::PATIENCE).context(&what)?;
    Ok(System {
        name: peer.map_or_else(
            || format!("softbootd {}", state.version),
            |peer| peer.name.clone(),
        ),
        client,
        container,
        reboots: state.soft_reboots,
        cycles: Vec::new(),
        _root: directory,
    })
}

/// As the list of figures that every benchmark gives out: each beside the floor, softbootd's beside the first peer too.
pub fn records(outcomes: &[Outcome]) -> Vec<Record> {
    let mut records = Vec::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.system != floor::NAME) {
        let others = outcomes.iter().filter(|other| other.case == outcome.case);
        let floor = others.clone().find(|other| other.system == floor::NAME);
        let peer = others
            .clone()
            .find(|other| !is_ours(other) && other.system != floor::NAME)
            .filter(|_| is_ours(outcome));
        for (metric, unit, value) in [
            ("grey-out", "ms", Cycle::grey_out_ms as fn(&Cycle) -> f64),
            ("control-period", "ms", Cycle::quiet_ms),
            ("failed-attempts", "1", Cycle::failed_count),
        ] {
            let values = |outcome: &Outcome| outcome.cycles.iter().map(value).collect::<Vec<f64>>();
            let case = format!(
                "greyout/{}/{}",
                outcome.case.name(),
                outcome.system.replace(' ', "-")
            );
            let floor = floor.map(values).unwrap_or_default();
            let mut record = Record::new(case, metric, unit, &values(outcome), &floor);
            if let Some(peer) = peer {
                record = record.peer(&peer.system, &values(peer));
            }
            records.push(record);
        }
    }
    records
}

fn is_ours(outcome: &Outcome) -> bool {
    outcome.system.starts_with("softbootd")
}

/// The median grey-out of an outcome in milliseconds.
fn middle(outcome: &Outcome) -> f64 {
    median(
        &outcome
            .cycles
            .iter()
            .map(Cycle::grey_out_ms)
            .collect::<Vec<f64>>(),
    )
}

/// Reads a file name, for messages.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(system: &str, gap: u64) -> Outcome {
        let cycle = Cycle {
            grey_out: gap,
            quiet: 1_000_000,
            failed: 2,
        };
        Outcome {
            case: Case::Kept,
            system: system.into(),
            cycles: vec![cycle],
        }
    }

    #[test]
    fn ours_has_the_first_peer_beside_it_and_all_have_the_floor() {
        let outcomes = [
            outcome("softbootd 0.1.0", 4_000_000),
            outcome("systemd 262-1 stripped", 150_000_000),
            outcome("systemd 262-1 stock", 400_000_000),
            outcome(floor::NAME, 2_000_000),
        ];
        let records = records(&outcomes);
        assert_eq!(records.len(), 9);
        let first = records.first().unwrap();
        assert_eq!(
            (first.case.as_str(), first.value),
            ("greyout/kept/softbootd-0.1.0", 4.0)
        );
        assert_eq!(first.peer.as_deref(), Some("systemd 262-1 stripped"));
        assert_eq!(
            (first.peer_value, first.floor, first.ratio),
            (Some(150.0), Some(2.0), Some(2.0))
        );
        assert!(records.get(3).unwrap().peer.is_none());
    }
}
