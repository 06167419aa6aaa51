//! Credentials: files below /run that only the unit's user can read (systemd.exec(5), "Credentials").
//!
//! PID 1 makes the directory and its child the files: what is copied may be on a disk.

use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, Uid};
use softboot_control::api::glob_match;
use softboot_sys::spawn::{Credential, Preparation, Step, Task};
use softboot_unit::{CredentialImport, CredentialSource, ExecContext, UnitName};

use super::account::Account;
use super::refused::{Refused, c_string, code, path_text};

const DIRECTORY: &str = "/run/credentials";
/// What the machine was given: a credential that is asked for by name alone is there, or is not.
const SYSTEM: &str = "/run/credentials/@system";

/// Whether the unit has any.
pub(crate) fn any(exec: &ExecContext) -> bool {
    !exec.load_credentials.is_empty()
        || !exec.set_credentials.is_empty()
        || !exec.credential_imports.is_empty()
}

/// `$CREDENTIALS_DIRECTORY`.
pub(crate) fn directory(unit: &UnitName) -> PathBuf {
    Path::new(DIRECTORY).join(unit.as_str())
}

/// Makes the directory; what the child has to write into it.
pub(super) fn prepare(
    unit: &UnitName,
    exec: &ExecContext,
    account: &Account,
) -> Result<Vec<Preparation>, Refused> {
    if !any(exec) {
        return Ok(Vec::new());
    }
    let place = directory(unit);
    let (uid, gid) = account.owner().unwrap_or((0, 0));
    let made = std::fs::create_dir_all(&place).and_then(|()| {
        rustix::fs::chmod(&place, Mode::from_raw_mode(0o500))?;
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        rustix::fs::chown(&place, Some(uid), Some(gid))?;
        Ok(())
    });
    made.map_err(|error| Refused {
        error: format!("credentials directory {}: {error}", place.display()),
        code: code::CREDENTIALS,
    })?;
    let mut list = Vec::new();
    for (id, source, fallback, optional) in sources(exec, &of_the_machine(exec)) {
        list.push(Preparation {
            step: Step::Credentials,
            task: Task::Credential(Credential {
                source: source.map(c_string).transpose()?,
                fallback: fallback.map(String::into_bytes),
                optional,
                draft: c_string(path_text(&place.join(format!(".{id}.new")))?)?,
                path: c_string(path_text(&place.join(&id))?)?,
                owner: (uid, gid),
            }),
        });
    }
    Ok(list)
}

/// Name, file, contents without it, and whether neither is no error.
type Source = (String, Option<String>, Option<String>, bool);

/// A later setting of a name takes its place; LoadCredential= stands above ImportCredential=, and that above
/// SetCredential=, whose text is what there is without a file. `machine` is what ImportCredential= chooses from.
fn sources(exec: &ExecContext, machine: &[String]) -> Vec<Source> {
    let mut found: Vec<Source> = Vec::new();
    let mut add = |id: &str, path: Option<String>, text: Option<&String>, optional: bool| {
        let index = found.iter().position(|(known, ..)| known == id);
        let before = index.and_then(|index| found.remove(index).2);
        found.push((id.to_owned(), path, text.cloned().or(before), optional));
    };
    let imported = exec.credential_imports.iter().flat_map(|import| {
        let names = machine.iter().filter(|name| glob_match(&import.pattern, name));
        names.map(|name| (new_name(import, name), name))
    });
    let (set, load) = (exec.set_credentials.iter(), exec.load_credentials.iter());
    let mut one = |credential: &softboot_unit::Credential| match &credential.source {
        CredentialSource::Text(text) => add(&credential.id, None, Some(text), true),
        CredentialSource::Path(path) => add(&credential.id, Some(path.clone()), None, false),
        CredentialSource::Manager(name) => add(&credential.id, Some(format!("{SYSTEM}/{name}")), None, true),
    };
    set.for_each(&mut one);
    for (id, name) in imported {
        one(&softboot_unit::Credential {
            id,
            source: CredentialSource::Manager(name.clone()),
        });
    }
    load.for_each(&mut one);
    found
}

/// `a.*:b.` makes b.x of a.x, `a:b` b of a.
fn new_name(import: &CredentialImport, name: &str) -> String {
    let Some(rename) = &import.rename else {
        return name.to_owned();
    };
    let rest = import
        .pattern
        .strip_suffix('*')
        .and_then(|prefix| name.strip_prefix(prefix));
    format!("{rename}{}", rest.unwrap_or_default())
}

/// The names of the machine's credentials, where the unit imports any.
fn of_the_machine(exec: &ExecContext) -> Vec<String> {
    if exec.credential_imports.is_empty() {
        return Vec::new();
    }
    // Without the directory the machine has none.
    let entries = std::fs::read_dir(SYSTEM).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Removes what a unit had; a sentence if it stays.
pub(crate) fn remove(unit: &UnitName) -> Option<String> {
    let place = directory(unit);
    match std::fs::remove_dir_all(&place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Some(format!(
            "credentials directory {} stays: {error}",
            place.display()
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use softboot_unit::Credential as Setting;

    #[test]
    fn a_text_stands_in_for_a_file_of_the_same_name() {
        let setting = |id: &str, source| Setting {
            id: id.to_owned(),
            source,
        };
        let exec = ExecContext {
            load_credentials: vec![
                setting("a", CredentialSource::Path("/a".to_owned())),
                setting("b", CredentialSource::Path("/b".to_owned())),
                setting("c", CredentialSource::Manager("x".to_owned())),
            ],
            set_credentials: vec![
                setting("a", CredentialSource::Text("old".to_owned())),
                setting("a", CredentialSource::Text("text".to_owned())),
                setting("d", CredentialSource::Text("alone".to_owned())),
            ],
            ..ExecContext::default()
        };
        let text = |text: &str| Some(text.to_owned());
        let id = |id: &str| id.to_owned();
        assert_eq!(
            sources(&exec, &[]),
            [
                (id("d"), None, text("alone"), true),
                (id("a"), text("/a"), text("text"), false),
                (id("b"), text("/b"), None, false),
                (id("c"), text("/run/credentials/@system/x"), None, true),
            ]
        );
    }

    #[test]
    fn what_is_imported_stands_between_a_text_and_a_file() {
        let import = |pattern: &str, rename: Option<&str>| CredentialImport {
            pattern: pattern.to_owned(),
            rename: rename.map(str::to_owned),
        };
        let exec = ExecContext {
            credential_imports: vec![
                import("a.*", Some("b.")),
                import("one", Some("two")),
                import("c*", None),
            ],
            set_credentials: vec![Setting {
                id: "two".to_owned(),
                source: CredentialSource::Text("text".to_owned()),
            }],
            load_credentials: vec![Setting {
                id: "c2".to_owned(),
                source: CredentialSource::Path("/c2".to_owned()),
            }],
            ..ExecContext::default()
        };
        let machine = ["a.x", "c1", "c2", "d", "one"].map(str::to_owned);
        let system = |name: &str| Some(format!("{SYSTEM}/{name}"));
        assert_eq!(
            sources(&exec, &machine),
            [
                ("b.x".to_owned(), system("a.x"), None, true),
                ("two".to_owned(), system("one"), Some("text".to_owned()), true),
                ("c1".to_owned(), system("c1"), None, true),
                ("c2".to_owned(), Some("/c2".to_owned()), None, false),
            ]
        );
    }
}
