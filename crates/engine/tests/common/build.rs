//! Definitions as a loader would make them.

use softboot_unit::*;

use super::name;

pub(crate) struct Builder(Definition);

fn unit(text: &str, kind: KindSection) -> Builder {
    let name = name(text);
    let unit = UnitSection::empty(&name);
    Builder(Definition {
        slice: None,
        name,
        aliases: Vec::new(),
        load: LoadState::Loaded,
        fragment: None,
        drop_ins: Vec::new(),
        diagnostics: Vec::new(),
        unit,
        kind,
    })
}

pub(crate) fn target(text: &str) -> Builder {
    unit(text, KindSection::Target)
}

pub(crate) fn slice(text: &str) -> Builder {
    unit(text, KindSection::Slice)
}

pub(crate) fn command(path: &str) -> ExecCommand {
    ExecCommand {
        path: path.to_owned(),
        argv: vec![path.to_owned()],
        ignore_failure: false,
        no_substitution: false,
        full_privileges: false,
        keep_user: false,
    }
}

pub(crate) fn service(text: &str) -> Builder {
    let section = ServiceSection {
        service_type: ServiceType::Simple,
        exec_condition: vec![],
        exec_start_pre: vec![],
        exec_start: vec![command("/bin/main")],
        exec_start_post: vec![],
        exec_reload: vec![],
        exec_stop: vec![],
        exec_stop_post: vec![],
        restart: RestartPolicy::No,
        restart_delay: Usec::from_millis(100),
        remain_after_exit: false,
        timeout_start: Usec::from_secs(90),
        timeout_stop: Usec::from_secs(90),
        runtime_max: Usec::INFINITY,
        watchdog: Usec::ZERO,
        notify_access: NotifyAccess::None,
        fd_store_max: 0,
        fd_store_preserve: FdStorePreserve::Restart,
        non_blocking: false,
        sockets: vec![],
        success_exit_codes: vec![],
        success_signals: vec![],
        restart_prevent_codes: vec![],
        restart_force_codes: vec![],
        kill: softboot_unit::Rare::default(),
        pid_file: None,
        bus_name: None,
        slice: name("system.slice"),
        delegate: false,
        memory_max: None,
        tasks_max: None,
        exec: softboot_unit::Rare::default(),
        ..ServiceSection::default()
    };
    unit(text, KindSection::Service(section.into()))
}

pub(crate) fn oneshot(text: &str) -> Builder {
    service(text).service(|s| {
        s.service_type = ServiceType::Oneshot;
        s.timeout_start = Usec::INFINITY;
    })
}

pub(crate) fn notify(text: &str) -> Builder {
    service(text).service(|s| {
        s.service_type = ServiceType::Notify;
        s.notify_access = NotifyAccess::Main;
    })
}

pub(crate) fn socket(text: &str, service: &str) -> Builder {
    let limit = |burst| RateLimit {
        interval: Usec::from_secs(2),
        burst,
    };
    let section = SocketSection {
        ports: vec![Port {
            kind: PortKind::Stream,
            address: Address::Path("/run/x".to_owned()),
        }],
        accept: false,
        service: name(service),
        fd_name: None,
        backlog: 128,
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
        trigger_limit: limit(20),
        poll_limit: limit(15),
        timeout: Usec::from_secs(90),
        defer_trigger: DeferTrigger::No,
        defer_trigger_max: Usec::INFINITY,
        slice: name("system.slice"),
        ..SocketSection::empty(&name("x.socket"))
    };
    unit(text, KindSection::Socket(section.into()))
        .dep(DependencyKind::Before, service)
        .dep(DependencyKind::Triggers, service)
}

pub(crate) fn mount(text: &str) -> Builder {
    unit(
        text,
        KindSection::Mount(Box::new(MountSection::empty(&name(text)))),
    )
}

pub(crate) fn device(text: &str) -> Builder {
    unit(text, KindSection::Device)
}

impl Builder {
    pub(crate) fn dep(mut self, kind: DependencyKind, on: &str) -> Builder {
        self.0.unit.dependencies.push(Dependency {
            kind,
            on: name(on),
            origin: Origin::File,
        });
        self
    }

    pub(crate) fn deps(self, kind: DependencyKind, on: &[&str]) -> Builder {
        on.iter().fold(self, |builder, on| builder.dep(kind, on))
    }

    pub(crate) fn wants(self, on: &[&str]) -> Builder {
        self.deps(DependencyKind::Wants, on)
    }

    pub(crate) fn requires(self, on: &[&str]) -> Builder {
        self.deps(DependencyKind::Requires, on)
    }

    pub(crate) fn after(self, on: &[&str]) -> Builder {
        self.deps(DependencyKind::After, on)
    }

    pub(crate) fn before(self, on: &[&str]) -> Builder {
        self.deps(DependencyKind::Before, on)
    }

    pub(crate) fn conflicts(self, on: &[&str]) -> Builder {
        self.deps(DependencyKind::Conflicts, on)
    }

    /// What DefaultDependencies=yes gives a socket.
    pub(crate) fn socket_defaults(mut self) -> Builder {
        for (kind, on) in [
            (DependencyKind::Requires, "sysinit.target"),
            (DependencyKind::After, "sysinit.target"),
            (DependencyKind::Conflicts, "shutdown.target"),
            (DependencyKind::Before, "shutdown.target"),
        ] {
            self.0.unit.dependencies.push(Dependency {
                kind,
                on: name(on),
                origin: Origin::Default,
            });
        }
        self
    }

    /// DefaultDependencies=yes, as far as shutdown goes.
    pub(crate) fn stops_at_shutdown(self) -> Builder {
        self.conflicts(&["shutdown.target"]).before(&["shutdown.target"])
    }

    pub(crate) fn unit(mut self, change: impl FnOnce(&mut UnitSection)) -> Builder {
        change(&mut self.0.unit);
        self
    }

    pub(crate) fn service(mut self, change: impl FnOnce(&mut ServiceSection)) -> Builder {
        if let KindSection::Service(section) = &mut self.0.kind {
            change(section);
        }
        self
    }

    pub(crate) fn socket(mut self, change: impl FnOnce(&mut SocketSection)) -> Builder {
        if let KindSection::Socket(section) = &mut self.0.kind {
            change(section);
        }
        self
    }

    pub(crate) fn done(self) -> Definition {
        self.0
    }
}
