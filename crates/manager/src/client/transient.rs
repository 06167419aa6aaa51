//! Services that a client makes: a file below /run/systemd/transient, read like any other.
//!
//! There it is found again by a reload, a re-exec and a soft-reboot, and `softctl cat` shows it. It goes when the service
//! has stopped; one that failed keeps its file until the failure is forgotten.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use softboot_control::api::{ApiError, Setting, TransientRequest};
use softboot_engine::{ActiveState, Event, JobKind, RequestId};
use softboot_unit::{Definition, JobMode, LoadState, UnitKind, UnitName};
use tracing::warn;

use super::Waiting;
use super::calls::from_word;
use crate::run::Manager;
use crate::tracked::Tracked;

/// Where the files are (semantics 5.1).
const DIRECTORY: &str = "/run/systemd/transient";

/// Services of this kind, each with the request of its first start while that is not over.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Transients(pub(crate) Tracked<UnitName, Option<RequestId>>);

/// Whether a unit was made by a client.
pub(super) fn is_transient(definition: &Definition) -> bool {
    let file = definition.fragment.as_deref().map(Path::new);
    file.and_then(Path::parent) == Some(Path::new(DIRECTORY))
}

impl Manager {
    /// `StartTransient`.
    pub(super) fn start_transient(&mut self, client: u64, wanted: &TransientRequest) {
        let made = self.make_transient(wanted);
        let (name, mode) = match made {
            Ok(made) => made,
            Err(error) => return self.reply_error(client, &error),
        };
        let request = self.next_request();
        self.clients.transients.0.insert(name.clone(), Some(request));
        let waiting = Waiting::Job {
            request,
            job: None,
            until_done: wanted.wait,
            transient: Some(name.clone()),
        };
        self.clients.set_waiting(client, Some(waiting));
        self.feed(Event::Request {
            request,
            kind: JobKind::Start,
            unit: name,
            mode,
            manual: true,
        });
    }

    fn make_transient(&mut self, wanted: &TransientRequest) -> Result<(UnitName, JobMode), ApiError> {
        let mode: JobMode = from_word(&wanted.mode).ok_or_else(|| ApiError::Failed {
            message: format!("there is no job mode {:?}", wanted.mode),
        })?;
        let text = file_text(wanted)?;
        let name = match &wanted.name {
            Some(name) => service_name(name)?,
            None => self.free_name()?,
        };
        self.install_transient(&name, &text)?;
        Ok((name, mode))
    }

    /// Writes a service's file and loads it. What is wrong leaves nothing behind.
    pub(super) fn install_transient(&mut self, name: &UnitName, text: &str) -> Result<(), ApiError> {
        self.refuse_existing(name)?;
        let path = Path::new(DIRECTORY).join(name.as_str());
        let failed = |error: std::io::Error| ApiError::Failed {
            message: format!("cannot write {}: {error}", path.display()),
        };
        fs::create_dir_all(DIRECTORY).map_err(failed)?;
        fs::write(&path, text).map_err(failed)?;
        let known = |other: &UnitName| other != name && self.engine.unit(other).is_some();
        let definitions = crate::load::closure(std::slice::from_ref(name), &known, &self.listings);
        if let Some(reason) = complaint(name, &definitions) {
            remove_file(name);
            return Err(ApiError::BadUnitSetting { message: reason });
        }
        self.definitions_read(&definitions);
        self.feed(Event::Loaded(definitions));
        self.drain();
        Ok(())
    }

    fn free_name(&mut self) -> Result<UnitName, ApiError> {
        loop {
            let name = service_name(&format!("run-u{}.service", self.next_token()))?;
            if self.refuse_existing(&name).is_ok() {
                return Ok(name);
            }
        }
    }

    /// A name is free if there is no such unit, or only one that was made like this and is over.
    fn refuse_existing(&mut self, name: &UnitName) -> Result<(), ApiError> {
        let Ok(unit) = self.find_or_load(name.as_str()) else {
            return Ok(());
        };
        let over = self.engine.status(unit).is_none_or(|status| {
            status.active == ActiveState::Inactive && status.job.is_none() && status.stored_fds == 0
        });
        if over && self.engine.definition(unit).is_none_or(is_transient) {
            return Ok(());
        }
        let message = format!("there is a unit {name} already");
        Err(ApiError::UnitExists { message })
    }

    /// The start of a service that a client made is over, or nobody waits for it any more.
    pub(super) fn transient_request_over(&mut self, request: RequestId) {
        let transients = &mut self.clients.transients.0;
        let over: Vec<UnitName> = transients
            .iter()
            .filter(|(_, pending)| **pending == Some(request))
            .map(|(name, _)| name.clone())
            .collect();
        if over.is_empty() {
            return;
        }
        for name in over {
            transients.insert(name, None);
        }
        self.sweep_transients();
    }

    /// Removes the files of those that are over.
    pub(super) fn sweep_transients(&mut self) {
        let is_over = |name: &UnitName| {
            let status = self.engine.unit(name).and_then(|unit| self.engine.status(unit));
            status.is_none_or(|status| {
                status.active == ActiveState::Inactive && status.job.is_none() && status.stored_fds == 0
            })
        };
        let begun = self.clients.transients.0.iter();
        let over: Vec<UnitName> = begun
            .filter(|(name, pending)| pending.is_none() && is_over(name))
            .map(|(name, _)| name.clone())
            .collect();
        for name in over {
            self.clients.transients.0.remove(&name);
            remove_file(&name);
        }
    }
}

fn remove_file(name: &UnitName) {
    let path = Path::new(DIRECTORY).join(name.as_str());
    if let Err(error) = fs::remove_file(&path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        warn!("{} stays: {error}", path.display());
    }
}

pub(super) fn service_name(text: &str) -> Result<UnitName, ApiError> {
    let wrong = |reason: String| ApiError::Failed {
        message: format!("a transient unit cannot be named {text:?}: {reason}"),
    };
    let name = UnitName::new(text).map_err(|error| wrong(error.to_string()))?;
    match name.kind() {
        UnitKind::Service if !name.is_template() => Ok(name),
        _ => Err(wrong("it must be a service, and no template".to_owned())),
    }
}

/// What is wrong with the unit, if anything. A setting without effect would be a promise that is not kept.
fn complaint(name: &UnitName, definitions: &[Definition]) -> Option<String> {
    let Some(definition) = definitions.iter().find(|definition| definition.name == *name) else {
        return Some(format!("{name} cannot be loaded"));
    };
    let texts: Vec<String> = definition.diagnostics.iter().map(|d| d.message.clone()).collect();
    match &definition.load {
        LoadState::Loaded if texts.is_empty() => None,
        LoadState::Loaded => Some(texts.join("; ")),
        LoadState::BadSetting(reason) | LoadState::Error(reason) => Some(reason.clone()),
        LoadState::NotFound | LoadState::Masked => Some(format!("{name} is {}", definition.load.word())),
    }
}

/// The unit's file.
fn file_text(wanted: &TransientRequest) -> Result<String, ApiError> {
    let wrong = |message: String| ApiError::BadUnitSetting { message };
    let Some(program) = wanted.command.first() else {
        return Err(wrong("the command is empty".to_owned()));
    };
    if !program.starts_with(|c: char| c == '/' || c == '_' || c.is_ascii_alphanumeric()) {
        // Anything else at the beginning of a command line has a meaning of its own.
        return Err(wrong(format!("{program:?} is no path or name of a program")));
    }
    let words: Vec<String> = wanted.command.iter().map(|word| quoted(word)).collect();
    text_of(&[words.join(" ")], &wanted.settings)
}

/// The file of a service that runs these command lines.
pub(super) fn text_of(commands: &[String], settings: &[Setting]) -> Result<String, ApiError> {
    let wrong = |message: String| ApiError::BadUnitSetting { message };
    let mut unit = "[Unit]\n".to_owned();
    let mut service = "[Service]\n".to_owned();
    for command in commands {
        service.push_str(&format!("ExecStart={command}\n"));
    }
    for Setting { section, key, value } in settings {
        let text = match section.as_str() {
            "Unit" => &mut unit,
            "Service" => &mut service,
            other => return Err(wrong(format!("there is no section {other:?} in a service"))),
        };
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(wrong(format!("{key:?} is no setting")));
        }
        if value.contains(['\n', '\r', '\0']) || value.ends_with('\\') {
            return Err(wrong(format!("{key}=: the value must be one line")));
        }
        text.push_str(&format!("{key}={value}\n"));
    }
    Ok(format!("# Made by a client of softbootd.\n{unit}\n{service}"))
}

/// A word that the unit language reads back as it is (semantics 4.10).
fn quoted(word: &str) -> String {
    expanded(word).replace('$', "$$")
}

/// The same, but variables in it are replaced when the command is run.
pub(super) fn expanded(word: &str) -> String {
    let mut text = String::from("\"");
    for c in word.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '%' => text.push_str("%%"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_ascii_control() => text.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use softboot_unit::files::MemoryFiles;
    use softboot_unit::{KindSection, Loader, Specifiers};

    fn load(wanted: &TransientRequest) -> Definition {
        let text = file_text(wanted).unwrap();
        let files = MemoryFiles::new().file("/u/a.service", &text);
        let name = UnitName::new("a.service").unwrap();
        Loader::new(&files, vec!["/u".to_owned()], Specifiers::default()).load(&name)
    }

    fn setting(section: &str, key: &str, value: &str) -> Setting {
        Setting {
            section: section.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn words_come_through_the_unit_language_as_they_were() {
        let command = ["/bin/x", "a b", "", "%n", "$HOME", "q\"'\\", ";", "ä\n\t\x1b"].map(str::to_owned);
        let wanted = TransientRequest {
            command: command.to_vec(),
            ..TransientRequest::default()
        };
        let definition = load(&wanted);
        assert_eq!(definition.diagnostics, []);
        let KindSection::Service(service) = definition.kind else {
            panic!()
        };
        let [start] = service.exec_start.as_slice() else {
            panic!("{:?}", service.exec_start)
        };
        let argv: Vec<String> = start.argv.iter().map(|word| word.replace("$$", "$")).collect();
        assert_eq!(argv, command);
    }

    #[test]
    fn settings_go_where_they_belong_and_mistakes_are_complaints() {
        let mut wanted = TransientRequest {
            command: vec!["/bin/x".to_owned()],
            settings: vec![
                setting("Unit", "Description", "A thing"),
                setting("Service", "Type", "oneshot"),
            ],
            ..TransientRequest::default()
        };
        let definition = load(&wanted);
        assert_eq!(definition.unit.description, "A thing");
        assert_eq!(complaint(&definition.name.clone(), &[definition]), None);
        wanted.settings.push(setting("Service", "Typ", "oneshot"));
        let definition = load(&wanted);
        let text = complaint(&definition.name.clone(), &[definition]).unwrap();
        assert!(text.contains("Typ"), "{text}");
    }

    #[test]
    fn no_value_can_add_a_line_of_its_own() {
        for (section, key, value) in [
            ("Service", "User", "x\nExecStart=/bin/evil"),
            ("Service", "User", "x\\"),
            ("Service", "User=x\nType", "y"),
            ("Service", "", "y"),
            ("Install", "WantedBy", "x.target"),
            ("Service]\n[Unit", "A", "b"),
        ] {
            let wanted = TransientRequest {
                command: vec!["/bin/x".to_owned()],
                settings: vec![setting(section, key, value)],
                ..TransientRequest::default()
            };
            assert!(file_text(&wanted).is_err(), "{section} {key} {value}");
        }
        for program in ["", "-/bin/x", "+x", "@x", "|x"] {
            let wanted = TransientRequest {
                command: vec![program.to_owned()],
                ..TransientRequest::default()
            };
            assert!(file_text(&wanted).is_err(), "{program}");
        }
    }

    #[test]
    fn only_services_can_be_made() {
        assert!(service_name("a.service").is_ok());
        for name in [
            "a.target",
            "a@.service",
            "a",
            "../a.service",
            "",
            &"x".repeat(5000),
        ] {
            assert!(service_name(name).is_err(), "{name}");
        }
    }
}
