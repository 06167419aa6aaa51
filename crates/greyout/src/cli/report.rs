//! softboot-greyout: shows what softboot-probe recorded.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use super::complain;
use crate::record::Recording;
use crate::report::{self, Paint};
use crate::result::{Options, ResultError, Results, Source, Timeline, between, build};
use crate::stats::Verdict;
use crate::workload::{Workload, WorkloadError};

const NAME: &str = "softboot-greyout";
const EXAMPLES: &str = "\
Examples:
  softboot-greyout show all.grey
  softboot-greyout report all.grey
  softboot-greyout report --html page.html --json softboot.grey systemd.grey > both.json
  softboot-greyout report all.grey --timeline cycles.json --html page.html
  softboot-greyout compare yesterday.json today.json
  softboot-greyout check workload.toml

Grey-out of a client on an endpoint: its longest silence, from good reply to good
reply, that touches an event. Events are marks in the record (softboot-probe mark).
The same computation on the quiet time before each event is the control: what it
says is noise. Cycles of the same manager, case, view, event and endpoint make one
figure: the median, with an interval of 95 percent. Other managers stand beside
that of the first file.

Exit status: 0 done; 1 a file cannot be read or written; 2 usage; 3 a file is no
record, result or workload, or of a later version; 4 compare --check: something is
longer than before by more than noise.";

/// Show what softboot-probe recorded: how long clients waited, and for what.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a summary, a page or a result of records.
    Report(Report),
    /// Put the second beside the first, with ratios, and say what is noise.
    Compare(Compare),
    /// Show what a record holds.
    Show(Show),
    /// Say what a workload file means, or what is wrong with it.
    Check(Check),
}

#[derive(Debug, Args)]
struct Report {
    /// Records; or one result.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write a page that needs nothing but itself.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print the result as JSON in the place of the summary.
    #[arg(long)]
    json: bool,
    /// Phases and units of the first record's events; again for the second record, and so on.
    #[arg(long, value_name = "FILE")]
    timeline: Vec<PathBuf>,
    /// What one types to measure again [default: the first probe's command line].
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    command: String,
}

#[derive(Debug, Args)]
struct Compare {
    /// A result, or a record.
    #[arg(value_name = "A")]
    a: PathBuf,
    /// What is compared with it.
    #[arg(value_name = "B")]
    b: PathBuf,
    /// End with 4 if something is longer in B by more than noise.
    #[arg(long)]
    check: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Show {
    /// The record.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print every attempt as a line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Check {
    /// The workload file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write its unit files here.
    #[arg(long, value_name = "DIRECTORY")]
    units: Option<PathBuf>,
}

/// Why it did not work, with the file that it is about.
struct Failure {
    path: PathBuf,
    error: ResultError,
}

impl Failure {
    fn of<E: Into<ResultError>>(path: &Path) -> impl FnOnce(E) -> Failure + '_ {
        |error| Failure {
            path: path.to_owned(),
            error: error.into(),
        }
    }

    fn code(&self) -> u8 {
        use crate::record::RecordError;
        match self.error {
            ResultError::Io(_) | ResultError::Record(RecordError::Io(_)) => 1,
            _ => 3,
        }
    }

    /// Whoever read the output has gone.
    fn is_broken_pipe(&self) -> bool {
        matches!(&self.error, ResultError::Io(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

/// Runs the program.
pub fn main(cli: Cli) -> ExitCode {
    let result = match cli.action {
        Action::Report(options) => make(options),
        Action::Compare(options) => compare(&options),
        Action::Show(options) => show(&options),
        Action::Check(options) => check(&options),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            complain(NAME, &format!("{}: {}", failure.path.display(), failure.error));
            ExitCode::from(failure.code())
        }
    }
}

fn make(options: Report) -> Result<u8, Failure> {
    if options.timeline.len() > options.files.len() {
        complain(
            NAME,
            "more time lines than records: give one for each record, in their order",
        );
        return Ok(2);
    }
    let results = results(&options)?;
    if let Some(path) = &options.html {
        std::fs::write(path, report::page(&results)).map_err(Failure::of(path))?;
    }
    if options.json {
        print(&results.to_json().map_err(Failure::of(Path::new("the result")))?)?;
    } else {
        print(&report::summary(&results, paint()))?;
    }
    Ok(0)
}

fn results(options: &Report) -> Result<Results, Failure> {
    if let [one] = options.files.as_slice()
        && std::fs::read(one).is_ok_and(|bytes| bytes.first() == Some(&b'{'))
    {
        return Results::load(one).map_err(Failure::of(one));
    }
    let mut sources = Vec::with_capacity(options.files.len());
    for path in &options.files {
        sources.push(Source::load(path).map_err(Failure::of(path))?);
    }
    for (source, path) in sources.iter_mut().zip(&options.timeline) {
        let text = std::fs::read_to_string(path).map_err(Failure::of(path))?;
        let timeline: Timeline = serde_json::from_str(&text).map_err(Failure::of(path))?;
        source.timeline = Some(timeline);
    }
    let given = Options {
        command: options.command.clone(),
        notes: Vec::new(),
    };
    build(sources, &given).map_err(Failure::of(
        options
            .timeline
            .first()
            .map_or(Path::new("the result"), PathBuf::as_path),
    ))
}

fn compare(options: &Compare) -> Result<u8, Failure> {
    let load = |path: &Path| Results::load(path).map_err(Failure::of(path));
    let comparisons = between(&load(&options.a)?, &load(&options.b)?);
    if options.json {
        let json = serde_json::to_string_pretty(&comparisons).map_err(Failure::of(&options.b))?;
        print(&(json + "\n"))?;
    } else {
        print(&report::comparison(&comparisons, paint()))?;
    }
    let longer = comparisons
        .iter()
        .any(|one| one.comparison.verdict == Verdict::Longer);
    Ok(if options.check && longer { 4 } else { 0 })
}

fn show(options: &Show) -> Result<u8, Failure> {
    let path = &options.file;
    let recording = Recording::load(path).map_err(Failure::of(path))?;
    if !options.json {
        print(&report::record(&path.display().to_string(), &recording, paint()))?;
        return Ok(0);
    }
    let mut lines = String::new();
    for (endpoint, attempts) in recording.header.endpoints.iter().zip(&recording.attempts) {
        for attempt in attempts {
            let line = serde_json::json!({
                "endpoint": endpoint.name, "due": attempt.due, "started": attempt.started,
                "finished": attempt.finished, "outcome": attempt.outcome,
            });
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
    }
    print(&lines)?;
    Ok(0)
}

fn check(options: &Check) -> Result<u8, Failure> {
    let workload = match Workload::load(&options.file) {
        Ok(workload) => workload,
        Err(WorkloadError::Read { path, error }) => return Err(Failure::of(&path)(error)),
        Err(faults) => {
            complain(NAME, &faults.to_string());
            return Ok(3);
        }
    };
    let units = workload.units();
    if let Some(directory) = &options.units {
        for unit in &units {
            let path = directory.join(&unit.name);
            std::fs::write(&path, &unit.text).map_err(Failure::of(&path))?;
        }
    }
    print(&format!(
        "{}: {} unit files, {} probes; {} cycles of {} events, each after {} of quiet\n",
        workload.case.escape_debug(),
        units.len(),
        workload.probes.len(),
        workload.cycles,
        workload.events.len(),
        crate::duration::show(crate::clock::span(workload.quiet) as f64),
    ))?;
    Ok(0)
}

fn paint() -> Paint {
    let (no_color, term) = (std::env::var_os("NO_COLOR"), std::env::var_os("TERM"));
    Paint::choose(
        std::io::stdout().is_terminal(),
        no_color.as_deref(),
        term.as_deref(),
    )
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Failure::of(Path::new("standard output")))
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
    fn a_file_that_is_something_else_has_a_code_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let code = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Results::load(&path)
                .map_err(Failure::of(&path))
                .map_err(|failure| failure.code())
                .err()
        };
        assert_eq!(code("hello"), Some(3));
        assert_eq!(code("{}"), Some(3));
        let missing = directory.path().join("missing");
        let failure = Results::load(&missing)
            .map_err(Failure::of(&missing))
            .err()
            .unwrap();
        assert_eq!(failure.code(), 1);
    }
}
