//! What typed settings mean, one rule a test.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{has, load, mount, service, socket};
use softboot_unit::{
    Address, Amount, CapabilitySet, CpuWeight, CredentialSource, Delegate, DependencyKind as D,
    DependencyKind, DirectoryPreserve, KindSection, LoadState, PortKind, RestartMode, ServiceType, Severity,
    StdStream, TimeoutFailureMode, Usec,
};

fn bad(unit: &str, text: &str) -> String {
    match load(unit, text).load {
        LoadState::BadSetting(reason) => reason,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn capability_sets_add_and_take_away() {
    let set = |text: &str| {
        let text = format!("[Service]\nExecStart=/x\n{text}");
        service(&load("a.service", &text)).exec.clone()
    };
    let kill = CapabilitySet::EMPTY.with(5);
    assert_eq!(set("").capability_bounding_set, None);
    assert_eq!(
        set("CapabilityBoundingSet=CAP_KILL\n").capability_bounding_set,
        Some(kill)
    );
    assert_eq!(
        set("CapabilityBoundingSet=\n").capability_bounding_set,
        Some(CapabilitySet::EMPTY)
    );
    let without = set("CapabilityBoundingSet=~CAP_KILL\n")
        .capability_bounding_set
        .unwrap();
    assert!(!without.has(5) && without.has(0) && without.has(40));
    let both = set("CapabilityBoundingSet=CAP_KILL CAP_CHOWN\nCapabilityBoundingSet=~CAP_CHOWN\n");
    assert_eq!(both.capability_bounding_set, Some(kill));
    assert_eq!(set("AmbientCapabilities=CAP_KILL\n").ambient_capabilities, kill);
}

#[test]
fn directories_have_links_and_modes_and_never_climb() {
    let exec = service(&load(
        "a.service",
        "[Service]\nExecStart=/x\nRuntimeDirectory=a:b c f::ro\nRuntimeDirectoryPreserve=restart\n\
         StateDirectory=d:e:ro\nStateDirectoryMode=0700\nCacheDirectory=../x\n",
    ))
    .exec
    .clone();
    assert_eq!(exec.runtime_directory, ["a", "c", "f"]);
    assert_eq!(exec.runtime_directory_read_only, ["f"]);
    assert_eq!(exec.runtime_directory_links, [("b".to_owned(), "a".to_owned())]);
    assert_eq!(exec.runtime_directory_kept, DirectoryPreserve::Restart);
    assert!(!exec.runtime_directory_preserve);
    let state = &exec.state_directory.entries[0];
    assert_eq!(
        (state.name.as_str(), state.symlink.as_deref(), state.read_only),
        ("d", Some("e"), true)
    );
    assert_eq!(exec.state_directory.mode, 0o700);
    assert!(exec.cache_directory.entries.is_empty());
    assert!(bad("a.service", "[Service]\nExecStart=/x\nRootDirectory=srv/root\n").contains("absolute"));
}

#[test]
fn credentials_have_sources_and_encrypted_ones_are_refused() {
    let unit = load(
        "a.service",
        "[Service]\nExecStart=/x\nLoadCredential=a:/etc/a\nLoadCredential=b\nSetCredential=c:x\\x41 y\n\
         ImportCredential=d.*:e.\n",
    );
    let section = service(&unit);
    assert_eq!(section.service_type, ServiceType::Exec, "semantics 4.2");
    let both = section
        .exec
        .load_credentials
        .iter()
        .chain(&section.exec.set_credentials);
    let sources: Vec<_> = both.map(|c| (c.id.as_str(), c.source.clone())).collect();
    assert_eq!(
        sources,
        [
            ("a", CredentialSource::Path("/etc/a".to_owned())),
            ("b", CredentialSource::Manager("b".to_owned())),
            ("c", CredentialSource::Text("xA y".to_owned())),
        ]
    );
    assert_eq!(section.exec.credential_imports[0].rename.as_deref(), Some("e."));
    let reason = bad(
        "a.service",
        "[Service]\nExecStart=/x\nLoadCredentialEncrypted=a:/b\n",
    );
    assert!(reason.contains("encrypted"), "{reason}");
    assert!(bad("a.service", "[Service]\nExecStart=/x\nRootImage=/i.raw\n").contains("images"));
    assert!(bad("a.service", "[Service]\nExecStart=/x\nUSBFunctionStrings=/x\n").contains("USB"));
}

#[test]
fn input_text_becomes_standard_input() {
    let unit = load(
        "a.service",
        "[Service]\nExecStart=/x\nStandardInputText=a\\tb\nStandardInputData=Yw==\n",
    );
    assert_eq!(service(&unit).exec.stdin_data, b"a\tb\nc");
    assert_eq!(service(&unit).exec.stdin, StdStream::Data);
}

#[test]
fn what_acts_is_not_called_without_effect() {
    for (unit, text) in [
        (
            "a.service",
            "[Service]\nExecStart=/x\nStandardInput=data\nStandardInputText=a\nStandardOutput=fd:a\nStandardError=kmsg\n\
             RestartPreventExitStatus=SIGKILL\nRestartForceExitStatus=TERM 3\nMemoryMax=50%\nTasksMax=10%\n\
             SyslogIdentifier=a\nSyslogFacility=local3\nSyslogLevel=notice\nSyslogLevelPrefix=no\nLogLevelMax=5\n",
        ),
        (
            "a.socket",
            "[Socket]\nListenSpecial=/dev/x\nListenNetlink=route 1\nListenMessageQueue=/x\nListenStream=vsock:2:3\n\
             ListenStream=[fe80::1]:80%%lo\n",
        ),
    ] {
        let unit = load(unit, text);
        assert_eq!(
            (&unit.load, unit.diagnostics.len()),
            (&LoadState::Loaded, 0),
            "{:?}",
            unit.diagnostics
        );
    }
}

#[test]
fn a_service_of_the_bus_is_told_that_it_will_not_start() {
    for (text, setting) in [("Type=dbus\nBusName=a.b\n", "Type"), ("BusName=a.b\n", "BusName")] {
        let unit = load("a.service", &format!("[Service]\nExecStart=/x\n{text}"));
        assert_eq!(service(&unit).service_type, ServiceType::Dbus);
        let said = unit.diagnostics.iter().any(|diagnostic| {
            diagnostic.severity == Severity::Unsupported
                && diagnostic.setting.as_deref() == Some(setting)
                && diagnostic.message.contains("a start is refused")
        });
        assert!(said, "{:?}", unit.diagnostics);
    }
}

#[test]
fn words_of_the_journal_are_kept_apart_and_come_after_its_socket() {
    for (word, stream) in [
        ("journal", StdStream::Log),
        ("syslog", StdStream::Log),
        ("kmsg", StdStream::Kmsg),
        ("journal+console", StdStream::LogAndConsole),
        ("kmsg+console", StdStream::KmsgAndConsole),
        ("null", StdStream::Null),
    ] {
        let unit = load(
            "a.service",
            &format!("[Service]\nExecStart=/x\nStandardOutput={word}\n"),
        );
        assert_eq!(service(&unit).exec.stdout, stream);
        let after = unit.unit.dependencies.iter().any(|dependency| {
            dependency.kind == DependencyKind::After && dependency.on.as_str() == "systemd-journald.socket"
        });
        assert_eq!(after, stream.is_log(), "{word}");
    }
    let unit = load(
        "a.service",
        "[Service]\nExecStart=/x\nSyslogFacility=local3\nSyslogLevel=notice\nSyslogLevelPrefix=no\n",
    );
    let exec = &service(&unit).exec;
    assert_eq!(
        (exec.syslog_facility, exec.syslog_level, exec.syslog_level_prefix),
        (19, 5, false)
    );
    let unit = load("a.service", "[Service]\nExecStart=/x\nSyslogFacility=demon\n");
    assert!(
        unit.diagnostics[0].message.contains("did you mean daemon"),
        "{:?}",
        unit.diagnostics
    );
}

#[test]
fn resources_are_amounts_and_shares() {
    let unit = load(
        "a.service",
        "[Service]\nExecStart=/x\nMemoryMax=50%\nMemoryHigh=1G\nTasksMax=infinity\nCPUWeight=idle\nCPUQuota=20%\n\
         Delegate=cpu memory\nIOWeight=0\n",
    );
    let section = service(&unit);
    let resources = &section.exec.resources;
    assert_eq!(resources.memory_max, Some(Amount::Share(5000)));
    assert_eq!(section.memory_max, None, "a share is no number of bytes");
    assert!(
        unit.diagnostics
            .iter()
            .all(|d| d.setting.as_deref() != Some("MemoryMax")),
        "it acts"
    );
    assert_eq!(resources.memory_high, Some(Amount::Absolute(1 << 30)));
    assert_eq!(resources.tasks_max, Some(Amount::Infinity));
    assert_eq!(resources.cpu_weight, Some(CpuWeight::Idle));
    assert_eq!(resources.cpu_quota, Some(Usec::from_millis(200)));
    assert_eq!(
        resources.delegate,
        Delegate::Controllers(vec!["cpu".to_owned(), "memory".to_owned()])
    );
    assert!(section.delegate);
    assert_eq!(resources.io_weight, None, "0 is out of range");
    let slice = load("a.slice", "[Slice]\nMemoryMax=2G\nConcurrencyHardMax=3\n")
        .slice
        .unwrap();
    assert_eq!(slice.resources.memory_max, Some(Amount::Absolute(2 << 30)));
    assert_eq!(slice.concurrency_hard_max, Some(3));
}

#[test]
fn lifecycle_settings_of_chapter_4_are_typed() {
    let unit = load(
        "a.service",
        "[Service]\nExecStart=/x\nRestartSteps=3\nRestartMaxDelaySec=1min\nRestartMode=direct\n\
         RestartPreventExitStatus=SIGKILL 4\nTimeoutStopFailureMode=abort\nTimeoutAbortSec=5\nTimeoutCleanSec=7\n\
         OpenFile=/etc/x:y:append\nOpenFile=/etc/z\nReloadSignal=USR1\nGuessMainPID=no\nStartLimitBurst=7\n",
    );
    let section = service(&unit);
    assert_eq!(
        (section.restart_settings.steps, section.restart_settings.mode),
        (3, RestartMode::Direct)
    );
    assert_eq!(section.restart_settings.prevent_signals, [9]);
    assert_eq!(section.restart_prevent_codes, [4]);
    assert_eq!(section.timeout_stop_failure_mode, TimeoutFailureMode::Abort);
    assert_eq!(section.timeout_abort, Some(Usec::from_secs(5)));
    assert_eq!(section.timeout_clean, Usec::from_secs(7));
    let files: Vec<_> = section
        .open_files
        .iter()
        .map(|f| (f.name.as_str(), f.append))
        .collect();
    assert_eq!(files, [("y", true), ("z", false)]);
    assert_eq!((section.reload_signal, section.guess_main_pid), (10, false));
    assert_eq!(
        unit.unit.start_limit.burst, 7,
        "where it stood before it moved to [Unit]"
    );
    let cgroup = bad(
        "a.service",
        "[Service]\nType=oneshot\nExecStart=/x\nExitType=cgroup\n",
    );
    assert!(cgroup.contains("ExitType"), "{cgroup}");
}

#[test]
fn sockets_have_every_kind_of_port() {
    let unit = load(
        "a.socket",
        "[Socket]\nListenNetlink=audit 1\nListenSpecial=/dev/kmsg\nListenMessageQueue=/q\nListenStream=vsock:2:7\n\
         ListenSequentialPacket=vsock-stream:9\nListenStream=[fe80::1]:5%%eth0\nSocketUser=u\nIPTOS=low-delay\n\
         Mark=7\nExecStartPre=/bin/a\nPassFileDescriptorsToExec=yes\n",
    );
    let section = socket(&unit);
    let kinds: Vec<PortKind> = section.ports.iter().map(|port| port.kind).collect();
    let stream = PortKind::Stream;
    assert_eq!(
        kinds,
        [
            PortKind::Netlink,
            PortKind::Special,
            PortKind::MessageQueue,
            stream,
            stream,
            stream
        ]
    );
    assert_eq!(section.ports[0].address, Address::Netlink { family: 9, group: 1 });
    assert_eq!(
        section.ports[3].address,
        Address::Vsock {
            cid: Some(2),
            port: 7
        }
    );
    assert_eq!(
        (section.options.ip_tos, section.options.mark),
        (Some(0x10), Some(7))
    );
    assert_eq!(section.exec_start_pre[0].path, "/bin/a");
    assert!(section.pass_fds_to_exec && section.options.accept_fds);
    for (text, part) in [
        ("ListenStream=1\nSymlinks=/run/a\n", "Symlinks"),
        ("ListenMessageQueue=/q\nMessageQueueMaxMessages=1\n", "together"),
        ("ListenUSBFunction=/dev/f\n", "USB"),
    ] {
        let reason = bad("a.socket", &format!("[Socket]\n{text}"));
        assert!(reason.contains(part), "{reason}");
    }
}

#[test]
fn a_mount_is_named_after_its_path() {
    let unit = load(
        "srv-a.mount",
        "[Mount]\nWhat=/dev/sda1\nWhere=/srv//a/\nOptions=ro\nOptions=noatime\n",
    );
    assert_eq!(unit.load, LoadState::Loaded, "{:?}", unit.diagnostics);
    assert_eq!(
        (mount(&unit).where_.as_str(), mount(&unit).options.as_str()),
        ("/srv/a", "noatime")
    );
    assert_eq!(mount(&load("srv-a.mount", "[Mount]\nWhat=x\n")).where_, "/srv/a");
    assert!(bad("srv-a.mount", "[Mount]\nWhat=x\nWhere=/srv/b\n").contains("srv-b.mount"));
    assert!(bad("srv-a.mount", "[Mount]\nWhere=/srv/a\n").contains("What="));
    assert!(bad("srv-a.mount", "[Mount]\nWhat=x\nWhere=srv\n").contains("absolute"));
}

#[test]
fn mounts_have_the_dependencies_of_semantics_5_6() {
    let local = load("srv.mount", "[Mount]\nWhat=/dev/sda1\nType=ext4\n");
    for (kind, on) in [
        (D::Requires, "dev-sda1.device"),
        (D::After, "dev-sda1.device"),
        (D::After, "local-fs-pre.target"),
        (D::Before, "local-fs.target"),
        (D::Before, "umount.target"),
        (D::Conflicts, "umount.target"),
    ] {
        assert!(has(&local, kind, on), "{kind:?} {on}");
    }
    let network = load("srv.mount", "[Mount]\nWhat=host:/x\nType=nfs\nOptions=nofail\n");
    assert!(
        has(&network, D::Wants, "network-online.target") && has(&network, D::After, "remote-fs-pre.target")
    );
    assert!(!has(&network, D::Before, "remote-fs.target"), "nofail");
    let virtual_one = load("sys-kernel-debug.mount", "[Mount]\nWhat=debugfs\nType=debugfs\n");
    assert!(!has(&virtual_one, D::Conflicts, "umount.target"));
    let memory = load("srv.mount", "[Mount]\nWhat=tmpfs\nType=tmpfs\n");
    assert!(has(&memory, D::After, "swap.target"));
}

#[test]
fn mounts_are_required_where_they_have_a_file() {
    let others = [
        ("var.mount", "[Mount]\nWhat=/dev/v\n"),
        ("srv.mount", "[Mount]\nWhat=/dev/s\n"),
    ];
    let text = "[Unit]\nRequiresMountsFor=/var/lib/x /opt\nWantsMountsFor=/srv/a\n[Service]\nExecStart=/x\n";
    let unit = common::load_among("a.service", text, &others);
    assert!(has(&unit, D::Requires, "var.mount") && has(&unit, D::After, "var.mount"));
    assert!(has(&unit, D::Wants, "srv.mount") && !has(&unit, D::Requires, "srv.mount"));
    assert!(!has(&unit, D::After, "opt.mount") && !has(&unit, D::After, "-.mount"));
    let state = common::load_among(
        "a.service",
        "[Service]\nExecStart=/x\nStateDirectory=x\n",
        &others,
    );
    assert!(has(&state, D::Requires, "var.mount"));
    let below = common::load_among("var-lib.mount", "[Mount]\nWhat=/dev/w\n", &others);
    assert!(has(&below, D::Requires, "var.mount"));
}

#[test]
fn a_socket_of_one_interface_is_bound_to_its_device() {
    let unit = load("a.socket", "[Socket]\nListenStream=1\nBindToDevice=eth0\n");
    assert!(has(&unit, D::BindsTo, "sys-subsystem-net-devices-eth0.device"));
    let local = load("a.socket", "[Socket]\nListenStream=1\nBindToDevice=lo\n");
    assert!(!local.unit.dependencies.iter().any(|d| d.kind == D::BindsTo));
}

#[test]
fn devices_need_no_file() {
    let unit = common::load_among("dev-sda1.device", "", &[]);
    assert_eq!((unit.load, unit.kind), (LoadState::Loaded, KindSection::Device));
    assert_eq!(unit.unit.job_running_timeout, Usec::from_secs(90));
}

#[test]
fn conditions_are_checked_when_they_are_read() {
    let unit = load(
        "a.target",
        "[Unit]\nConditionPathExists=|!/a\nConditionPathExists=rel\nConditionFirstBoot=maybe\nAssertPathExist=/x\n\
         ConditionMemory=>1G\n",
    );
    let [first, memory] = &unit.unit.conditions[..] else {
        panic!("{:?}", unit.unit.conditions)
    };
    assert!(first.trigger && first.negate && first.argument == "/a");
    assert_eq!(memory.kind().unwrap().name(), "Memory");
    let warned: Vec<u32> = unit
        .diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Warning)
        .map(|d| d.line)
        .collect();
    assert_eq!(warned, [3, 4, 5]);
    assert!(
        unit.diagnostics
            .iter()
            .any(|d| d.message.contains("did you mean AssertPathExists?"))
    );
}

#[test]
fn a_mistake_is_shown_under_its_word() {
    let unit = load(
        "a.service",
        "[Unit]\nAfter=x.target \\\n  y.tragte\n[Service]\nExecStart=/x\n",
    );
    let shown = unit.diagnostics[0].render(false);
    assert!(shown.contains(":3:3\n"), "{shown}");
    assert!(shown.ends_with("3 |   y.tragte\n  |   ^^^^^^^^\n"), "{shown}");
}
