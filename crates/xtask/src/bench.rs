//! `cargo xtask bench`: figures beside floors and peers, on this machine or in the virtual one.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use softboot_initrd::compress::Compression;
use softboot_initrd::image::Devices;
use softboot_qemu::accel::{self, Wish};
use softboot_qemu::channel::message::Stream;
use softboot_qemu::error::{VmError, with_repeat};
use softboot_qemu::machine::{Machine, share};
use softboot_qemu::run::{CommandEvent, CommandSpec, Vm};

use crate::exit::Failure;
use crate::guest;
use crate::places::Places;
use crate::progress::Reporter;
use crate::provision::{self, Demo};

/// What `--help` adds.
pub(crate) const HELP: &str = "\
Each figure is a ratio: beside it, in the same run and in turns, the bare kernel does the same work.
`!` marks an aim that is missed. Only ratios are worth comparing between machines, and only from a
machine that does nothing else meanwhile.

  cargo xtask bench fdstore                    on this machine, 1,000 and 10,000 descriptors
  cargo xtask bench fdstore --vm               in the test machine, also 100,000: this host may
                                               refuse so many
  cargo xtask bench engine                     100 to 100,000 unit files: load, insert into the
                                               engine, start, one event, save, restore, in processor
                                               time; as root also how a process is started by one of
                                               4 and of 64 MiB, beside posix_spawn, and softbootd in
                                               a container: memory, and the boot of 10, 500
                                               and 5,000 idle sockets
  cargo xtask bench engine --sizes 100,10000 --runs 3
  cargo xtask bench handoff                    softbootd in a container (as root) with 10 to 5,000 idle
                                               sockets: how long a control call and an Accept=yes
                                               connection wait in a re-exec and after a crash, and the
                                               clients of a kept socket in a soft-reboot, also with 1,000
                                               and 10,000 stored descriptors
  cargo xtask bench handoff --events soft-reboot --sizes 100,500
  cargo xtask bench handoff --vm               a re-exec and a crash in the test machine with 1,000, 4,000
                                               and 16,000 open ports: this host may refuse so many
  cargo xtask bench fdstore --json FILE        a list of objects: case, metric, unit, value (median),
                                               min, max, runs, floor, ratio, peer, peer_value, aim

Exit code 0 if everything was measured, whatever came out.";

/// How long the machine may take to boot, and the benchmark to run in it.
const LIMIT: Duration = Duration::from_secs(3600);
/// A hundred thousand sockets take the kernel some hundred MiB.
const MEMORY_MIB: u32 = 2048;

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What to measure
    #[arg(value_enum)]
    subject: Subject,
    /// Numbers of descriptors [default: 1000,10000; with --vm 1000,100000], units [default: 100,1000,10000,100000]
    /// or, handoff, sockets [default: 10,100,500,5000; with --vm 1000,4000,16000]
    #[arg(long, value_delimiter = ',', value_name = "N")]
    sizes: Vec<usize>,
    /// fdstore only: kinds of descriptors: socket, memfd, eventfd [default: all; with --vm socket]
    #[arg(long, value_delimiter = ',', value_name = "KIND")]
    kinds: Vec<String>,
    /// handoff only: reexec, crash, soft-reboot [default: all]
    #[arg(long, value_delimiter = ',', value_name = "EVENT")]
    events: Vec<String>,
    /// How often each is done
    #[arg(long, default_value_t = 7, value_name = "N")]
    runs: usize,
    /// Run in the virtual machine
    #[arg(long)]
    vm: bool,
    /// Write the figures there as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Subject {
    /// The fd store: push, handoff, transfer, memory
    Fdstore,
    /// The engine: load, insert, start, event, save, restore; and PID 1: spawn, memory, boot
    Engine,
    /// Replacing PID 1: how long nobody is answered in a re-exec, after a crash, and in a soft-reboot
    Handoff,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<u8, Failure> {
    let places = Places::new();
    match options.vm {
        true => in_vm(options, &places),
        false => on_host(options, &places),
    }
}

/// The arguments of `softboot-bench`.
fn arguments(options: &Options, json: Option<String>) -> Vec<String> {
    let subject = match options.subject {
        Subject::Fdstore => "fdstore",
        Subject::Engine => "engine",
        Subject::Handoff => "handoff",
    };
    let store = options.subject == Subject::Fdstore;
    let mut arguments = vec![subject.to_owned(), "--runs".to_owned(), options.runs.to_string()];
    let sizes: Vec<String> = match (&options.sizes[..], options.vm) {
        ([], true) if store => vec!["1000".to_owned(), "100000".to_owned()],
        (sizes, _) => sizes.iter().map(ToString::to_string).collect(),
    };
    let kinds = match (&options.kinds[..], options.vm) {
        ([], true) if store => vec!["socket".to_owned()],
        (kinds, _) if store => kinds.to_vec(),
        _ => Vec::new(),
    };
    let events = match options.subject {
        Subject::Handoff => options.events.clone(),
        _ => Vec::new(),
    };
    if options.vm && options.subject == Subject::Handoff {
        arguments.push("--here".to_owned());
    }
    for (name, values) in [("--sizes", sizes), ("--kinds", kinds), ("--events", events)] {
        if !values.is_empty() {
            arguments.extend([name.to_owned(), values.join(",")]);
        }
    }
    arguments.extend(json.into_iter().flat_map(|file| ["--json".to_owned(), file]));
    arguments
}

fn on_host(options: &Options, places: &Places) -> Result<u8, Failure> {
    let json = options.json.as_ref().map(|file| file.display().to_string());
    let mut arguments = arguments(options, json);
    if options.subject == Subject::Fdstore {
        // Static, as they would be shipped.
        let hello = guest::build_one(places, "softboot-bench")?;
        let programs = hello.parent().unwrap_or(&hello);
        arguments.extend(["--programs".to_owned(), programs.display().to_string()]);
    }
    // It is removed when this ends.
    let image = match options.subject {
        Subject::Fdstore => None,
        Subject::Engine | Subject::Handoff if rustix::process::geteuid().is_root() => Some(image(places)?),
        Subject::Engine => {
            eprintln!(
                "A container with softbootd as its PID 1 needs root: memory, boot and spawn are left out."
            );
            None
        }
        Subject::Handoff => {
            let text = "a container with softbootd as its PID 1 needs root; run this as root";
            return Err(Failure::Host(text.to_owned()));
        }
    };
    if let Some(image) = &image {
        let programs = places.guest_programs();
        for (name, path) in [("--root", image.path()), ("--programs", &programs)] {
            arguments.extend([name.to_owned(), path.display().to_string()]);
        }
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // The directory is the caller's, so that a relative FILE is meant as it stands.
    let status = Command::new(cargo)
        .args([
            "run",
            "--quiet",
            "--release",
            "--package",
            "softboot-bench",
            "--bin",
            "softboot-bench",
            "--manifest-path",
        ])
        .arg(places.root.join("Cargo.toml"))
        .arg("--")
        .args(arguments)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Failure::host("running cargo", error))?;
    Ok(u8::from(!status.success()))
}

/// The demo image in a directory, as the container scenarios have it.
fn image(places: &Places) -> Result<tempfile::TempDir, Failure> {
    let kernel = provision::kernel(places, None, &mut Reporter::new())?;
    let demo = Demo::prepare(places, &kernel, &[], &mut Reporter::new())?;
    let scratch = places.vm("containers");
    let made = std::fs::create_dir_all(&scratch).and_then(|()| tempfile::tempdir_in(&scratch));
    let directory = made.map_err(|error| Failure::host(&format!("making {}", scratch.display()), error))?;
    let unpacked = demo.image()?.unpack(directory.path(), Devices::Skip);
    unpacked.map_err(|error| Failure::Host(error.to_string()))?;
    Ok(directory)
}

fn in_vm(options: &Options, places: &Places) -> Result<u8, Failure> {
    let mut reporter = Reporter::new();
    provision::ensure_qemu(&reporter)?;
    let kernel = provision::kernel(places, None, &mut reporter)?;
    let initrd =
        Demo::prepare(places, &kernel, &[], &mut reporter)?.cached(Compression::DEFAULT, &reporter)?;
    let program = guest::build_one(places, "softboot-bench")?;
    let choice = accel::choose(Wish::Auto, &kernel.image, &places.vm("accel.json"), |note| {
        reporter.say(note)
    });
    drop(reporter);
    eprintln!(
        "Kernel {}; accelerator {}: {}.",
        kernel.version, choice.accel, choice.reason
    );
    let directory = program.parent().unwrap_or(&program);
    let shared = share::choose(directory, "share0", kernel.modules.as_deref()).map_err(VmError::from)?;
    let machine = Machine::builder(&kernel.image)
        .initrd(initrd)
        .memory_mb(MEMORY_MIB)
        .timeout(LIMIT)
        .share(shared)
        .accel(choice.accel);
    let mut argv = vec!["/run/host/share0/softboot-bench".to_owned()];
    argv.extend(arguments(options, Some("-".to_owned())));
    let spec = CommandSpec {
        argv,
        ..CommandSpec::default()
    };
    let measure = || command(&machine, &spec);
    let (code, json) = with_repeat(measure, |fault| eprintln!("{fault}\nRunning once more."))?;
    if let Some(file) = &options.json {
        std::fs::write(file, json)
            .map_err(|error| Failure::host(&format!("writing {}", file.display()), error))?;
    }
    Ok(code)
}

/// Runs it in a machine of its own; its status and its standard output.
fn command(machine: &Machine, spec: &CommandSpec) -> Result<(u8, Vec<u8>), VmError> {
    let vm = Vm::boot(machine)?;
    vm.wait_ready(LIMIT)?;
    let mut running = vm.start(spec);
    let mut output = Vec::new();
    loop {
        match running.next(None)? {
            CommandEvent::Exit(status) => return Ok((status.code(), output)),
            CommandEvent::Output(Stream::Stdout, bytes) => output.extend(bytes),
            // A reader that is gone does not change how the command ends.
            CommandEvent::Output(_, bytes) => drop(std::io::stderr().write_all(&bytes)),
        }
    }
}
