//! Runs benchmarks and prints figures. `cargo xtask bench` is how people call it; the virtual machine calls it directly.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use softboot_bench::engine;
use softboot_bench::error::{Context as _, Error};
use softboot_bench::fdstore::{self, Kind, Role};
use softboot_bench::greyout::{self, Case, Peer};
use softboot_bench::{machine::Machine, record::Record, table};
use softboot_bench::{pid1, spawn};
use softboot_greyout::report::Paint;
use softboot_greyout::result::Results;
use softboot_qemu::machine::Accel;

/// Measures softboot beside floors and peers.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The fd store: push, handoff, transfer, memory
    Fdstore {
        /// Numbers of descriptors
        #[arg(long, value_delimiter = ',', default_value = "1000,10000")]
        sizes: Vec<usize>,
        /// Kinds of descriptors
        #[arg(
            long,
            value_enum,
            value_delimiter = ',',
            default_value = "socket,memfd,eventfd"
        )]
        kinds: Vec<Kind>,
        /// How often each is done
        #[arg(long, default_value_t = 7)]
        runs: usize,
        /// Where hello-fdstore and hello-plain are, to compare their sizes
        #[arg(long, value_name = "DIRECTORY")]
        programs: Option<PathBuf>,
        /// Write the figures as JSON; `-` is standard output
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// The engine: load, insert, start, event, save, restore; and PID 1: spawn, memory, boot
    Engine {
        /// Numbers of units, the smallest first
        #[arg(long, value_delimiter = ',', default_value = "100,1000,10000,100000")]
        sizes: Vec<usize>,
        /// How often each is done
        #[arg(long, default_value_t = 7)]
        runs: usize,
        /// For PID 1: an unpacked image, which is written to
        #[arg(long, value_name = "DIRECTORY", requires = "programs")]
        root: Option<PathBuf>,
        /// For PID 1: where softboot-container and softboot-scenario are
        #[arg(long, value_name = "DIRECTORY")]
        programs: Option<PathBuf>,
        /// For PID 1: numbers of idle socket units
        #[arg(long, value_delimiter = ',', default_value = "10,500,5000")]
        sockets: Vec<usize>,
        /// Write the figures as JSON; `-` is standard output
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Replacing PID 1: how long nobody is answered in a re-exec, after a crash, and in a soft-reboot
    Handoff {
        /// Which
        #[arg(
            long,
            value_enum,
            value_delimiter = ',',
            default_value = "reexec,crash,soft-reboot"
        )]
        events: Vec<pid1::HandoffEvent>,
        /// Numbers of idle socket units [default: 10,100,500,5000]; with --here of open ports [default: 1000,4000,16000]
        #[arg(long, value_delimiter = ',')]
        sizes: Vec<usize>,
        /// How often each is done
        #[arg(long, default_value_t = 20)]
        runs: usize,
        /// The PID 1 of this machine, re-exec and crash alone: ports are opened in it
        #[arg(long, conflicts_with_all = ["root", "programs"])]
        here: bool,
        /// An unpacked image, which is written to
        #[arg(long, value_name = "DIRECTORY", required_unless_present = "here")]
        root: Option<PathBuf>,
        /// Where softboot-container and softboot-scenario are
        #[arg(long, value_name = "DIRECTORY", required_unless_present = "here")]
        programs: Option<PathBuf>,
        /// Write the figures as JSON; `-` is standard output
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Soft-reboots: how long nobody answers, beside systemd
    Greyout {
        /// Where softboot-container, softboot-scenario, softbootd and softctl are
        #[arg(long, value_name = "DIRECTORY")]
        programs: PathBuf,
        /// A root to compare with, and its name; may be given several times
        #[arg(long, value_name = "NAME=DIRECTORY", value_parser = peer)]
        peer: Vec<Peer>,
        /// What happens to the service's socket
        #[arg(long, value_enum, value_delimiter = ',', default_value = "kept,stopped")]
        cases: Vec<Case>,
        /// How many soft-reboots of each
        #[arg(long, default_value_t = 10)]
        cycles: usize,
        /// An existing directory for the roots
        #[arg(long, value_name = "DIRECTORY")]
        scratch: PathBuf,
        /// Write a page that needs nothing but itself
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// What repeats it, for the result
        #[arg(long, default_value = "")]
        repeat: String,
        /// Write the result as JSON; `-` is standard output
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Boot each system as often, in the place of soft-reboots
        #[arg(long)]
        boot: bool,
    },
    /// Workload files: how long nobody answers, at every endpoint of theirs
    Workload {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Attempts a second, in the place of the files'
        #[arg(long)]
        rate: Option<u32>,
        /// Where softboot-container, softboot-scenario, softbootd and softctl are
        #[arg(long, value_name = "DIRECTORY")]
        programs: PathBuf,
        /// softboot-probe, static
        #[arg(long, value_name = "FILE")]
        probe: PathBuf,
        /// A root to compare with, and its name; may be given several times
        #[arg(long, value_name = "NAME=DIRECTORY", value_parser = peer)]
        peer: Vec<Peer>,
        /// In the place of the file's
        #[arg(long)]
        cycles: Option<u32>,
        /// An existing directory for the roots
        #[arg(long, value_name = "DIRECTORY")]
        scratch: PathBuf,
        /// In test machines with this kernel
        #[arg(long, value_name = "FILE", requires = "initrd")]
        kernel: Option<PathBuf>,
        /// With --kernel: the demo image
        #[arg(long, value_name = "FILE")]
        initrd: Option<PathBuf>,
        /// With --kernel: the machine's processors are the host's
        #[arg(long)]
        kvm: bool,
        /// Write a page that needs nothing but itself
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// What repeats it, for the result
        #[arg(long, default_value = "")]
        repeat: String,
        /// Write the result as JSON; `-` is standard output
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// A floor, in a process of its own
    #[command(hide = true)]
    ExecAndRead { descriptors: usize, bytes: usize },
    /// Processes started by one of so many MiB
    #[command(hide = true)]
    SpawnIn {
        mib: usize,
        runs: usize,
        program: PathBuf,
    },
    /// A part of a case, in a process of its own
    #[command(hide = true)]
    Role {
        #[arg(value_enum)]
        role: Role,
        #[arg(long, value_enum)]
        kind: Kind,
        #[arg(long)]
        size: usize,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("softboot-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Role { role, kind, size } => role.play(kind, size),
        Command::Fdstore {
            sizes,
            kinds,
            runs,
            programs,
            json,
        } => {
            raise_limit()?;
            let plan = fdstore::Plan {
                sizes,
                kinds,
                runs,
                programs,
            };
            let records = fdstore::run(&plan, &mut progress)?;
            report(&records, json.as_deref())
        }
        Command::Engine {
            sizes,
            runs,
            root,
            programs,
            sockets,
            json,
        } => {
            let mut records = engine::run(&engine::Plan { sizes, runs }, &mut progress)?;
            if let (Some(root), Some(programs)) = (root, programs) {
                let program = root.join("bin/busybox");
                records.extend(spawn::run(&spawn::Plan { program, runs }, &mut progress)?);
                raise_limit()?;
                let plan = pid1::Plan {
                    sizes: sockets,
                    runs,
                    root,
                    programs,
                };
                records.extend(pid1::idle(&plan, &mut progress)?);
            }
            report(&records, json.as_deref())
        }
        Command::Handoff {
            events,
            sizes,
            runs,
            here: _,
            root,
            programs,
            json,
        } => {
            raise_limit()?;
            let or = |usual: &[usize]| {
                if sizes.is_empty() {
                    usual.to_vec()
                } else {
                    sizes.clone()
                }
            };
            let records = match (root, programs) {
                (Some(root), Some(programs)) => {
                    let sizes = or(&[10, 100, 500, 5000]);
                    let plan = pid1::Plan {
                        sizes,
                        runs,
                        root,
                        programs,
                    };
                    pid1::handoff(&plan, &events, &mut progress)?
                }
                _ => pid1::handoff_here(&or(&[1000, 4000, 16_000]), runs, &events, &mut progress)?,
            };
            report(&records, json.as_deref())
        }
        Command::Greyout {
            programs,
            peer,
            cases,
            cycles,
            scratch,
            html,
            repeat,
            json,
            boot,
        } => {
            let plan = greyout::Plan {
                programs,
                peers: peer,
                cases,
                cycles,
                scratch,
            };
            if boot {
                return report(&greyout::boots(&plan, &mut progress)?, json.as_deref());
            }
            let measured = greyout::run(&plan, &mut progress)?;
            let note = "The measurement was ended before all cycles were done.".to_owned();
            let notes = measured.interrupted.then_some(note).into_iter().collect();
            let results = greyout::results(&measured.outcomes, &repeat, notes)?;
            write_json(&results, json.as_deref())?;
            eprintln!("{}", Machine::current());
            eprint!("{}", greyout::render(&results));
            written(&results, html.as_deref(), measured.interrupted)
        }
        Command::Workload {
            files,
            rate,
            programs,
            probe,
            peer,
            cycles,
            scratch,
            kernel,
            initrd,
            kvm,
            html,
            repeat,
            json,
        } => {
            let vm = kernel.zip(initrd).map(|(kernel, initrd)| greyout::file::VmParts {
                kernel,
                initrd,
                accel: if kvm { Accel::Kvm } else { Accel::Tcg },
            });
            let plan = greyout::file::Plan {
                workloads: files,
                cycles,
                rate,
                programs,
                probe,
                peers: peer,
                scratch,
                vm,
            };
            let measured = greyout::file::run(&plan, &repeat, &mut progress)?;
            write_json(&measured.results, json.as_deref())?;
            eprintln!("{}", Machine::current());
            let terminal = std::io::stderr().is_terminal();
            let (no_color, term) = (std::env::var_os("NO_COLOR"), std::env::var_os("TERM"));
            let paint = Paint::choose(terminal, no_color.as_deref(), term.as_deref());
            eprint!("{}", softboot_greyout::report::summary(&measured.results, paint));
            written(&measured.results, html.as_deref(), measured.interrupted)
        }
        Command::SpawnIn { mib, runs, program } => spawn::in_process_of(mib, runs, &program),
        Command::ExecAndRead { descriptors, bytes } => pid1::exec_and_read(descriptors, bytes),
    }
}

/// The page, and whether it was all.
fn written(results: &Results, html: Option<&Path>, interrupted: bool) -> Result<(), Error> {
    if let Some(page) = html {
        greyout::write_page(results, page)?;
        eprintln!("The page is {}.", page.display());
    }
    match interrupted {
        false => Ok(()),
        true => Err(Error {
            what: "measuring".to_owned(),
            reason: "interrupted; what was measured until then is written".to_owned(),
        }),
    }
}

/// `NAME=DIRECTORY`.
fn peer(text: &str) -> Result<Peer, String> {
    let (name, root) = text.split_once('=').ok_or("it is not NAME=DIRECTORY")?;
    Ok(Peer {
        name: name.to_owned(),
        root: root.into(),
    })
}

/// The table for a person, and the file.
fn report(records: &[Record], json: Option<&Path>) -> Result<(), Error> {
    write_json(&records, json)?;
    eprintln!("{}", Machine::current());
    eprint!("{}", table::render(records));
    Ok(())
}

fn write_json(records: &impl serde::Serialize, json: Option<&Path>) -> Result<(), Error> {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    let text = serde_json::to_string_pretty(records).context("encoding")?;
    match json {
        Some(path) if path.as_os_str() == "-" => println!("{text}"),
        Some(path) => std::fs::write(path, text).context(&format!("writing {}", path.display()))?,
        None => {}
    }
    Ok(())
}

/// One line that is overwritten on a terminal, one line each elsewhere.
fn progress(what: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{what} …");
    } else {
        eprintln!("{what}");
    }
}

/// As many descriptors as this machine allows.
fn raise_limit() -> Result<(), Error> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, wanted).context("raising the limit of open descriptors")
}
