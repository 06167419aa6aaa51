//! `cargo xtask greyout`: how long clients wait in a soft-reboot, of softbootd and of systemd beside it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use softboot_initrd::compress::Compression;
use softboot_initrd::packages::Trust;
use softboot_initrd::reference::{Form, ReferenceRoot};
use softboot_qemu::accel::{self, Wish};
use softboot_qemu::machine::Accel;

use crate::exit::Failure;
use crate::guest;
use crate::places::Places;
use crate::progress::Reporter;
use crate::provision::{self, Demo};
use crate::reference;

/// How many of each in a test machine, where all takes ten times as long.
const VM_CYCLES: u32 = 3;
/// An emulated processor does not make more attempts beside other work.
const VM_RATE: u32 = 100;

/// What `--help` adds.
pub(crate) const HELP: &str = "\
Each system is a container with the same service, unit files and probe; they are rebooted in turns. The probe is
outside and makes one connection a millisecond through the service's unix socket. Needs root.

  grey-out   the longest time between two good replies that touches the event: from its request until the system is up
  control    the same for times as long in the quiet before it: what probe and machine add by themselves
  failed     attempts of a cycle without a good reply, mean
  ratio      how many times softbootd's median
  floor      the same service under a holder that only keeps the socket, ends the service and starts it again

  cargo xtask greyout                                     softbootd alone
  cargo xtask greyout --against systemd                   beside the newest systemd, stripped and stock
  cargo xtask greyout --against systemd --cases kept,idle100,idle500,stored1000,slow-stop
  cargo xtask greyout --against systemd --suite sid --cycles 20 --json FILE --html FILE

Cases: kept: the socket stays open and clients wait; stopped: it is closed and opened again. The others are
kept, beside 10 to 500 idle sockets, a service with stored descriptors, or one that is slow to stop or start.
reexec: the manager alone is replaced; clients of a socket with Accept=yes have a service started for each, one
in 10 ms. Its floor is a program that does nothing but that, and executes itself.

--workload runs a file of services, sockets, endpoints and events (docs/greyout.md). The probe is a survivor inside each
system then; endpoints with the view `host` are probed from here as well. The cases as such files, and one with every kind of
endpoint, are in crates/greyout/workloads.

--vm does the same in test machines: QEMU, a kernel of the distribution, softbootd or systemd as PID 1 of it. Emulated,
all takes ten times as long, and only ratios say anything.

  cargo xtask greyout --workload crates/greyout/workloads/endpoints.toml --html page.html
  cargo xtask greyout --against systemd --vm --cases kept,stopped
  cargo xtask greyout --against systemd --forms stripped --vm --cycles 10 --cases kept,idle500

--boot boots each system anew, as often as --cycles says, in turns, and compares how long that takes, from PID 1's first
instruction to the end of its boot, and what PID 1 keeps in memory a second later.

  cargo xtask greyout --against systemd --boot --cases kept,idle500

--against systemd fetches packages of the suite from the mirror of this machine's apt sources once, and builds two
roots below the target directory; nothing is installed, and apt's state does not change. docs/reference.md says
what the two are.

Ctrl-C ends it after the cycle under way; what was measured is written.

Exit codes: 0 measured, whatever came out; 1 a system failed, or it was interrupted; 6 the suite cannot be had from here.";

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What to compare with
    #[arg(long, value_enum)]
    against: Option<Peer>,
    /// The distribution's suite that systemd comes from; it must have 258 or later
    #[arg(long, default_value = reference::SUITE, value_name = "NAME")]
    suite: String,
    /// In which forms it is compared with [default: both]
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "FORM",
        requires = "against"
    )]
    forms: Vec<PeerForm>,
    /// Take a suite that is signed by no key of this machine
    #[arg(long)]
    allow_unsigned: bool,
    /// How many soft-reboots of each system and case [default: 10, or what the workload says; with --vm 3]
    #[arg(long, value_name = "N")]
    cycles: Option<u32>,
    /// Run a workload file in the place of the cases (docs/greyout.md); may be given several times
    #[arg(long, value_name = "FILE", conflicts_with = "cases")]
    workload: Vec<PathBuf>,
    /// In test machines, not in containers: the probe is a survivor in each
    #[arg(long)]
    vm: bool,
    /// In the place of soft-reboots: boot each system as often, and compare time and PID 1's memory
    #[arg(long, conflicts_with_all = ["workload", "vm", "html"])]
    boot: bool,
    /// With --workload or --vm: attempts a second at each endpoint [default: the workload's; with --vm 100]
    #[arg(long, value_name = "HERTZ", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// kept, stopped, idle10, idle100, idle500, stored16, stored1000, slow-stop, slow-start,
    /// reexec [default: kept,stopped]
    #[arg(long, value_delimiter = ',', value_name = "CASE")]
    cases: Vec<String>,
    /// Write there a page with everything in it: phases and units, every attempt, latencies, failures
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the result there as JSON (docs/greyout-format.md), for softboot-greyout report and compare
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Options {
    /// One workload with softbootd alone.
    pub(crate) fn of_workload(file: PathBuf, cycles: u32, json: PathBuf) -> Options {
        Options {
            against: None,
            suite: reference::SUITE.to_owned(),
            forms: Vec::new(),
            allow_unsigned: false,
            cycles: Some(cycles),
            workload: vec![file],
            vm: false,
            boot: false,
            rate: None,
            cases: Vec::new(),
            html: None,
            json: Some(json),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Peer {
    /// The newest systemd of the suite, stripped to the fastest fair configuration and as installed
    Systemd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum PeerForm {
    /// The fastest fair configuration
    Stripped,
    /// As the packages install it; in a test machine it takes a minute a cycle
    Stock,
}

impl PeerForm {
    fn form(self) -> Form {
        match self {
            PeerForm::Stripped => Form::Stripped,
            PeerForm::Stock => Form::Stock,
        }
    }
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<u8, Failure> {
    let places = Places::new();
    if !options.vm && !rustix::process::geteuid().is_root() {
        let text = "a container with a PID 1 of its own needs root; run this as root, or with --vm";
        return Err(Failure::Host(text.to_owned()));
    }
    let files = files(options, &places)?;
    let mut arguments = peers(options, &places)?;
    let programs = guest::build(&places)?;
    let scratch = places.vm("containers");
    std::fs::create_dir_all(&scratch)
        .map_err(|error| Failure::host(&format!("making {}", scratch.display()), error))?;
    let mut add = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
    add("--programs", programs.display().to_string());
    add("--scratch", scratch.display().to_string());
    let cycles = match options.cycles {
        None if options.vm => Some(VM_CYCLES),
        cycles => cycles,
    };
    if let Some(cycles) = cycles {
        add("--cycles", cycles.to_string());
    }
    for (name, file) in [("--json", &options.json), ("--html", &options.html)] {
        if let Some(file) = file {
            add(name, file.display().to_string());
        }
    }
    add("--repeat", repeat(options));
    let subject = if files.is_empty() {
        if !options.cases.is_empty() {
            add("--cases", options.cases.join(","));
        }
        if options.boot {
            arguments.push("--boot".to_owned());
        }
        "greyout"
    } else {
        let probe = guest::build_program(&places, "softboot-greyout", "softboot-probe")?;
        add("--probe", probe.display().to_string());
        let rate = options.rate.or(options.vm.then_some(VM_RATE));
        if let Some(rate) = rate {
            add("--rate", rate.to_string());
        }
        if options.vm {
            arguments.extend(machine(&places)?);
        }
        arguments.extend(files.iter().map(|file| file.display().to_string()));
        "workload"
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // The directory is the caller's, so that a relative FILE is meant as it stands.
    let status = Command::new(cargo)
        .args(["run", "--quiet", "--release", "--package", "softboot-bench"])
        .args(["--bin", "softboot-bench", "--manifest-path"])
        .arg(places.root.join("Cargo.toml"))
        .args(["--", subject])
        .args(arguments)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Failure::host("running cargo", error))?;
    Ok(u8::from(!status.success()))
}

/// The workload files: those that are named, or in test machines those of the cases.
fn files(options: &Options, places: &Places) -> Result<Vec<PathBuf>, Failure> {
    if !options.workload.is_empty() || !options.vm {
        return Ok(options.workload.clone());
    }
    let cases: Vec<&str> = match &options.cases[..] {
        [] => vec!["kept", "stopped"],
        cases => cases.iter().map(String::as_str).collect(),
    };
    cases
        .into_iter()
        .map(|case| {
            let file = places.source(format!("crates/greyout/workloads/{case}.toml"));
            match file.is_file() {
                true => Ok(file),
                false => Err(Failure::Host(format!("there is no case {case}; see --help"))),
            }
        })
        .collect()
}

/// What to compare with, as arguments.
fn peers(options: &Options, places: &Places) -> Result<Vec<String>, Failure> {
    let mut arguments = Vec::new();
    let Some(Peer::Systemd) = options.against else {
        return Ok(arguments);
    };
    let trust = if options.allow_unsigned {
        Trust::Anything
    } else {
        Trust::Signed
    };
    let request = reference::request(places, &options.suite, trust);
    let chosen = options.forms.iter().map(|form| form.form());
    let both = [Form::Stripped, Form::Stock];
    for form in both {
        if !options.forms.is_empty() && !chosen.clone().any(|one| one == form) {
            continue;
        }
        let root = ReferenceRoot::build(&request, form, &mut Reporter::new())?;
        let (version, path) = (&root.version, root.path.display());
        arguments.push("--peer".to_owned());
        arguments.push(format!("systemd {version} {}={path}", form.name()));
    }
    Ok(arguments)
}

/// What test machines are made of, as arguments.
fn machine(places: &Places) -> Result<Vec<String>, Failure> {
    let mut reporter = Reporter::new();
    provision::ensure_qemu(&reporter)?;
    let kernel = provision::kernel(places, None, &mut reporter)?;
    let initrd =
        Demo::prepare(places, &kernel, &[], &mut reporter)?.cached(Compression::DEFAULT, &reporter)?;
    let choice = accel::choose(Wish::Auto, &kernel.image, &places.vm("accel.json"), |note| {
        reporter.say(note)
    });
    drop(reporter);
    eprintln!(
        "Kernel {}; accelerator {}: {}.",
        kernel.version, choice.accel, choice.reason
    );
    let mut arguments = vec![
        "--kernel".to_owned(),
        kernel.image.display().to_string(),
        "--initrd".to_owned(),
        initrd.display().to_string(),
    ];
    if choice.accel == Accel::Kvm {
        arguments.push("--kvm".to_owned());
    }
    Ok(arguments)
}

/// What one types to measure the same again.
fn repeat(options: &Options) -> String {
    let mut words = vec!["cargo xtask greyout".to_owned()];
    if options.against.is_some() {
        words.push(format!("--against systemd --suite {}", options.suite));
    }
    if !options.forms.is_empty() {
        let forms: Vec<&str> = options.forms.iter().map(|form| form.form().name()).collect();
        words.push(format!("--forms {}", forms.join(",")));
    }
    if options.vm {
        words.push("--vm".to_owned());
    }
    if options.boot {
        words.push("--boot".to_owned());
    }
    if let Some(rate) = options.rate {
        words.push(format!("--rate {rate}"));
    }
    if let Some(cycles) = options.cycles {
        words.push(format!("--cycles {cycles}"));
    }
    if !options.cases.is_empty() {
        words.push(format!("--cases {}", options.cases.join(",")));
    }
    let files = options.workload.iter();
    words.extend(files.map(|file| format!("--workload {}", file.display())));
    words.join(" ")
}
