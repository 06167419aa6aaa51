//! What is to be executed next.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// What the kernel appends to the path of a running program whose file is gone.
const DELETED: &[u8] = b" (deleted)";

/// A program with its arguments and its whole environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    argv: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
}

impl Program {
    /// The program at `path`, with no further arguments and this process' environment.
    pub fn new(path: impl Into<PathBuf>) -> Program {
        let path = path.into();
        Program {
            argv: vec![path.clone().into_os_string()],
            path,
            environment: std::env::vars_os().collect(),
        }
    }

    /// This program once more, with its own arguments: whatever file stands now where this one was started from, so
    /// that an upgrade is to replace the file and to hand over.
    pub fn current() -> io::Result<Program> {
        let path = std::fs::read_link("/proc/self/exe")?;
        let bytes = path.as_os_str().as_bytes();
        let path = match bytes.strip_suffix(DELETED) {
            Some(replaced) if !path.exists() => PathBuf::from(OsStr::from_bytes(replaced)),
            _ => path,
        };
        let mut program = Program::new(path);
        program.argv = std::env::args_os().collect();
        Ok(program)
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Program {
        self.argv.push(argument.into());
        self
    }

    /// Takes these for all of its arguments, its own name first.
    #[must_use]
    pub fn argv(mut self, argv: impl IntoIterator<Item = impl Into<OsString>>) -> Program {
        self.argv = argv.into_iter().map(Into::into).collect();
        self
    }

    /// Its arguments, without its own name.
    pub fn arguments(&self) -> impl Iterator<Item = &OsStr> {
        self.argv.iter().skip(1).map(OsString::as_os_str)
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Program {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Leaves a variable out.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Program {
        self.environment.remove(name.as_ref());
        self
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Path, arguments and environment as execve(2) takes them.
    pub(crate) fn to_exec(&self) -> io::Result<(CString, Vec<CString>, Vec<CString>)> {
        let c = |bytes: Vec<u8>| {
            CString::new(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
        };
        let argv = self.argv.iter().map(|argument| c(argument.clone().into_vec()));
        let environment = self
            .environment
            .iter()
            .map(|(name, value)| c([name.as_bytes(), b"=", value.as_bytes()].concat()));
        Ok((
            c(self.path.as_os_str().as_bytes().to_vec())?,
            argv.collect::<Result<_, _>>()?,
            environment.collect::<Result<_, _>>()?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_this_process_own_and_what_was_set() {
        let program = Program::new("/bin/x")
            .arg("one")
            .env("A", "1")
            .env("A", "2")
            .env("B", "3");
        let (path, argv, environment) = program.env_remove("B").to_exec().unwrap();
        assert_eq!(path.as_bytes(), b"/bin/x");
        assert_eq!(argv, [c"/bin/x".to_owned(), c"one".to_owned()]);
        assert!(environment.contains(&c"A=2".to_owned()));
        assert!(!environment.iter().any(|pair| pair.as_bytes().starts_with(b"B=")));
        let own = std::env::vars_os()
            .filter(|(name, _)| name != "A" && name != "B")
            .count();
        assert_eq!(environment.len(), own + 1);
    }

    #[test]
    fn what_execve_cannot_take_is_refused() {
        assert!(Program::new("/bin/x").arg("a\0b").to_exec().is_err());
    }

    #[test]
    fn the_current_program_is_this_file() {
        let program = Program::current().unwrap();
        assert_eq!(program.path(), std::env::current_exe().unwrap());
    }
}
