use super::*;

fn draft_of<T>(name: &str, each: impl FnOnce(&mut Draft<'_>) -> T) -> T {
    let name = UnitName::new(name).unwrap();
    let facts = Specifiers::default();
    each(&mut Draft::new(&name, &facts, ""))
}

/// Settings that are known by name, and kept only as a remark.
const UNTYPED: &[&str] = &[
    "LUOSession",
    "RefreshOnReload",
    "TimeoutCleanSec",
    "SELinuxContextFromNet",
    "SmackLabel",
    "SmackLabelIPIn",
    "SmackLabelIPOut",
];

#[test]
fn every_setting_of_the_tables_that_belongs_to_one_section_is_typed() {
    for (section, unit) in [
        ("Unit", "a.target"),
        ("Install", "a.target"),
        ("Service", "a.service"),
        ("Socket", "a.socket"),
        ("Mount", "a.mount"),
        ("Slice", "a.slice"),
    ] {
        for key in known::names(section) {
            let status = known::status(section, key).unwrap();
            let shared = section != "Service" && known::names("Service").any(|name| name == key);
            let wanted = status == Status::Acts || !(UNTYPED.contains(&key) || shared);
            let sandbox = section == "Service" && status != Status::Acts;
            let applied = draft_of(unit, |draft| draft.set(section, key, ""));
            let untyped = matches!(applied, Ok(Applied::Unknown));
            assert!(!untyped || !wanted || sandbox, "{key} in [{section}]");
        }
    }
}

#[test]
fn what_acts_in_a_service_is_typed_and_known_once() {
    let names: Vec<&str> = known::names("Service").collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "a setting stands in two tables");
}

#[test]
fn protection_that_is_not_there_is_marked() {
    draft_of("a.service", |draft| {
        draft.apply(
            "f",
            b"[Service]\nPrivateTmp=yes\nCPUWeight=5\nCapabilityBoundingSet=CAP_KILL\n",
        );
        let marked: Vec<_> = draft
            .diagnostics
            .iter()
            .map(|d| (d.setting.as_deref().unwrap(), d.security, d.severity))
            .collect();
        let not = Severity::Unsupported;
        assert_eq!(
            marked,
            [
                ("PrivateTmp", true, not),
                ("CPUWeight", false, not),
                ("CapabilityBoundingSet", true, not)
            ]
        );
    });
}

#[test]
fn hints_know_conditions_and_other_sections() {
    assert_eq!(
        known::hint("Unit", "ConditionPathExist"),
        " (did you mean ConditionPathExists?)"
    );
    assert_eq!(known::hint("Service", "WantedBy"), " (it belongs in [Install])");
    assert_eq!(known::hint("Service", "ExecStrat"), " (did you mean ExecStart?)");
    assert_eq!(known::hint("Service", "Zzzzz"), "");
}
