//! `cargo xtask test`: everything that must hold, in one command. CI runs exactly this.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use softboot_initrd::compress::Compression;
use softboot_initrd::image::Devices;
use softboot_qemu::accel::{self, Wish};
use softboot_qemu::machine::Machine;
use softboot_tests::guest::Scenario;
use softboot_tests::suite::{ContainerForm, Form, Report, Selection, run_suite};

use crate::exit::Failure;
use crate::greyout_check;
use crate::guest;
use crate::places::Places;
use crate::progress::Reporter;
use crate::provision::{self, Demo};
use crate::reference::{self, Reason};
use crate::tidy;

/// What `--help` adds.
pub(crate) const HELP: &str = "\
Scenarios, in container and VM: page, soft-reboots, reexec-queue, crash, versions, refusals, doublings, defer,
environment, next-root, stages, survivors, stay-open, hardship, terminal, packages; in the VM only: status-exit, stubborn, bad-input,
ending, kexec; in a container only: clients, refused-handoff, faults, crash-loop, fallbacks, soak, pid1-signals, unit-log, fd-store,
two-ends, waiting-first, services, verbs, modes, bad-calls, forking, ports, devices, mounts, cycles, snapshot, contexts,
actions, handoff-state, in-place, varlinkctl and reference (the last two fetch the newest systemd of a suite, and are skipped where that cannot be had).
--scenario runs any of them in either. Each runs in a system of its own. Without root the
container step is skipped and said to be; everything else runs.

Exit code 0 if all that ran passed, else 1.";

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run only these steps
    #[arg(value_enum, value_name = "STEP")]
    steps: Vec<Step>,
    /// Of the scenarios, run only this one; may be given several times
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Rounds of the scenarios that have any (10): soft-reboots; of soak ten times, of versions twice that many
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Show what each scenario checked
    #[arg(long, short)]
    verbose: bool,
}

/// One step. The order is the order of running: the quick ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Step {
    /// The repository's own rules hold
    Tidy,
    /// The code is formatted
    Format,
    /// No lint complains, and the documentation builds
    Lint,
    /// Unit tests, property tests, simulations
    Unit,
    /// The C library as its users meet it: installed, linked shared and static, and run
    C,
    /// Each fuzz target over its corpus, and a few seconds further
    Fuzz,
    /// Scenarios in a container on this kernel (needs root)
    Container,
    /// A workload with every kind of endpoint in a container: each is probed, and none loses what it must not (needs root)
    Greyout,
    /// Scenarios in the virtual machine
    Vm,
}

const ALL: [Step; 9] = [
    Step::Tidy,
    Step::Format,
    Step::Lint,
    Step::Unit,
    Step::C,
    Step::Fuzz,
    Step::Container,
    Step::Greyout,
    Step::Vm,
];

/// Not a scenario inside the system, but a look at the reference from outside.
const REFERENCE: &str = "reference";

/// How long each fuzz target explores in the test command.
const FUZZ_SECONDS: u32 = 6;

/// What came of everything so far.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<u8, Failure> {
    let places = Places::new();
    let mut tally = Tally::default();
    let begun = Instant::now();
    for step in ALL {
        if options.steps.is_empty() || options.steps.contains(&step) {
            println!("== {step:?}");
            let step_begun = Instant::now();
            run_step(step, options, &places, &mut tally)?;
            println!("   {:.0} s", step_begun.elapsed().as_secs_f64());
        }
    }
    println!("\nEverything took {:.0} s.", begun.elapsed().as_secs_f64());
    for skipped in &tally.skipped {
        println!("skipped: {skipped}");
    }
    for failed in &tally.failed {
        println!("failed: {failed}");
    }
    println!(
        "{} passed, {} failed, {} skipped",
        tally.passed,
        tally.failed.len(),
        tally.skipped.len()
    );
    Ok(u8::from(!tally.failed.is_empty()))
}

fn run_step(step: Step, options: &Options, places: &Places, tally: &mut Tally) -> Result<(), Failure> {
    match step {
        Step::Tidy => {
            let found = tidy::find(places)?;
            tidy::print(&found);
            tally.count("cargo xtask tidy", found.is_empty());
            Ok(())
        }
        Step::Format => cargo(places, tally, &["fmt", "--all", "--check"]),
        Step::Lint => {
            let clippy = [
                "clippy",
                "--quiet",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ];
            cargo(places, tally, &clippy)?;
            cargo(places, tally, &["doc", "--quiet", "--workspace", "--no-deps"])
        }
        Step::Unit => cargo(
            places,
            tally,
            &["test", "--quiet", "--workspace", "--no-fail-fast"],
        ),
        Step::C => {
            tally.count_all(crate::c::check::run(places)?);
            Ok(())
        }
        Step::Fuzz => {
            tally.count_all(crate::fuzz::test(places, FUZZ_SECONDS)?);
            Ok(())
        }
        Step::Greyout => greyout(places, tally),
        Step::Container => container(options, places, tally),
        Step::Vm => vm(options, places, tally),
    }
}

impl Tally {
    fn count(&mut self, name: &str, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.failed.push(name.to_owned());
        }
    }

    fn count_all(&mut self, results: Vec<(String, bool)>) {
        for (name, holds) in results {
            println!("   {} {name}", if holds { "ok  " } else { "FAIL" });
            self.count(&name, holds);
        }
    }

    fn report(&mut self, form: &str, report: &Report) {
        for verdict in &report.verdicts {
            if let Some(reason) = &verdict.skipped {
                self.skipped
                    .push(format!("{form} {}: {reason}", verdict.scenario));
                continue;
            }
            self.count(&format!("{form} {}", verdict.scenario), verdict.failure.is_none());
        }
    }
}

fn cargo(places: &Places, tally: &mut Tally, arguments: &[&str]) -> Result<(), Failure> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(program)
        .current_dir(&places.root)
        .args(arguments)
        .env("RUSTDOCFLAGS", "-D warnings")
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Failure::host("running cargo", error))?;
    tally.count(&format!("cargo {}", arguments.join(" ")), status.success());
    Ok(())
}

fn container(options: &Options, places: &Places, tally: &mut Tally) -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        println!("   A container with softbootd as its PID 1 needs root; run this step as root, too.");
        tally.skipped.push("container scenarios: not root".to_owned());
        return Ok(());
    }
    let kernel = provision::kernel(places, None, &mut Reporter::new())?;
    let image = |packages: &[&str]| Demo::prepare(places, &kernel, packages, &mut Reporter::new())?.image();
    let usual = image(&[])?;
    let scratch = places.vm("containers");
    std::fs::create_dir_all(&scratch)
        .map_err(|error| Failure::host(&format!("making {}", scratch.display()), error))?;
    let unpack = |to: &Path, packages: &[&str]| {
        if packages.is_empty() {
            return usual.unpack(to, Devices::Skip).map_err(|error| error.to_string());
        }
        let image = image(packages).map_err(|failure| failure.to_string())?;
        image.unpack(to, Devices::Skip).map_err(|error| error.to_string())
    };
    let programs = places.guest_programs();
    let form = Form::Container(ContainerForm {
        unpack: &unpack,
        scratch,
        harness: programs.join("softboot-container"),
        scenario: programs.join("softboot-scenario"),
        faulty: guest::build_faulty(places)?,
        reference: &|| reference::varlinkctl(places),
    });
    if options.scenario.iter().any(|name| name != REFERENCE) || options.scenario.is_empty() {
        suite("container", options, &form, tally)?;
    }
    if options.scenario.is_empty() || options.scenario.iter().any(|name| name == REFERENCE) {
        let begun = Instant::now();
        match reference::check(places, &|to| unpack(to, &[]))? {
            Ok(what) => {
                println!("   ok   {what}, {:.1} s", begun.elapsed().as_secs_f64());
                tally.count("container reference", true);
            }
            Err(Reason::Skipped(reason)) => tally.skipped.push(format!("container reference: {reason}")),
            Err(Reason::Failed(reason)) => {
                println!("   FAIL reference: {reason}");
                tally.count("container reference", false);
            }
        }
    }
    Ok(())
}

fn greyout(places: &Places, tally: &mut Tally) -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        println!("   A container with softbootd as its PID 1 needs root; run this step as root, too.");
        tally.skipped.push("greyout: not root".to_owned());
        return Ok(());
    }
    let faults = greyout_check::run(places)?;
    for fault in &faults {
        println!("   FAIL {fault}");
    }
    tally.count("greyout", faults.is_empty());
    Ok(())
}

fn vm(options: &Options, places: &Places, tally: &mut Tally) -> Result<(), Failure> {
    let mut reporter = Reporter::new();
    provision::ensure_qemu(&reporter)?;
    let kernel = provision::kernel(places, None, &mut reporter)?;
    let choice = accel::choose(Wish::Auto, &kernel.image, &places.vm("accel.json"), |note| {
        reporter.say(note)
    });
    drop(reporter);
    println!(
        "   kernel {}; accelerator {}: {}",
        kernel.version, choice.accel, choice.reason
    );
    let initrd = |scenario: &Scenario| {
        let mut reporter = Reporter::new();
        let mut demo = Demo::prepare(places, &kernel, scenario.packages, &mut reporter)?;
        if scenario.faulty {
            demo = demo.with_faulty(guest::build_faulty(places)?);
        }
        if scenario.kexec.is_some() {
            let initrd = demo.cached(Compression::DEFAULT, &reporter)?;
            demo = demo.with_next(kernel.image.clone(), initrd);
        }
        demo.cached(Compression::DEFAULT, &reporter)
    };
    let machine = |scenario: &Scenario| {
        let initrd = initrd(scenario).map_err(|failure| failure.to_string())?;
        let machine = Machine::builder(&kernel.image).initrd(initrd).accel(choice.accel);
        Ok(scenario
            .words
            .iter()
            .fold(machine, |machine, word| machine.append(*word)))
    };
    suite("vm", options, &Form::Vm(&machine), tally)
}

fn suite(name: &str, options: &Options, form: &Form<'_>, tally: &mut Tally) -> Result<(), Failure> {
    let names = options.scenario.iter().map(String::as_str);
    let names: Vec<&str> = names.filter(|name| *name != REFERENCE).collect();
    let selection = Selection {
        names: &names,
        rounds: options.rounds,
    };
    let report = run_suite(&selection, form, &mut |line| println!("   {line}"))
        .map_err(|error| Failure::Host(error.to_string()))?;
    for verdict in report
        .verdicts
        .iter()
        .filter(|verdict| options.verbose && verdict.failure.is_none())
    {
        println!("   {}:\n{}", verdict.scenario, verdict.output.trim_end());
    }
    tally.report(name, &report);
    Ok(())
}
