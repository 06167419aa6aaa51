//! Runs one scenario inside the system under test. See `softboot-scenario --help`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use softboot_tests::error::{Context, Error};
use softboot_tests::guest::{Options, Output, SCENARIOS, measure, scenario};

const USAGE: &str = "\
usage: softboot-scenario [--count N] [--out DIRECTORY] NAME | --measure SUBJECT

Runs as root, in a service that survives soft-reboots, inside the system under test.
Each check is a line; the exit code is 0 if all hold, 1 if one does not, 2 for wrong usage.

  --count N        how many soft-reboots or re-execs in a row (default 10)
  --measure WHAT   no scenario: figures of PID 1 as JSON: idle, reexec, crash, soft-reboot
  --stored N       soft-reboot: with so many descriptors of a service in the fd store (default 0)
  --out DIRECTORY  write the lines to DIRECTORY/output and the exit code to DIRECTORY/status

scenarios:";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Usage(text)) => {
            eprintln!("softboot-scenario: {text}");
            ExitCode::from(2)
        }
        Err(_) => ExitCode::FAILURE,
    }
}

fn run() -> Result<(), Error> {
    let (mut options, mut out, mut name) = (Options::default(), None::<PathBuf>, None);
    let (mut subject, mut stored) = (None, 0);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| Error::Usage(format!("{argument} needs a value")))
        };
        match argument.as_str() {
            "--help" | "-h" => {
                println!("{USAGE}");
                SCENARIOS
                    .iter()
                    .for_each(|scenario| println!("  {:<15} {}", scenario.name, scenario.holds));
                return Ok(());
            }
            // What a softbootd is asked before it may take over: refusals puts this program in its place.
            "--verify" => return softboot_tests::guest::asked(),
            // The service of fd-store.
            "--store" => return softboot_tests::guest::store(),
            // The services of soak.
            "--serve" => return softboot_tests::guest::serve(),
            // The floor of measurements.
            "--serve-stdin" => return softboot_tests::guest::serve_stdin(),
            // A service for each connection, and the floor of starting it.
            "--answer" => {
                softboot_tests::guest::answer_stdin();
                return Ok(());
            }
            "--activate" => return softboot_tests::guest::activate(),
            "--hold" => {
                let count = number(&value()?)?;
                return softboot_tests::guest::hold(count);
            }
            // Takes its time, in a root that has nothing else that could.
            "--sleep" => {
                std::thread::sleep(std::time::Duration::from_secs(number(&value()?)?));
                return Ok(());
            }
            "--stored" => stored = number(&value()?)?,
            // The service of stages.
            "--stage" => return softboot_tests::guest::stage(),
            "--count" => {
                options.count = number(&value()?)?;
            }
            "--measure" => subject = Some(value()?),
            "--out" => out = Some(value()?.into()),
            _ => name = Some(argument),
        }
    }
    if let Some(subject) = subject {
        return figures(&subject, options.count, stored, out.as_deref());
    }
    let scenario = scenario(&name.ok_or_else(|| Error::Usage("which scenario? see --help".to_owned()))?)?;
    let mut output = match &out {
        Some(directory) => {
            Output::new(fs::File::create(directory.join("output")).doing("making the output file")?)
        }
        None => Output::new(std::io::stdout()),
    };
    let result = scenario.run(&mut output, &options);
    if let Err(error) = &result {
        output.note(format!("FAILED: {error}"));
    }
    if let Some(directory) = &out {
        write_status(directory, u8::from(result.is_err()))?;
    }
    result
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, Error> {
    text.parse()
        .map_err(|_| Error::Usage(format!("not a number: {text}")))
}

fn figures(subject: &str, count: u32, stored: usize, out: Option<&Path>) -> Result<(), Error> {
    let figures = measure(subject, count, stored);
    let text = match &figures {
        Ok(figures) => figures.to_string(),
        Err(error) => format!("FAILED: {error}"),
    };
    match out {
        None => println!("{text}"),
        Some(directory) => {
            fs::write(directory.join("output"), text).doing("writing the figures")?;
            write_status(directory, u8::from(figures.is_err()))?;
        }
    }
    figures.map(drop)
}

/// Whoever waits for the file must find it whole.
fn write_status(directory: &Path, code: u8) -> Result<(), Error> {
    let beside = directory.join("status.new");
    fs::write(&beside, format!("{code}\n")).doing("writing the exit code")?;
    fs::rename(&beside, directory.join("status")).doing("writing the exit code")
}
