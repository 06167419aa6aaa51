//! Rule `conformance`: the lists of the semantics' rules, traps and promises have a row for each, and the tests they name exist.

use std::collections::BTreeSet;

use super::finding::Findings;
use super::tree::Tree;

/// The list of rules.
const RULES: &str = "docs/conformance.md";
/// The list of traps.
const TRAPS: &str = "docs/traps.md";
/// How many there are.
const TRAP_COUNT: u32 = 50;
/// The list of what a handoff has to hold.
const HANDOFF: &str = "docs/handoff.md";
/// How many promises that are.
const HANDOFF_COUNT: u32 = 39;
/// Where scenarios are registered.
const SCENARIOS: &str = "tests/src/guest/mod.rs";
/// The chapters of the semantics that are followed, with how many sections each has.
const CHAPTERS: [(u32, u32); 5] = [(1, 13), (2, 9), (3, 11), (4, 11), (5, 9)];
/// Sections of other chapters.
const OTHERS: [&str; 1] = ["8.4"];

/// Compares the rows `section | rule | tests` with the sections and the tests that there are, and so for traps.
pub(super) fn check(tree: &Tree) -> Findings {
    let mut findings = Findings::of("conformance");
    check_list(tree, RULES, &sections(), &mut findings);
    for (document, count) in [(TRAPS, TRAP_COUNT), (HANDOFF, HANDOFF_COUNT)] {
        let numbers: Vec<String> = (1..=count).map(|number| number.to_string()).collect();
        check_list(tree, document, &numbers, &mut findings);
    }
    findings
}

fn check_list(tree: &Tree, document: &str, wanted: &[String], findings: &mut Findings) {
    let Some(text) = tree.text(document) else {
        return;
    };
    let scenarios = tree.text(SCENARIOS).map(registered).unwrap_or_default();
    let mut seen = BTreeSet::new();
    for (number, line) in text.lines().enumerate() {
        let Some((section, tests)) = row(line) else {
            continue;
        };
        let mut add = |message: String, advice: &str| findings.add(document, number + 1, message, advice);
        if !wanted.iter().any(|known| known == section) {
            let message = format!("{section} is nothing that is followed");
            add(message, "conformance.rs has the sections and the number of traps");
            continue;
        }
        seen.insert(section.to_owned());
        let named = named(tests);
        if named.is_empty() && !tests.starts_with("not: ") {
            let message = format!("{section} names no test");
            add(message, "name a test or a scenario, or say \"not: \" and why");
        }
        for test in named {
            let message = match test {
                Named::Scenario(name) if !scenarios.contains(name) => format!("there is no scenario {name}"),
                Named::Test(path, name) => match tree.text(path) {
                    None => format!("there is no file {path}"),
                    Some(source) if !has_test(source, name) => format!("{path} has no test {name}"),
                    Some(_) => continue,
                },
                Named::Scenario(_) => continue,
            };
            add(message, "name the test that holds the rule now");
        }
    }
    for section in wanted.iter().filter(|section| !seen.contains(*section)) {
        let message = format!("section {section} has no row");
        findings.add(
            document,
            1,
            message,
            "each section says what tests it, or why nothing does",
        );
    }
}

/// All sections, in order.
fn sections() -> Vec<String> {
    CHAPTERS
        .iter()
        .flat_map(|(chapter, count)| (1..=*count).map(move |section| format!("{chapter}.{section}")))
        .chain(OTHERS.map(str::to_owned))
        .collect()
}

/// Section and tests of a row; `None` for other lines.
fn row(line: &str) -> Option<(&str, &str)> {
    let cells: Vec<&str> = line
        .strip_prefix('|')?
        .strip_suffix('|')?
        .split(" | ")
        .map(str::trim)
        .collect();
    let [section, _, tests] = cells[..] else {
        return None;
    };
    section
        .starts_with(|first: char| first.is_ascii_digit())
        .then_some((section, tests))
}

/// A test that a row names.
#[derive(Debug, PartialEq, Eq)]
enum Named<'a> {
    /// File and function.
    Test(&'a str, &'a str),
    /// One that runs in the guest.
    Scenario(&'a str),
}

/// What stands between backquotes: `path::test`, or the name of a scenario.
fn named(cell: &str) -> Vec<Named<'_>> {
    let pieces: Vec<&str> = cell.split('`').collect();
    pieces
        .chunks(2)
        .filter_map(|chunk| match chunk {
            [before, code] => Some((*before, *code)),
            _ => None,
        })
        .filter_map(|(before, code)| match code.split_once("::") {
            Some((path, name)) => Some(Named::Test(path, name)),
            None if before.ends_with("scenario ") => Some(Named::Scenario(code)),
            None => None,
        })
        .collect()
}

/// The names of the scenarios.
fn registered(source: &str) -> BTreeSet<&str> {
    source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("name: \"")?.strip_suffix("\","))
        .collect()
}

/// A function of that name with `#[test]` among its attributes.
fn has_test(source: &str, name: &str) -> bool {
    let head = format!("fn {name}(");
    let mut test = false;
    for line in source.lines().map(str::trim) {
        if line == "#[test]" {
            test = true;
        } else if test && line.starts_with(&head) {
            return true;
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            test = false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "#[test]\n/// It is.\nfn it_is() {}\n\nfn helper() {}\n";
    const GUEST: &str = "    Scenario {\n        name: \"ports\",\n        run: ports::run,\n";

    fn found(rows: &str) -> Vec<String> {
        let tree = Tree::of(&[(RULES, rows), ("a.rs", SOURCE), (SCENARIOS, GUEST)]);
        let list = check(&tree).list;
        list.into_iter().map(|finding| finding.message).collect()
    }

    /// A row for every section, but for those that begin so.
    fn all_but(section: &str, tests: &str) -> String {
        let rows = sections()
            .into_iter()
            .filter(|known| known != section)
            .map(|known| format!("| {known} | x | {tests} |\n"));
        rows.collect()
    }

    #[test]
    fn each_section_has_a_row() {
        let good = "`a.rs::it_is`, scenario `ports`";
        assert!(found(&all_but("none", good)).is_empty());
        assert_eq!(found(&all_but("1.13", good)), ["section 1.13 has no row"]);
        assert_eq!(found(&all_but("8.4", good)), ["section 8.4 has no row"]);
        let more = format!("{}| 1.14 | x | not: y |\n", all_but("none", good));
        assert_eq!(found(&more), ["1.14 is nothing that is followed"]);
    }

    #[test]
    fn each_trap_has_a_row() {
        let rows = |count: u32| -> String {
            (1..=count)
                .map(|number| format!("| {number} | x | not: y |\n"))
                .collect()
        };
        let found = |rows: &str| check(&Tree::of(&[(TRAPS, rows)])).list.len();
        assert_eq!([rows(50), rows(49), rows(51)].map(|rows| found(&rows)), [0, 1, 1]);
    }

    #[test]
    fn each_test_that_is_named_exists() {
        let with = |tests: &str| found(&format!("{}| 1.1 | x | {tests} |\n", all_but("1.1", "not: y")));
        assert!(with("`a.rs::it_is`").is_empty());
        assert!(with("not: no USB").is_empty());
        assert_eq!(with("`a.rs::helper`"), ["a.rs has no test helper"]);
        assert_eq!(with("`a.rs::it`"), ["a.rs has no test it"]);
        assert_eq!(with("`b.rs::it_is`, `a.rs::it_is`"), ["there is no file b.rs"]);
        assert_eq!(with("scenario `port`"), ["there is no scenario port"]);
        assert_eq!(with("see `ports`"), ["1.1 names no test"]);
    }
}
