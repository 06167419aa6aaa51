//! Realistic unit files are read without a complaint, and mean what they say.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use softboot_unit::files::MemoryFiles;
use softboot_unit::{
    Definition, KindSection, LoadState, Loader, Severity, Specifiers, UnitName, default_paths,
};

/// The settings of semantics 5.9.
const COMMON: &str = "Description Documentation After Before Wants Requires Conflicts DefaultDependencies \
    ConditionPathExists PartOf BindsTo RequiresMountsFor ConditionVirtualization ConditionCapability \
    ConditionKernelCommandLine ConditionPathIsReadWrite ConditionDirectoryNotEmpty ConditionFileNotEmpty \
    RefuseManualStart RefuseManualStop StartLimitIntervalSec StartLimitBurst AllowIsolate IgnoreOnIsolate OnFailure \
    AssertPathExists StopWhenUnneeded JobTimeoutSec ConditionNeedsUpdate SurviveFinalKillSignal Type ExecStart \
    ExecStartPre ExecStartPost ExecReload ExecStop ExecStopPost Restart RestartSec RemainAfterExit PIDFile BusName \
    TimeoutSec TimeoutStartSec TimeoutStopSec KillMode KillSignal WatchdogSec NotifyAccess SuccessExitStatus \
    RestartPreventExitStatus FileDescriptorStoreMax FileDescriptorStorePreserve Sockets SendSIGHUP NonBlocking \
    GuessMainPID OOMPolicy User Group Environment EnvironmentFile WorkingDirectory StandardOutput StandardError \
    StandardInput SyslogIdentifier RuntimeDirectory RuntimeDirectoryMode RuntimeDirectoryPreserve StateDirectory \
    CacheDirectory LogsDirectory UMask LimitNOFILE Nice OOMScoreAdjust CapabilityBoundingSet AmbientCapabilities \
    NoNewPrivileges PrivateTmp PrivateDevices PrivateNetwork ProtectSystem ProtectHome ReadWritePaths ReadOnlyPaths \
    InaccessiblePaths ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectControlGroups ProtectClock \
    ProtectHostname ProtectProc RestrictAddressFamilies RestrictNamespaces RestrictRealtime RestrictSUIDSGID \
    MemoryDenyWriteExecute LockPersonality SystemCallArchitectures SystemCallFilter SystemCallErrorNumber DynamicUser \
    SupplementaryGroups Slice Delegate DeviceAllow DevicePolicy MemoryMax TasksMax CPUWeight TTYPath TTYReset \
    TTYVHangup UtmpIdentifier IgnoreSIGPIPE LoadCredential SetCredential ImportCredential RootDirectory BindPaths \
    TemporaryFileSystem ListenStream ListenDatagram ListenFIFO ListenNetlink ListenSequentialPacket SocketMode \
    SocketUser SocketGroup Accept Service PassCredentials PassSecurity ReceiveBuffer RemoveOnStop Symlinks \
    FileDescriptorName MaxConnections BindIPv6Only DirectoryMode Timestamping DeferTrigger WantedBy Alias Also \
    RequiredBy DefaultInstance";

fn corpus() -> Vec<(String, String)> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<(String, String)> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn load(unit: &str) -> Definition {
    let files = corpus().iter().fold(MemoryFiles::new(), |files, (name, text)| {
        files.file(&format!("/usr/lib/systemd/system/{name}"), text)
    });
    Loader::new(&files, default_paths(), Specifiers::default()).load(&UnitName::new(unit).unwrap())
}

#[test]
fn the_corpus_uses_every_common_setting() {
    let all: String = corpus().into_iter().map(|(_, text)| text).collect();
    for key in COMMON.split_whitespace() {
        assert!(
            all.lines().any(|line| line.starts_with(&format!("{key}="))),
            "{key}="
        );
    }
}

#[test]
fn no_file_of_the_corpus_is_complained_about() {
    for (file, _) in corpus() {
        let unit = load(&file.replace("@.", "@tty1."));
        assert_eq!(unit.load, LoadState::Loaded, "{file}: {:#?}", unit.diagnostics);
        let complaints: Vec<String> = unit
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity > Severity::Unsupported)
            .map(|diagnostic| diagnostic.render(false))
            .collect();
        assert!(complaints.is_empty(), "{}", complaints.concat());
    }
}

#[test]
fn every_definition_survives_being_written_and_read() {
    for (file, _) in corpus() {
        let unit = load(&file.replace("@.", "@tty1."));
        let text = serde_json::to_string(&unit).unwrap();
        assert_eq!(serde_json::from_str::<Definition>(&text).unwrap(), unit, "{file}");
    }
}

#[test]
fn a_status_can_say_which_protection_is_not_there() {
    let web = load("web.service");
    let missing: Vec<&str> = web
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.security)
        .filter_map(|diagnostic| diagnostic.setting.as_deref())
        .collect();
    for key in ["PrivateTmp", "ProtectSystem", "SystemCallFilter"] {
        assert!(missing.contains(&key), "{key}: {missing:?}");
    }
    for key in ["PrivateNetwork", "DynamicUser", "CPUWeight", "NoNewPrivileges"] {
        assert!(
            !missing.contains(&key),
            "{key} asks for no protection, or is enforced"
        );
    }
}

#[test]
fn the_main_command_is_what_its_lines_say() {
    let KindSection::Service(service) = load("web.service").kind else {
        panic!("no service")
    };
    let words: Vec<&str> = service.exec_start[0].argv.iter().map(String::as_str).collect();
    assert_eq!(
        words,
        [
            "/usr/sbin/web",
            "--config",
            "${CONFIG}",
            "--workers",
            "$WORKERS",
            "--name",
            "web "
        ]
    );
    assert_eq!(service.exec_reload.len(), 2);
    assert!(service.exec_stop_post[0].ignore_failure && service.exec_stop_post[0].full_privileges);
}
