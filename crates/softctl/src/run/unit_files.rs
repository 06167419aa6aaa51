//! `list-unit-files`, `is-enabled`, and the verbs that make and remove links.
//!
//! The links are made here, not in PID 1, which then only reads the files again: so it is the same for the running
//! system and for the root of another, and PID 1 never writes to /etc.

use std::collections::BTreeSet;

use softboot_unit::UnitName;
use softboot_unit::files::FileProvider as _;
use softboot_unit::install::{Pull, UnitFileState};

use super::disk::Disk;
use super::jobs;
use super::links::{change, installer, set_anew};
use super::output::Output;
use super::session::Session;
use crate::cli::{
    AddTo, Change, Enable, IsEnabled, Job, Link, ListUnitFiles, Mode, Names, Revert, Root, SetDefault, Unmask,
};
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
    let units = named(out, &asked.units, &asked.change)?;
    change(out, &asked.change, |installer, options| {
        installer.enable(&parsed(&units)?, options).map_err(Error::from)
    })?;
    now(out, asked, &units, "start")
}

pub(super) fn reenable(out: Output, asked: &Enable) -> Result<u8, Error> {
    let units = named(out, &asked.units, &asked.change)?;
    change(out, &asked.change, |installer, options| {
        installer.reenable(&parsed(&units)?, options).map_err(Error::from)
    })?;
    now(out, asked, &units, "restart")
}

pub(super) fn disable(out: Output, asked: &Enable) -> Result<u8, Error> {
    change(out, &asked.change, |installer, options| {
        installer
            .disable(&parsed(&asked.units)?, options)
            .map_err(Error::from)
    })?;
    now(out, asked, &asked.units, "stop")
}

pub(super) fn mask(out: Output, asked: &Enable) -> Result<u8, Error> {
    change(out, &asked.change, |installer, options| {
        installer
            .mask(&parsed(&asked.units)?, options)
            .map_err(Error::from)
    })?;
    now(out, asked, &asked.units, "stop")
}

pub(super) fn unmask(out: Output, asked: &Unmask) -> Result<u8, Error> {
    change(out, &asked.change, |installer, options| {
        installer
            .unmask(&parsed(&asked.units)?, options)
            .map_err(Error::from)
    })?;
    Ok(exit::OK)
}

pub(super) fn link(out: Output, asked: &Link) -> Result<u8, Error> {
    let files = asked.files.iter().map(|file| absolute(file));
    let files = files.collect::<Result<Vec<String>, Error>>()?;
    change(out, &asked.change, |installer, options| {
        installer.link(&files, options).map_err(Error::from)
    })?;
    Ok(exit::OK)
}

pub(super) fn add(out: Output, asked: &AddTo, pull: Pull) -> Result<u8, Error> {
    let target = unit_name(&names::complete_as(&asked.target, "target"))?;
    change(out, &asked.change, |installer, options| {
        let units = parsed(&asked.units)?;
        installer.add(pull, &target, &units, options).map_err(Error::from)
    })?;
    Ok(exit::OK)
}

pub(super) fn revert(out: Output, asked: &Revert) -> Result<u8, Error> {
    set_anew(out, &asked.change, |installer| {
        installer.revert(&parsed(&asked.units)?).map_err(Error::from)
    })?;
    Ok(exit::OK)
}

pub(super) fn get_default(out: Output, root: &Root) -> Result<u8, Error> {
    let disk = Disk::new(root.root.as_ref());
    let target = installer(&disk).default_target()?;
    if out.json() {
        out.print_json(&serde_json::json!({ "unit": target.as_str() }))?;
    } else {
        out.print(&format!("{target}\n"))?;
    }
    Ok(exit::OK)
}

pub(super) fn set_default(out: Output, asked: &SetDefault) -> Result<u8, Error> {
    let target = unit_name(&names::complete_as(&asked.target, "target"))?;
    set_anew(out, &asked.change, |installer| {
        installer.set_default(&target).map_err(Error::from)
    })?;
    Ok(exit::OK)
}

/// The units that are meant. A path of a unit file stands for the unit, and the file is linked first.
fn named(out: Output, units: &Names, how: &Change) -> Result<Names, Error> {
    let (mut named, mut files) = (Vec::new(), Vec::new());
    for word in &units.units {
        match word.rsplit_once('/') {
            Some((_, name)) if UnitName::new(name).is_ok() => {
                files.push(absolute(word)?);
                named.push(name.to_owned());
            }
            _ => named.push(word.clone()),
        }
    }
    if !files.is_empty() {
        change(out, how, |installer, options| {
            installer.link(&files, options).map_err(Error::from)
        })?;
    }
    Ok(Names { units: named })
}

fn absolute(file: &str) -> Result<String, Error> {
    let path = std::path::absolute(file).map_err(|error| Error::Usage(format!("{file:?}: {error}")))?;
    let text = path.into_os_string().into_string();
    text.map_err(|_| Error::Usage(format!("{file:?} is below a directory whose name is no text")))
}

/// `--now`.
fn now(out: Output, asked: &Enable, units: &Names, kind: &str) -> Result<u8, Error> {
    if !asked.now {
        return Ok(exit::OK);
    }
    let job = Job {
        units: units.into(),
        no_block: false,
        wait: false,
        job_mode: Mode::Replace,
        dry_run: false,
        explain: false,
    };
    jobs::enqueue(&mut Session::open(out)?, kind, &job)
}

pub(super) fn parsed(units: &Names) -> Result<Vec<UnitName>, Error> {
    units
        .units
        .iter()
        .map(|word| unit_name(&names::complete(word)))
        .collect()
}

pub(super) fn unit_name(text: &str) -> Result<UnitName, Error> {
    UnitName::new(text).map_err(|error| Error::Usage(error.to_string()))
}
