//! What people type who know systemctl: no verb means list-units, `help VERB` means `VERB --help`, and options may stand
//! before the verb.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::{Command, CommandFactory as _};

use super::Cli;

/// These are about softctl itself.
const ALONE: [&str; 4] = ["-h", "--help", "-V", "--version"];

/// The words of the command line, the program's name first, with the verb that is meant.
pub(crate) fn with_verb(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let options = Options::of(&Cli::command());
    // Places of the words before the verb that belong behind it.
    let mut moved: Vec<usize> = Vec::new();
    let mut verb = None;
    let mut value_follows = false;
    for (place, word) in words.iter().enumerate().skip(1) {
        let Some(word) = word.to_str() else { return words };
        if std::mem::take(&mut value_follows) {
            moved.push(place);
            continue;
        }
        if ALONE.contains(&word) || word == "--" {
            return words;
        }
        if word.starts_with('-') {
            value_follows = options.want_value(word);
            if !options.are_of_every_verb(word) {
                moved.push(place);
            }
            continue;
        }
        verb = Some((place, word == "help"));
        break;
    }
    match verb {
        Some((place, true)) => {
            words.remove(place);
            words.push("--help".into());
        }
        Some((place, false)) => {
            let taken: Vec<OsString> = moved.iter().rev().map(|place| words.remove(*place)).collect();
            let behind = place + 1 - taken.len();
            words.splice(behind..behind, taken.into_iter().rev());
        }
        None => words.insert(words.len().min(1), "list-units".into()),
    }
    words
}

/// What is known of options before the verb is.
struct Options {
    /// `--name` and `-n` of those whose value may be a word of its own, with any verb.
    with_value: BTreeSet<String>,
    of_every_verb: BTreeSet<String>,
}

impl Options {
    fn of(command: &Command) -> Options {
        let names = |arg: &clap::Arg| {
            let long = arg
                .get_long()
                .into_iter()
                .chain(arg.get_all_aliases().unwrap_or_default());
            let long = long.map(|name| format!("--{name}"));
            let short = arg.get_short().map(|name| format!("-{name}"));
            long.chain(short).collect::<Vec<_>>()
        };
        let verbs = command.get_subcommands().flat_map(Command::get_arguments);
        let with_value = verbs.filter(|arg| !arg.is_positional() && arg.get_action().takes_values());
        // Their value is not the verb, so that the error is about them.
        let foreign = super::foreign::WITH_VALUE.map(str::to_owned);
        Options {
            with_value: with_value.flat_map(names).chain(foreign).collect(),
            of_every_verb: command
                .get_arguments()
                .filter(|arg| !arg.is_positional())
                .flat_map(names)
                .collect(),
        }
    }

    /// The options in a word: one that is written out, or letters.
    fn letters(word: &str) -> Vec<String> {
        match word.starts_with("--") {
            true => vec![word.split('=').next().unwrap_or(word).to_owned()],
            false => word.chars().skip(1).map(|letter| format!("-{letter}")).collect(),
        }
    }

    /// Whether the next word is a value.
    fn want_value(&self, word: &str) -> bool {
        if word.starts_with("--") {
            return self.with_value.contains(word);
        }
        // What follows a letter with a value is the value, unless it is the last.
        let letters = Options::letters(word);
        let first = letters.iter().position(|letter| self.with_value.contains(letter));
        first.is_some_and(|place| place + 1 == letters.len())
    }

    fn are_of_every_verb(&self, word: &str) -> bool {
        Options::letters(word)
            .iter()
            .all(|option| self.of_every_verb.contains(option))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(words: &str) -> String {
        let words = ["softctl"].into_iter().chain(words.split_whitespace());
        let words = with_verb(words.map(OsString::from));
        let words: Vec<String> = words
            .iter()
            .skip(1)
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        words.join(" ")
    }

    #[test]
    fn without_a_verb_units_are_listed() {
        for (typed, wanted) in [
            ("", "list-units"),
            ("--failed", "list-units --failed"),
            ("-a -t service", "list-units -a -t service"),
            (
                "--state failed --no-pager",
                "list-units --state failed --no-pager",
            ),
            ("--type=socket", "list-units --type=socket"),
        ] {
            assert_eq!(meant(typed), wanted, "{typed}");
        }
    }

    #[test]
    fn a_verb_and_what_is_about_softctl_stay() {
        for typed in [
            "status",
            "--json list-jobs",
            "--help",
            "-V",
            "fly",
            "list-units --failed",
        ] {
            assert_eq!(meant(typed), typed);
        }
    }

    #[test]
    fn options_before_the_verb_are_its_options() {
        for (typed, wanted) in [
            ("--no-block start x", "start --no-block x"),
            ("--now enable x", "enable --now x"),
            ("-t service list-units", "list-units -t service"),
            ("--job-mode fail --json start x", "--json start --job-mode fail x"),
            ("--job-mode=fail start x", "start --job-mode=fail x"),
            ("-qf enable x", "enable -qf x"),
            ("-n5 status x", "status -n5 x"),
            ("--kill-who main kill x", "kill --kill-who main x"),
            ("-H box status x", "status -H box x"),
            ("-fn 5 logs x", "logs -fn 5 x"),
            ("-q --no-block stop -- x", "-q stop --no-block -- x"),
            ("--wait run true --wait", "run --wait true --wait"),
        ] {
            assert_eq!(meant(typed), wanted, "{typed}");
        }
    }

    #[test]
    fn an_option_takes_a_value_with_every_verb_or_with_none() {
        let command = Cli::command();
        let options = Options::of(&command);
        for verb in command.get_subcommands() {
            for arg in verb.get_arguments().filter(|arg| !arg.is_positional()) {
                let takes = arg.get_action().takes_values();
                for name in arg
                    .get_long()
                    .map(|name| format!("--{name}"))
                    .into_iter()
                    .chain(arg.get_short().map(|name| format!("-{name}")))
                {
                    assert_eq!(
                        options.with_value.contains(&name),
                        takes,
                        "{} {name}",
                        verb.get_name()
                    );
                }
            }
        }
    }

    #[test]
    fn help_is_that_of_its_verb() {
        assert_eq!(meant("help"), "--help");
        assert_eq!(meant("help start"), "start --help");
        assert_eq!(meant("start help"), "start help");
    }
}
