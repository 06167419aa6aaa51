//! Rule `leftovers`: nothing unfinished, no test that is switched off or cannot fail.

use super::finding::Findings;
use super::tokens;
use super::tree::Tree;

/// Tokens that must not follow each other; what that is; what to do.
const CODE: &[(&[&str], &str, &str)] = &[
    (
        &["todo", "!"],
        "unfinished code",
        "finish it, or return an error that says it is not supported",
    ),
    (
        &["unimplemented", "!"],
        "unfinished code",
        "finish it, or return an error that says it is not supported",
    ),
    (
        &["assert", "!", "(", "true", ")"],
        "an assertion that cannot fail",
        "assert the rule that the test is for",
    ),
    (
        &["assert", "!", "(", "true", ","],
        "an assertion that cannot fail",
        "assert the rule that the test is for",
    ),
    (
        &["#", "[", "ignore"],
        "a test that is switched off",
        "mend it, or remove it",
    ),
];

/// Words that must not stand anywhere, in two parts, so that this file does not have them.
const WORDS: &[(&str, &str)] = &[("FIX", "ME"), ("XX", "X")];

/// Checks every Rust file.
pub(super) fn check(tree: &Tree) -> Findings {
    let mut findings = Findings::of("leftovers");
    let words: Vec<String> = WORDS.iter().map(|(start, end)| format!("{start}{end}")).collect();
    for (path, text) in tree.ending(".rs") {
        // A file that is no Rust is found by the rule on unsafe code.
        let tokens = tokens::of(text).unwrap_or_default();
        for (sequence, message, advice) in CODE {
            for line in tokens::lines_of(&tokens, sequence) {
                findings.add(path, line, *message, *advice);
            }
        }
        for (index, line) in tokens::without_literals(text).lines().enumerate() {
            let mut parts = line.split(|character: char| !character.is_alphanumeric() && character != '_');
            if let Some(word) = parts.find(|part| words.iter().any(|word| word == part)) {
                findings.add(
                    path,
                    index + 1,
                    format!("a note that something is wrong here ({word})"),
                    "mend it; what must wait belongs into the issue list",
                );
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(source: &str) -> Vec<usize> {
        let findings = check(&Tree::of(&[("a.rs", source), ("a.md", source)]));
        findings.list.into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn unfinished_code_and_tests_that_hold_nothing_are_found() {
        let mut source = String::new();
        for line in [
            "fn a() { todo!() }",
            "fn b() { unimplemented!(\"later\") }",
            "fn c() { assert!(true, \"always\") }",
            "fn c() { assert!(true) }",
            "#[ignore]",
            "#[ignore = \"slow\"] fn d() {}",
        ] {
            source.push_str(line);
            source.push('\n');
        }
        let mut found = lines(&source);
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn notes_to_oneself_are_found_in_comments() {
        let source = WORDS
            .iter()
            .map(|(start, end)| format!("// {start}{end}: look\n"))
            .collect::<String>();
        assert_eq!(lines(&source), [1, 2]);
    }

    #[test]
    fn the_same_as_data_passes() {
        let (start, end) = WORDS.last().unwrap();
        assert_eq!(lines(&format!("const A: &str = \"{start}{end}\";")), [0; 0]);
    }

    #[test]
    fn the_same_in_strings_and_longer_words_passes() {
        let source = format!(
            "fn a() {{ \"todo!()\"; assert!(true == a); assert!(truly()); ignore[0]; }} // {}X\n",
            WORDS
                .iter()
                .map(|(start, end)| format!("{start}{end}"))
                .collect::<String>()
        );
        assert_eq!(lines(&source), [0; 0]);
    }
}
