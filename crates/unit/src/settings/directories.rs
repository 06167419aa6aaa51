//! `RuntimeDirectory=`, `StateDirectory=`, `CacheDirectory=`, `LogsDirectory=`, `ConfigurationDirectory=`.

use super::{Applied, Fault, Outcome};
use crate::model::{DirectoryPreserve, ExecContext, ExecDirectories, ExecDirectory};
use crate::syntax::shown;
use crate::value::{boolean, octal, split_words};

pub(super) fn apply(exec: &mut ExecContext, key: &str, value: &str) -> Outcome {
    match key {
        "RuntimeDirectory" if value.is_empty() => {
            exec.runtime_directory.clear();
            exec.runtime_directory_links.clear();
            exec.runtime_directory_read_only.clear();
        }
        "RuntimeDirectory" => {
            for word in split_words(value)? {
                let entry = entry(&word)?;
                if let Some(link) = entry.symlink {
                    exec.runtime_directory_links.push((link, entry.name.clone()));
                }
                if entry.read_only {
                    exec.runtime_directory_read_only.push(entry.name.clone());
                }
                exec.runtime_directory.push(entry.name);
            }
        }
        "RuntimeDirectoryMode" => exec.runtime_directory_mode = octal(value)?,
        "RuntimeDirectoryPreserve" => {
            exec.runtime_directory_kept = match value {
                "restart" => DirectoryPreserve::Restart,
                value if boolean(value)? => DirectoryPreserve::Yes,
                _ => DirectoryPreserve::No,
            };
            exec.runtime_directory_preserve = exec.runtime_directory_kept == DirectoryPreserve::Yes;
        }
        _ => {
            let (name, is_mode) = key.strip_suffix("Mode").map_or((key, false), |name| (name, true));
            let directories = match name {
                "StateDirectory" => &mut exec.state_directory,
                "CacheDirectory" => &mut exec.cache_directory,
                "LogsDirectory" => &mut exec.logs_directory,
                "ConfigurationDirectory" => &mut exec.configuration_directory,
                _ => return Ok(Applied::Unknown),
            };
            if is_mode {
                directories.mode = octal(value)?;
            } else {
                entries(directories, value)?;
            }
        }
    }
    Ok(Applied::Done)
}

fn entries(directories: &mut ExecDirectories, value: &str) -> Result<(), Fault> {
    if value.is_empty() {
        directories.entries.clear();
    }
    for word in split_words(value)? {
        directories.entries.push(entry(&word)?);
    }
    Ok(())
}

/// `name[:symlink[:ro]]`.
fn entry(word: &str) -> Result<ExecDirectory, Fault> {
    let mut parts = word.splitn(3, ':');
    let name = relative(word, parts.next().unwrap_or_default())?;
    let symlink = match parts.next() {
        None | Some("") => None,
        Some(link) => Some(relative(word, link)?),
    };
    let read_only = match parts.next() {
        None | Some("") => false,
        Some("ro") => true,
        Some(other) => {
            return Err(Fault::at(
                word,
                format!("{} is no flag; expected ro", shown(other)),
            ));
        }
    };
    Ok(ExecDirectory {
        name,
        symlink,
        read_only,
    })
}

/// A path that cannot leave the directory it is below: softbootd makes and removes it as root.
fn relative(word: &str, name: &str) -> Result<String, Fault> {
    let good = !name.is_empty()
        && !name.starts_with('/')
        && name
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..");
    if good {
        Ok(name.to_owned())
    } else {
        Err(Fault::at(
            word,
            format!("{} is no relative path without . and ..", shown(name)),
        ))
    }
}
