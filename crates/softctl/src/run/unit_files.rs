//! `list-unit-files`, `is-enabled`, and the verbs that make and remove links.
//!
//! The links are made here, not in PID 1, which then only reads the files again: so it is the same for the running
//! system and for the root of another, and PID 1 never writes to /etc.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use softboot_control::api::Request;
use softboot_unit::files::FileProvider as _;
use softboot_unit::install::{
    Change as LinkChange, InstallError, InstallOptions, Installer, Plan, UnitFileState,
};
use softboot_unit::{Specifiers, UnitName};

use super::disk::Disk;
use super::output::Output;
use super::session::Session;
use super::{jobs, plain};
use crate::cli::{Change, Enable, IsEnabled, Job, ListUnitFiles, Mode, Names, Unmask};
use crate::error::Error;
use crate::exit;
use crate::names;
use crate::view::unit_files as view;

pub(super) fn list(out: Output, list: &ListUnitFiles) -> Result<u8, Error> {
    let disk = Disk::new(list.root.root.as_ref());
    let patterns: Vec<String> = list
        .patterns
        .iter()
        .map(|pattern| names::complete(pattern))
        .collect();
    let wanted = |name: &UnitName| {
        let name = name.as_str();
        let matches = |pattern: &String| softboot_control::api::glob_match(pattern, name);
        (patterns.is_empty() || patterns.iter().any(matches))
            && (list.types.is_empty() || list.types.iter().any(|kind| kind == names::type_of(name)))
    };
    let installer = installer(&disk);
    let mut files: Vec<(String, UnitFileState)> = Vec::new();
    for name in file_names(&disk).into_iter().filter(wanted) {
        let state = installer.state(&name);
        if list.state.is_empty() || list.state.iter().any(|word| word == state.word()) {
            files.push((name.to_string(), state));
        }
    }
    let rows: Vec<_> = files
        .iter()
        .map(|(name, state)| serde_json::json!({ "unit": name, "state": state.word() }))
        .collect();
    out.show(&rows, |shown| view::unit_files(&files, shown))?;
    Ok(exit::OK)
}

/// Every name that has a file or a link in the search path.
fn file_names(disk: &Disk) -> BTreeSet<UnitName> {
    let paths = softboot_unit::default_paths().into_iter();
    // A directory that cannot be read has no units for us.
    let entries = paths.flat_map(|path| disk.list(&path).unwrap_or_default());
    entries
        .filter_map(|entry| UnitName::new(&entry.name).ok())
        .collect()
}

fn installer(disk: &Disk) -> Installer<'_> {
    Installer::new(disk, softboot_unit::default_paths(), Specifiers::default())
}

/// The property UnitFileState: nothing for a unit without a file.
pub(super) fn state_word(name: &str) -> &'static str {
    let disk = Disk::new(None);
    let state = UnitName::new(name).map(|name| installer(&disk).state(&name));
    match state {
        Ok(UnitFileState::NotFound) | Err(_) => "",
        Ok(state) => state.word(),
    }
}

pub(super) fn is_enabled(out: Output, asked: &IsEnabled) -> Result<u8, Error> {
    let disk = Disk::new(asked.root.root.as_ref());
    let installer = installer(&disk);
    let units = parsed(&asked.units)?;
    let states: Vec<UnitFileState> = units.iter().map(|unit| installer.state(unit)).collect();
    if out.json() {
        let list: Vec<_> = units
            .iter()
            .zip(&states)
            .map(|(unit, state)| serde_json::json!({ "unit": unit.as_str(), "state": state.word() }))
            .collect();
        out.print_json(&list)?;
    } else {
        let lines: String = states.iter().map(|state| format!("{}\n", state.word())).collect();
        out.print(&lines)?;
    }
    Ok(exit::of_enabled(&states))
}

pub(super) fn enable(out: Output, asked: &Enable) -> Result<u8, Error> {
    change(out, &asked.units, &asked.change, |installer, units, options| {
        installer.enable(units, options)
    })?;
    now(out, asked, "start")
}

pub(super) fn disable(out: Output, asked: &Enable) -> Result<u8, Error> {
    change(out, &asked.units, &asked.change, |installer, units, options| {
        installer.disable(units, options)
    })?;
    now(out, asked, "stop")
}

pub(super) fn mask(out: Output, asked: &Enable) -> Result<u8, Error> {
    change(out, &asked.units, &asked.change, |installer, units, options| {
        installer.mask(units, options)
    })?;
    now(out, asked, "stop")
}

pub(super) fn unmask(out: Output, asked: &Unmask) -> Result<u8, Error> {
    change(out, &asked.units, &asked.change, |installer, units, options| {
        installer.unmask(units, options)
    })?;
    Ok(exit::OK)
}

/// `--now`.
fn now(out: Output, asked: &Enable, kind: &str) -> Result<u8, Error> {
    if !asked.now {
        return Ok(exit::OK);
    }
    let job = Job {
        units: (&asked.units).into(),
        no_block: false,
        wait: false,
        job_mode: Mode::Replace,
        dry_run: false,
        explain: false,
    };
    jobs::enqueue(&mut Session::open(out)?, kind, &job)
}

fn parsed(units: &Names) -> Result<Vec<UnitName>, Error> {
    let parse = |word: &String| {
        UnitName::new(&names::complete(word)).map_err(|error| Error::Usage(error.to_string()))
    };
    units.units.iter().map(parse).collect()
}

/// Makes a plan, carries it out, and has softbootd read the files again if it runs.
fn change(
    out: Output,
    units: &Names,
    change: &Change,
    plan: impl FnOnce(&Installer<'_>, &[UnitName], InstallOptions) -> Result<Plan, InstallError>,
) -> Result<(), Error> {
    let disk = Disk::new(change.root.root.as_ref());
    let options = InstallOptions {
        runtime: change.runtime,
        force: change.force,
    };
    let plan = plan(&installer(&disk), &parsed(units)?, options)?;
    for step in &plan.changes {
        out.note(&carry_out(&disk, step)?);
    }
    for note in &plan.notes {
        out.note(&crate::text::clean(note));
    }
    if change.no_reload || change.root.root.is_some() || plan.changes.is_empty() {
        return Ok(());
    }
    match Session::open(out) {
        Ok(mut session) => plain(&mut session, "reload of the unit files", &Request::Reload {}).map(|_| ()),
        // Nobody who would have to read them.
        Err(Error::Unreachable { source, .. })
            if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// One step; what was done, for people.
fn carry_out(disk: &Disk, step: &LinkChange) -> Result<String, Error> {
    match step {
        LinkChange::Link { path, target } => {
            let place = disk.place(path);
            let failed = |source| Error::File {
                path: place.clone(),
                source,
            };
            if let Some(directory) = place.parent() {
                fs::create_dir_all(directory).map_err(failed)?;
            }
            // Beside its place first: at no moment is there no link, or half of one.
            let mut beside = place.clone().into_os_string();
            beside.push(format!(".{}.new", std::process::id()));
            let beside = Path::new(&beside);
            std::os::unix::fs::symlink(target, beside).map_err(failed)?;
            fs::rename(beside, &place).map_err(|source| {
                let _ = fs::remove_file(beside);
                failed(source)
            })?;
            Ok(format!(
                "Linked {} to {}.",
                crate::text::clean(path),
                crate::text::clean(target)
            ))
        }
        LinkChange::Remove { path } => {
            let place = disk.place(path);
            match fs::remove_file(&place) {
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    return Err(Error::File { path: place, source });
                }
                _ => {}
            }
            let directory = place.parent().filter(|directory| {
                let suffix = directory.extension().and_then(|suffix| suffix.to_str());
                matches!(suffix, Some("wants" | "requires" | "upholds"))
            });
            if let Some(directory) = directory {
                // It stays if there is anything else in it.
                let _ = fs::remove_dir(directory);
            }
            Ok(format!("Removed {}.", crate::text::clean(path)))
        }
    }
}
