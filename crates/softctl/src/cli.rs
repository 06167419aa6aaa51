//! The command line.

use clap::{ArgAction, Args, Parser, ValueEnum};

use crate::help;

mod files;
mod foreign;
mod inspect;
mod kexec;
mod more;
mod verb;
mod words;

pub(crate) use files::*;
pub(crate) use foreign::advice;
pub(crate) use inspect::*;
pub(crate) use kexec::Kexec;
pub(crate) use more::*;
pub(crate) use verb::Verb;
pub(crate) use words::with_verb;

/// Looks at and controls a running softbootd.
#[derive(Debug, Parser)]
#[command(name = "softctl", version, after_help = help::TOP, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options of every verb.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Common {
    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print no result and no notes, only errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Do not shorten texts to the width of the terminal
    #[arg(short = 'l', long, global = true)]
    pub(crate) full: bool,
    /// Lists without headings and totals
    #[arg(long, global = true)]
    pub(crate) no_legend: bool,
    /// Nothing: softctl never starts a pager, and scripts ask for none
    #[arg(long, global = true)]
    pub(crate) no_pager: bool,
    /// Nothing: there is no other manager than the system's
    #[arg(long, global = true, hide = true)]
    pub(crate) system: bool,
    /// Nothing: nobody is ever asked for a password
    #[arg(long, global = true, hide = true)]
    pub(crate) no_ask_password: bool,
}

/// Any number of units.
#[derive(Debug, Args)]
pub(crate) struct Units {
    /// Units; `.service` may be left out, `*` and `?` match units that are loaded
    #[arg(value_name = "UNIT")]
    pub(crate) units: Vec<String>,
}

/// At least one unit.
#[derive(Debug, Args)]
pub(crate) struct SomeUnits {
    /// Units; `.service` may be left out, `*` and `?` match units that are loaded
    #[arg(value_name = "UNIT", required = true)]
    pub(crate) units: Vec<String>,
}

/// One unit.
#[derive(Debug, Args)]
pub(crate) struct OneUnit {
    /// The unit; `.service` may be left out
    #[arg(value_name = "UNIT")]
    pub(crate) unit: String,
}

/// `list-units`.
#[derive(Debug, Args)]
pub(crate) struct ListUnits {
    /// Only units whose names match; `*` and `?` as in a shell
    #[arg(value_name = "PATTERN")]
    pub(crate) patterns: Vec<String>,
    /// Also units that are not active
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Only units that failed; the same as --state=failed
    #[arg(long, conflicts_with = "state")]
    pub(crate) failed: bool,
    /// Only units of these types, such as service,socket
    #[arg(short = 't', long = "type", value_name = "TYPE", value_delimiter = ',', action = ArgAction::Append)]
    pub(crate) types: Vec<String>,
    /// Only units whose load, active or sub state is one of these
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',', action = ArgAction::Append)]
    pub(crate) state: Vec<String>,
    /// Without a mark before each unit
    #[arg(long)]
    pub(crate) plain: bool,
}

/// Verbs that make jobs.
#[derive(Debug, Args)]
pub(crate) struct Job {
    #[command(flatten)]
    pub(crate) units: SomeUnits,
    /// Only queue the jobs; do not wait for their end
    #[arg(long)]
    pub(crate) no_block: bool,
    /// Wait until the units have ended again, too; the exit code is 1 if one failed
    #[arg(long, conflicts_with_all = ["no_block", "dry_run"])]
    pub(crate) wait: bool,
    /// What to do about jobs that are there already
    #[arg(long, value_name = "MODE", value_enum, default_value_t = Mode::Replace)]
    pub(crate) job_mode: Mode,
    /// Show which jobs this would make, and why, and make none
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Show which jobs this makes, and why
    #[arg(short = 'T', long, visible_alias = "show-transaction")]
    pub(crate) explain: bool,
}

/// How a new job meets those that are there (semantics 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Cancel jobs that conflict
    Replace,
    /// Give up if a job conflicts
    Fail,
    /// Give up also if a running unit would be stopped
    Lenient,
    /// As replace, and no later job may cancel these
    ReplaceIrreversibly,
    /// Stop everything that the unit does not need
    Isolate,
    /// As replace, and cancel every other job
    Flush,
    /// Only this unit, at once
    IgnoreDependencies,
    /// Only this unit, in its order
    IgnoreRequirements,
    /// Stop also what would start the unit again
    Triggering,
    /// Restart also what a restart of the unit would
    RestartDependencies,
}

impl Mode {
    /// The interface's word.
    pub(crate) fn word(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// `logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The unit; `.service` may be left out
    #[arg(value_name = "UNIT", required_unless_present = "unit_option")]
    pub(crate) unit: Option<String>,
    /// The same, as journalctl has it
    #[arg(short = 'u', long = "unit", value_name = "UNIT", conflicts_with = "unit")]
    pub(crate) unit_option: Option<String>,
    /// How many of the last lines
    #[arg(short = 'n', long, value_name = "LINES", default_value_t = 100)]
    pub(crate) lines: u32,
    /// Go on with what is written from now on
    #[arg(short, long)]
    pub(crate) follow: bool,
}

/// `cancel`.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// Numbers of jobs, as list-jobs shows them; none: all jobs
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<u32>,
}

/// `is-system-running`.
#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// Wait until the boot is complete
    #[arg(long)]
    pub(crate) wait: bool,
}

/// `daemon-reexec`.
#[derive(Debug, Args)]
pub(crate) struct Reexec {
    /// Only ask the new softbootd whether it could take over
    #[arg(long)]
    pub(crate) check: bool,
}

/// `soft-reboot`.
#[derive(Debug, Args)]
pub(crate) struct SoftReboot {
    /// Wait until the next userspace has booted
    #[arg(long, conflicts_with = "check")]
    pub(crate) wait: bool,
    /// Only ask the next softbootd whether it could take over, and say what would happen to the root
    #[arg(long)]
    pub(crate) check: bool,
    /// The next root: a directory or a disk image; an empty word: the root stays
    /// [default: what is at /run/nextroot, if anything]
    #[arg(value_name = "ROOT", verbatim_doc_comment)]
    pub(crate) root: Option<String>,
}

/// `poweroff`, `reboot`, `halt`.
#[derive(Debug, Args)]
pub(crate) struct Force {
    /// Do not stop units one by one; kill, unmount and go. Twice: the kernel ends at once, and nothing is written out
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) force: u8,
    /// Nothing: nobody is written to
    #[arg(long)]
    pub(crate) no_wall: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(words: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("softctl").chain(words.split_whitespace()))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_may_stand_on_both_sides_of_the_verb() {
        assert!(parse("--json list-jobs").unwrap().common.json);
        assert!(parse("list-jobs --json").unwrap().common.json);
        assert!(parse("status -l a b").unwrap().common.full);
    }

    #[test]
    fn a_job_waits_and_replaces_unless_told_otherwise() {
        let Verb::Start(job) = parse("start a b").unwrap().verb else {
            panic!()
        };
        assert_eq!(
            (job.units.units.len(), job.no_block, job.job_mode),
            (2, false, Mode::Replace)
        );
        let Verb::Stop(job) = parse("stop --no-block --job-mode=ignore-dependencies a")
            .unwrap()
            .verb
        else {
            panic!()
        };
        assert_eq!(
            (job.no_block, job.job_mode.word().as_str()),
            (true, "ignore-dependencies")
        );
    }

    #[test]
    fn types_and_states_may_be_lists() {
        let Verb::ListUnits(list) = parse("list-units -t service,socket --state=failed --state=dead")
            .unwrap()
            .verb
        else {
            panic!()
        };
        assert_eq!((list.types.len(), list.state.len()), (2, 2));
        assert!(parse("list-units --failed --state=dead").is_err());
    }

    #[test]
    fn a_command_to_run_keeps_its_own_options() {
        let Verb::Run(run) = parse("run --unit=x -p Type=oneshot --wait /bin/ls -l --wait")
            .unwrap()
            .verb
        else {
            panic!()
        };
        assert_eq!(run.command, ["/bin/ls", "-l", "--wait"]);
        assert_eq!(
            (run.unit.as_deref(), run.properties.len(), run.wait),
            (Some("x"), 1, true)
        );
    }

    #[test]
    fn a_usage_error_ends_with_two() {
        for wrong in [
            "",
            "start",
            "fly",
            "cancel x",
            "logs",
            "logs -n -1 a",
            "soft-reboot --wait --check",
            "isolate",
            "isolate a b",
            "kill",
            "kill --kill-whom=everybody a",
            "clean --what=cash a",
            "run",
            "list-dependencies --reverse --after a",
            "verify",
        ] {
            assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn every_verb_has_examples() {
        for verb in Cli::command()
            .get_subcommands()
            .filter(|verb| !verb.is_hide_set())
        {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(
                help.contains(&format!("softctl {}", verb.get_name())),
                "{}",
                verb.get_name()
            );
        }
    }
}
