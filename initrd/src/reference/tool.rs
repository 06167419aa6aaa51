//! Programs of the root, run on the host with the root's own loader and libraries: the host's may be too old for them.

use super::Error;
use crate::elf::{self, Roots};
use crate::rooted;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program with its loader and its libraries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    program: PathBuf,
    /// The loader first.
    libraries: Vec<PathBuf>,
}

impl Tool {
    pub(super) fn of(root: &Path, path: &str) -> Result<Self, Error> {
        let roots = Roots(vec![root.to_owned()]);
        let program = rooted::resolve(root, Path::new(path)).ok_or_else(|| elf::Error::Missing {
            name: path.to_owned(),
            wanted_by: "the reference".to_owned(),
            looked_in: vec![root.display().to_string()],
        })?;
        let closure = elf::closure(&roots, &program, path, "a tool of the reference")?;
        Ok(Self {
            program,
            libraries: closure.into_iter().map(|library| library.source).collect(),
        })
    }

    /// Runs it where it lies.
    pub fn command(&self) -> Command {
        let directories: BTreeSet<String> = self
            .libraries
            .iter()
            .filter_map(|library| library.parent())
            .map(|directory| directory.display().to_string())
            .collect();
        let path: Vec<String> = directories.into_iter().collect();
        // A static program has no libraries, and is its own loader.
        let Some(loader) = self.libraries.first() else {
            return Command::new(&self.program);
        };
        let mut command = Command::new(loader);
        command
            .arg("--library-path")
            .arg(path.join(":"))
            .arg(&self.program);
        command
    }

    /// Program, loader and libraries: copied into one directory, they run as
    /// `./LOADER --library-path . ./PROGRAM`, where LOADER is the name of the second.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = vec![self.program.clone()];
        files.extend(self.libraries.iter().cloned());
        files
    }
}

/// Runs a command that has to succeed.
pub(super) fn checked(command: &mut Command) -> Result<(), Error> {
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let failed = |output: String| Error::Program {
        command: words.join(" "),
        output,
    };
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(failed(text.trim_end().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_another_root_runs_with_its_own_loader() {
        // The host is a root as any other.
        let tool = Tool::of(Path::new("/"), "/bin/true").unwrap();
        assert!(tool.command().status().unwrap().success());
        assert!(tool.files().iter().all(|file| file.is_file()), "{tool:?}");
        let missing = Tool::of(Path::new("/"), "/no/such/program").unwrap_err();
        assert!(missing.to_string().contains("/no/such/program"), "{missing}");
    }

    #[test]
    fn a_command_that_fails_is_shown_with_what_it_said() {
        let error = checked(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("exit 3") && text.ends_with("why"), "{text}");
    }
}
