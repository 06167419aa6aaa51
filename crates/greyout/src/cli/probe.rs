//! softboot-probe: makes attempts at a fixed rate, and records each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{complain, pair};
use crate::clock;
use crate::duration;
use crate::endpoint::Endpoint;
use crate::probe::{Finished, Plan, Probe, run, send_mark};
use crate::workload::{View, Workload};

const NAME: &str = "softboot-probe";
const EXAMPLES: &str = "\
Examples:
  softboot-probe run --out web.grey --for 30s web=http:127.0.0.1:80/
  softboot-probe run --out all.grey --marks /run/grey.marks --until-file /run/enough \\
      echo=tcp:127.0.0.1:7000 held=held:tcp:127.0.0.1:7000 control=varlink:/run/softboot/control
  softboot-probe mark /run/grey.marks begin soft-reboot
  softboot-greyout report web.grey --html web.html

Endpoints, each [NAME=]KIND:ADDRESS:
  tcp:IP:PORT           connect, send a line, expect it back
  unix:/PATH            the same over a local socket
  http:IP:PORT/PAGE     GET, expect status 200 and a whole body
  udp:IP:PORT           send a numbered datagram, expect it back
  held:tcp:IP:PORT      a line over a connection that stays; held:unix:/PATH too
  varlink:/PATH         call org.varlink.service.GetInfo
  accept:tcp:IP:PORT    connect, send a line, read to the end (Accept=yes);
                        accept:unix:/PATH too

Latency counts from the time at which an attempt was due, so a stall counts for all
that it delayed. SIGINT and SIGTERM end the probing; the record is whole then.

Exit status: 0 done, 1 the probing could not begin or the record could not be
written, 2 usage.";

/// Measure how a machine's endpoints answer, whatever its service manager does meanwhile.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Probe endpoints and record every attempt.
    Run(Run),
    /// Put a mark into the record of a running probe: begin NAME, end, or note TEXT.
    Mark(SendMark),
    /// Be a service that answers every kind of probe, at the socket that is standard input.
    Serve,
}

#[derive(Debug, Args)]
struct Run {
    /// The endpoints.
    #[arg(value_name = "[NAME=]ENDPOINT", required_unless_present = "workload", value_parser = endpoint)]
    endpoints: Vec<(String, Endpoint)>,
    /// Take the endpoints of a workload file as well, and its case as a label.
    #[arg(long, value_name = "FILE")]
    workload: Option<PathBuf>,
    /// Which endpoints of the workload: those that are seen from here.
    #[arg(long, value_name = "VIEW", default_value = "survivor", requires = "workload")]
    view: WorkloadView,
    /// Where the record goes. A file that is there is not overwritten.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Attempts a second on each endpoint [default: 1000, or what the workload says].
    #[arg(long, value_name = "HERTZ", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// What each step of an attempt may take [default: 5s, udp 100ms].
    #[arg(long, value_name = "TIME", value_parser = time)]
    timeout: Option<Duration>,
    /// End after this time.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    duration: Option<Duration>,
    /// End as soon as this file is there.
    #[arg(long, value_name = "PATH")]
    until_file: Option<PathBuf>,
    /// Take marks at this socket; see mark.
    #[arg(long, value_name = "PATH")]
    marks: Option<PathBuf>,
    /// Say something of the run; manager, case, view and accelerator have a meaning in reports.
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
}

/// From where this probe looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WorkloadView {
    /// A process that lives through the event.
    Survivor,
    /// Outside of the machine.
    Host,
}

#[derive(Debug, Args)]
struct SendMark {
    /// The probe's socket, as in --marks.
    #[arg(value_name = "SOCKET")]
    socket: PathBuf,
    /// begin NAME, end, or note TEXT; with @NANOSECONDS of CLOCK_MONOTONIC before it if it was earlier.
    #[arg(value_name = "MARK", required = true)]
    mark: Vec<String>,
}

fn endpoint(text: &str) -> Result<(String, Endpoint), String> {
    let (name, address) = match text.split_once('=') {
        Some((name, address)) if !name.is_empty() && !name.contains([':', '/']) => (name, address),
        _ => (text, text),
    };
    let endpoint = address.parse::<Endpoint>().map_err(|error| error.to_string())?;
    Ok((name.to_owned(), endpoint))
}

fn time(text: &str) -> Result<Duration, String> {
    match duration::parse(text) {
        Ok(Duration::ZERO) => Err("no time at all is too little".to_owned()),
        other => other.map_err(|error| error.to_string()),
    }
}

/// Runs the program.
pub fn main(cli: Cli) -> ExitCode {
    let result = match cli.action {
        Action::Run(run) => probe(run),
        Action::Serve => {
            crate::serve::serve_stdin().map_err(|error| format!("serving standard input: {error}"))
        }
        Action::Mark(mark) => {
            send_mark(&mark.socket, &mark.mark.join(" ")).map_err(|error| error.to_string())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(NAME, &error);
            ExitCode::FAILURE
        }
    }
}

fn probe(options: Run) -> Result<(), String> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| format!("catching signal {signal}: {error}"))?;
    }
    let every = |rate: u32| Duration::from_nanos(1_000_000_000 / u64::from(rate.max(1)));
    let interval = every(options.rate.unwrap_or(1000));
    let probe = |(name, endpoint): (String, Endpoint)| Probe {
        timeout: options.timeout.unwrap_or_else(|| endpoint.default_timeout()),
        name,
        endpoint,
        interval,
    };
    let mut probes: Vec<Probe> = options.endpoints.into_iter().map(probe).collect();
    let mut labels = BTreeMap::new();
    if let Some(path) = &options.workload {
        let workload = Workload::load(path).map_err(|error| error.to_string())?;
        let (view, name) = match options.view {
            WorkloadView::Survivor => (View::Survivor, "survivor"),
            WorkloadView::Host => (View::Host, "host"),
        };
        probes.extend(workload.seen_from(view).into_iter().map(|probe| Probe {
            interval: options.rate.map_or(probe.interval, every),
            ..probe
        }));
        labels.insert("case".to_owned(), workload.case);
        labels.insert("view".to_owned(), name.to_owned());
    }
    if probes.is_empty() {
        return Err("the workload has no probe of this view; see --view".to_owned());
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = probes.iter().find(|probe| !names.insert(probe.name.as_str())) {
        return Err(format!(
            "two endpoints are called {}; reports tell them apart by NAME=ENDPOINT",
            twice.name
        ));
    }
    // What is said on the command line is meant for this run.
    labels.extend(options.labels);
    let plan = Plan {
        probes,
        labels,
        command: std::env::args().collect(),
        duration: options.duration,
        until_file: options.until_file,
        marks: options.marks,
    };
    let name = options.out.display();
    let file = File::create_new(&options.out).map_err(|error| format!("creating {name}: {error}"))?;
    let bar = progress(plan.duration);
    let finished = run(&plan, BufWriter::new(file), &stop, |elapsed| {
        bar.set_position(elapsed / 1_000_000);
    });
    bar.finish_and_clear();
    let finished = finished.map_err(|error| error.to_string())?;
    complain(NAME, &summary(&plan, &finished));
    Ok(())
}

/// With time left where there is a terminal to show it on and an end to count towards.
fn progress(duration: Option<Duration>) -> ProgressBar {
    let Some(duration) = duration.filter(|_| std::io::stderr().is_terminal()) else {
        return ProgressBar::hidden();
    };
    let bar = ProgressBar::new(clock::span(duration) / 1_000_000);
    match ProgressStyle::with_template("probing {wide_bar} {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn summary(plan: &Plan, finished: &Finished) -> String {
    let mut lines = Vec::new();
    let ending = &finished.ending;
    for ((probe, outcomes), cost) in plan
        .probes
        .iter()
        .zip(&finished.outcomes)
        .zip(&ending.cost.endpoints)
    {
        let counts: Vec<String> = outcomes
            .iter()
            .map(|(outcome, count)| format!("{count} {}", outcome.name()))
            .collect();
        lines.push(format!(
            "{}: {}; woke up {} late (median), {} (p99)",
            probe.name,
            if counts.is_empty() {
                "no attempt".to_owned()
            } else {
                counts.join(", ")
            },
            duration::show(cost.late_median as f64),
            duration::show(cost.late_p99 as f64),
        ));
    }
    if !ending.in_flight.is_empty() {
        lines.push(format!("{} attempts had no outcome yet", ending.in_flight.len()));
    }
    lines.push(format!(
        "took {} of CPU in {}",
        duration::show(ending.cost.cpu as f64),
        duration::show(ending.cost.wall as f64),
    ));
    lines.join("\n  ")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_endpoint_is_called_by_its_address_unless_it_has_a_name() {
        assert_eq!(endpoint("web=http:127.0.0.1:80/a=b").unwrap().0, "web");
        assert_eq!(
            endpoint("http:127.0.0.1:80/a=b").unwrap().0,
            "http:127.0.0.1:80/a=b"
        );
        assert!(endpoint("web=").is_err());
    }
}
