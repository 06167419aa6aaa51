//! Runs a selection of scenarios, each in a system of its own, and says what came of each.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use softboot_qemu::channel::message::ExitStatus;
use softboot_qemu::error::{VmError, with_repeat};
use softboot_qemu::machine::Machine;
use softboot_qemu::run::{CommandSpec, Hello, Vm};

use crate::container::{self, Outcome, Plan};
use crate::error::{Context, Error};
use crate::guest::{REFERENCE, SCENARIOS, Scenario, scenario};

/// How long one scenario may take; an emulated machine on a busy host is slow.
const LIMIT: Duration = Duration::from_secs(900);
/// How much longer for each round that is asked for.
const LIMIT_A_ROUND: Duration = Duration::from_secs(15);
/// How long the machine may take to boot.
const BOOT_LIMIT: Duration = Duration::from_secs(180);

/// What the scenarios run in.
pub enum Form<'a> {
    /// The test machine for a scenario: with the demo image and what the scenario needs beside it as its initrd.
    Vm(&'a dyn Fn(&Scenario) -> Result<Machine, String>),
    /// A container.
    Container(ContainerForm<'a>),
}

/// Unpacks an image into an empty directory; the second argument names packages that it has to have.
type Unpack<'a> = dyn Fn(&Path, &[&str]) -> Result<(), String> + 'a;

/// Programs of the newest systemd, for the scenarios that compare with it.
#[derive(Clone, Debug)]
pub enum Reference {
    /// Programs with their loader and their libraries, to lie in one directory.
    Files(Vec<PathBuf>),
    /// They cannot be had from here, and why: what needs them is skipped.
    Unreachable(String),
}

/// What a container is made of.
pub struct ContainerForm<'a> {
    /// Unpacks the image with these packages into an empty directory.
    pub unpack: &'a Unpack<'a>,
    /// An existing directory, below which each run gets one of its own.
    pub scratch: PathBuf,
    /// The program `softboot-container`.
    pub harness: PathBuf,
    /// The program `softboot-scenario`, static.
    pub scenario: PathBuf,
    /// softbootd with places at which a scenario makes it crash, static.
    pub faulty: PathBuf,
    /// Gets the reference; called for scenarios that need it only.
    pub reference: &'a dyn Fn() -> Result<Reference, String>,
}

/// What came of one scenario.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Its name.
    pub scenario: &'static str,
    /// How long it took, with the boot.
    pub duration: Duration,
    /// Why it was not run.
    pub skipped: Option<String>,
    /// `None`: all holds. Else what does not.
    pub failure: Option<String>,
    /// What it printed.
    pub output: String,
    /// The machine failed once, and the run was repeated.
    pub repeated: bool,
}

/// What came of all of them.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One for each scenario that ran, in order.
    pub verdicts: Vec<Verdict>,
}

impl Report {
    /// True if all holds.
    pub fn passed(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.failure.is_none())
    }
}

/// Which scenarios, and how much of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selection<'a> {
    /// Their names; empty: all that there are for the form.
    pub names: &'a [&'a str],
    /// How many rounds, in those that have any (`softboot-scenario --count`).
    pub rounds: Option<u32>,
}

impl Selection<'_> {
    fn arguments(&self, scenario: &Scenario, rounds: Option<u32>) -> Vec<String> {
        let mut arguments = Vec::new();
        if let Some(rounds) = self.rounds.or(rounds) {
            arguments.extend(["--count".to_owned(), rounds.to_string()]);
        }
        arguments.push(scenario.name.to_owned());
        arguments
    }

    fn limit(&self) -> Duration {
        LIMIT.saturating_add(LIMIT_A_ROUND.saturating_mul(self.rounds.unwrap_or(0)))
    }
}

/// Runs the scenarios, and tells `line` about each as it ends. A fault of the machine is no verdict: that scenario is
/// repeated, once.
///
/// # Errors
/// [`Error::Usage`] for an unknown name. A scenario that fails, or cannot be run, is a [`Verdict`].
pub fn run_suite(
    selection: &Selection<'_>,
    form: &Form<'_>,
    line: &mut dyn FnMut(&str),
) -> Result<Report, Error> {
    let mut report = Report::default();
    for scenario in select(selection.names, matches!(form, Form::Container(_)))? {
        let begun = Instant::now();
        let mut repeated = false;
        let result = match form {
            Form::Vm(machine) => machine(scenario)
                .map_err(|reason| Error::Check(format!("building the image: {reason}")))
                .and_then(|machine| {
                    with_repeat(|| in_vm(scenario, selection, &machine), |_| repeated = true)
                        .map_err(Error::from)
                }),
            Form::Container(parts) => in_container(scenario, selection, parts),
        };
        let mut skipped = None;
        let (failure, output) = match result {
            Err(Error::Skipped(reason)) => {
                skipped = Some(reason);
                (None, String::new())
            }
            Ok((0, output)) => (None, output),
            Ok((code, output)) => (Some(format!("exit code {code}")), output),
            Err(error) => (Some(error.to_string()), String::new()),
        };
        let verdict = Verdict {
            scenario: scenario.name,
            duration: begun.elapsed(),
            skipped,
            failure,
            output,
            repeated,
        };
        line(&describe(&verdict));
        report.verdicts.push(verdict);
    }
    Ok(report)
}

fn select(selection: &[&str], container: bool) -> Result<Vec<&'static Scenario>, Error> {
    if selection.is_empty() {
        return Ok(SCENARIOS
            .iter()
            .filter(|scenario| {
                if container {
                    scenario.in_container
                } else {
                    scenario.in_vm
                }
            })
            .collect());
    }
    selection.iter().map(|name| scenario(name)).collect()
}

fn describe(verdict: &Verdict) -> String {
    if let Some(reason) = &verdict.skipped {
        return format!("skip {:<15} {reason}", verdict.scenario);
    }
    let word = if verdict.failure.is_none() { "ok  " } else { "FAIL" };
    let repeated = if verdict.repeated {
        " (repeated once: the machine's fault)"
    } else {
        ""
    };
    let mut text = format!(
        "{word} {:<15} {:>6.1} s{repeated}",
        verdict.scenario,
        verdict.duration.as_secs_f64()
    );
    if let Some(failure) = &verdict.failure {
        text = format!("{text}\n{}\n{failure}", verdict.output.trim_end());
    }
    text
}

fn in_vm(scenario: &Scenario, selection: &Selection<'_>, machine: &Machine) -> Result<(u8, String), VmError> {
    let vm = Vm::boot(machine)?;
    let first = vm.wait_ready(BOOT_LIMIT)?;
    let arguments = selection.arguments(scenario, scenario.vm_rounds);
    let mut command = vec!["/usr/bin/softboot-scenario"];
    command.extend(arguments.iter().map(String::as_str));
    let (mut code, mut output) = run_once(&vm, &command, selection)?;
    if let (0, Some(script)) = (code, scenario.kexec) {
        output.push_str(&go_on(&vm, &first, script)?);
        let (second, more) = run_once(&vm, &command, selection)?;
        code = second;
        output.push_str(&more);
    }
    if code != 0 {
        let console = vm.console_tail().0.join("\n");
        return Ok((code, format!("{output}--- console ---\n{console}")));
    }
    let before = vm.console_before().map(|lines| lines.0);
    vm.shutdown()?;
    let console = before.unwrap_or_else(|| vm.console_tail().0);
    Ok(match missing(&console, scenario.farewell) {
        None => (0, output),
        Some(line) => (
            1,
            format!(
                "{output}at its end the machine did not say {line:?}:\n{}",
                console.join("\n")
            ),
        ),
    })
}

fn run_once(vm: &Vm, command: &[&str], selection: &Selection<'_>) -> Result<(u8, String), VmError> {
    let ran = vm.run(command, selection.limit())?;
    let output = format!("{}{}", ran.stdout_text(), ran.stderr_text());
    Ok((ExitStatus::code(ran.status), output))
}

/// Runs the script that goes into another kernel, and waits until that has booted.
fn go_on(vm: &Vm, first: &Hello, script: &str) -> Result<String, VmError> {
    let argv = ["/bin/busybox", "sh", "-c", script].map(str::to_owned).to_vec();
    let going = vm.start(&CommandSpec {
        argv,
        ..CommandSpec::default()
    });
    match going.finish(BOOT_LIMIT) {
        Ok(ran) if !ran.status.is_success() => {
            let reason = format!("`{script}`: {}", ran.stderr_text().trim());
            return Err(VmError::Refused {
                reason,
                code: ran.status.code(),
            });
        }
        // The agent may have ended before it could say how that ended.
        Ok(_) | Err(VmError::Agent(_)) => {}
        Err(error) => return Err(error),
    }
    vm.wait_ready_count(2, BOOT_LIMIT)?;
    let second = vm.wait_agent(BOOT_LIMIT)?;
    if second.boot_id == first.boot_id {
        let reason = "all of userspace booted again, and under the same kernel".to_owned();
        return Err(VmError::Refused { reason, code: 1 });
    }
    Ok(format!(
        "ok:   boot {} was left for boot {}\n",
        first.boot_id, second.boot_id
    ))
}

/// The first of these that is not in a line after the line of the one before.
fn missing<'a>(console: &[String], wanted: &[&'a str]) -> Option<&'a str> {
    let mut lines = console.iter();
    wanted
        .iter()
        .find(|text| !lines.any(|line| line.contains(**text)))
        .copied()
}

fn in_container(
    scenario: &Scenario,
    selection: &Selection<'_>,
    parts: &ContainerForm<'_>,
) -> Result<(u8, String), Error> {
    let reference = if REFERENCE.contains(&scenario.name) {
        match (parts.reference)()
            .map_err(|reason| Error::Check(format!("getting the reference: {reason}")))?
        {
            Reference::Files(files) => files,
            Reference::Unreachable(reason) => return Err(Error::Skipped(reason)),
        }
    } else {
        Vec::new()
    };
    let root = parts
        .scratch
        .join(format!("root-{}-{}", std::process::id(), scenario.name));
    std::fs::create_dir(&root).doing(format!("making {}", root.display()))?;
    let unpacked = (parts.unpack)(&root, scenario.packages)
        .map_err(|reason| Error::Check(format!("unpacking the image: {reason}")));
    let ran = unpacked.and_then(|()| {
        container::run(&Plan {
            root: root.clone(),
            harness: parts.harness.clone(),
            scenario: parts.scenario.clone(),
            beside: vec![parts.faulty.clone()],
            reference: reference.clone(),
            words: scenario.words.join(" "),
            arguments: selection.arguments(scenario, None),
            limit: selection.limit(),
            ends: scenario.exit.is_some(),
        })
    });
    std::fs::remove_dir_all(&root).doing(format!("removing {}", root.display()))?;
    let outcome = ran?;
    if let (0, Some(wanted)) = (outcome.code, scenario.exit) {
        let reason = ended_otherwise(&outcome, i32::from(wanted), scenario.farewell);
        return Ok(match reason {
            None => (0, outcome.output),
            Some(reason) => (
                1,
                format!("{}{reason}\n--- console ---\n{}", outcome.output, outcome.console),
            ),
        });
    }
    let console = if outcome.code == 0 {
        String::new()
    } else {
        format!("--- console ---\n{}", outcome.console)
    };
    Ok((outcome.code, outcome.output + &console))
}

/// What is not as it must be about the end of a container that ends by itself.
fn ended_otherwise(outcome: &Outcome, wanted: i32, farewell: &[&str]) -> Option<String> {
    if outcome.exit != Some(wanted) {
        return Some(format!(
            "the container ended with {:?}, not {wanted}",
            outcome.exit
        ));
    }
    let console: Vec<String> = outcome.console.lines().map(str::to_owned).collect();
    missing(&console, farewell).map(|line| format!("at its end the container did not say {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(selection: &[&str], container: bool) -> Vec<&'static str> {
        select(selection, container)
            .unwrap()
            .iter()
            .map(|scenario| scenario.name)
            .collect()
    }

    #[test]
    fn container_and_machine_run_their_own_selections_unless_told_otherwise() {
        let (container, vm) = (names(&[], true), names(&[], false));
        assert!(container.contains(&"fd-store") && !container.contains(&"stubborn"));
        assert!(vm.contains(&"stubborn") && !vm.contains(&"fd-store"));
        assert!(container.contains(&"page") && vm.contains(&"page"));
        assert_eq!(names(&["stubborn"], true), ["stubborn"]);
    }

    #[test]
    fn a_container_that_ends_otherwise_than_it_has_to_is_a_failure() {
        let outcome = |exit| Outcome {
            code: 0,
            output: String::new(),
            console: "a stops\nending\n".to_owned(),
            exit,
        };
        assert_eq!(
            ended_otherwise(&outcome(Some(7)), 7, &["a stops", "ending"]),
            None
        );
        for (exit, farewell) in [(Some(0), "a stops"), (None, "a stops"), (Some(7), "b stops")] {
            assert!(ended_otherwise(&outcome(exit), 7, &[farewell]).is_some());
        }
    }

    #[test]
    fn a_farewell_has_its_order() {
        let console = ["a 1", "b 2", "c 3"].map(str::to_owned);
        assert_eq!(missing(&console, &["a", "c"]), None);
        assert_eq!(missing(&console, &["b", "a"]), Some("a"));
        assert_eq!(missing(&console, &["b", "b"]), Some("b"));
    }

    #[test]
    fn an_unknown_scenario_is_named_beside_the_known_ones() {
        let error = select(&["pages"], false).unwrap_err().to_string();
        assert!(
            error.contains("pages") && error.contains("soft-reboots"),
            "{error}"
        );
    }
}
