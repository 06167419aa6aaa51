//! How long the clients of a service wait in a soft-reboot: softbootd beside systemd, on one machine, with the same
//! service, unit files and probe, in turns.
//!
//! Each system is a container of its own that stays for all its cycles. The probe runs outside, in this process, and
//! reaches the service's socket through `/proc/PID/root`: whatever happens inside, it goes on.

mod boot;
mod cycle;
pub mod file;
mod floor;
mod report;
mod root;
mod table;
mod timeline;
mod workload;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use signal_hook::consts::{SIGINT, SIGTERM};
use softboot_tests::container::Running;

use crate::error::{Context as _, Error};

pub use boot::boots;
pub use cycle::Cycle;
pub use report::{results, write_page};
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

/// What was measured, and whether it was all.
#[derive(Debug, Default)]
pub struct Measured {
    /// By case, softbootd first, the floor last.
    pub outcomes: Vec<Outcome>,
    /// Somebody ended it before.
    pub interrupted: bool,
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
    fn program(self) -> &'static str {
        match self {
            Client::Softctl => "softctl",
            Client::Systemctl => "systemctl",
        }
    }
}

/// A system that runs.
struct System {
    name: String,
    case: Case,
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
pub fn run(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Measured, Error> {
    let service = plan.programs.join("softboot-scenario");
    // Caught, so that containers and roots are taken away again, and what was measured until then is kept.
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).context("catching signals")?;
    }
    let mut measured = Measured::default();
    let begun = Instant::now();
    let rounds = plan.cases.len().saturating_mul(plan.cycles.saturating_add(1));
    let mut done = 0_usize;
    for &case in &plan.cases {
        if measured.interrupted {
            break;
        }
        let mut systems = Vec::new();
        let mut holder = floor::Holder::start(&service, case)?;
        let mut floor = Vec::new();
        progress(&format!("{}: booting softbootd", case.name()));
        systems.push(boot(plan, case, None)?);
        for peer in &plan.peers {
            progress(&format!("{}: booting {}", case.name(), peer.name));
            systems.push(boot(plan, case, Some(peer))?);
        }
        for number in 0..=plan.cycles {
            measured.interrupted = interrupted.load(Ordering::Relaxed);
            if measured.interrupted {
                break;
            }
            progress(&format!(
                "{}: {} {number} of {}{}",
                case.name(),
                case.event().name(),
                plan.cycles,
                left(begun, done, rounds)
            ));
            done = done.saturating_add(1);
            for system in &mut systems {
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
            measured.outcomes.push(Outcome {
                case,
                system: system.name,
                cycles: system.cycles,
            });
        }
        measured.outcomes.push(Outcome {
            case,
            system: floor::NAME.to_owned(),
            cycles: floor,
        });
    }
    Ok(measured)
}

/// How much longer it takes, once that can be said.
fn left(begun: Instant, done: usize, rounds: usize) -> String {
    let (Ok(done), Ok(rounds)) = (u32::try_from(done), u32::try_from(rounds)) else {
        return String::new();
    };
    let each = begun.elapsed().checked_div(done);
    let seconds = each.map(|each| each.saturating_mul(rounds.saturating_sub(done)).as_secs());
    seconds.map_or_else(String::new, |seconds| format!(", {seconds} s left"))
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
        case,
        client,
        container,
        reboots: state.soft_reboots,
        cycles: Vec::new(),
        _root: directory,
    })
}

/// Reads a file name, for messages.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
