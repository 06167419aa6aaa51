//! Credentials: files below /run that only the unit's user can read (systemd.exec(5), "Credentials").
//!
//! PID 1 makes the directory and its child the files: what is copied may be on a disk.

use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, Uid};
use softboot_sys::spawn::{Credential, Preparation, Step, Task};
use softboot_unit::{CredentialSource, ExecContext, UnitName};

use super::account::Account;
use super::refused::{Refused, c_string, code, path_text};

const DIRECTORY: &str = "/run/credentials";
/// What the machine was given: a credential that is asked for by name alone is there, or is not.
const SYSTEM: &str = "/run/credentials/@system";

/// Whether the unit has any.
pub(crate) fn any(exec: &ExecContext) -> bool {
    !exec.load_credentials.is_empty() || !exec.set_credentials.is_empty()
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
    for (id, source, fallback, optional) in sources(exec) {
        list.push(Preparation {
            step: Step::Credentials,
            task: Task::Credential(Credential {
                source: source.map(c_string).transpose()?,
                fallback: fallback.map(String::into_bytes),
                optional,
                draft: c_string(path_text(&place.join(format!(".{id}.new")))?)?,
                path: c_string(path_text(&place.join(id))?)?,
                owner: (uid, gid),
            }),
        });
    }
    Ok(list)
}

/// Name, file, contents without it, and whether neither is no error. A later setting of a name takes its place.
fn sources(exec: &ExecContext) -> Vec<(&str, Option<String>, Option<String>, bool)> {
    let mut found: Vec<(&str, Option<String>, Option<String>, bool)> = Vec::new();
    for credential in exec.set_credentials.iter().chain(&exec.load_credentials) {
        let id = credential.id.as_str();
        let index = found.iter().position(|(known, ..)| *known == id);
        let fallback = index.and_then(|index| found.remove(index).2);
        found.push(match &credential.source {
            CredentialSource::Text(text) => (id, None, Some(text.clone()), true),
            CredentialSource::Path(path) => (id, Some(path.clone()), fallback, false),
            CredentialSource::Manager(name) => (id, Some(format!("{SYSTEM}/{name}")), fallback, true),
        });
    }
    found
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
        assert_eq!(
            sources(&exec),
            [
                ("d", None, text("alone"), true),
                ("a", text("/a"), text("text"), false),
                ("b", text("/b"), None, false),
                ("c", text("/run/credentials/@system/x"), None, true),
            ]
        );
    }
}
