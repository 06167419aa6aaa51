//! What people type who know systemctl: no verb means list-units, and `help VERB` means `VERB --help`.

use std::ffi::OsString;

/// Options of list-units whose value may be a word of its own.
const WITH_VALUE: [&str; 3] = ["-t", "--type", "--state"];
/// These are about softctl itself.
const ALONE: [&str; 4] = ["-h", "--help", "-V", "--version"];

/// The words of the command line, the program's name first, with the verb that is meant.
pub(crate) fn with_verb(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let mut value_follows = false;
    for (place, word) in words.iter().enumerate().skip(1) {
        let Some(word) = word.to_str() else { return words };
        if std::mem::take(&mut value_follows) {
            continue;
        }
        if ALONE.contains(&word) || word == "--" {
            return words;
        }
        value_follows = WITH_VALUE.contains(&word);
        if word.starts_with('-') {
            continue;
        }
        if word == "help" {
            words.remove(place);
            words.push("--help".into());
        }
        return words;
    }
    words.insert(words.len().min(1), "list-units".into());
    words
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
            "-t service list-units",
            "--help",
            "-V",
            "fly",
            "list-units --failed",
        ] {
            assert_eq!(meant(typed), typed);
        }
    }

    #[test]
    fn help_is_that_of_its_verb() {
        assert_eq!(meant("help"), "--help");
        assert_eq!(meant("help start"), "start --help");
        assert_eq!(meant("start help"), "start help");
    }
}
