//! Manual pages and completions, from the one definition of the command line.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use super::output::Output;
use crate::cli::{Cli, Inspect};
use crate::error::Error;
use crate::exit;

/// The shells, and what their files are called.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "softctl.bash"),
    (Shell::Zsh, "_softctl"),
    (Shell::Fish, "softctl.fish"),
];

pub(super) fn completions(out: Output, shell: Shell) -> Result<u8, Error> {
    out.print(&String::from_utf8_lossy(&completion(shell)))?;
    Ok(exit::OK)
}

/// Writes everything into a directory.
pub(super) fn all(directory: &Path) -> Result<u8, Error> {
    fs::create_dir_all(directory)?;
    for (shell, name) in SHELLS {
        fs::write(directory.join(name), completion(shell))?;
    }
    clap_mangen::generate_to(shown(), directory)?;
    clap_mangen::generate_to(Inspect::command(), directory)?;
    Ok(exit::OK)
}

fn completion(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown(), "softctl", &mut script);
    script
}

/// The command line without the verbs that nobody types.
fn shown() -> Command {
    let command = Cli::command();
    let verbs: Vec<Command> = command
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set())
        .cloned()
        .collect();
    let mut bare = Command::new("softctl")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true);
    if let Some(about) = command.get_about() {
        bare = bare.about(about.clone());
    }
    if let Some(help) = command.get_after_help() {
        bare = bare.after_help(help.clone());
    }
    let options = command.get_arguments().cloned();
    bare.args(options).subcommands(verbs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_completed_by_every_shell_and_has_its_page() {
        let directory = tempfile::tempdir().unwrap();
        all(directory.path()).unwrap();
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        let page = read("softctl.1");
        let scripts = SHELLS.map(|(_, name)| (name, read(name)));
        let mut verbs = 0;
        for verb in Cli::command().get_subcommands() {
            let name = verb.get_name();
            if verb.is_hide_set() {
                assert!(
                    !directory.path().join(format!("softctl-{name}.1")).exists(),
                    "{name}"
                );
                assert!(!scripts.iter().any(|(_, script)| script.contains(name)), "{name}");
                continue;
            }
            verbs += 1;
            let escaped = name.replace('-', "\\-");
            assert!(page.contains(&escaped), "softctl.1 does not mention {name}");
            let own = read(&format!("softctl-{name}.1"));
            for option in verb.get_arguments().filter_map(clap::Arg::get_long) {
                let escaped = option.replace('-', "\\-");
                assert!(
                    own.contains(&escaped),
                    "softctl-{name}.1 does not mention --{option}"
                );
            }
            for (file, script) in &scripts {
                assert!(script.contains(name), "{file} does not mention {name}");
            }
        }
        assert!(verbs > 30);
        assert!(read("softboot-inspect.1").contains("FILE|PID"));
    }
}
