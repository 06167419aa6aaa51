//! What this installation is.

use std::fs;
use std::path::Path;

use super::{compare, glob};

/// The host name, or a pattern for it; or the machine's id.
pub(super) fn host(argument: &str) -> bool {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_string_lossy().into_owned();
    let id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let plain = |text: &str| text.replace('-', "").to_ascii_lowercase();
    glob::matches(&argument.to_ascii_lowercase(), &name.to_ascii_lowercase())
        || (!id.trim().is_empty() && plain(argument) == plain(id.trim()))
}

/// A credential that the system was given.
pub(super) fn credential(argument: &str) -> bool {
    if argument.is_empty() || argument.contains('/') {
        return false;
    }
    let own = std::env::var_os("CREDENTIALS_DIRECTORY");
    let directories = own
        .iter()
        .map(Path::new)
        .chain([Path::new("/run/credentials/@system")]);
    directories
        .into_iter()
        .any(|directory| directory.join(argument).exists())
}

/// `KEY=value`, `KEY>=version` and so on, all of which must hold (os-release(5)).
pub(super) fn os_release(argument: &str) -> bool {
    let text = fs::read_to_string("/etc/os-release")
        .or_else(|_| fs::read_to_string("/usr/lib/os-release"))
        .unwrap_or_default();
    let mut any = false;
    argument.split_whitespace().all(|expression| {
        any = true;
        holds(&text, expression)
    }) && any
}

fn holds(text: &str, expression: &str) -> bool {
    let end = expression.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let Some((key, rest)) = end.and_then(|end| expression.split_at_checked(end)) else {
        return false;
    };
    let value = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value.trim_matches(['"', '\'']))
        .unwrap_or_default();
    let wanted = |rest: &str| rest.trim_matches(['"', '\'']).to_owned();
    // Text is compared as it is; with another operator it is a version.
    if let Some(exactly) = rest.strip_prefix('=') {
        return value == wanted(exactly);
    }
    if let Some(other) = rest.strip_prefix("!=") {
        return value != wanted(other);
    }
    compare::version(value, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "NAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=\"12\"\n";

    #[test]
    fn release_fields_are_text_or_versions() {
        for yes in [
            "ID=debian",
            "ID!=fedora",
            "VERSION_ID>=12",
            "VERSION_ID<13",
            "VERSION_ID=12",
        ] {
            assert!(holds(TEXT, yes), "{yes}");
        }
        for no in ["ID=fedora", "VERSION_ID>12", "VARIANT=x", "nonsense"] {
            assert!(!holds(TEXT, no), "{no}");
        }
        assert!(!os_release(""));
    }

    #[test]
    fn a_credential_is_a_name_and_no_path() {
        assert!(!credential("no-such-credential"));
        assert!(!credential("../../etc/passwd") && !credential(""));
    }
}
