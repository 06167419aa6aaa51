//! The editor: who asks for one gets it, else the first there is.

use std::io::{ErrorKind, IsTerminal as _};
use std::path::Path;
use std::process::Command;

use crate::error::Error;

/// Who may name it, the first that does.
const VARIABLES: [&str; 3] = ["SYSTEMD_EDITOR", "EDITOR", "VISUAL"];
/// Without a variable.
const USUAL: [&str; 5] = ["editor", "nano", "vim", "vi", "busybox vi"];

/// Has a person edit the file, and returns when the editor has ended well.
pub(super) fn edit(file: &Path) -> Result<(), Error> {
    let named = named(|name| std::env::var(name).ok());
    let usual = || USUAL.iter().map(|word| (*word).to_owned()).collect();
    if named.is_none() && !std::io::stdin().is_terminal() {
        return Err(Error::Editor(
            "an editor needs a terminal; --stdin takes the new text from standard input".to_owned(),
        ));
    }
    let editors: Vec<String> = named.clone().map_or_else(usual, |editor| vec![editor]);
    for editor in editors {
        // As a shell would split it, without quotes: `code --wait`.
        let mut words = editor.split_whitespace();
        let Some(program) = words.next() else { continue };
        match Command::new(program).args(words).arg(file).status() {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => {
                return Err(Error::Editor(format!("the editor {program} ended with {status}")));
            }
            Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => {}
            Err(error) => {
                return Err(Error::Editor(format!(
                    "the editor {program} cannot be run: {error}"
                )));
            }
        }
    }
    Err(Error::Editor(format!(
        "there is no editor; name one in {}",
        VARIABLES.join(", ")
    )))
}

fn named(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut values = VARIABLES.iter().filter_map(|name| variable(name));
    values.find(|value| !value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_says_something_names_the_editor() {
        let of = |set: &'static [(&str, &str)]| {
            named(|name| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("VISUAL", "a"), ("EDITOR", "b c")]).as_deref(), Some("b c"));
        assert_eq!(
            of(&[("SYSTEMD_EDITOR", " "), ("VISUAL", "a")]).as_deref(),
            Some("a")
        );
    }
}
