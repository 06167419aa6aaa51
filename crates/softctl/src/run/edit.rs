//! `edit`.

mod editor;
mod page;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use softboot_unit::files::FileProvider as _;
use softboot_unit::install::{InstallError, PERSISTENT, RUNTIME};
use softboot_unit::{Definition, LoadState, Loader, Specifiers, UnitName};

use super::disk::Disk;
use super::links::read_again;
use super::output::Output;
use super::unit_files::parsed;
use crate::cli::Edit;
use crate::error::Error;
use crate::exit;
use crate::text::clean;

/// The drop-in that is meant unless another is named.
const USUAL: &str = "override.conf";

pub(super) fn edit(out: Output, asked: &Edit) -> Result<u8, Error> {
    let whole = out.common.full;
    if whole && asked.drop_in.is_some() {
        let text = "--full is about the whole file, --drop-in about another; give one of them".to_owned();
        return Err(Error::Usage(text));
    }
    let drop_in = drop_in_name(asked.drop_in.as_deref().unwrap_or(USUAL))?;
    let given = asked.stdin.then(read_stdin).transpose()?;
    let (mut code, mut written) = (exit::OK, false);
    for name in parsed(&asked.units)? {
        // Each unit sees what was written for the one before.
        let disk = Disk::new(asked.change.root.root.as_ref());
        let definition = loader(&disk).load(&name);
        let built_in = definition.fragment.is_none() && definition.load != LoadState::NotFound;
        let problem = match &definition.load {
            LoadState::Masked => return Err(InstallError::Masked(name).into()),
            LoadState::NotFound if !asked.force => Some(format!(
                "{name} has no file; `softctl edit --force --full {name}` makes one"
            )),
            _ if whole && built_in && !asked.force => Some(format!(
                "{name} is built into softbootd and has no file to copy; `softctl edit --force --full {name}` makes one"
            )),
            _ => None,
        };
        if let Some(problem) = problem {
            out.complain(&problem);
            code = exit::NO_SUCH_UNIT;
            continue;
        }
        let place = place(&definition, whole, &drop_in, asked.runtime);
        written |= one(out, &disk, &definition, &place, whole, given.as_deref())?;
    }
    if written {
        read_again(out, &asked.change.root, asked.change.no_reload)?;
    }
    Ok(code)
}

fn loader(disk: &Disk) -> Loader<'_> {
    Loader::new(disk, softboot_unit::default_paths(), Specifiers::default())
}

/// The file that is written.
fn place(definition: &Definition, whole: bool, drop_in: &str, runtime: bool) -> String {
    let directory = if runtime { RUNTIME } else { PERSISTENT };
    let name: &UnitName = &definition.name;
    if whole {
        format!("{directory}/{name}")
    } else {
        format!("{directory}/{name}.d/{drop_in}")
    }
}

/// Edits one file; whether anything was written.
fn one(
    out: Output,
    disk: &Disk,
    definition: &Definition,
    place: &str,
    whole: bool,
    given: Option<&str>,
) -> Result<bool, Error> {
    let old = text_of(disk, place)?;
    let new = match given {
        Some(text) => page::tidy(text),
        None => {
            let first = if whole {
                let copied = definition.fragment.as_deref().filter(|_| old.is_none());
                let copy = copied.map(|path| text_of(disk, path)).transpose()?.flatten();
                old.clone().or(copy).unwrap_or_default()
            } else {
                let others = definition.fragment.iter().chain(&definition.drop_ins);
                let mut below = Vec::new();
                for path in others.filter(|path| *path != place) {
                    below.push((path.as_str(), text_of(disk, path)?.unwrap_or_default()));
                }
                page::page(place, old.as_deref().unwrap_or_default(), &below)
            };
            let typed = typed(&disk.place(place), &first)?;
            page::tidy(if whole { &typed } else { page::between(&typed) })
        }
    };
    let shown = clean(place);
    if new.is_empty() {
        out.note(&format!("{shown}: the text is empty, so nothing is written."));
        return Ok(false);
    }
    if old.as_deref() == Some(new.as_str()) {
        out.note(&format!("{shown} stays as it was."));
        return Ok(false);
    }
    write(&disk.place(place), &new)?;
    out.note(&format!("Wrote {shown}."));
    // Told now, and not only by the next start.
    let disk = disk.fresh();
    let wrong = loader(&disk).load(&definition.name).diagnostics;
    for found in wrong.iter().filter(|found| found.file == place) {
        out.note(found.render(out.is_coloured()).trim_end());
    }
    Ok(true)
}

fn text_of(disk: &Disk, path: &str) -> Result<Option<String>, Error> {
    let bytes = disk.read(path).map_err(|source| Error::Unreadable {
        path: disk.place(path),
        source,
    })?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn drop_in_name(word: &str) -> Result<String, Error> {
    if word.is_empty() || word.starts_with('.') || word.contains('/') {
        return Err(Error::Usage(format!("{word:?} is no name of a drop-in")));
    }
    Ok(match word.ends_with(".conf") {
        true => word.to_owned(),
        false => format!("{word}.conf"),
    })
}

fn read_stdin() -> Result<String, Error> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| Error::Usage(format!("standard input: {error}")))?;
    Ok(text)
}

/// What a person makes of a text. The file is beside its place, where it can become the new one; it and the directory
/// are gone again whatever happens.
fn typed(place: &Path, text: &str) -> Result<String, Error> {
    let made = Made::directory_of(place)?;
    let draft = Draft(beside(place));
    save(&draft.0, text)?;
    editor::edit(&draft.0)?;
    let typed = fs::read_to_string(&draft.0).map_err(|source| Error::Unreadable {
        path: draft.0.clone(),
        source,
    });
    drop(draft);
    drop(made);
    typed
}

fn write(place: &Path, text: &str) -> Result<(), Error> {
    let _made = Made::directory_of(place)?;
    let draft = Draft(beside(place));
    save(&draft.0, text)?;
    fs::rename(&draft.0, place).map_err(|source| Error::File {
        path: place.to_owned(),
        source,
    })
}

/// A name that no unit file and no drop-in has.
fn beside(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    place.with_file_name(format!(".#{name}.{}", std::process::id()))
}

/// Nobody else's file or link is written to.
fn save(path: &Path, text: &str) -> Result<(), Error> {
    let mut file = fs::OpenOptions::new();
    let file = file.write(true).create_new(true).mode(0o644);
    let written = file
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}

/// A file that goes again, unless it was renamed.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A directory that goes again if it is empty, unless it was there before.
struct Made(Option<PathBuf>);

impl Made {
    fn directory_of(place: &Path) -> Result<Made, Error> {
        let Some(directory) = place.parent() else {
            return Ok(Made(None));
        };
        if directory.is_dir() {
            return Ok(Made(None));
        }
        fs::create_dir_all(directory).map_err(|source| Error::File {
            path: directory.to_owned(),
            source,
        })?;
        Ok(Made(Some(directory.to_owned())))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(directory) = &self.0 {
            let _ = fs::remove_dir(directory);
        }
    }
}
