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

fn changes(plan: &Plan) -> Vec<String> {
    let line = |change: &Change| match change {
        Change::Link { path, target } => format!("{path} -> {target}"),
        Change::Remove { path } => format!("- {path}"),
    };
    plan.changes.iter().map(line).collect()
}

#[test]
fn the_default_is_a_link_that_is_replaced() {
    let files = MemoryFiles::new()
        .file(&format!("{USR}/mine.target"), "[Unit]\n")
        .file(&format!("{USR}/a.service"), "[Service]\nExecStart=/x\n");
    let default = |files: &MemoryFiles| with(files, |installer| installer.default_target()).unwrap();
    let set = |files: &MemoryFiles, unit: &str| with(files, |installer| installer.set_default(&name(unit)));
    assert_eq!(default(&files), name("multi-user.target"), "built in");
    let plan = set(&files, "mine.target").unwrap();
    let link = format!("{PERSISTENT}/default.target");
    assert_eq!(changes(&plan), [format!("{link} -> {USR}/mine.target")]);
    let files = carry_out(files, &plan);
    assert_eq!(default(&files), name("mine.target"));
    assert_eq!(changes(&set(&files, "mine.target").unwrap()), [""; 0]);
    // Built in, too; the file need not exist.
    let files = carry_out(files.clone(), &set(&files, "rescue.target").unwrap());
    assert_eq!(default(&files), name("rescue.target"));
    for wrong in ["default.target", "a.service"] {
        let error = set(&files, wrong).unwrap_err();
        assert!(matches!(error, InstallError::NoDefault(_)), "{error}");
    }
    assert!(matches!(set(&files, "no.target"), Err(InstallError::NotFound(_))));
    let files = MemoryFiles::new().file(&link, "[Unit]\n");
    assert_eq!(default(&files), name("default.target"));
    assert!(matches!(
        set(&files, "rescue.target"),
        Err(InstallError::InTheWay { .. })
    ));
}

#[test]
fn a_default_that_something_else_overrides_is_said() {
    let files = MemoryFiles::new().link("/run/systemd/transient/default.target", "/x/graphical.target");
    let plan = with(&files, |installer| installer.set_default(&name("rescue.target"))).unwrap();
    assert!(
        plan.notes[0].contains("/run/systemd/transient"),
        "{:?}",
        plan.notes
    );
}

#[test]
fn reenabling_changes_only_what_is_different_now() {
    let options = InstallOptions::default();
    let files = tree();
    let files = carry_out(files.clone(), &enable(&files, "a.service", false).unwrap());
    let again = |files: &MemoryFiles| {
        with(files, |installer| {
            installer.reenable(&[name("a.service")], options)
        })
    };
    assert_eq!(changes(&again(&files).unwrap()), [""; 0]);
    let files = files.file(
        &format!("{USR}/a.service"),
        "[Service]\nExecStart=/x\n[Install]\nWantedBy=other.target\nAlso=a.socket\n",
    );
    assert_eq!(
        changes(&again(&files).unwrap()),
        [
            format!("- {PERSISTENT}/b.service.requires/a.service"),
            format!("- {PERSISTENT}/multi-user.target.wants/a.service"),
            format!("- {PERSISTENT}/other.service"),
            format!("{PERSISTENT}/other.target.wants/a.service -> {USR}/a.service"),
        ]
    );
}

#[test]
fn a_file_anywhere_is_linked_enabled_and_stays_linked() {
    let options = InstallOptions::default();
    let text = "[Service]\nExecStart=/x\n[Install]\nWantedBy=multi-user.target\n";
    let files = MemoryFiles::new().file("/srv/own.service", text);
    let link = |files: &MemoryFiles, path: &str| {
        with(files, |installer| installer.link(&[path.to_owned()], options))
    };
    let plan = link(&files, "/srv/own.service").unwrap();
    assert_eq!(
        changes(&plan),
        [format!("{PERSISTENT}/own.service -> /srv/own.service")]
    );
    let files = carry_out(files, &plan);
    assert_eq!(state(&files, "own.service"), "linked");
    assert_eq!(changes(&link(&files, "/srv/own.service").unwrap()), [""; 0]);
    let files = carry_out(files.clone(), &enable(&files, "own.service", false).unwrap());
    assert_eq!(state(&files, "own.service"), "enabled");
    let again = with(&files, |installer| {
        installer.reenable(&[name("own.service")], options)
    });
    assert_eq!(changes(&again.unwrap()), [""; 0]);
    for wrong in ["/srv/no.service", "/srv/own.text"] {
        let error = link(&files, wrong).unwrap_err().to_string();
        assert!(error.starts_with(wrong), "{error}");
    }
    let other = files.file("/opt/own.service", text);
    assert!(matches!(
        link(&other, "/opt/own.service"),
        Err(InstallError::InTheWay { .. })
    ));
}

#[test]
fn a_target_can_be_made_to_want_or_require_any_unit() {
    let options = InstallOptions::default();
    let files = tree();
    let add = |pull, unit: &str| {
        with(&files, |installer| {
            installer.add(pull, &name("multi-user.target"), &[name(unit)], options)
        })
    };
    assert_eq!(
        changes(&add(Pull::Wants, "plain.service").unwrap()),
        [format!(
            "{PERSISTENT}/multi-user.target.wants/plain.service -> {USR}/plain.service"
        )]
    );
    assert_eq!(
        changes(&add(Pull::Requires, "getty@tty2.service").unwrap()),
        [format!(
            "{PERSISTENT}/multi-user.target.requires/getty@tty2.service -> {USR}/getty@.service"
        )]
    );
    assert!(matches!(
        add(Pull::Wants, "getty@.service"),
        Err(InstallError::NeedsInstance(..))
    ));
    assert!(matches!(
        add(Pull::Wants, "no.service"),
        Err(InstallError::NotFound(_))
    ));
}

#[test]
fn reverting_takes_away_what_is_not_the_vendors_and_leaves_the_only_file() {
    let files = tree()
        .file(&format!("{PERSISTENT}/a.service"), "[Service]\nExecStart=/y\n")
        .file(&format!("{PERSISTENT}/a.service.d/override.conf"), "")
        .file("/run/systemd/system/a.service.d/x.conf", "")
        .file(&format!("{PERSISTENT}/own.service"), "[Service]\nExecStart=/y\n")
        .file(&format!("{PERSISTENT}/own.service.d/override.conf"), "")
        .link(&format!("{PERSISTENT}/plain.service"), "/dev/null");
    let revert = |unit: &str| with(&files, |installer| installer.revert(&[name(unit)])).unwrap();
    assert_eq!(
        changes(&revert("a.service")),
        [
            format!("- {PERSISTENT}/a.service"),
            format!("- {PERSISTENT}/a.service.d/override.conf"),
            "- /run/systemd/system/a.service.d/x.conf".to_owned(),
        ]
    );
    let own = revert("own.service");
    assert_eq!(
        changes(&own),
        [format!("- {PERSISTENT}/own.service.d/override.conf")]
    );
    assert!(own.notes[0].contains("stays"), "{:?}", own.notes);
    assert_eq!(
        changes(&revert("plain.service")),
        [format!("- {PERSISTENT}/plain.service")]
    );
    assert!(revert("getty@.service").notes[0].contains("nothing to revert"));
}
