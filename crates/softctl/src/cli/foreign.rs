//! Words of systemctl that softctl does not have, and what to do instead.

use clap::error::{ContextKind, ContextValue, ErrorKind};

const SUSPEND: &str = "softbootd does not suspend machines; `echo mem > /sys/power/state` does";
const TIMERS: &str =
    "softbootd has no timers, paths and automounts yet; `softctl list-units` shows what there is";
const PRESETS: &str =
    "presets are not read; name the units: `softctl enable UNIT`, and `softctl list-unit-files` shows them";
const PROPERTY: &str = "settings change in files: `softctl edit UNIT`, for this boot with --runtime; `softctl run -p` makes a service with some";
const LOG: &str =
    "softbootd writes to the kernel log, which dmesg(1) shows, and `softctl logs UNIT` shows a unit's";
const FREEZE: &str = "`softctl kill -s STOP UNIT` and `-s CONT` stop and continue its processes";
const MOUNT: &str = "softbootd makes no mount namespaces of services yet";
const REMOTE: &str = "run softctl there; SOFTBOOT_CONTROL names the socket of a container";
const USER: &str = "there is no manager of users; softbootd is the system's";

/// Verbs, and what to do instead.
const VERBS: [(&str, &str); 27] = [
    ("list-timers", TIMERS),
    ("list-paths", TIMERS),
    ("list-automounts", TIMERS),
    ("list-machines", REMOTE),
    ("preset", PRESETS),
    ("preset-all", PRESETS),
    ("set-property", PROPERTY),
    ("freeze", FREEZE),
    ("thaw", FREEZE),
    ("bind", MOUNT),
    ("mount-image", MOUNT),
    ("log-level", LOG),
    ("log-target", LOG),
    ("service-log-level", LOG),
    ("service-log-target", LOG),
    (
        "service-watchdogs",
        "WatchdogSec= of a unit says whether it has a watchdog: `softctl edit UNIT`",
    ),
    ("sleep", SUSPEND),
    ("suspend", SUSPEND),
    ("hibernate", SUSPEND),
    ("hybrid-sleep", SUSPEND),
    ("suspend-then-hibernate", SUSPEND),
    (
        "switch-root",
        "`softctl soft-reboot ROOT` restarts userspace in another root",
    ),
    ("whoami", "`softctl status PID` shows the unit of a process"),
    (
        "time",
        "`softctl blame` and `softctl critical-chain` show where the time of a boot went",
    ),
    (
        "plot",
        "`softctl critical-chain` shows what the boot waited for, `softctl greyout` what a soft-reboot did",
    ),
    ("journal", "`softctl logs UNIT` shows what a unit wrote"),
    (
        "condition",
        "`softctl status UNIT` says whether the conditions of a unit held",
    ),
];

/// Options, and what to do instead.
const OPTIONS: [(&str, &str); 8] = [
    ("--user", USER),
    ("--global", USER),
    ("--host", REMOTE),
    ("-H", REMOTE),
    ("--machine", REMOTE),
    ("-M", REMOTE),
    ("--image", "mount it, and give the directory to --root"),
    ("--preset-mode", PRESETS),
];

/// Those of them whose value is a word of its own.
pub(super) const WITH_VALUE: [&str; 6] = ["--host", "-H", "--machine", "-M", "--image", "--preset-mode"];

/// What to say instead of the usual error about a command line, for people who know systemctl.
pub(crate) fn advice(error: &clap::Error) -> Option<String> {
    let (kind, context, known): (&str, _, &[(&str, &str)]) = match error.kind() {
        ErrorKind::InvalidSubcommand => ("verb", ContextKind::InvalidSubcommand, &VERBS),
        ErrorKind::UnknownArgument => ("option", ContextKind::InvalidArg, &OPTIONS),
        _ => return None,
    };
    let Some(ContextValue::String(word)) = error.get(context) else {
        return None;
    };
    let word = word.split('=').next().unwrap_or_default();
    let (_, instead) = known.iter().find(|(name, _)| *name == word)?;
    Some(format!("there is no {kind} {word}: {instead}"))
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use super::*;
    use clap::{CommandFactory as _, Parser as _};

    fn said(words: &str) -> Option<String> {
        let words = std::iter::once("softctl").chain(words.split_whitespace());
        advice(&Cli::try_parse_from(words).unwrap_err())
    }

    #[test]
    fn no_word_is_both_there_and_not_there() {
        let command = Cli::command();
        for (verb, _) in VERBS {
            assert!(command.find_subcommand(verb).is_none(), "{verb}");
            assert!(said(verb).unwrap().contains(verb));
        }
        for (option, _) in OPTIONS {
            assert!(said(&format!("status {option}")).unwrap().contains(option));
        }
    }

    #[test]
    fn what_nobody_knows_has_the_usual_error() {
        assert_eq!(said("strat a"), None);
        assert_eq!(said("start --frob a"), None);
        assert!(said("start --machine=x a").unwrap().contains("SOFTBOOT_CONTROL"));
        let words = ["softctl", "strat", "a"];
        let error = Cli::try_parse_from(words).unwrap_err().to_string();
        assert!(error.contains("start"), "{error}");
    }
}
