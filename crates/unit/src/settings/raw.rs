//! Sections whose defaults depend on each other, before they are finished.

use crate::model::{
    DeferTrigger, Dependency, ExecContext, FdStorePreserve, KillSettings, NotifyAccess, RateLimit,
    RestartPolicy, ServiceSection, ServiceType, SocketSection, UnitSection, Usec,
};
use crate::name::{UnitKind, UnitName};

const DEFAULT_TIMEOUT: Usec = Usec::from_secs(90);

/// `[Unit]`.
pub(crate) struct RawUnit {
    pub(crate) section: UnitSection,
    pub(crate) dependencies: Vec<Dependency>,
    /// The first setting whose mistake makes the unit unusable.
    pub(crate) broken: Option<String>,
}

impl RawUnit {
    pub(crate) fn new(name: &UnitName) -> RawUnit {
        RawUnit {
            section: UnitSection::empty(name),
            dependencies: Vec::new(),
            broken: None,
        }
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
                service_type: ServiceType::Simple,
                exec_condition: Vec::new(),
                exec_start_pre: Vec::new(),
                exec_start: Vec::new(),
                exec_start_post: Vec::new(),
                exec_reload: Vec::new(),
                exec_stop: Vec::new(),
                exec_stop_post: Vec::new(),
                restart: RestartPolicy::No,
                restart_delay: Usec::from_millis(100),
                remain_after_exit: false,
                timeout_start: DEFAULT_TIMEOUT,
                timeout_stop: DEFAULT_TIMEOUT,
                runtime_max: Usec::INFINITY,
                watchdog: Usec::ZERO,
                notify_access: NotifyAccess::None,
                fd_store_max: 0,
                fd_store_preserve: FdStorePreserve::Restart,
                non_blocking: false,
                sockets: Vec::new(),
                success_exit_codes: Vec::new(),
                success_signals: Vec::new(),
                restart_prevent_codes: Vec::new(),
                restart_force_codes: Vec::new(),
                kill: KillSettings::default(),
                pid_file: None,
                bus_name: None,
                slice: slice.clone(),
                delegate: false,
                memory_max: None,
                tasks_max: None,
                exec: ExecContext::default(),
            },
            service_type: None,
            timeout_start: None,
            notify_access: None,
            slice: None,
            default_slice: Some(slice),
        }
    }

    /// Defaults that follow from other settings (semantics 3.2, 4.2).
    pub(crate) fn finish(&self, unit: &RawUnit) -> ServiceSection {
        let mut section = self.section.clone();
        section.service_type = self.service_type.unwrap_or(if section.bus_name.is_some() {
            ServiceType::Dbus
        } else if section.exec_start.is_empty() {
            ServiceType::Oneshot
        } else {
            ServiceType::Simple
        });
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
        // Early units must not wait for slices that come with the default dependencies; the slice is the same.
        let _ = unit;
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
            section: SocketSection {
                ports: Vec::new(),
                accept: false,
                service: name.clone(),
                fd_name: None,
                backlog: u32::MAX,
                ipv6_only: None,
                reuse_port: false,
                free_bind: false,
                no_delay: false,
                keep_alive: false,
                pass_credentials: false,
                receive_buffer: None,
                send_buffer: None,
                socket_mode: 0o666,
                directory_mode: 0o755,
                remove_on_stop: false,
                flush_pending: false,
                max_connections: 64,
                max_connections_per_source: 0,
                trigger_limit: RateLimit {
                    interval: Usec::from_secs(2),
                    burst: 20,
                },
                poll_limit: RateLimit {
                    interval: Usec::from_secs(2),
                    burst: 15,
                },
                timeout: DEFAULT_TIMEOUT,
                defer_trigger: DeferTrigger::No,
                defer_trigger_max: Usec::INFINITY,
                slice: fixed("system.slice", name),
            },
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
