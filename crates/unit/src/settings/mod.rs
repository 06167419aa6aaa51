//! From assignments to typed settings.

mod exec;
mod known;
mod raw;
mod service;
mod socket;
mod unit;

pub(crate) use raw::{RawService, RawSocket, RawUnit};

use crate::model::{Diagnostic, KindSection, Severity};
use crate::name::{UnitKind, UnitName};
use crate::specifier::{self, Specifiers};
use crate::syntax::Assignment;
use crate::value::did_you_mean;

/// What a setting did.
pub(crate) enum Applied {
    /// It was understood.
    Done,
    /// It has no meaning in this section.
    Unknown,
}

/// Result of one assignment; the error says what was expected.
pub(crate) type Outcome = Result<Applied, String>;

/// A unit while its files are read.
pub(crate) struct Draft<'a> {
    pub(crate) name: &'a UnitName,
    pub(crate) facts: &'a Specifiers,
    /// The main file, for `%y`.
    pub(crate) fragment: String,
    pub(crate) unit: RawUnit,
    pub(crate) service: RawService,
    pub(crate) socket: RawSocket,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(name: &'a UnitName, facts: &'a Specifiers, fragment: &str) -> Draft<'a> {
        Draft {
            name,
            facts,
            fragment: fragment.to_owned(),
            unit: RawUnit::new(name),
            service: RawService::new(name),
            socket: RawSocket::new(name),
            diagnostics: Vec::new(),
        }
    }

    /// Applies a file's assignments. What is wrong is noted with file and line, and has no effect.
    pub(crate) fn apply(&mut self, file: &str, assignments: Vec<Assignment>) {
        for assignment in assignments {
            let (severity, message) = match self.apply_one(&assignment) {
                None => continue,
                Some(problem) => problem,
            };
            self.diagnostics.push(Diagnostic {
                severity,
                file: file.to_owned(),
                line: assignment.line,
                message,
            });
        }
    }

    fn apply_one(&mut self, assignment: &Assignment) -> Option<(Severity, String)> {
        let Assignment {
            section, key, value, ..
        } = assignment;
        if section.starts_with("X-") || key.starts_with("X-") || section == "Install" {
            return None;
        }
        let own_section = section_of(self.name.kind());
        if section != "Unit" && Some(section.as_str()) != own_section {
            return known::foreign_section(section, self.name.kind());
        }
        let value = match self.expand(section, key, value) {
            Ok(value) => value,
            Err(reason) => return Some((Severity::Warning, format!("{key}=: {reason}"))),
        };
        let outcome = match section.as_str() {
            "Unit" => unit::apply(&mut self.unit, key, &value),
            "Service" => service::apply(&mut self.service, key, &value),
            "Socket" => socket::apply(&mut self.socket, key, &value),
            _ => Ok(Applied::Unknown),
        };
        match outcome {
            Ok(Applied::Done) => None,
            Ok(Applied::Unknown) => Some(unknown_key(section, key)),
            Err(reason) => {
                if known::makes_unusable(section, key) {
                    self.unit
                        .broken
                        .get_or_insert_with(|| format!("{key}=: {reason}"));
                    return Some((Severity::Error, format!("{key}=: {reason}")));
                }
                Some((Severity::Warning, format!("{key}=: {reason}")))
            }
        }
    }

    /// Specifiers, except where a `%` has its own meaning.
    fn expand(&self, section: &str, key: &str, value: &str) -> Result<String, String> {
        if section == "Service" && matches!(key, "MemoryMax" | "TasksMax" | "MemoryHigh" | "CPUQuota") {
            return Ok(value.to_owned());
        }
        specifier::expand(value, self.name, self.facts, &self.fragment)
    }

    /// The typed section of the unit's kind.
    pub(crate) fn kind_section(&self) -> KindSection {
        match self.name.kind() {
            UnitKind::Service => KindSection::Service(Box::new(self.service.finish(&self.unit))),
            UnitKind::Socket => KindSection::Socket(Box::new(self.socket.finish())),
            UnitKind::Target => KindSection::Target,
            UnitKind::Slice => KindSection::Slice,
            _ => KindSection::Other,
        }
    }
}

fn section_of(kind: UnitKind) -> Option<&'static str> {
    match kind {
        UnitKind::Service => Some("Service"),
        UnitKind::Socket => Some("Socket"),
        _ => None,
    }
}

fn unknown_key(section: &str, key: &str) -> (Severity, String) {
    if known::is_unsupported(section, key) {
        return (
            Severity::Unsupported,
            format!("{key}= is understood but nothing acts on it yet"),
        );
    }
    let all = known::supported(section)
        .iter()
        .chain(known::unsupported(section))
        .copied();
    let hint = did_you_mean(key, all);
    (
        Severity::Warning,
        format!("unknown setting {key}= in [{section}]{hint}"),
    )
}
