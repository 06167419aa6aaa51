use super::*;
use crate::files::MemoryFiles;
use crate::model::*;
use proptest::prelude::*;

const ETC: &str = "/etc/systemd/system";
const USR: &str = "/usr/lib/systemd/system";

fn name(text: &str) -> UnitName {
    UnitName::new(text).unwrap()
}

fn load(files: &MemoryFiles, unit: &str) -> Definition {
    Loader::new(files, crate::default_paths(), Specifiers::default()).load(&name(unit))
}

fn closure(files: &MemoryFiles, unit: &str) -> BTreeMap<String, Definition> {
    Loader::new(files, crate::default_paths(), Specifiers::default())
        .load_closure(&[name(unit)], &|_| false)
        .into_iter()
        .map(|definition| (definition.name.to_string(), definition))
        .collect()
}

fn service(definition: &Definition) -> &ServiceSection {
    match &definition.kind {
        KindSection::Service(service) => service,
        other => panic!("{other:?}"),
    }
}

fn has(definition: &Definition, kind: DependencyKind, on: &str) -> bool {
    definition
        .unit
        .dependencies
        .iter()
        .any(|d| d.kind == kind && d.on.as_str() == on)
}

#[test]
fn the_most_important_directory_wins_whole() {
    let files = MemoryFiles::new()
        .file(&format!("{USR}/a.service"), "[Service]\nExecStart=/usr\nNice=5\n")
        .file(&format!("{ETC}/a.service"), "[Service]\nExecStart=/etc\n");
    let a = load(&files, "a.service");
    assert_eq!(service(&a).exec_start.first().unwrap().path, "/etc");
    assert_eq!(service(&a).exec.nice, None);
    assert_eq!(a.fragment.as_deref(), Some("/etc/systemd/system/a.service"));
}

#[test]
fn masks_and_missing_units_are_told_apart() {
    let files = MemoryFiles::new()
        .link(&format!("{ETC}/a.service"), "/dev/null")
        .file(&format!("{ETC}/b.service"), "")
        .file(&format!("{USR}/a.service"), "[Service]\nExecStart=/x\n");
    assert_eq!(load(&files, "a.service").load, LoadState::Masked);
    assert_eq!(load(&files, "b.service").load, LoadState::Masked);
    assert_eq!(load(&files, "c.service").load, LoadState::NotFound);
}

#[test]
fn an_alias_gives_the_unit_it_stands_for() {
    let files = MemoryFiles::new()
        .file(&format!("{USR}/real.target"), "[Unit]\nAllowIsolate=yes\n")
        .link(
            &format!("{ETC}/default.target"),
            "/usr/lib/systemd/system/real.target",
        );
    let unit = load(&files, "default.target");
    assert_eq!(
        (unit.name, unit.aliases),
        (name("real.target"), vec![name("default.target")])
    );
    // Without a file, the built-in alias holds.
    assert_eq!(
        load(&MemoryFiles::new(), "default.target").name,
        name("multi-user.target")
    );
    let circle = MemoryFiles::new()
        .link(&format!("{ETC}/a.service"), "b.service")
        .link(&format!("{ETC}/b.service"), "a.service");
    assert!(matches!(load(&circle, "a.service").load, LoadState::Error(_)));
}

#[test]
fn every_other_name_contributes() {
    let files = MemoryFiles::new()
        .file(&format!("{USR}/real.service"), "[Service]\nExecStart=/x\n")
        .link(
            &format!("{ETC}/other.service"),
            "/usr/lib/systemd/system/real.service",
        )
        .link(&format!("{ETC}/third.service"), "other.service")
        .link(&format!("{USR}/hidden.service"), "real.service")
        .file(&format!("{ETC}/hidden.service"), "[Service]\nExecStart=/y\n")
        .file(&format!("{ETC}/other.service.d/a.conf"), "[Service]\nNice=7\n")
        .link(&format!("{ETC}/third.service.wants/w.service"), "/dev/zero");
    let unit = load(&files, "real.service");
    assert_eq!(unit.aliases, [name("other.service"), name("third.service")]);
    assert_eq!(service(&unit).exec.nice, Some(7));
    assert!(has(&unit, DependencyKind::Wants, "w.service"));
    let templates = MemoryFiles::new()
        .file(&format!("{USR}/r@.service"), "[Service]\nExecStart=/x\n")
        .link(&format!("{ETC}/s@.service"), "/usr/lib/systemd/system/r@.service");
    assert_eq!(load(&templates, "r@1.service").aliases, [name("s@1.service")]);
    assert_eq!(load(&templates, "s@1.service").name, name("r@1.service"));
}

#[test]
fn a_link_that_pulls_is_masked_by_nothing_or_an_empty_file() {
    let wants = format!("{ETC}/a.target.wants");
    let files = MemoryFiles::new()
        .file(&format!("{USR}/a.target"), "[Unit]\nDescription=x\n")
        .link(&format!("{wants}/null.service"), "/dev/null")
        .link(&format!("{wants}/empty.service"), "/etc/empty")
        .file("/etc/empty", "")
        .link(&format!("{wants}/gone.service"), "/nowhere")
        .file(&format!("{wants}/file.service"), "[Service]\nExecStart=/x\n");
    let unit = load(&files, "a.target");
    let wanted: Vec<&str> = unit
        .unit
        .dependencies
        .iter()
        .filter(|d| d.kind == DependencyKind::Wants)
        .map(|d| d.on.as_str())
        .collect();
    assert_eq!(wanted, ["gone.service"], "only links count, wherever they lead");
}

#[test]
fn drop_ins_apply_in_the_order_of_their_names() {
    let files = MemoryFiles::new()
        .file(
            &format!("{USR}/a-b.service"),
            "[Service]\nExecStart=/x\nNice=1\nEnvironment=A=1 B=1\n",
        )
        .file(&format!("{USR}/service.d/10-all.conf"), "[Service]\nNice=2\n")
        .file(
            &format!("{USR}/a-.service.d/20-some.conf"),
            "[Service]\nNice=3\nUMask=077\n",
        )
        .file(
            &format!("{USR}/a-b.service.d/20-some.conf"),
            "[Service]\nNice=4\n",
        )
        .file(
            &format!("{ETC}/a-b.service.d/15.conf"),
            "[Service]\nEnvironment=B=2\n",
        );
    let unit = load(&files, "a-b.service");
    let exec = &service(&unit).exec;
    assert_eq!(
        (exec.nice, exec.umask),
        (Some(4), 0o022),
        "one file name counts once"
    );
    assert_eq!(
        exec.environment,
        [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())]
    );
    assert_eq!(unit.drop_ins.len(), 3);
}

#[test]
fn an_instance_comes_from_its_template() {
    let files = MemoryFiles::new().file(
        &format!("{USR}/e@.service"),
        "[Unit]\nDescription=For %I\n[Service]\nExecStart=/e %i\n",
    );
    let unit = load(&files, "e@a-b.service");
    assert_eq!(unit.unit.description, "For a/b");
    assert_eq!(service(&unit).exec_start.first().unwrap().argv, ["/e", "a-b"]);
    assert_eq!(service(&unit).slice, name("system-e.slice"));
}

#[test]
fn mistakes_have_file_and_line_and_the_rest_counts() {
    let text = "[Unit]\nDescription=x\nWnats=a.service\n[Service]\nType=oneshot\nTimeoutStopSec=soon\nExecStart=/x\nPrivateTmp=yes\n";
    let files = MemoryFiles::new().file(&format!("{USR}/a.service"), text);
    let unit = load(&files, "a.service");
    assert_eq!(unit.load, LoadState::Loaded);
    let shown: Vec<String> = unit.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert_eq!(
        shown.first().unwrap(),
        "/usr/lib/systemd/system/a.service:3: unknown setting Wnats= in [Unit] (did you mean Wants?)"
    );
    assert!(
        shown
            .get(1)
            .unwrap()
            .contains("a.service:6: TimeoutStopSec=: \"soon\" is no time span")
    );
    assert_eq!(unit.diagnostics.get(2).unwrap().severity, Severity::Unsupported);
}

#[test]
fn a_mistake_in_what_runs_makes_the_unit_unusable() {
    let files = MemoryFiles::new().file(
        &format!("{USR}/a.service"),
        "[Service]\nExecStart=relative/program\n",
    );
    let unit = load(&files, "a.service");
    assert!(
        matches!(&unit.load, LoadState::BadSetting(reason) if reason.contains("absolute")),
        "{:?}",
        unit.load
    );
    assert!(
        unit.diagnostics
            .iter()
            .any(|d| d.severity == Severity::Error && d.line == 2)
    );
}

#[test]
fn contradictions_of_semantics_4_2_and_1_5_are_refused() {
    for (unit, text) in [
        ("a.service", "[Service]\nType=simple\n"),
        ("a.service", "[Service]\nExecStop=/x\n"),
        ("a.service", "[Service]\nExecStart=/x\nExecStart=/y\n"),
        (
            "a.service",
            "[Service]\nType=oneshot\nExecStart=/x\nRestart=always\n",
        ),
        ("a.service", "[Service]\nType=dbus\nExecStart=/x\n"),
        ("a.socket", "[Socket]\n"),
        ("a.socket", "[Socket]\nListenStream=1\nMaxConnections=0\n"),
        ("a.socket", "[Socket]\nListenDatagram=1\nAccept=yes\n"),
        (
            "a.socket",
            "[Socket]\nListenStream=1\nAccept=yes\nService=b.service\n",
        ),
        (
            "a.socket",
            "[Socket]\nListenStream=1\nAccept=yes\nDeferTrigger=yes\n",
        ),
    ] {
        let files = MemoryFiles::new().file(&format!("{USR}/{unit}"), text);
        assert!(
            matches!(load(&files, unit).load, LoadState::BadSetting(_)),
            "{text}"
        );
    }
}

#[test]
fn defaults_follow_from_other_settings() {
    let unit = |text: &str| {
        load(
            &MemoryFiles::new().file(&format!("{USR}/a.service"), text),
            "a.service",
        )
    };
    let simple = unit("[Service]\nExecStart=/x\n");
    assert_eq!(service(&simple).service_type, ServiceType::Simple);
    assert_eq!(service(&simple).notify_access, NotifyAccess::None);
    let oneshot = unit("[Service]\nType=oneshot\nExecStart=/x\n");
    assert_eq!(service(&oneshot).timeout_start, Usec::INFINITY);
    let stored = unit("[Service]\nExecStart=/x\nFileDescriptorStoreMax=3\n");
    assert_eq!(service(&stored).notify_access, NotifyAccess::Main);
    let explicit = unit("[Service]\nType=notify\nExecStart=/x\nNotifyAccess=all\nTimeoutSec=0\n");
    assert_eq!(service(&explicit).notify_access, NotifyAccess::All);
    assert_eq!(service(&explicit).timeout_stop, Usec::INFINITY);
}

#[test]
fn sockets_get_their_service_and_their_limits() {
    let files = MemoryFiles::new()
        .file(
            &format!("{USR}/a.socket"),
            "[Socket]\nListenStream=80\nListenStream=\nListenStream=/run/a\n",
        )
        .file(
            &format!("{USR}/b.socket"),
            "[Socket]\nListenStream=81\nAccept=yes\n",
        );
    let KindSection::Socket(a) = load(&files, "a.socket").kind else {
        panic!()
    };
    assert_eq!(
        a.ports,
        [Port {
            kind: PortKind::Stream,
            address: Address::Path("/run/a".to_owned())
        }]
    );
    assert_eq!((a.service.as_str(), a.trigger_limit.burst), ("a.service", 20));
    let b = load(&files, "b.socket");
    assert!(
        !b.unit
            .dependencies
            .iter()
            .any(|d| d.kind == DependencyKind::Triggers)
    );
    let KindSection::Socket(b) = b.kind else { panic!() };
    assert_eq!(
        (b.service.as_str(), b.trigger_limit.burst, b.poll_limit.burst),
        ("b@.service", 200, 150)
    );
}

#[test]
fn default_dependencies_are_those_of_semantics_5_6() {
    use DependencyKind as D;
    let files = MemoryFiles::new()
        .file(&format!("{USR}/a.service"), "[Service]\nExecStart=/x\n")
        .file(&format!("{USR}/a.socket"), "[Socket]\nListenStream=1\n")
        .file(
            &format!("{USR}/b.service"),
            "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/x\n",
        );
    let a = load(&files, "a.service");
    for (kind, on) in [
        (D::Requires, "sysinit.target"),
        (D::After, "sysinit.target"),
        (D::After, "basic.target"),
        (D::Before, "shutdown.target"),
        (D::Conflicts, "shutdown.target"),
        (D::Requires, "system.slice"),
        (D::After, "system.slice"),
    ] {
        assert!(has(&a, kind, on), "{kind:?} {on}");
    }
    let socket = load(&files, "a.socket");
    for (kind, on) in [
        (D::Before, "sockets.target"),
        (D::Before, "a.service"),
        (D::Triggers, "a.service"),
    ] {
        assert!(has(&socket, kind, on), "{kind:?} {on}");
    }
    let b = load(&files, "b.service");
    assert!(has(&b, D::Requires, "system.slice") && !has(&b, D::Conflicts, "shutdown.target"));
}

#[test]
fn a_closure_has_no_loose_ends() {
    let files = MemoryFiles::new()
        .file(
            &format!("{USR}/a.service"),
            "[Unit]\nWants=gone.service\n[Service]\nExecStart=/x\n",
        )
        .file(
            &format!("{USR}/s.socket"),
            "[Socket]\nListenStream=1\nAccept=yes\n",
        )
        .link(
            &format!("{ETC}/multi-user.target.wants/a.service"),
            "/usr/lib/systemd/system/a.service",
        )
        .link(&format!("{USR}/sockets.target.wants/s.socket"), "../s.socket");
    let all = closure(&files, "default.target");
    for unit in [
        "multi-user.target",
        "basic.target",
        "sysinit.target",
        "a.service",
        "gone.service",
        "s.socket",
        "shutdown.target",
        "-.slice",
    ] {
        assert!(all.contains_key(unit), "{unit}");
    }
    assert!(!all.contains_key("s@.service"), "a template is no unit");
    let known: BTreeSet<&str> = all
        .values()
        .flat_map(|d| d.aliases.iter().chain([&d.name]))
        .map(UnitName::as_str)
        .collect();
    for definition in all.values() {
        for dependency in definition.unit.dependencies.iter() {
            assert!(
                known.contains(dependency.on.as_str()),
                "{} mentions {}",
                definition.name,
                dependency.on
            );
        }
    }
    assert!(has(
        all.get("multi-user.target").unwrap(),
        DependencyKind::After,
        "a.service"
    ));
    assert_eq!(all.get("gone.service").unwrap().load, LoadState::NotFound);
}

#[test]
fn built_in_units_are_all_usable() {
    let all = closure(&MemoryFiles::new(), "default.target");
    for end in ["soft-reboot", "reboot", "poweroff", "halt", "kexec", "exit"] {
        let files = MemoryFiles::new();
        let units = closure(&files, &format!("{end}.target"));
        let unit = units.get(&format!("systemd-{end}.service")).unwrap();
        assert_eq!(unit.load, LoadState::Loaded, "{:?}", unit.diagnostics);
        assert!(unit.unit.success_action != EmergencyAction::None);
    }
    for definition in all.values() {
        assert!(definition.diagnostics.is_empty(), "{:?}", definition.diagnostics);
        assert!(
            matches!(definition.load, LoadState::Loaded),
            "{}: {:?}",
            definition.name,
            definition.load
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_text_gives_a_definition_that_round_trips(text in "\\PC{0,200}") {
        let text = format!("[Unit]\n{text}\n[Service]\n{text}\n");
        let files = MemoryFiles::new().file(&format!("{USR}/a.service"), &text);
        let unit = load(&files, "a.service");
        let data = serde_json::to_string(&unit).unwrap();
        prop_assert_eq!(serde_json::from_str::<Definition>(&data).unwrap(), unit);
    }
}

const RECIPE: &str = "[Unit]\nSurviveFinalKillSignal=yes\nIgnoreOnIsolate=yes\nDefaultDependencies=no\n\
    After=basic.target\nConflicts=reboot.target kexec.target poweroff.target halt.target rescue.target emergency.target\n\
    Before=shutdown.target rescue.target emergency.target\n[Service]\nExecStart=/x\n";

#[test]
fn one_setting_is_the_whole_recipe_of_a_survivor() {
    let files = MemoryFiles::new()
        .file(&format!("{ETC}/long.service"), RECIPE)
        .file(
            &format!("{ETC}/short.service"),
            "[Unit]\nSurviveSoftReboot=yes\n[Service]\nExecStart=/x\n",
        );
    let pairs = |unit: &str| {
        let definition = load(&files, unit);
        let section = &definition.unit;
        assert_eq!(crate::recipe::missing(section, false), [""; 0], "{unit}");
        let found = section.dependencies.iter().map(|d| (d.kind, d.on.clone()));
        (
            section.default_dependencies,
            section.ignore_on_isolate,
            section.survive_final_kill_signal,
            found.collect::<BTreeSet<_>>(),
        )
    };
    assert_eq!(pairs("short.service"), pairs("long.service"));
}

#[test]
fn who_means_to_survive_is_told_from_who_does_not() {
    let files = MemoryFiles::new()
        .file(
            &format!("{ETC}/almost.service"),
            &RECIPE.replace("SurviveFinalKillSignal=yes\n", ""),
        )
        .file(
            &format!("{ETC}/early.service"),
            "[Unit]\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n[Service]\nExecStart=/x\n",
        );
    assert!(crate::recipe::is_begun(&load(&files, "almost.service").unit));
    assert!(!crate::recipe::is_begun(&load(&files, "early.service").unit));
}

#[test]
fn what_is_written_beside_the_recipe_stays() {
    let text = "[Unit]\nIgnoreOnIsolate=no\nSurviveSoftReboot=yes\n[Service]\nExecStart=/x\n";
    let files = MemoryFiles::new().file(&format!("{ETC}/a.service"), text);
    let a = load(&files, "a.service");
    assert!(!a.unit.ignore_on_isolate && a.unit.survive_final_kill_signal && !a.unit.default_dependencies);
    assert_eq!(crate::recipe::missing(&a.unit, false), ["IgnoreOnIsolate=yes"]);
}

#[test]
fn missing_lines_of_the_recipe_are_named_as_they_would_be_written() {
    let text = "[Unit]\nSurviveFinalKillSignal=yes\nConflicts=reboot.target\n[Service]\nExecStart=/x\n";
    let files = MemoryFiles::new().file(&format!("{ETC}/a.service"), text);
    let a = load(&files, "a.service");
    assert!(crate::recipe::is_begun(&a.unit));
    assert_eq!(
        crate::recipe::missing(&a.unit, false),
        [
            "IgnoreOnIsolate=yes",
            "DefaultDependencies=no",
            "Conflicts=kexec.target poweroff.target halt.target rescue.target emergency.target",
            "Before=rescue.target emergency.target",
        ]
    );
    assert_eq!(
        crate::recipe::missing(&a.unit, true),
        ["IgnoreOnIsolate=yes", "DefaultDependencies=no"]
    );
}
