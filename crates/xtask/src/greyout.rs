//! `cargo xtask greyout`: how long clients wait in a soft-reboot, of softbootd and of systemd beside it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use softboot_initrd::packages::Trust;
use softboot_initrd::reference::{Form, ReferenceRoot};

use crate::exit::Failure;
use crate::guest;
use crate::places::Places;
use crate::progress::Reporter;
use crate::reference;

/// What `--help` adds.
pub(crate) const HELP: &str = "\
Each system is a container with the same service, unit files and probe; they are rebooted in turns. The probe is
outside and makes one connection a millisecond through the service's unix socket. Needs root.

  grey-out   the longest time between two good replies, from the request of the soft-reboot on
  control    the same in the 300 ms before it: what probe and machine add by themselves
  failed     attempts of a cycle without a good reply, median
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
    /// Take a suite that is signed by no key of this machine
    #[arg(long)]
    allow_unsigned: bool,
    /// How many soft-reboots of each system and case
    #[arg(long, default_value_t = 10, value_name = "N")]
    cycles: usize,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Peer {
    /// The newest systemd of the suite, stripped to the fastest fair configuration and as installed
    Systemd,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<u8, Failure> {
    let places = Places::new();
    if !rustix::process::geteuid().is_root() {
        let text = "a container with a PID 1 of its own needs root; run this as root";
        return Err(Failure::Host(text.to_owned()));
    }
    let mut arguments = Vec::new();
    if let Some(Peer::Systemd) = options.against {
        let trust = if options.allow_unsigned {
            Trust::Anything
        } else {
            Trust::Signed
        };
        let request = reference::request(&places, &options.suite, trust);
        for form in [Form::Stripped, Form::Stock] {
            let root = ReferenceRoot::build(&request, form, &mut Reporter::new())?;
            let (version, path) = (&root.version, root.path.display());
            arguments.push("--peer".to_owned());
            arguments.push(format!("systemd {version} {}={path}", form.name()));
        }
    }
    let programs = guest::build(&places)?;
    let scratch = places.vm("containers");
    std::fs::create_dir_all(&scratch)
        .map_err(|error| Failure::host(&format!("making {}", scratch.display()), error))?;
    for (name, value) in [
        ("--programs", programs.display().to_string()),
        ("--scratch", scratch.display().to_string()),
        ("--cycles", options.cycles.to_string()),
    ] {
        arguments.extend([name.to_owned(), value]);
    }
    if !options.cases.is_empty() {
        arguments.extend(["--cases".to_owned(), options.cases.join(",")]);
    }
    for (name, file) in [("--json", &options.json), ("--html", &options.html)] {
        if let Some(file) = file {
            arguments.extend([name.to_owned(), file.display().to_string()]);
        }
    }
    arguments.extend(["--repeat".to_owned(), repeat(options)]);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // The directory is the caller's, so that a relative FILE is meant as it stands.
    let status = Command::new(cargo)
        .args(["run", "--quiet", "--release", "--package", "softboot-bench"])
        .args(["--bin", "softboot-bench", "--manifest-path"])
        .arg(places.root.join("Cargo.toml"))
        .args(["--", "greyout"])
        .args(arguments)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Failure::host("running cargo", error))?;
    Ok(u8::from(!status.success()))
}

/// What one types to measure the same again.
fn repeat(options: &Options) -> String {
    let mut words = vec!["cargo xtask greyout".to_owned()];
    if options.against.is_some() {
        words.push(format!("--against systemd --suite {}", options.suite));
    }
    words.push(format!("--cycles {}", options.cycles));
    if !options.cases.is_empty() {
        words.push(format!("--cases {}", options.cases.join(",")));
    }
    words.join(" ")
}
