//! Reads the unit files named on the command line and prints what is wrong with them.
//!
//! `cargo run -p softboot-unit --example verify -- [--all] [--colour] FILE…`: settings that nothing acts on are shown
//! with `--all` only. The exit status is 1 when a unit is not usable or a line was ignored.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use softboot_unit::files::{DirEntry, FileProvider};
use softboot_unit::{LoadState, Loader, Severity, Specifiers, UnitName, default_paths};

/// The machine's own files.
struct Machine;

impl FileProvider for Machine {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        // A mask is a link to /dev/null; whatever is no file has no text.
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_file() => std::fs::read(path).map(Some),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, directory: &str) -> io::Result<Vec<DirEntry>> {
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        entries
            .map(|entry| {
                let entry = entry?;
                let target = std::fs::read_link(entry.path()).ok();
                Ok(DirEntry {
                    name: entry.file_name().to_string_lossy().into_owned(),
                    link_target: target.map(|target| target.to_string_lossy().into_owned()),
                })
            })
            .collect()
    }
}

fn main() -> ExitCode {
    let (mut all, mut colour, mut files) = (false, false, Vec::new());
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--all" => all = true,
            "--colour" => colour = true,
            _ => files.push(argument),
        }
    }
    let mut out = io::stdout().lock();
    let mut good = true;
    for file in &files {
        match verify(file, all, colour) {
            Ok((text, fine)) => {
                good &= fine;
                if out.write_all(text.as_bytes()).is_err() {
                    return ExitCode::from(2);
                }
            }
            Err(reason) => {
                eprintln!("{file}: {reason}");
                good = false;
            }
        }
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What is wrong with one file, and whether nothing is.
fn verify(file: &str, all: bool, colour: bool) -> Result<(String, bool), String> {
    let path = std::path::absolute(file).map_err(|error| error.to_string())?;
    let base = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let mut name = UnitName::new(base).map_err(|error| error.to_string())?;
    if name.is_template() {
        name = name
            .with_instance("instance")
            .map_err(|error| error.to_string())?;
    }
    let directory = path
        .parent()
        .unwrap_or(Path::new("/"))
        .to_string_lossy()
        .into_owned();
    let mut paths = vec![directory];
    paths.extend(default_paths());
    let definition = Loader::new(&Machine, paths, Specifiers::default()).load(&name);
    let shown = definition
        .diagnostics
        .iter()
        .filter(|diagnostic| all || diagnostic.severity > Severity::Unsupported);
    let text: String = shown.map(|diagnostic| diagnostic.render(colour)).collect();
    let usable = matches!(definition.load, LoadState::Loaded | LoadState::Masked);
    let ignored = definition
        .diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity > Severity::Unsupported);
    let state = if usable {
        String::new()
    } else {
        format!("{name}: {}\n", definition.load.word())
    };
    Ok((text + &state, usable && !ignored))
}
