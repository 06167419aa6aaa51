//! Sections whose defaults depend on each other, before they are finished.

use std::collections::HashSet;

use crate::model::{
    Dependency, MountSection, NotifyAccess, RateLimit, ServiceSection, ServiceType, SocketSection, StdStream,
    UnitSection, Usec,
};
use crate::name::{UnitKind, UnitName};
use crate::recipe::Written;

const DEFAULT_TIMEOUT: Usec = Usec::from_secs(90);

/// `[Unit]`.
pub(crate) struct RawUnit {
    pub(crate) section: UnitSection,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) written: Written,
    /// The first setting whose mistake makes the unit unusable.
    pub(crate) broken: Option<String>,
}

impl RawUnit {
    pub(crate) fn new(name: &UnitName) -> RawUnit {
        RawUnit {
            section: UnitSection::empty(name),
            dependencies: Vec::new(),
            written: Written::default(),
            broken: None,
        }
    }
}

/// One entry a variable, in the order of the last assignments.
fn keep_last_of_each(environment: &mut Vec<(String, String)>) {
    let mut seen = HashSet::new();
    let mut kept: Vec<(String, String)> = Vec::new();
    for (name, value) in environment.drain(..).rev() {
        if seen.insert(name.clone()) {
            kept.push((name, value));
        }
    }
    kept.reverse();
    *environment = kept;
}

/// `[Mount]`.
pub(crate) struct RawMount {
    pub(crate) section: MountSection,
}

impl RawMount {
    pub(crate) fn new(name: &UnitName) -> RawMount {
        RawMount {
            section: MountSection::empty(name),
        }
    }

    pub(crate) fn finish(&self) -> MountSection {
        let mut section = self.section.clone();
        keep_last_of_each(&mut section.exec.environment);
        section
    }
}

/// `[Service]`.
pub(crate) struct RawService {
    pub(crate) section: ServiceSection,
    pub(crate) service_type: Option<ServiceType>,
    pub(crate) timeout_start: Option<Usec>,
    pub(crate) notify_access: Option<NotifyAccess>,
    pub(crate) slice: Option<UnitName>,
    default_slice: Option<UnitName>,
}

/// A built-in name that is valid.
pub(crate) fn fixed(name: &str, fallback: &UnitName) -> UnitName {
    UnitName::new(name).unwrap_or_else(|_| fallback.clone())
}

fn default_slice(name: &UnitName) -> UnitName {
    if name.instance().is_some() {
        // A dash in the prefix would nest; the reference escapes it.
        let prefix = name.prefix().replace('-', "\\x2d");
        return fixed(&format!("system-{prefix}.slice"), name);
    }
    fixed("system.slice", name)
}

impl RawService {
    pub(crate) fn new(name: &UnitName) -> RawService {
        let slice = default_slice(name);
        RawService {
            section: ServiceSection {
                slice: slice.clone(),
                ..ServiceSection::default()
            },
            service_type: None,
            timeout_start: None,
            notify_access: None,
            slice: None,
            default_slice: Some(slice),
        }
    }

    /// Defaults that follow from other settings (semantics 3.2, 4.2).
    pub(crate) fn finish(&self) -> ServiceSection {
        let mut section = self.section.clone();
        keep_last_of_each(&mut section.exec.environment);
        section.service_type = self.service_type.unwrap_or(if section.bus_name.is_some() {
            ServiceType::Dbus
        } else if section.exec_start.is_empty() {
            ServiceType::Oneshot
        } else if !(section.exec.load_credentials.is_empty()
            && section.exec.set_credentials.is_empty()
            && section.exec.credential_imports.is_empty())
        {
            ServiceType::Exec
        } else {
            ServiceType::Simple
        });
        if section.exec.stdin == StdStream::Null && !section.exec.stdin_data.is_empty() {
            section.exec.stdin = StdStream::Data;
        }
        let oneshot = section.service_type == ServiceType::Oneshot;
        section.timeout_start =
            self.timeout_start
                .unwrap_or(if oneshot { Usec::INFINITY } else { DEFAULT_TIMEOUT });
        let needs_main = matches!(
            section.service_type,
            ServiceType::Notify | ServiceType::NotifyReload
        ) || (section.watchdog != Usec::ZERO && !section.watchdog.is_infinite())
            || section.fd_store_max > 0;
        section.notify_access = match self.notify_access {
            Some(NotifyAccess::None) | None if needs_main => NotifyAccess::Main,
            Some(access) => access,
            None => NotifyAccess::None,
        };
        if let Some(slice) = self.slice.clone().or_else(|| self.default_slice.clone()) {
            section.slice = slice;
        }
        section
    }
}

/// `[Socket]`.
pub(crate) struct RawSocket {
    pub(crate) section: SocketSection,
    pub(crate) service: Option<UnitName>,
    pub(crate) trigger_interval: Option<Usec>,
    pub(crate) trigger_burst: Option<u32>,
    pub(crate) poll_interval: Option<Usec>,
    pub(crate) poll_burst: Option<u32>,
    name: UnitName,
}

impl RawSocket {
    pub(crate) fn new(name: &UnitName) -> RawSocket {
        RawSocket {
            section: SocketSection::empty(name),
            service: None,
            trigger_interval: None,
            trigger_burst: None,
            poll_interval: None,
            poll_burst: None,
            name: name.clone(),
        }
    }

    /// Defaults that follow from Accept= (semantics 1.5).
    pub(crate) fn finish(&self) -> SocketSection {
        let mut section = self.section.clone();
        keep_last_of_each(&mut section.exec.environment);
        let factor = if section.accept { 10 } else { 1 };
        let two = Usec::from_secs(2);
        section.trigger_limit = RateLimit {
            interval: self.trigger_interval.unwrap_or(two),
            burst: self.trigger_burst.unwrap_or(20 * factor),
        };
        section.poll_limit = RateLimit {
            interval: self.poll_interval.unwrap_or(two),
            burst: self.poll_burst.unwrap_or(15 * factor),
        };
        section.service = self.service.clone().unwrap_or_else(|| {
            let own = if section.accept {
                UnitName::new(&format!("{}@.service", self.name.prefix()))
            } else {
                self.name.with_kind(UnitKind::Service)
            };
            own.unwrap_or_else(|_| self.name.clone())
        });
        section
    }
}
