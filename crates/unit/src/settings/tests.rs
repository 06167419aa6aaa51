use super::*;
use proptest::prelude::*;

fn draft_of<T>(name: &str, each: impl FnOnce(&mut Draft<'_>) -> T) -> T {
    let name = UnitName::new(name).unwrap();
    let facts = Specifiers::default();
    each(&mut Draft::new(&name, &facts, ""))
}

/// Settings that are known by name, and kept only as a remark.
const UNTYPED: &[&str] = &[
    "LUOSession",
    "RefreshOnReload",
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
            b"[Service]\nPrivateTmp=yes\nStartupCPUWeight=5\nProtectHome=yes\n",
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
                ("StartupCPUWeight", false, not),
                ("ProtectHome", true, not)
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

fn any_setting() -> impl Strategy<Value = (&'static str, &'static str, &'static str)> {
    let all: Vec<_> = [
        ("Unit", "a.target"),
        ("Service", "a.service"),
        ("Socket", "a.socket"),
        ("Mount", "a.mount"),
        ("Slice", "a.slice"),
    ]
    .into_iter()
    .flat_map(|(section, unit)| known::names(section).map(move |key| (section, unit, key)))
    .collect();
    proptest::sample::select(all)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_value_of_any_setting_is_applied_or_refused(
        (section, unit, key) in any_setting(),
        value in prop_oneof!["\\PC{0,30}", "[-0-9a-z:~/@%=,. ]{0,20}", "(vsock|CAP_|/a|1|yes|~)[0-9:A-Z%]{0,6}"],
    ) {
        draft_of(unit, |draft| {
            draft.apply("f", format!("[{section}]\n{key}={value}\n{key}={value}\n{key}=\n").as_bytes());
            let kind = draft.kind_section();
            let text = serde_json::to_string(&kind).unwrap();
            assert_eq!(serde_json::from_str::<KindSection>(&text).unwrap(), kind);
            for diagnostic in &draft.diagnostics {
                let (from, to) = diagnostic.columns.unwrap();
                assert!(from >= 1 && to > from && diagnostic.line >= 2, "{diagnostic:?}");
                assert!(!diagnostic.render(true).is_empty());
            }
        });
    }
}
