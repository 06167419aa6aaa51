//! `cargo xtask vm`: boots the machine, for a person or for a command.

use crate::exit::Failure;
use crate::places::Places;
use crate::progress::Reporter;
use crate::provision::{self, Demo};
use serde_json::json;
use softboot_initrd::compress::Compression;
use softboot_qemu::accel::{self, Wish};
use softboot_qemu::channel::message::Stream;
use softboot_qemu::error::{VmError, with_repeat};
use softboot_qemu::kernel::Kernel;
use softboot_qemu::machine::{ConsoleMode, Machine, PortForward, share};
use softboot_qemu::run::{CommandEvent, CommandSpec, Vm};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long the guest may take to boot. Emulated on a busy host it can take a minute.
const BOOT_TIME: Duration = Duration::from_secs(300);

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Boot this kernel image [default: $SOFTBOOT_KERNEL, else the distribution's cloud kernel, fetched once]
    #[arg(long, value_name = "PATH")]
    kernel: Option<PathBuf>,
    /// Boot this initrd as it is, instead of building the demo image
    #[arg(long, value_name = "FILE")]
    initrd: Option<PathBuf>,
    /// Put a package of the distribution into the image, with all it needs; its maintainer scripts are not run
    #[arg(long, value_name = "NAME", conflicts_with = "initrd")]
    package: Vec<String>,
    /// auto, kvm or tcg; auto takes KVM only if a guest kernel was seen running under it
    #[arg(long, default_value = "auto")]
    accel: Wish,
    /// Memory in MiB
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(64..))]
    memory: u32,
    /// Number of processors; emulated ones are safe only alone, see docs/vm.md
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    smp: u32,
    /// Add to the kernel's command line; may be given several times
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    append: Vec<String>,
    /// End the run after this many seconds, with exit code 124
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Share a directory with the guest, which finds it at /run/host/share0, share1, …
    #[arg(long, value_name = "DIRECTORY")]
    share: Vec<PathBuf>,
    /// Lead a TCP port of this host's 127.0.0.1 to a port in the guest
    #[arg(long, value_name = "HOST:GUEST")]
    port: Vec<PortForward>,
    /// Print one JSON object a line about the run instead of text
    #[arg(long)]
    json: bool,
    /// With a command: show the console on standard error
    #[arg(long)]
    console: bool,
    /// Run this in the guest and exit with its status; its stdin is /dev/null
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<u8, Failure> {
    let result = run_inner(options);
    if options.json {
        match &result {
            Ok(code) => say(&json!({"event": "end", "code": code})),
            Err(failure) => say(
                &json!({"event": "failure", "kind": failure.kind(), "code": failure.code(),
                                        "message": failure.to_string()}),
            ),
        }
    }
    result
}

fn run_inner(options: &Options) -> Result<u8, Failure> {
    let places = Places::new();
    let mut reporter = Reporter::new();
    provision::ensure_qemu(&reporter)?;
    let kernel = provision::kernel(&places, options.kernel.as_deref(), &mut reporter)?;
    let initrd = match &options.initrd {
        Some(path) => path.clone(),
        None => {
            let packages: Vec<&str> = options.package.iter().map(String::as_str).collect();
            Demo::prepare(&places, &kernel, &packages, &mut reporter)?
                .cached(Compression::DEFAULT, &reporter)?
        }
    };
    let choice = accel::choose(options.accel, &kernel.image, &places.vm("accel.json"), |note| {
        reporter.say(note)
    });
    drop(reporter);
    if options.json {
        say(
            &json!({"event": "machine", "kernel": kernel.version, "accel": choice.accel, "reason": choice.reason}),
        );
    } else {
        eprintln!(
            "Kernel {} {}; accelerator {}: {}.",
            kernel.version, kernel.source, choice.accel, choice.reason
        );
    }
    let machine = machine(options, &kernel, initrd)?.accel(choice.accel);
    let attempt = || {
        if options.command.is_empty() && !options.json {
            interact(&machine)
        } else {
            command(options, &machine)
        }
    };
    let code = with_repeat(attempt, |fault| {
        if options.json {
            say(&json!({"event": "repeat", "message": fault.to_string()}));
        } else {
            eprintln!("{fault}\nRunning once more.");
        }
    })?;
    Ok(code)
}

fn machine(options: &Options, kernel: &Kernel, initrd: PathBuf) -> Result<Machine, Failure> {
    let mode = match (options.command.is_empty() && !options.json, options.console) {
        (true, _) => ConsoleMode::Interactive,
        (false, true) => ConsoleMode::Show,
        (false, false) => ConsoleMode::Capture,
    };
    let mut machine = Machine::builder(&kernel.image)
        .initrd(initrd)
        .memory_mb(options.memory)
        .smp(options.smp)
        .console(mode);
    for words in &options.append {
        machine = machine.append(words);
    }
    for port in &options.port {
        machine = machine.port(port.host, port.guest);
    }
    for (number, directory) in options.share.iter().enumerate() {
        let tag = format!("share{number}");
        let share = share::choose(directory, &tag, kernel.modules.as_deref()).map_err(VmError::from)?;
        machine = machine.share(share);
    }
    if let Some(seconds) = options.timeout {
        machine = machine.timeout(Duration::from_secs(seconds));
    }
    Ok(machine)
}

/// The console, for a person.
fn interact(machine: &Machine) -> Result<u8, VmError> {
    eprintln!("Ctrl-A X leaves the machine.");
    let vm = Vm::boot(machine)?;
    std::thread::scope(|scope| {
        // Mounts the shared directories while the user already sees the machine boot.
        scope.spawn(|| vm.wait_ready(BOOT_TIME).map_err(|error| log_share(&error)));
        vm.interact()
    })?;
    eprintln!();
    Ok(0)
}

fn log_share(error: &VmError) {
    // All other failures end the console as well, and are reported there.
    if matches!(error, VmError::Refused { .. }) {
        eprintln!("{error}\r");
    }
}

/// One command, or with `--json` and none, only the boot.
fn command(options: &Options, machine: &Machine) -> Result<u8, VmError> {
    let begun = Instant::now();
    let vm = Vm::boot(machine)?;
    let hello = vm.wait_ready(BOOT_TIME)?;
    if options.json {
        say(
            &json!({"event": "ready", "seconds": begun.elapsed().as_secs_f64(), "kernel": hello.kernel,
                    "boot_id": hello.boot_id, "transport": hello.transport}),
        );
    }
    if options.command.is_empty() {
        vm.shutdown()?;
        return Ok(0);
    }
    let spec = CommandSpec {
        argv: options.command.clone(),
        ..CommandSpec::default()
    };
    let mut running = vm.start(&spec);
    loop {
        let event = running.next(None)?;
        for event in vm.events().iter().filter(|_| options.json) {
            say(&json!({"event": "guest", "monotonic": event.stamp.as_secs_f64(), "value": event.value}));
        }
        match event {
            CommandEvent::Exit(status) => return Ok(status.code()),
            CommandEvent::Output(stream, bytes) if options.json => {
                say(&json!({"event": "output", "stream": stream, "text": String::from_utf8_lossy(&bytes)}));
            }
            // A reader that is gone does not change how the command ends.
            CommandEvent::Output(Stream::Stderr, bytes) => drop(std::io::stderr().write_all(&bytes)),
            CommandEvent::Output(_, bytes) => {
                let mut out = std::io::stdout();
                drop(out.write_all(&bytes).and_then(|()| out.flush()));
            }
        }
    }
}

/// One line of JSON on standard output.
fn say(value: &serde_json::Value) {
    println!("{value}");
}
