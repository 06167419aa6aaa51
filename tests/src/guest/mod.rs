//! The scenarios, one file each, and what they share. They run as root inside the system under test, in a service that
//! survives soft-reboots.

mod actions;
mod asked;
mod bad_calls;
mod bad_input;
mod census;
mod check;
mod clients;
mod contexts;
mod control;
mod crash;
mod crash_loop;
mod cycles;
mod defer;
mod devices;
mod doublings;
mod ending;
mod environment;
mod fallbacks;
mod faults;
mod fd_store;
mod forking;
mod handoff_state;
mod hardship;
mod in_place;
mod inside;
mod journal;
mod kexec;
mod measure;
mod modes;
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
mod refusals;
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
mod two_ends;
mod unit_log;
mod units;
mod varlinkctl;
mod verbs;
mod versions;
mod waiting_first;
mod words;

pub use asked::asked;
pub use check::Output;
pub use faults::FAULTY_IN_VM;
pub use fd_store::store;
pub use kexec::{NEXT_INITRD, NEXT_KERNEL};
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
    /// What the virtual machine says at its end, in this order; a container too that ends by itself.
    pub farewell: &'static [&'static str],
    /// Packages of the distribution that it needs in the image, beside the usual ones.
    pub packages: &'static [&'static str],
    /// Words of the kernel's command line, or of what a container has in its place.
    pub words: &'static [&'static str],
    /// How many rounds the virtual machine makes of it when nobody says how many.
    pub vm_rounds: Option<u32>,
    /// What the container ends with after it, by itself; else it is ended from outside.
    pub exit: Option<u8>,
    /// What the virtual machine runs after it to go into another kernel, where the scenario is then run again. Its image has
    /// [`NEXT_KERNEL`] and [`NEXT_INITRD`].
    pub kexec: Option<&'static str>,
    /// Whether it needs [`FAULTY_IN_VM`] in a virtual machine, too; a container always has it.
    pub faulty: bool,
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

/// What most scenarios have in common: they are run in both.
const BOTH: Scenario = Scenario {
    name: "",
    holds: "",
    in_container: true,
    in_vm: true,
    farewell: &[],
    packages: &[],
    words: &[],
    vm_rounds: None,
    exit: None,
    kexec: None,
    faulty: false,
    run: |_, _| Ok(()),
};
/// Those that the virtual machine is too slow for, or that say nothing more there.
const CONTAINER: Scenario = Scenario { in_vm: false, ..BOTH };
/// Those that need a machine of their own.
const VM: Scenario = Scenario {
    in_container: false,
    ..BOTH
};

/// Scenarios that run programs of the reference, which only a container has.
pub const REFERENCE: &[&str] = &["varlinkctl"];

/// All scenarios, in the order in which they are worth running.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "status-exit",
        holds: "softctl status prints a running system and exits 0; a failing command's status comes back",
        run: status_exit::run,
        ..VM
    },
    Scenario {
        name: "page",
        holds: "the page is served before, during and after; nobody is refused",
        run: page::run,
        ..BOTH
    },
    Scenario {
        name: "soft-reboots",
        holds: "soft-reboots in a row keep connections, sockets, memory files and survivors, and leak nothing",
        run: soft_reboots::run,
        ..BOTH
    },
    Scenario {
        name: "stubborn",
        holds: "what ignores SIGTERM, forks without end or outgrows its memory is dealt with",
        run: stubborn::run,
        ..VM
    },
    Scenario {
        name: "reexec-queue",
        holds: "connections queued during daemon-reexec are answered, and a death during it is noticed",
        run: reexec_queue::run,
        ..BOTH
    },
    Scenario {
        name: "crash",
        holds: "PID 1 crashes under load and goes on: nothing is restarted, refused or lost",
        run: crash::run,
        ..BOTH
    },
    Scenario {
        name: "faults",
        holds: "PID 1 breaks in every way at every place, and a handoff goes back to the program before",
        run: faults::run,
        ..CONTAINER
    },
    Scenario {
        name: "crash-loop",
        holds: "programs crash in a row over the same journal: each believes less, and services run on whatever is left",
        run: crash_loop::run,
        ..CONTAINER
    },
    Scenario {
        name: "fallbacks",
        holds: "a soft-reboot goes back to the program before when the next one breaks, and without memory nothing is lost",
        run: fallbacks::run,
        ..CONTAINER
    },
    Scenario {
        name: "soak",
        holds: "soft-reboots and re-execs by the hundred under load: nobody is refused, nothing grows",
        run: soak::run,
        ..CONTAINER
    },
    Scenario {
        name: "versions",
        holds: "two versions take over from each other again and again, and what only one knows is kept",
        run: versions::run,
        vm_rounds: Some(2),
        faulty: true,
        ..BOTH
    },
    Scenario {
        name: "bad-input",
        holds: "mistakes in unit files are reported with their place, and random bytes do not kill PID 1",
        run: bad_input::run,
        ..VM
    },
    Scenario {
        name: "clients",
        holds: "control clients cross re-exec and soft-reboot; who may not, or does not read, hurts nobody",
        run: clients::run,
        ..CONTAINER
    },
    Scenario {
        name: "refused-handoff",
        holds: "a next program that cannot take over is refused with the reason, and nothing changes",
        run: refused_handoff::run,
        ..CONTAINER
    },
    Scenario {
        name: "refusals",
        holds: "a next program that hangs, is killed or outgrows its memory, and no process, number or room for it: refused, nothing changes",
        run: refusals::run,
        words: refusals::WORDS,
        ..BOTH
    },
    Scenario {
        name: "pid1-signals",
        holds: "each signal to PID 1 does what it stands for, and others do nothing",
        run: pid1_signals::run,
        ..CONTAINER
    },
    Scenario {
        name: "unit-log",
        holds: "a unit's log is capped, whole within the cap, and followed through re-exec and soft-reboot",
        run: unit_log::run,
        ..CONTAINER
    },
    Scenario {
        name: "fd-store",
        holds: "fd stores take, order, limit and keep descriptors as the unit says",
        run: fd_store::run,
        ..CONTAINER
    },
    Scenario {
        name: "doublings",
        holds: "requests that meet each other have clear answers and end in a running system",
        run: doublings::run,
        ..BOTH
    },
    Scenario {
        name: "two-ends",
        holds: "of two ends that are asked for at once one holds, by a rule, and nobody's wish is lost",
        run: two_ends::run,
        words: two_ends::WORDS,
        ..CONTAINER
    },
    Scenario {
        name: "waiting-first",
        holds: "what clients wait for when a userspace begins starts before what nobody waits for",
        run: waiting_first::run,
        words: waiting_first::WORDS,
        ..CONTAINER
    },
    Scenario {
        name: "services",
        holds: "restarts, limits, exit codes, users, lists of commands and time-outs are as the unit says",
        run: services::run,
        ..CONTAINER
    },
    Scenario {
        name: "verbs",
        holds: "softctl shows, signals, cleans, draws, runs commands and follows events",
        run: verbs::run,
        ..CONTAINER
    },
    Scenario {
        name: "modes",
        holds: "rescue and emergency stop what they do not need, default brings all back, exit ends the container in order",
        farewell: modes::FAREWELL,
        exit: Some(modes::CODE),
        run: modes::run,
        ..CONTAINER
    },
    Scenario {
        name: "bad-calls",
        holds: "wrong calls to every method have their errors, and subscribers that do not read are dropped",
        run: bad_calls::run,
        ..CONTAINER
    },
    Scenario {
        name: "forking",
        holds: "daemons that leave their start command are found by their PID file or in their cgroup",
        run: forking::run,
        ..CONTAINER
    },
    Scenario {
        name: "defer",
        holds: "a request waits for a conflict to pass, as the table of semantics 1.11 has it",
        run: defer::run,
        ..BOTH
    },
    Scenario {
        name: "ports",
        holds: "every kind of port opens, limits hold, and a changed file changes open ports",
        run: ports::run,
        ..CONTAINER
    },
    Scenario {
        name: "devices",
        holds: "units wait for a device, start when it pops up, and go with it",
        run: devices::run,
        ..CONTAINER
    },
    Scenario {
        name: "mounts",
        holds: "mount units are mounted, watched, remounted and unmounted",
        run: mounts::run,
        ..CONTAINER
    },
    Scenario {
        name: "next-root",
        holds: "soft-reboots go into a next root by directory, link, mount and image; a bad one is refused",
        run: next_root::run,
        ..BOTH
    },
    Scenario {
        name: "stages",
        holds: "four userspaces in a row and two changes of the root, as the table of semantics 7.10 has it",
        run: stages::run,
        ..BOTH
    },
    Scenario {
        name: "ending",
        holds: "what is stacked is taken apart from the top before the machine powers off, under a watchdog",
        farewell: ending::FAREWELL,
        packages: ending::PACKAGES,
        run: ending::run,
        ..VM
    },
    Scenario {
        name: "kexec",
        holds: "a kernel that cannot be loaded is refused with the reason; into one that can the machine goes in order",
        farewell: kexec::FAREWELL,
        kexec: Some(kexec::GO),
        run: kexec::run,
        ..VM
    },
    Scenario {
        name: "survivors",
        holds: "every rule by which processes survive a soft-reboot holds, and nobody else survives",
        run: survivors::run,
        ..BOTH
    },
    Scenario {
        name: "stay-open",
        holds: "sockets that the next userspace has as they are stay open in a soft-reboot, and no others",
        run: stay_open::run,
        ..BOTH
    },
    Scenario {
        name: "cycles",
        holds: "softbootd says where the time of a soft-reboot, a re-exec and a crash went, and who held it up",
        run: cycles::run,
        ..CONTAINER
    },
    Scenario {
        name: "snapshot",
        holds: "what would cross an exec is shown as it is, by a running softbootd and of a damaged copy",
        run: snapshot::run,
        ..CONTAINER
    },
    Scenario {
        name: "contexts",
        holds: "services are made from a context and units are marked as systemd 262 does it, with its errors",
        run: contexts::run,
        ..CONTAINER
    },
    Scenario {
        name: "actions",
        holds: "units, targets and systemd's interface soft-reboot, once each",
        run: actions::run,
        ..CONTAINER
    },
    Scenario {
        name: "hardship",
        holds: "handoffs with 10,000 stored descriptors, with a full /run and without numbers for descriptors lose nothing",
        run: hardship::run,
        ..BOTH
    },
    Scenario {
        name: "handoff-state",
        holds: "deadlines, limits, counters, invocation ids and credentials go along, whichever way PID 1 is replaced",
        run: handoff_state::run,
        ..CONTAINER
    },
    Scenario {
        name: "in-place",
        holds: "a soft-reboot into the same program and root needs no exec, and comes to the same, whatever crashes or changes",
        run: in_place::run,
        ..CONTAINER
    },
    Scenario {
        name: "environment",
        holds: "processes have the rights, limits, directories, streams and variables that their unit asks for",
        run: environment::run,
        ..BOTH
    },
    Scenario {
        name: "journal",
        holds: "output goes to the journal when there is one and the unit asks for it, and PID 1 waits for no journal",
        run: journal::run,
        ..CONTAINER
    },
    Scenario {
        name: "terminal",
        holds: "a service has its terminal to itself, and leaves it as a login expects it",
        run: terminal::run,
        ..BOTH
    },
    Scenario {
        name: "packages",
        holds: "daemons of the distribution start, serve, reload, stop and are cleaned up by their own unit files",
        packages: packages::PACKAGES,
        run: packages::run,
        ..BOTH
    },
    Scenario {
        name: "varlinkctl",
        holds: "the newest systemd's own client can read, describe and call the control sockets",
        run: varlinkctl::run,
        ..CONTAINER
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
