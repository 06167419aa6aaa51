//! `cargo xtask fuzz`: libFuzzer over everything that reads what others wrote.
//!
//! The coverage counters are LLVM's own and need no nightly compiler: a pass that rustc can be asked for
//! (`-Cpasses=sancov-module`). Only the fuzz programs are built with it, into a directory of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::exit::Failure;
use crate::guest::host_triple;
use crate::places::Places;
use crate::progress::Reporter;
use crate::provision;

/// What `--help` adds.
pub(crate) const HELP: &str = "\
Targets: listen, manifest, notify, snapshot, transfer, unit, varlink; all of them by default.

What is found goes to target/fuzz/found/TARGET and is the start of the next run. An input that breaks a
rule ends the run; its path is printed, with the command that repeats it. Put it into
tests/fuzz/regressions/TARGET with the fix. --merge keeps, of the committed corpus and of what was found,
the smallest set with the same coverage, and writes it into tests/fuzz/corpus.

The test command runs each target over the corpus and then for a few seconds from a fixed seed.

Exit code 0 if no rule was broken, else 1; 3 if a C++ compiler is missing.";

/// All targets.
pub(crate) const TARGETS: [&str; 7] = [
    "listen", "manifest", "notify", "snapshot", "transfer", "unit", "varlink",
];

/// Counters at every edge, the table of their places, and what comparisons compare.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks \
     -Clink-dead-code";

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Fuzz only these
    #[arg(value_name = "TARGET", value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    targets: Vec<String>,
    /// How long, each
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u32,
    /// Make the committed corpus anew from what was found
    #[arg(long)]
    merge: bool,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<u8, Failure> {
    let places = Places::new();
    let programs = build(&places)?;
    let all: Vec<String> = TARGETS.iter().map(ToString::to_string).collect();
    let targets = if options.targets.is_empty() {
        &all
    } else {
        &options.targets
    };
    let mut broken = false;
    for target in targets {
        broken |= match options.merge {
            true => !merge(&places, &programs, target)?,
            false => !explore(&places, &programs, target, options.seconds, None)?,
        };
    }
    Ok(u8::from(broken))
}

/// For the test command: each target for a moment, always the same way. Names and whether they hold.
pub(crate) fn test(places: &Places, seconds: u32) -> Result<Vec<(String, bool)>, Failure> {
    let programs = build(places)?;
    let one = |target: &&str| {
        let holds = explore(places, &programs, target, seconds, Some(1))?;
        Ok((format!("fuzz {target}"), holds))
    };
    TARGETS.iter().map(one).collect()
}

/// Builds the programs and says where they are.
fn build(places: &Places) -> Result<PathBuf, Failure> {
    let reporter = Reporter::new();
    provision::ensure(&reporter, "a C++ compiler", "g++", "g++")?;
    drop(reporter);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let (target, triple) = (places.fuzz("build"), host_triple()?);
    let status = Command::new(cargo)
        .current_dir(&places.root)
        .args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "softboot-fuzz",
            "--features",
            "libfuzzer",
        ])
        .args(["--bins", "--target", &triple, "--target-dir"])
        .arg(&target)
        // A target is named, so that the flags are for the programs alone and not for build scripts and macros.
        .env("RUSTFLAGS", FLAGS)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_STRIP", "none")
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Failure::host("running cargo for the fuzz programs", error))?;
    match status.success() {
        true => Ok(target.join(triple).join("release")),
        false => Err(Failure::Host(
            "the fuzz programs do not build; see cargo's messages above".into(),
        )),
    }
}

fn directory(path: PathBuf) -> Result<PathBuf, Failure> {
    match std::fs::create_dir_all(&path) {
        Ok(()) => Ok(path),
        Err(error) => Err(Failure::host(&format!("making {}", path.display()), error)),
    }
}

/// Runs one target; whether no rule was broken. With a seed what it finds is not kept, so that it is the same each time.
fn explore(
    places: &Places,
    programs: &Path,
    target: &str,
    seconds: u32,
    seed: Option<u32>,
) -> Result<bool, Failure> {
    let broken = directory(places.fuzz("broken"))?;
    let artifact = format!("{}/{target}-", broken.display());
    let mut command = Command::new(programs.join(format!("fuzz-{target}")));
    command.arg(format!("-max_total_time={seconds}"));
    command.args([
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-max_len=8192",
        "-print_final_stats=1",
    ]);
    command.arg(format!("-artifact_prefix={artifact}"));
    match seed {
        Some(seed) => command.arg(format!("-seed={seed}")).arg("-verbosity=0"),
        None => command.arg(directory(places.fuzz("found").join(target))?),
    };
    for place in ["corpus", "regressions"] {
        let committed = places.source(format!("tests/fuzz/{place}/{target}"));
        if committed.is_dir() {
            command.arg(match seed {
                // libFuzzer writes into the first directory it is given.
                Some(_) => copy(&committed, &places.fuzz("scratch").join(target).join(place))?,
                None => committed,
            });
        }
    }
    let output = places.fuzz(&format!("{target}.log"));
    let log = std::fs::File::create(&output)
        .map_err(|error| Failure::host(&format!("writing {}", output.display()), error))?;
    println!("   {target}: {seconds} s …");
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::from(log))
        .status()
        .map_err(|error| Failure::host(&format!("running the fuzz program for {target}"), error))?;
    let said = std::fs::read_to_string(&output).unwrap_or_default();
    report(target, &said, status.success(), programs);
    Ok(status.success())
}

fn copy(from: &Path, to: &Path) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::host(&format!("copying {}", from.display()), error);
    if to.exists() {
        std::fs::remove_dir_all(to).map_err(failed)?;
    }
    std::fs::create_dir_all(to).map_err(failed)?;
    for file in std::fs::read_dir(from).map_err(failed)? {
        let file = file.map_err(failed)?;
        std::fs::copy(file.path(), to.join(file.file_name())).map_err(failed)?;
    }
    Ok(to.to_owned())
}

fn report(target: &str, said: &str, holds: bool, programs: &Path) {
    let statistic = |name: &str| {
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix(&format!("stat::{name}:")));
        line.map_or("?", str::trim)
    };
    if holds {
        println!(
            "   {target}: {} runs, {} a second, {} new inputs",
            statistic("number_of_executed_units"),
            statistic("average_exec_per_sec"),
            statistic("new_units_added")
        );
        return;
    }
    let lines: Vec<&str> = said.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(25)..).unwrap_or_default();
    println!("{}", tail.join("\n"));
    let input = said
        .lines()
        .find_map(|line| line.split_once("Test unit written to ").map(|(_, path)| path));
    if let Some(input) = input {
        println!(
            "   {target}: a rule is broken; repeat it with\n   {}/fuzz-{target} {input}",
            programs.display()
        );
    }
}

/// Makes the committed corpus anew.
fn merge(places: &Places, programs: &Path, target: &str) -> Result<bool, Failure> {
    let committed = places.source(format!("tests/fuzz/corpus/{target}"));
    let merged = places.fuzz("merged").join(target);
    if merged.exists() {
        std::fs::remove_dir_all(&merged)
            .map_err(|error| Failure::host(&format!("removing {}", merged.display()), error))?;
    }
    let status = Command::new(programs.join(format!("fuzz-{target}")))
        .args(["-merge=1", "-timeout=10", "-max_len=8192"])
        .arg(directory(merged.clone())?)
        .arg(&committed)
        .arg(directory(places.fuzz("found").join(target))?)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| Failure::host(&format!("running the fuzz program for {target}"), error))?;
    if status.success() {
        copy(&merged, &committed)?;
        println!(
            "   {target}: {} inputs",
            std::fs::read_dir(&committed).map_or(0, Iterator::count)
        );
    }
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_corpus_and_a_program() {
        let places = Places::new();
        for target in TARGETS {
            assert!(
                places.source(format!("tests/fuzz/corpus/{target}")).is_dir(),
                "{target}"
            );
            assert!(
                places.source(format!("tests/fuzz/src/bin/{target}.rs")).is_file(),
                "{target}"
            );
        }
    }
}
