//! The tables of semantics chapters 1, 4 and 5 about settings, row by row.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{has, load, service, socket};
use softboot_unit::{
    DeferTrigger, DependencyKind as D, ExecCommand, FdStorePreserve, KillMode, LoadState, NotifyAccess,
    RestartMode, RestartPolicy, ServiceType, Severity, Timestamping, UnitName, Usec, default_paths,
};

fn is_bad(unit: &str, text: &str) -> bool {
    matches!(load(unit, text).load, LoadState::BadSetting(_))
}

/// Semantics 5.1.
#[test]
fn the_search_path_is_that_of_5_1() {
    assert_eq!(
        default_paths(),
        [
            "/etc/systemd/system.control",
            "/run/systemd/system.control",
            "/run/systemd/transient",
            "/run/systemd/generator.early",
            "/etc/systemd/system",
            "/etc/systemd/system.attached",
            "/run/systemd/system",
            "/run/systemd/system.attached",
            "/run/systemd/generator",
            "/usr/local/lib/systemd/system",
            "/usr/lib/systemd/system",
            "/run/systemd/generator.late",
        ]
    );
}

/// Semantics 1.5, the column of defaults.
#[test]
fn the_defaults_of_a_socket() {
    let unit = load("a.socket", "[Socket]\nListenStream=1\n");
    let s = socket(&unit);
    assert_eq!(s.backlog, u32::MAX);
    assert_eq!((s.ipv6_only, s.receive_buffer, s.send_buffer), (None, None, None));
    let flags = [
        s.accept,
        s.reuse_port,
        s.free_bind,
        s.no_delay,
        s.keep_alive,
        s.pass_credentials,
        s.remove_on_stop,
        s.flush_pending,
        s.pass_fds_to_exec,
        s.writable,
        s.options.transparent,
        s.options.broadcast,
        s.options.pass_pidfd,
        s.options.pass_security,
        s.options.pass_packet_info,
    ];
    assert_eq!(flags, [false; 15]);
    assert!(s.options.accept_fds);
    assert_eq!(s.options.timestamping, Timestamping::Off);
    assert_eq!((s.socket_mode, s.directory_mode), (0o666, 0o755));
    assert_eq!((s.max_connections, s.max_connections_per_source), (64, 0));
    let two_seconds = Usec::from_secs(2);
    assert_eq!(
        (s.trigger_limit.interval, s.trigger_limit.burst),
        (two_seconds, 20)
    );
    assert_eq!((s.poll_limit.interval, s.poll_limit.burst), (two_seconds, 15));
    assert_eq!(s.timeout, Usec::from_secs(90));
    assert_eq!(
        (s.defer_trigger, s.defer_trigger_max),
        (DeferTrigger::No, Usec::INFINITY)
    );
    assert_eq!(s.service.as_str(), "a.service");
    assert_eq!((&s.user, &s.group, &s.fd_name), (&None, &None, &None));
}

/// Semantics 1.5: settings that mean something beyond yes and no.
#[test]
fn values_of_socket_settings() {
    let defer = |text: &str| {
        let unit = load("a.socket", &format!("[Socket]\nListenStream=1\n{text}"));
        (socket(&unit).defer_trigger, socket(&unit).defer_trigger_max)
    };
    assert_eq!(defer("DeferTrigger=yes\n").0, DeferTrigger::Yes);
    assert_eq!(defer("DeferTrigger=patient\n").0, DeferTrigger::Patient);
    assert_eq!(defer("DeferTriggerMaxSec=0\n").1, Usec::INFINITY);
    assert_eq!(defer("DeferTriggerMaxSec=7\n").1, Usec::from_secs(7));
    for (word, only) in [
        ("default", None),
        ("both", Some(false)),
        ("ipv6-only", Some(true)),
    ] {
        let unit = load(
            "a.socket",
            &format!("[Socket]\nListenStream=1\nBindIPv6Only={word}\n"),
        );
        assert_eq!(socket(&unit).ipv6_only, only, "{word}");
    }
    for (text, number) in [
        ("low-delay", 16),
        ("throughput", 8),
        ("reliability", 4),
        ("low-cost", 2),
        ("7", 7),
    ] {
        let unit = load("a.socket", &format!("[Socket]\nListenStream=1\nIPTOS={text}\n"));
        assert_eq!(socket(&unit).options.ip_tos, Some(number), "{text}");
    }
}

/// Semantics 4.2, 4.5, 4.7 to 4.9 and 3.7: what a service has that says nothing.
#[test]
fn the_defaults_of_a_service() {
    let unit = load("a.service", "[Service]\nExecStart=/x\n");
    let s = service(&unit);
    assert_eq!(s.service_type, ServiceType::Simple);
    assert_eq!(
        (s.restart, s.restart_delay),
        (RestartPolicy::No, Usec::from_millis(100))
    );
    assert_eq!(s.restart_settings.mode, RestartMode::Normal);
    let limit = Usec::from_secs(90);
    assert_eq!(
        (s.timeout_start, s.timeout_stop, s.timeout_abort),
        (limit, limit, None)
    );
    assert_eq!((s.runtime_max, s.watchdog), (Usec::INFINITY, Usec::ZERO));
    assert_eq!(
        (s.fd_store_max, s.fd_store_preserve),
        (0, FdStorePreserve::Restart)
    );
    assert_eq!(
        (s.non_blocking, s.remain_after_exit, s.guess_main_pid),
        (false, false, true)
    );
    assert_eq!((s.reload_signal, s.oom_policy), (1, None));
    assert_eq!(s.slice.as_str(), "system.slice");
    let kill = &s.kill;
    assert_eq!(
        (kill.mode, kill.signal, kill.restart_signal),
        (KillMode::ControlGroup, 15, None)
    );
    assert_eq!((kill.final_signal, kill.watchdog_signal), (9, 6));
    assert_eq!((kill.send_sighup, kill.send_sigkill), (false, true));
    let start = unit.unit.start_limit;
    assert_eq!((start.interval, start.burst), (Usec::from_secs(10), 5));
}

/// Semantics 4.2, first line, and 3.2: what follows from other settings.
#[test]
fn defaults_that_follow() {
    use NotifyAccess as A;
    use ServiceType as T;
    let rows = [
        ("ExecStart=/x\n", T::Simple, A::None),
        ("ExecStart=/x\nBusName=a.b\n", T::Dbus, A::None),
        ("ExecStart=/x\nLoadCredential=a:/b\n", T::Exec, A::None),
        ("ExecStop=/x\nRemainAfterExit=yes\n", T::Oneshot, A::None),
        ("ExecStart=/x\nType=notify\n", T::Notify, A::Main),
        ("ExecStart=/x\nType=notify-reload\n", T::NotifyReload, A::Main),
        ("ExecStart=/x\nWatchdogSec=5\n", T::Simple, A::Main),
        ("ExecStart=/x\nFileDescriptorStoreMax=1\n", T::Simple, A::Main),
        (
            "ExecStart=/x\nFileDescriptorStoreMax=1\nNotifyAccess=exec\n",
            T::Simple,
            A::Exec,
        ),
    ];
    for (text, kind, access) in rows {
        let unit = load("a.service", &format!("[Service]\n{text}"));
        let section = service(&unit);
        assert_eq!(
            (section.service_type, section.notify_access),
            (kind, access),
            "{text}"
        );
    }
}

/// Semantics 4.2, last paragraph but one.
#[test]
fn services_that_cannot_be() {
    let rows = [
        ("", true),
        ("ExecStart=/x\n", false),
        ("Type=oneshot\nExecStop=/x\n", true),
        ("Type=oneshot\nExecStop=/x\nRemainAfterExit=yes\n", false),
        ("Type=simple\nExecStop=/x\nRemainAfterExit=yes\n", true),
        ("Type=oneshot\nExecStart=/x\nExecStart=/y\n", false),
        ("Type=exec\nExecStart=/x\nExecStart=/y\n", true),
        ("Type=oneshot\nExecStart=/x\nRestart=always\n", true),
        ("Type=oneshot\nExecStart=/x\nRestart=on-success\n", true),
        ("Type=oneshot\nExecStart=/x\nRestart=on-failure\n", false),
        ("Type=oneshot\nExecStart=/x\nExitType=cgroup\n", true),
        ("Type=dbus\nExecStart=/x\n", true),
        ("Type=dbus\nExecStart=/x\nBusName=a.b\n", false),
    ];
    for (text, bad) in rows {
        assert_eq!(is_bad("a.service", &format!("[Service]\n{text}")), bad, "{text}");
    }
    let shutdown = "[Unit]\nSuccessAction=reboot\n[Service]\nType=oneshot\n";
    assert!(
        !is_bad("a.service", shutdown),
        "with SuccessAction= no command is needed"
    );
}

/// Semantics 4.10: prefixes.
#[test]
fn prefixes_of_commands() {
    let command = |text: &str| -> Option<ExecCommand> {
        let unit = load("a.service", &format!("[Service]\nExecStart={text}\n"));
        service(&unit).exec_start.first().cloned()
    };
    // -, :, +, !
    let rows = [
        ("/x", [false, false, false, false]),
        ("-/x", [true, false, false, false]),
        (":/x", [false, true, false, false]),
        ("+/x", [false, false, true, false]),
        ("!/x", [false, false, false, true]),
        ("!!/x", [false, false, false, false]),
        ("-:+/x", [true, true, true, false]),
        (":!-/x", [true, true, false, true]),
    ];
    for (text, flags) in rows {
        let found = command(text).unwrap_or_else(|| panic!("{text}"));
        let set = [
            found.ignore_failure,
            found.no_substitution,
            found.full_privileges,
            found.keep_user,
        ];
        assert_eq!((found.path.as_str(), set), ("/x", flags), "{text}");
    }
    let notices = |text: &str| load("a.service", &format!("[Service]\nExecStart={text}\n")).diagnostics;
    let [notice] = notices("-!!/x").try_into().unwrap();
    assert_eq!(notice.severity, Severity::Unsupported);
    assert!(notice.message.contains("!!"), "{notice}");
    assert_eq!(notices("!/x !!"), []);
    assert_eq!(command("@/x y z").unwrap().argv, ["y", "z"]);
    for bad in ["--/x", "+!/x", "!!!/x", "rel/x", "-"] {
        assert_eq!(command(bad), None, "{bad}");
    }
    let reset = load("a.service", "[Service]\nExecStart=/x\nExecStart=\nExecStart=/y\n");
    let paths: Vec<&str> = service(&reset)
        .exec_start
        .iter()
        .map(|c| c.path.as_str())
        .collect();
    assert_eq!(paths, ["/y"], "an empty assignment clears the list");
}

/// Semantics 5.3: booleans, times, case and what begins with X-.
#[test]
fn values_and_names_of_settings() {
    for (word, value) in [
        ("1", true),
        ("yes", true),
        ("y", true),
        ("true", true),
        ("t", true),
        ("on", true),
        ("0", false),
        ("no", false),
        ("n", false),
        ("false", false),
        ("f", false),
        ("off", false),
    ] {
        let before = if value { "no" } else { "yes" };
        let text = format!("[Service]\nExecStart=/x\nRemainAfterExit={before}\nRemainAfterExit={word}\n");
        assert_eq!(
            service(&load("a.service", &text)).remain_after_exit,
            value,
            "{word}"
        );
    }
    for (text, micros) in [
        ("1us", 1),
        ("1ms", 1_000),
        ("1s", 1_000_000),
        ("1", 1_000_000),
        ("1min", 60_000_000),
        ("1h", 3_600_000_000),
        ("1d", 86_400_000_000),
        ("1w", 604_800_000_000),
        ("1M", 2_629_800_000_000),
        ("1y", 31_557_600_000_000),
        ("5min 20s", 320_000_000),
    ] {
        let unit = load(
            "a.service",
            &format!("[Service]\nExecStart=/x\nRestartSec={text}\n"),
        );
        assert_eq!(service(&unit).restart_delay, Usec(micros), "{text}");
    }
    // Sections and keys are told apart by case; what begins with X- is nobody's business here.
    for (text, warnings) in [
        ("[Unit]\ndescription=x\n", 1),
        ("[unit]\nDescription=x\n", 1),
        ("[Unit]\nX-Mine=x\n", 0),
        ("[X-Mine]\nAnything=x\n", 0),
        ("[Other]\nAnything=x\n", 1),
    ] {
        let unit = load("a.target", text);
        let found = unit
            .diagnostics
            .iter()
            .filter(|d| d.severity == Severity::Warning);
        assert_eq!(found.count(), warnings, "{text}: {:?}", unit.diagnostics);
    }
}

/// Semantics 5.4.
#[test]
fn names_of_units() {
    for kind in [
        "service",
        "socket",
        "target",
        "device",
        "mount",
        "automount",
        "swap",
        "timer",
        "path",
        "slice",
        "scope",
    ] {
        assert!(UnitName::new(&format!("a.{kind}")).is_ok(), "{kind}");
    }
    let long = |length: usize| format!("{}.service", "x".repeat(length - ".service".len()));
    for good in ["A-z0:_.\\x2d.service", "a@.service", "a@b-c.service", &long(255)] {
        assert!(UnitName::new(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "a",
        "a.unit",
        ".service",
        "@.service",
        "@b.service",
        "a b.service",
        "a/b.service",
        "\u{e4}.service",
        &long(256),
    ] {
        assert!(UnitName::new(bad).is_err(), "{bad}");
    }
}

/// Semantics 5.6: the rows of kinds of units, with DefaultDependencies= and without.
#[test]
fn dependencies_by_kind_of_unit() {
    let shutdown = [(D::Before, "shutdown.target"), (D::Conflicts, "shutdown.target")];
    let early = [(D::Requires, "sysinit.target"), (D::After, "sysinit.target")];
    let umount = [(D::Before, "umount.target"), (D::Conflicts, "umount.target")];
    let rows = [
        (
            "a.service",
            "[Service]\nExecStart=/x\n",
            [&early[..], &shutdown, &[(D::After, "basic.target")]].concat(),
        ),
        (
            "a.socket",
            "[Socket]\nListenStream=1\n",
            [&early[..], &shutdown, &[(D::Before, "sockets.target")]].concat(),
        ),
        ("a.target", "", shutdown.to_vec()),
        ("a.slice", "", shutdown.to_vec()),
        (
            "a.timer",
            "",
            [&early[..], &shutdown, &[(D::Before, "timers.target")]].concat(),
        ),
        (
            "a.path",
            "",
            [&early[..], &shutdown, &[(D::Before, "paths.target")]].concat(),
        ),
        (
            "a.mount",
            "[Mount]\nWhat=/dev/a\n",
            [&umount[..], &[(D::Before, "local-fs.target")]].concat(),
        ),
        ("a.swap", "", umount.to_vec()),
    ];
    for (unit, text, wanted) in rows {
        let with = load(unit, &format!("[Unit]\nDescription=x\n{text}"));
        let without = load(unit, &format!("[Unit]\nDefaultDependencies=no\n{text}"));
        for (kind, on) in wanted {
            assert!(has(&with, kind, on), "{unit}: {kind:?} {on}");
            assert!(!has(&without, kind, on), "{unit} without: {kind:?} {on}");
        }
    }
    let dbus = load("a.service", "[Service]\nExecStart=/x\nBusName=a.b\n");
    assert!(has(&dbus, D::Requires, "dbus.socket") && has(&dbus, D::After, "dbus.socket"));
}

/// Semantics 5.6: what is there whatever DefaultDependencies= says; and 1.6, 4.11.
#[test]
fn dependencies_that_are_always_there() {
    let none = "[Unit]\nDefaultDependencies=no\n";
    let rows = [
        (
            "a-b.slice",
            "",
            vec![(D::Requires, "a.slice"), (D::After, "a.slice")],
        ),
        (
            "a.slice",
            "",
            vec![(D::Requires, "-.slice"), (D::After, "-.slice")],
        ),
        (
            "a.service",
            "[Service]\nExecStart=/x\nSlice=b.slice\nSockets=c.socket\n",
            vec![
                (D::Requires, "b.slice"),
                (D::After, "b.slice"),
                (D::Wants, "c.socket"),
                (D::After, "c.socket"),
            ],
        ),
        (
            "x@1.service",
            "[Service]\nExecStart=/x\n",
            vec![(D::Requires, "system-x.slice")],
        ),
        (
            "a.socket",
            "[Socket]\nListenStream=1\n",
            vec![(D::Before, "a.service"), (D::Triggers, "a.service")],
        ),
    ];
    for (unit, text, wanted) in rows {
        let unit = load(unit, &format!("{none}{text}"));
        for (kind, on) in wanted {
            assert!(has(&unit, kind, on), "{}: {kind:?} {on}", unit.name);
        }
    }
}
