//! Runs a scenario in a container. See `softboot-container --help`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use softboot_tests::container::{Plan, init, run, state};
use softboot_tests::error::{Context, Error};

const USAGE: &str = "\
usage: softboot-container run ROOT SCENARIO-PROGRAM NAME [ARGUMENT...]

Runs the scenario NAME in a container whose root is the directory ROOT, an unpacked image, which is written to.
Needs root, and unshare(1). Exit codes: the scenario's, 1 if the container failed, 2 for wrong usage.";

/// How long a scenario may take.
const LIMIT: Duration = Duration::from_secs(600);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("softboot-container: {error}");
            ExitCode::from(if matches!(error, Error::Usage(_)) { 2 } else { 1 })
        }
    }
}

fn dispatch(words: &[&str]) -> Result<u8, Error> {
    match words {
        ["--help" | "-h"] => {
            println!("{USAGE}");
            Ok(0)
        }
        ["run", root, scenario, arguments @ ..] if !arguments.is_empty() => {
            let outcome = run(&Plan {
                root: PathBuf::from(root),
                harness: std::env::current_exe().doing("finding the own program")?,
                scenario: PathBuf::from(scenario),
                beside: Vec::new(),
                reference: Vec::new(),
                words: String::new(),
                arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
                limit: LIMIT,
                ends: false,
            })?;
            print!("{}", outcome.output);
            if outcome.code != 0 {
                print!("--- console ---\n{}", outcome.console);
            }
            Ok(outcome.code)
        }
        // The harness in the container's PID namespace, which asks its manager.
        ["describe", socket] => {
            let answer = state::ask(Path::new(socket)).doing(format!("asking at {socket}"))?;
            println!("{answer}");
            Ok(0)
        }
        // The two stages that the harness goes through itself.
        ["stage", cgroup, root, shared, console] => {
            let [cgroup, root, shared, console] = [cgroup, root, shared, console].map(Path::new);
            init::enter(cgroup, root, shared, console).map(|()| 1)
        }
        ["init", root, shared, console] => {
            init::become_init(Path::new(root), Path::new(shared), Path::new(console)).map(|()| 1)
        }
        _ => Err(Error::Usage(USAGE.to_owned())),
    }
}
