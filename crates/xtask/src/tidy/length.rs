//! Rule `length`: a source file holds one concept, and none is longer than 500 lines.

use super::finding::Findings;
use super::tree::Tree;

/// A path, and why the file is longer.
type Exception = (&'static str, &'static str);

/// More lines than this need a reason.
const LIMIT: usize = 500;

/// The files that are longer, each with the reason. None is.
pub(super) const EXCEPTIONS: &[Exception] = &[];

/// This file, which has the table.
const HERE: &str = "crates/xtask/src/tidy/length.rs";

/// Counts the lines of every Rust file.
pub(super) fn check(tree: &Tree, exceptions: &[Exception]) -> Findings {
    let mut findings = Findings::of("length");
    for (path, text) in tree.ending(".rs") {
        let lines = text.lines().count();
        if lines > LIMIT && !exceptions.iter().any(|(exception, _)| *exception == path) {
            findings.add(
                path,
                LIMIT + 1,
                format!("{lines} lines; {LIMIT} is the limit"),
                format!("split it by concept, or add it to the exceptions in {HERE} with the reason"),
            );
        }
    }
    for (path, _) in exceptions {
        let needless = match tree.text(path) {
            None => "is gone",
            Some(text) if text.lines().count() <= LIMIT => "needs none any more",
            Some(_) => continue,
        };
        findings.add(
            HERE,
            1,
            format!("there is an exception for {path}, which {needless}"),
            "remove the exception",
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)], exceptions: &[Exception]) -> Vec<String> {
        let findings = check(&Tree::of(files), exceptions);
        findings.list.into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn five_hundred_lines_pass_and_one_more_does_not() {
        let (full, over) = ("x\n".repeat(LIMIT), "x\n".repeat(LIMIT + 1));
        let files = [
            ("full.rs", full.as_str()),
            ("over.rs", over.as_str()),
            ("over.md", over.as_str()),
        ];
        assert_eq!(found(&files, &[]), ["501 lines; 500 is the limit"]);
        assert_eq!(found(&files, &[("over.rs", "a table")]), [""; 0]);
    }

    #[test]
    fn an_exception_that_nothing_needs_is_found() {
        let files = [("short.rs", "x\n")];
        let found = found(&files, &[("short.rs", "a table"), ("gone.rs", "a table")]);
        assert_eq!(
            found,
            [
                "there is an exception for short.rs, which needs none any more",
                "there is an exception for gone.rs, which is gone"
            ]
        );
    }
}
