//! From assignments to typed settings.

mod cgroup;
mod directories;
mod exec;
mod exec_more;
mod install;
mod known;
mod mount;
mod raw;
mod service;
mod service_more;
mod slice;
mod socket;
mod socket_options;
mod unit;

pub(crate) use raw::{RawMount, RawService, RawSocket, RawUnit};

use crate::model::{Diagnostic, KindSection, Severity, SliceSection};
use crate::name::{UnitKind, UnitName};
use crate::specifier::{self, Specifiers};
use crate::syntax::{self, Assignment, Source};
use known::Status;

/// What a setting did.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It was understood.
    Done,
    /// It was understood, and acts but for what the sentence says.
    But(&'static str),
    /// It has no meaning in this section.
    Unknown,
}

/// What is wrong with a value.
pub(crate) struct Fault {
    /// What is wrong and what was expected.
    message: String,
    /// The part of the value that is meant.
    word: Option<String>,
    /// Whatever the setting, a unit with this must not run.
    refused: bool,
}

impl Fault {
    /// About one word of the value.
    fn at(word: &str, message: impl Into<String>) -> Fault {
        Fault {
            message: message.into(),
            word: Some(word.to_owned()),
            refused: false,
        }
    }

    /// Well-formed, but running the unit without it would be wrong.
    fn refused(message: &str) -> Fault {
        Fault {
            message: message.to_owned(),
            word: None,
            refused: true,
        }
    }
}

impl From<String> for Fault {
    fn from(message: String) -> Fault {
        Fault {
            message,
            word: None,
            refused: false,
        }
    }
}

impl From<&str> for Fault {
    fn from(message: &str) -> Fault {
        Fault::from(message.to_owned())
    }
}

/// Result of one assignment; the error says what was expected.
pub(crate) type Outcome = Result<Applied, Fault>;

/// A unit while its files are read.
pub(crate) struct Draft<'a> {
    pub(crate) name: &'a UnitName,
    pub(crate) facts: &'a Specifiers,
    /// The main file, for `%y`.
    pub(crate) fragment: String,
    pub(crate) unit: RawUnit,
    pub(crate) service: RawService,
    pub(crate) socket: RawSocket,
    pub(crate) mount: RawMount,
    pub(crate) slice: SliceSection,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// So many more unknown names are compared with the known ones.
    hints: u32,
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
            mount: RawMount::new(name),
            slice: SliceSection::default(),
            diagnostics: Vec::new(),
            hints: 100,
        }
    }

    /// Applies a file's assignments. What is wrong is noted with file and line, and has no effect.
    pub(crate) fn apply(&mut self, file: &str, bytes: &[u8]) {
        let mut diagnostics = std::mem::take(&mut self.diagnostics);
        syntax::read(
            file,
            bytes,
            &mut diagnostics,
            |assignment, source, diagnostics| {
                diagnostics.extend(self.apply_one(&assignment, source));
            },
        );
        self.diagnostics = diagnostics;
    }

    fn apply_one(&mut self, assignment: &Assignment, source: &Source<'_>) -> Option<Diagnostic> {
        let Assignment {
            section, key, value, ..
        } = assignment;
        if section.starts_with("X-") || key.starts_with("X-") {
            return None;
        }
        let about_key = |severity, message| {
            let mut diagnostic = source.diagnostic(severity, assignment.locate_key(source), message);
            diagnostic.setting = Some(key.clone());
            diagnostic
        };
        let about_value = |severity, fault: &Fault| {
            let span = assignment.locate(fault.word.as_deref(), source);
            let mut diagnostic = source.diagnostic(severity, span, format!("{key}=: {}", fault.message));
            diagnostic.setting = Some(key.clone());
            diagnostic
        };
        let own_section = section_of(self.name.kind());
        if section != "Unit" && section != "Install" && Some(section.as_str()) != own_section {
            return known::foreign_section(section, self.name.kind())
                .map(|(severity, message)| about_key(severity, message));
        }
        let outcome = match self.expand(key, value) {
            Ok(value) => self.set(section, key, &value),
            Err(reason) => Err(Fault::from(reason)),
        };
        match outcome {
            Ok(applied) => {
                let status = known::status(section, key);
                match (applied, status) {
                    (Applied::Done, Some(Status::Acts) | None) => None,
                    (Applied::But(what), _) => {
                        Some(about_value(Severity::Unsupported, &Fault::from(what.to_owned())))
                    }
                    (Applied::Unknown, None | Some(Status::Acts)) => {
                        // Comparing with every name costs; a file of nothing but mistakes gets some hints.
                        let hint = match self.hints.checked_sub(1) {
                            Some(left) => {
                                self.hints = left;
                                known::hint(section, key)
                            }
                            None => String::new(),
                        };
                        let message = format!("unknown setting {key}= in [{section}]{hint}");
                        Some(about_key(Severity::Warning, message))
                    }
                    (_, status) => known::remark(section, key, value, status).map(|message| {
                        let mut diagnostic = about_key(Severity::Unsupported, message);
                        diagnostic.security = status == Some(Status::Security);
                        diagnostic
                    }),
                }
            }
            Err(fault) => {
                if !fault.refused && !known::makes_unusable(section, key) {
                    return Some(about_value(Severity::Warning, &fault));
                }
                self.unit
                    .broken
                    .get_or_insert_with(|| format!("{key}=: {}", fault.message));
                Some(about_value(Severity::Error, &fault))
            }
        }
    }

    fn set(&mut self, section: &str, key: &str, value: &str) -> Outcome {
        match section {
            "Unit" => unit::apply(&mut self.unit, key, value),
            "Install" => install::apply(&mut self.unit.section.install, key, value),
            // Where these stood before they moved to [Unit].
            "Service"
                if matches!(
                    key,
                    "StartLimitInterval"
                        | "StartLimitBurst"
                        | "StartLimitAction"
                        | "FailureAction"
                        | "RebootArgument"
                ) =>
            {
                unit::apply(&mut self.unit, key, value)
            }
            "Service" => service::apply(&mut self.service, key, value),
            "Socket" => socket::apply(&mut self.socket, key, value),
            "Mount" => mount::apply(&mut self.mount, key, value),
            "Slice" => slice::apply(&mut self.slice, key, value),
            _ => Ok(Applied::Unknown),
        }
    }

    /// Specifiers, except where a `%` has its own meaning.
    fn expand(&self, key: &str, value: &str) -> Result<String, String> {
        if cgroup::takes_percent(key) {
            return Ok(value.to_owned());
        }
        specifier::expand(value, self.name, self.facts, &self.fragment)
    }

    /// The typed section of the unit's kind.
    pub(crate) fn kind_section(&self) -> KindSection {
        match self.name.kind() {
            UnitKind::Service => KindSection::Service(self.service.finish().into()),
            UnitKind::Socket => KindSection::Socket(self.socket.finish().into()),
            UnitKind::Mount => KindSection::Mount(Box::new(self.mount.finish())),
            UnitKind::Target => KindSection::Target,
            UnitKind::Slice => KindSection::Slice,
            UnitKind::Device => KindSection::Device,
            _ => KindSection::Other,
        }
    }
}

fn section_of(kind: UnitKind) -> Option<&'static str> {
    match kind {
        UnitKind::Service => Some("Service"),
        UnitKind::Socket => Some("Socket"),
        UnitKind::Mount => Some("Mount"),
        UnitKind::Slice => Some("Slice"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
