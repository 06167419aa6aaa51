//! What a rule has found: where, what, and what to do about it.

use serde::Serialize;

/// One place that breaks a rule. Sorted by path, then line, then rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Finding {
    /// Relative to the workspace, with `/`.
    pub(crate) path: String,
    /// From 1; 1 where it is the whole file.
    pub(crate) line: usize,
    /// The rule's name, as in the help.
    pub(crate) rule: &'static str,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do.
    pub(crate) advice: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            path,
            line,
            message,
            advice,
            ..
        } = self;
        write!(formatter, "{path}:{line}: {message} ({advice})")
    }
}

/// Collects what one rule finds.
pub(crate) struct Findings {
    /// The rule's name.
    pub(crate) rule: &'static str,
    /// In the order they were found.
    pub(crate) list: Vec<Finding>,
}

impl Findings {
    /// Nothing found yet by this rule.
    pub(crate) fn of(rule: &'static str) -> Self {
        Self {
            rule,
            list: Vec::new(),
        }
    }

    /// One more.
    pub(crate) fn add(
        &mut self,
        path: &str,
        line: usize,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.list.push(Finding {
            path: path.to_owned(),
            line,
            rule: self.rule,
            message: message.into(),
            advice: advice.into(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_prints_where_what_and_the_remedy() {
        let mut findings = Findings::of("length");
        findings.add("a/b.rs", 501, "too long", "split it");
        assert_eq!(
            findings.list.first().map(ToString::to_string).as_deref(),
            Some("a/b.rs:501: too long (split it)")
        );
    }
}
