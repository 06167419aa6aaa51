//! Carries plans out: makes and removes links, and has softbootd read the files again.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use softboot_control::api::Request;
use softboot_unit::Specifiers;
use softboot_unit::install::{Change as Step, InstallOptions, Installer, Plan};

use super::disk::Disk;
use super::output::Output;
use super::plain;
use super::session::Session;
use crate::cli::{Anew, Change, Root};
use crate::error::Error;

pub(super) fn installer(disk: &Disk) -> Installer<'_> {
    Installer::new(disk, softboot_unit::default_paths(), Specifiers::default())
}

/// Makes a plan, carries it out, and has softbootd read the files again if it runs.
pub(super) fn change(
    out: Output,
    how: &Change,
    plan: impl FnOnce(&Installer<'_>, InstallOptions) -> Result<Plan, Error>,
) -> Result<(), Error> {
    let options = InstallOptions {
        runtime: how.runtime,
        force: how.force,
    };
    let disk = Disk::new(how.root.root.as_ref());
    let plan = plan(&installer(&disk), options)?;
    follow(out, &disk, &plan, &how.root, how.no_reload)
}

/// The same where there is nothing to choose.
pub(super) fn set_anew(
    out: Output,
    how: &Anew,
    plan: impl FnOnce(&Installer<'_>) -> Result<Plan, Error>,
) -> Result<(), Error> {
    let disk = Disk::new(how.root.root.as_ref());
    let plan = plan(&installer(&disk))?;
    follow(out, &disk, &plan, &how.root, how.no_reload)
}

fn follow(out: Output, disk: &Disk, plan: &Plan, root: &Root, no_reload: bool) -> Result<(), Error> {
    for step in &plan.changes {
        out.note(&carry_out(disk, step)?);
    }
    for note in &plan.notes {
        out.note(&crate::text::clean(note));
    }
    if plan.changes.is_empty() {
        return Ok(());
    }
    read_again(out, root, no_reload)
}

/// Has softbootd read the unit files again if it runs and is to know.
pub(super) fn read_again(out: Output, root: &Root, no_reload: bool) -> Result<(), Error> {
    if no_reload || root.root.is_some() {
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
fn carry_out(disk: &Disk, step: &Step) -> Result<String, Error> {
    match step {
        Step::Link { path, target } => {
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
        Step::Remove { path } => {
            let place = disk.place(path);
            match fs::remove_file(&place) {
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    return Err(Error::File { path: place, source });
                }
                _ => {}
            }
            let directory = place.parent().filter(|directory| {
                let suffix = directory.extension().and_then(|suffix| suffix.to_str());
                matches!(suffix, Some("wants" | "requires" | "upholds" | "d"))
            });
            if let Some(directory) = directory {
                // It stays if there is anything else in it.
                let _ = fs::remove_dir(directory);
            }
            Ok(format!("Removed {}.", crate::text::clean(path)))
        }
    }
}
