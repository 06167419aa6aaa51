use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("test.toml")).map_err(|error| error.to_string())
}

fn who(uid: u32, gid: u32) -> Subject {
    Subject { uid, gid }
}

#[test]
fn what_no_rule_allows_is_refused_to_root_as_well() {
    let config = parse("").unwrap();
    assert!(!config.access.allows(who(0, 0), Verb::List, "x"));
    assert!(!config.access.allows_any(who(0, 0), Verb::List));
}

#[test]
fn the_default_allows_root_and_the_own_user_and_nobody_else() {
    let config = Config::load(None).unwrap();
    let own = rustix::process::geteuid().as_raw();
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.default_expiry, None);
    for (_, verb) in [(0, Verb::Put), (0, Verb::Remove)] {
        assert!(config.access.allows(who(0, 0), verb, "x"));
        assert!(config.access.allows(who(own, 12345), verb, "x"));
        assert!(!config.access.allows(who(12345, 0), verb, "x"));
    }
}

#[test]
fn a_rule_holds_for_its_users_names_and_verbs_only() {
    let config =
        parse("[[allow]]\nuid = 7\nnames = [\"web-*\", \"x\"]\nverbs = [\"get\", \"list\"]\n").unwrap();
    let allows = |uid, verb, name| config.access.allows(who(uid, 1), verb, name);
    assert!(allows(7, Verb::Get, "web-1") && allows(7, Verb::List, "x"));
    assert!(!allows(7, Verb::Get, "xx"));
    assert!(!allows(7, Verb::Put, "x"));
    assert!(!allows(8, Verb::Get, "x"));
}

#[test]
fn user_and_group_must_both_fit() {
    let text = "[[allow]]\nuid = [7, 8]\ngid = 5\nnames = [\"*\"]\nverbs = [\"get\"]\n\
                [[allow]]\ngroup = \"root\"\nnames = [\"*\"]\nverbs = [\"list\"]\n";
    let config = parse(text).unwrap();
    let allows = |uid, gid, verb| config.access.allows(who(uid, gid), verb, "x");
    assert!(allows(7, 5, Verb::Get) && allows(8, 5, Verb::Get));
    assert!(!allows(7, 6, Verb::Get) && !allows(9, 5, Verb::Get));
    assert!(allows(9, 0, Verb::List) && !allows(9, 5, Verb::List));
}

#[test]
fn limits_and_spans_are_read() {
    let config = parse(
        "default_expiry = \"2h\"\n[limits]\nentries = 3\nstall = \"5s\"\n[[allow]]\neveryone = true\nnames=[\"*\"]\nverbs=[\"list\"]",
    )
    .unwrap();
    assert_eq!(config.limits.entries, 3);
    assert_eq!(config.limits.entries_per_uid, Limits::default().entries_per_uid);
    assert_eq!(config.limits.stall, Duration::from_secs(5));
    assert_eq!(config.default_expiry, Some(Duration::from_secs(7_200)));
    assert!(config.access.allows(who(4711, 4711), Verb::List, "x"));
}

#[test]
fn a_fault_has_file_line_and_reason() {
    let cases = [
        ("x = 1\n", 1, "unknown field"),
        ("\n[limits]\nentries = \"many\"\n", 3, "invalid type"),
        ("[limits]\nconnections = 0\n", 2, "too low"),
        ("[limits]\nmessage_bytes = 10\n", 2, "at least 4096"),
        ("default_expiry = \"5\"\n", 1, "number with a unit"),
        (
            "\n\n[[allow]]\nnames = [\"*\"]\nverbs = [\"get\"]\n",
            3,
            "names nobody",
        ),
        (
            "[[allow]]\nuid = 1\nnames = []\nverbs = [\"get\"]\n",
            1,
            "allows nothing",
        ),
        (
            "[[allow]]\nuid = 1\nnames = [\"*\"]\nverbs = [\n\"get\",\n\"fetch\"]\n",
            6,
            "\"fetch\" is no verb",
        ),
        (
            "[[allow]]\nuser = \"no such user\"\nnames = [\"*\"]\nverbs = [\"get\"]\n",
            2,
            "there is no user",
        ),
        (
            "[[allow]]\neveryone = true\nuid = 3\nnames = [\"*\"]\nverbs = [\"get\"]\n",
            1,
            "everyone and somebody",
        ),
        ("[[allow]\n", 1, ""),
    ];
    for (text, line, reason) in cases {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(&format!("test.toml:{line}: ")), "{error}");
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Some(Path::new("/no/such/file"))).unwrap_err();
    assert!(error.to_string().contains("/no/such/file"));
}

#[test]
fn the_example_of_the_page_is_a_configuration() {
    let page = include_str!("../../../../../docs/fdstored.md");
    let example = page
        .split("```toml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    // Whom this system has is not the page's concern.
    let example = example
        .replace("user = [\"web\", \"proxy\"]", "uid = [33, 34]")
        .replace("group = \"operators\"", "gid = 70");
    let config = parse(&example).unwrap();
    assert_eq!(config.limits, Limits::default());
    assert!(config.access.allows(who(34, 1), Verb::Put, "http-1"));
    assert!(config.access.allows(who(1, 70), Verb::Watch, "anything"));
    assert!(!config.access.allows(who(0, 0), Verb::List, "http-1"));
}

proptest! {
    #[test]
    fn any_text_is_a_configuration_or_an_error(text in ".{0,200}") {
        let _ = parse(&text);
        let _ = parse(&format!("[[allow]]\n{text}"));
    }
}
