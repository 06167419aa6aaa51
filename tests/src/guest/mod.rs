//! The scenarios, one file each, and what they share. They run as root inside the system under test, in a service that
//! survives soft-reboots.

mod actions;
mod bad_calls;
mod bad_input;
mod census;
mod check;
mod clients;
mod contexts;
mod control;
mod crash;
mod cycles;
mod defer;
mod devices;
mod doublings;
mod ending;
mod environment;
mod faults;
mod fd_store;
mod forking;
mod handoff_state;
mod hardship;
mod in_place;
mod inside;
mod journal;
mod measure;
mod mounts;
mod net;
mod next_root;
mod packages;
mod page;
mod pid1_signals;
mod plain;
mod ports;
mod processes;
mod programs;
mod reexec_queue;
mod refused_handoff;
mod rooted;
mod services;
mod snapshot;
mod soak;
mod soft_reboots;
mod softctl;
mod stages;
mod status_exit;
mod stay_open;
mod stubborn;
mod survivors;
mod terminal;
mod told;
mod unit_log;
mod units;
mod varlinkctl;
mod verbs;
mod versions;
mod words;

pub use check::Output;
pub use fd_store::store;
pub use measure::{hold, measure};
pub use soak::{activate, answer_stdin, serve, serve_stdin};
pub use stages::stage;

use crate::error::Error;

/// A scenario: its name on the command line, what it holds, and its code.
#[derive(Debug)]
pub struct Scenario {
    /// The name on the command line.
    pub name: &'static str,
    /// What must hold.
    pub holds: &'static str,
    /// Whether it is one of those that a container passes too.
    pub in_container: bool,
    /// Whether the virtual machine, which is slow, runs it too.
    pub in_vm: bool,
    /// What the virtual machine says at its end, in this order.
    pub farewell: &'static [&'static str],
    /// Packages of the distribution that it needs in the image, beside the usual ones.
    pub packages: &'static [&'static str],
    run: fn(&mut Output, &Options) -> Result<(), Error>,
}

/// What a scenario can be told.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many soft-reboots or re-execs in a row.
    pub count: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options { count: 10 }
    }
}

impl Scenario {
    /// Runs it, writing each check to `output`.
    ///
    /// # Errors
    /// [`Error::Check`] for the first thing that is not as it must be; the others if it could not be found out.
    pub fn run(&self, output: &mut Output, options: &Options) -> Result<(), Error> {
        (self.run)(output, options)
    }
}

/// Scenarios that run programs of the reference, which only a container has.
pub const REFERENCE: &[&str] = &["varlinkctl"];

/// All scenarios, in the order in which they are worth running.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "status-exit",
        holds: "softctl status prints a running system and exits 0; a failing command's status comes back",
        in_container: false,
        in_vm: true,
        farewell: &[],
        packages: &[],
        run: status_exit::run,
    },
    Scenario {
        name: "page",
        holds: "the page is served before, during and after; nobody is refused",
        in_container: true,
        in_vm: true,
        farewell: &[],
        packages: &[],
        run: page::run,
    },
    Scenario {
        name: "soft-reboots",
        holds: "soft-reboots in a row keep connections, sockets, memory files and survivors, and leak nothing",
        in_container: true,
        in_vm: true,
        farewell: &[],
        packages: &[],
        run: soft_reboots::run,
    },
    Scenario {
        name: "stubborn",
        holds: "what ignores SIGTERM, forks without end or outgrows its memory is dealt with",
        in_container: false,
        in_vm: true,
        farewell: &[],
        packages: &[],
        run: stubborn::run,
    },
    Scenario {
        name: "reexec-queue",
        holds: "connections queued during daemon-reexec are answered, and a death during it is noticed",
        in_container: true,
        in_vm: true,
        farewell: &[],
        packages: &[],
        run: reexec_queue::run,
    },
    Scenario {
        name: "crash",
        holds: "PID 1 crashes under load and goes on: nothing is restarted, refused or lost",
        in_container: true,
        in_vm: true,
        farewell: &[],
        packages: &[],
        run: crash::run,
    },
    Scenario {
        name: "faults",
        holds: "PID 1 breaks in every way at every place, and a handoff goes back to the program before",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: faults::run,
    },
    Scenario {
        name: "soak",
        holds: "soft-reboots and re-execs by the hundred under load: nobody is refused, nothing grows",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: soak::run,
    },
    Scenario {
        name: "versions",
        holds: "two versions take over from each other again and again, and what only one knows is kept",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: versions::run,
    },
    Scenario {
        name: "bad-input",
        holds: "mistakes in unit files are reported with their place, and random bytes do not kill PID 1",
        in_container: false,
        in_vm: true,
        farewell: &[],
        packages: &[],
        run: bad_input::run,
    },
    Scenario {
        name: "clients",
        holds: "control clients cross re-exec and soft-reboot; who may not, or does not read, hurts nobody",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: clients::run,
    },
    Scenario {
        name: "refused-handoff",
        holds: "a next program that cannot take over is refused with the reason, and nothing changes",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: refused_handoff::run,
    },
    Scenario {
        name: "pid1-signals",
        holds: "each signal to PID 1 does what it stands for, and others do nothing",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: pid1_signals::run,
    },
    Scenario {
        name: "unit-log",
        holds: "a unit's log is capped, whole within the cap, and followed through re-exec and soft-reboot",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: unit_log::run,
    },
    Scenario {
        name: "fd-store",
        holds: "fd stores take, order, limit and keep descriptors as the unit says",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: fd_store::run,
    },
    Scenario {
        name: "doublings",
        holds: "requests that meet each other have clear answers and end in a running system",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: doublings::run,
    },
    Scenario {
        name: "services",
        holds: "restarts, limits, exit codes, users, lists of commands and time-outs are as the unit says",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: services::run,
    },
    Scenario {
        name: "verbs",
        holds: "softctl shows, signals, cleans, draws, runs commands and follows events",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: verbs::run,
    },
    Scenario {
        name: "bad-calls",
        holds: "wrong calls to every method have their errors, and subscribers that do not read are dropped",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: bad_calls::run,
    },
    Scenario {
        name: "forking",
        holds: "daemons that leave their start command are found by their PID file or in their cgroup",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: forking::run,
    },
    Scenario {
        name: "defer",
        holds: "a request waits for a conflict to pass, as the table of semantics 1.11 has it",
        in_container: true,
        in_vm: true,
        farewell: &[],
        packages: &[],
        run: defer::run,
    },
    Scenario {
        name: "ports",
        holds: "every kind of port opens, limits hold, and a changed file changes open ports",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: ports::run,
    },
    Scenario {
        name: "devices",
        holds: "units wait for a device, start when it pops up, and go with it",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: devices::run,
    },
    Scenario {
        name: "mounts",
        holds: "mount units are mounted, watched, remounted and unmounted",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: mounts::run,
    },
    Scenario {
        name: "next-root",
        holds: "soft-reboots go into a next root by directory, link, mount and image; a bad one is refused",
        in_container: true,
        in_vm: true,
        farewell: &[],
        packages: &[],
        run: next_root::run,
    },
    Scenario {
        name: "stages",
        holds: "four userspaces in a row and two changes of the root, as the table of semantics 7.10 has it",
        in_container: true,
        in_vm: true,
        farewell: &[],
        packages: &[],
        run: stages::run,
    },
    Scenario {
        name: "ending",
        holds: "what is stacked is taken apart from the top before the machine powers off, under a watchdog",
        in_container: false,
        in_vm: true,
        farewell: ending::FAREWELL,
        packages: &[],
        run: ending::run,
    },
    Scenario {
        name: "survivors",
        holds: "every rule by which processes survive a soft-reboot holds, and nobody else survives",
        in_container: true,
        in_vm: true,
        farewell: &[],
        packages: &[],
        run: survivors::run,
    },
    Scenario {
        name: "stay-open",
        holds: "sockets that the next userspace has as they are stay open in a soft-reboot, and no others",
        in_container: true,
        in_vm: true,
        farewell: &[],
        packages: &[],
        run: stay_open::run,
    },
    Scenario {
        name: "cycles",
        holds: "softbootd says where the time of a soft-reboot, a re-exec and a crash went, and who held it up",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: cycles::run,
    },
    Scenario {
        name: "snapshot",
        holds: "what would cross an exec is shown as it is, by a running softbootd and of a damaged copy",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: snapshot::run,
    },
    Scenario {
        name: "contexts",
        holds: "services are made from a context and units are marked as systemd 262 does it, with its errors",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: contexts::run,
    },
    Scenario {
        name: "actions",
        holds: "units, targets and systemd's interface soft-reboot, once each",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: actions::run,
    },
    Scenario {
        name: "hardship",
        holds: "handoffs with 10,000 stored descriptors, with a full /run and without numbers for descriptors lose nothing",
        in_container: true,
        in_vm: true,
        farewell: &[],
        packages: &[],
        run: hardship::run,
    },
    Scenario {
        name: "handoff-state",
        holds: "deadlines, limits, counters, invocation ids and credentials go along, whichever way PID 1 is replaced",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: handoff_state::run,
    },
    Scenario {
        name: "in-place",
        holds: "a soft-reboot into the same program and root needs no exec, and comes to the same, whatever crashes or changes",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: in_place::run,
    },
    Scenario {
        name: "environment",
        holds: "processes have the rights, limits, directories, streams and variables that their unit asks for",
        in_container: true,
        in_vm: true,
        farewell: &[],
        packages: &[],
        run: environment::run,
    },
    Scenario {
        name: "journal",
        holds: "output goes to the journal when there is one and the unit asks for it, and PID 1 waits for no journal",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: journal::run,
    },
    Scenario {
        name: "terminal",
        holds: "a service has its terminal to itself, and leaves it as a login expects it",
        in_container: true,
        in_vm: true,
        farewell: &[],
        packages: &[],
        run: terminal::run,
    },
    Scenario {
        name: "packages",
        holds: "daemons of the distribution start, serve, reload, stop and are cleaned up by their own unit files",
        in_container: true,
        in_vm: true,
        farewell: &[],
        packages: packages::PACKAGES,
        run: packages::run,
    },
    Scenario {
        name: "varlinkctl",
        holds: "the newest systemd's own client can read, describe and call the control sockets",
        in_container: true,
        in_vm: false,
        farewell: &[],
        packages: &[],
        run: varlinkctl::run,
    },
];

/// The scenario of this name.
///
/// # Errors
/// [`Error::Usage`] with the names that there are.
pub fn scenario(name: &str) -> Result<&'static Scenario, Error> {
    SCENARIOS
        .iter()
        .find(|scenario| scenario.name == name)
        .ok_or_else(|| {
            let names: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            Error::Usage(format!(
                "no scenario is named {name}; there are: {}",
                names.join(", ")
            ))
        })
}
