use super::*;
use crate::files::MemoryFiles;
use crate::name::UnitName;

const USR: &str = "/usr/lib/systemd/system";

fn name(text: &str) -> UnitName {
    UnitName::new(text).unwrap()
}

fn with<T>(files: &MemoryFiles, each: impl FnOnce(&Installer<'_>) -> T) -> T {
    each(&Installer::new(
        files,
        crate::default_paths(),
        Specifiers::default(),
    ))
}

fn carry_out(files: MemoryFiles, plan: &Plan) -> MemoryFiles {
    plan.changes.iter().fold(files, |files, change| match change {
        Change::Link { path, target } => files.link(path, target),
        Change::Remove { path } => files.without(path),
    })
}

fn state(files: &MemoryFiles, unit: &str) -> &'static str {
    with(files, |installer| installer.state(&name(unit))).word()
}

fn enable(files: &MemoryFiles, unit: &str, runtime: bool) -> Result<Plan, InstallError> {
    let options = InstallOptions {
        runtime,
        force: false,
    };
    with(files, |installer| installer.enable(&[name(unit)], options))
}

fn disable(files: &MemoryFiles, unit: &str) -> Plan {
    let disabled = with(files, |installer| {
        installer.disable(&[name(unit)], InstallOptions::default())
    });
    disabled.unwrap()
}

fn tree() -> MemoryFiles {
    let unit = |install: &str| format!("[Service]\nExecStart=/x\n{install}");
    MemoryFiles::new()
        .file(
            &format!("{USR}/a.service"),
            &unit("[Install]\nWantedBy=multi-user.target\nRequiredBy=b.service\nAlias=other.service\nAlso=a.socket\n"),
        )
        .file(
            &format!("{USR}/a.socket"),
            "[Socket]\nListenStream=/run/a\n[Install]\nWantedBy=sockets.target\n",
        )
        .file(&format!("{USR}/plain.service"), &unit(""))
        .file(&format!("{USR}/pointer.service"), &unit("[Install]\nAlso=a.service\n"))
        .file(
            &format!("{USR}/getty@.service"),
            &unit("[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\nAlias=term-%i.service\n"),
        )
        .file(
            &format!("{USR}/bare@.service"),
            &unit("[Install]\nWantedBy=multi-user.target\n"),
        )
        .file("/run/systemd/generator/made.service", &unit(""))
        .link("/etc/systemd/system/far.service", "/opt/far.service")
        .file("/opt/far.service", &unit(""))
}

#[test]
fn enabling_links_what_install_says_and_disabling_takes_it_away() {
    let files = tree();
    assert_eq!(state(&files, "a.service"), "disabled");
    let plan = enable(&files, "a.service", false).unwrap();
    let target = |unit: &str| format!("{USR}/{unit}");
    let link = |path: &str, unit: &str| Change::Link {
        path: format!("/etc/systemd/system/{path}"),
        target: target(unit),
    };
    assert_eq!(
        plan.changes,
        [
            link("b.service.requires/a.service", "a.service"),
            link("multi-user.target.wants/a.service", "a.service"),
            link("other.service", "a.service"),
            link("sockets.target.wants/a.socket", "a.socket"),
        ]
    );
    let enabled = carry_out(files, &plan);
    for (unit, is) in [
        ("a.service", "enabled"),
        ("a.socket", "enabled"),
        ("other.service", "alias"),
    ] {
        assert_eq!(state(&enabled, unit), is, "{unit}");
    }
    assert_eq!(enable(&enabled, "a.service", false).unwrap(), Plan::default());
    assert!(matches!(
        enable(&enabled, "other.service", false),
        Err(InstallError::Alias(_, real)) if real == name("a.service")
    ));
    let plan = disable(&enabled, "a.service");
    assert_eq!(plan.changes.len(), 4);
    let disabled = carry_out(enabled, &plan);
    assert_eq!(state(&disabled, "a.service"), "disabled");
    assert_eq!(state(&disabled, "other.service"), "not-found");
    assert!(disable(&disabled, "a.service").changes.is_empty());
}

#[test]
fn runtime_links_are_below_run() {
    let plan = enable(&tree(), "a.service", true).unwrap();
    let files = carry_out(tree(), &plan);
    assert_eq!(state(&files, "a.service"), "enabled-runtime");
    assert!(
        disable(&files, "a.service").changes.is_empty(),
        "links below /run are another request's"
    );
}

#[test]
fn states_without_links() {
    let files = tree();
    for (unit, is) in [
        ("plain.service", "static"),
        ("pointer.service", "indirect"),
        ("made.service", "generated"),
        ("far.service", "linked"),
        ("none.service", "not-found"),
        ("bare@.service", "disabled"),
    ] {
        assert_eq!(state(&files, unit), is, "{unit}");
    }
    let circle = files
        .link("/etc/systemd/system/c.service", "d.service")
        .link("/etc/systemd/system/d.service", "c.service");
    assert_eq!(state(&circle, "c.service"), "bad");
}

#[test]
fn what_has_no_install_section_is_said_and_changes_nothing() {
    let plan = enable(&tree(), "plain.service", false).unwrap();
    assert!(plan.changes.is_empty());
    assert!(plan.notes.iter().any(|note| note.contains("no [Install]")));
    assert!(matches!(
        enable(&tree(), "none.service", false),
        Err(InstallError::NotFound(_))
    ));
}

#[test]
fn templates_are_enabled_as_instances() {
    let plan = enable(&tree(), "getty@.service", false).unwrap();
    let paths: Vec<&str> = plan
        .changes
        .iter()
        .map(|change| match change {
            Change::Link { path, target } => {
                assert_eq!(target, "/usr/lib/systemd/system/getty@.service");
                path.as_str()
            }
            Change::Remove { path } => panic!("{path}"),
        })
        .collect();
    assert_eq!(
        paths,
        [
            "/etc/systemd/system/getty.target.wants/getty@tty1.service",
            "/etc/systemd/system/term-tty1.service"
        ]
    );
    let files = carry_out(tree(), &plan);
    assert_eq!(state(&files, "getty@tty1.service"), "enabled");
    assert_eq!(state(&files, "getty@.service"), "enabled");
    let more = enable(&files, "getty@tty2.service", false).unwrap();
    let files = carry_out(files, &more);
    // One instance goes alone, the template takes all of them along.
    let one = disable(&files, "getty@tty2.service");
    assert!(
        one.changes
            .iter()
            .all(|change| format!("{change:?}").contains("tty2")),
        "{one:?}"
    );
    let all = carry_out(files.clone(), &disable(&files, "getty@.service"));
    assert_eq!(state(&all, "getty@tty1.service"), "disabled");
    assert_eq!(state(&all, "getty@tty2.service"), "disabled");
    assert!(matches!(
        enable(&tree(), "bare@.service", false),
        Err(InstallError::NoInstance(..))
    ));
    assert_eq!(enable(&tree(), "bare@x.service", false).unwrap().changes.len(), 1);
}

#[test]
fn masks_come_and_go_and_never_replace_a_file() {
    let options = InstallOptions::default();
    let plan = with(&tree(), |i| i.mask(&[name("a.service")], options)).unwrap();
    let files = carry_out(tree(), &plan);
    assert_eq!(state(&files, "a.service"), "masked");
    assert!(matches!(
        enable(&files, "a.service", false),
        Err(InstallError::Masked(_))
    ));
    assert!(
        with(&files, |i| i.mask(&[name("a.service")], options))
            .unwrap()
            .changes
            .is_empty()
    );
    assert!(
        disable(&files, "a.service").changes.is_empty(),
        "a mask is no enablement"
    );
    let plan = with(&files, |i| i.unmask(&[name("a.service")], options)).unwrap();
    assert_eq!(state(&carry_out(files, &plan), "a.service"), "disabled");
    let runtime = InstallOptions {
        runtime: true,
        force: false,
    };
    let plan = with(&tree(), |i| i.mask(&[name("a.service")], runtime)).unwrap();
    assert_eq!(state(&carry_out(tree(), &plan), "a.service"), "masked-runtime");
    let own = tree().file("/etc/systemd/system/own.service", "[Service]\nExecStart=/x\n");
    let refused = with(&own, |i| {
        i.mask(
            &[name("own.service")],
            InstallOptions {
                force: true,
                ..options
            },
        )
    });
    assert!(matches!(refused, Err(InstallError::InTheWay { .. })));
    let plan = with(&own, |i| i.mask(&[name("own.service")], runtime)).unwrap();
    assert!(
        plan.notes
            .iter()
            .any(|note| note.contains("/etc/systemd/system/own.service counts more")),
        "{:?}",
        plan.notes
    );
    let plan = with(&tree(), |i| i.mask(&[name("a.service")], runtime)).unwrap();
    assert!(plan.notes.is_empty(), "{:?}", plan.notes);
}

#[test]
fn a_link_in_the_way_is_replaced_only_by_force() {
    let files = tree().link(
        "/etc/systemd/system/other.service",
        "/usr/lib/systemd/system/plain.service",
    );
    assert!(matches!(
        enable(&files, "a.service", false),
        Err(InstallError::InTheWay { .. })
    ));
    let force = InstallOptions {
        runtime: false,
        force: true,
    };
    let plan = with(&files, |i| i.enable(&[name("a.service")], force)).unwrap();
    assert_eq!(plan.changes.len(), 4);
}
