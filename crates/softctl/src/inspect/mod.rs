//! softboot-inspect: looks at files and at the memory files of a running softbootd.

mod process;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use softboot_reexec::inspect::{Found, Kind, look};

use crate::cli::Inspect;
use crate::error::Error;
use crate::exit;
use crate::run::Output;
use crate::view::snapshot as view;

/// A file that was looked at.
#[derive(Debug)]
pub(crate) struct Looked {
    /// Its path, or what it is of a process.
    pub(crate) name: String,
    /// What is in it.
    pub(crate) found: Found,
}

/// Does what the command line says. The exit code is 0 if all that was found is whole.
pub(crate) fn run(asked: &Inspect) -> Result<u8, Error> {
    let out = Output { common: asked.common };
    let looked = match asked.target.parse::<i32>() {
        Ok(pid) => process::look_at(pid)?,
        Err(_) => vec![file(PathBuf::from(&asked.target))?],
    };
    show(out, &looked, &asked.units)
}

fn file(path: PathBuf) -> Result<Looked, Error> {
    let name = path.display().to_string();
    Ok(Looked {
        found: read(&path)?,
        name,
    })
}

fn read(path: &Path) -> Result<Found, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    look(&bytes).map_err(|error| Error::Usage(format!("{}: {error}", path.display())))
}

/// Shows what was found, or of it what belongs to some units.
pub(crate) fn show(out: Output, looked: &[Looked], units: &[String]) -> Result<u8, Error> {
    if !units.is_empty() {
        return records(out, looked, units);
    }
    let json: Vec<Value> = looked.iter().map(as_json).collect();
    match &json[..] {
        [one] => out.show(one, |shown| view::all(looked, shown))?,
        all => out.show(&all, |shown| view::all(looked, shown))?,
    }
    let whole = looked.iter().all(|looked| looked.found.is_whole());
    Ok(if whole { exit::OK } else { exit::FAILURE })
}

fn as_json(looked: &Looked) -> Value {
    let found = &looked.found;
    let problems = found.problems.iter();
    json!({
        "name": looked.name,
        "kind": found.kind.word(),
        "format": found.format,
        "checksum": found.checksum,
        "bytes": found.bytes,
        "problems": problems.map(|problem| json!({ "at": problem.at, "what": problem.what })).collect::<Vec<_>>(),
        "values": found.values,
    })
}

/// The records of some units, as they are: one after the other, or as one list for programs.
fn records(out: Output, looked: &[Looked], units: &[String]) -> Result<u8, Error> {
    let mut code = exit::OK;
    let mut found = Vec::new();
    for unit in units {
        let unit = crate::names::complete(unit);
        let of_snapshots = looked.iter().filter(|looked| looked.found.kind != Kind::Journal);
        let values = of_snapshots.flat_map(|looked| looked.found.values.iter());
        let records: Vec<&Value> = values.flat_map(|value| view::records_of(value, &unit)).collect();
        if records.is_empty() {
            out.complain(&format!("there is no record of {unit}"));
            code = exit::NO_SUCH_UNIT;
        }
        found.extend(records);
    }
    if out.json() {
        out.print_json(&found)?;
    } else {
        found.iter().try_for_each(|record| out.print_json(record))?;
    }
    Ok(code)
}
