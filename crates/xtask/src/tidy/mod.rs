//! `cargo xtask tidy`: the repository's own rules, one file a rule.
//!
//! A rule is a pure function of the tracked files and of what cargo knows; it returns what it found.

mod conformance;
mod crates;
mod dependencies;
mod finding;
mod leftovers;
mod length;
mod licences;
mod links;
mod machine;
mod modules;
mod paths;
mod state;
mod tokens;
mod top_level;
mod tree;
mod unsafe_code;
mod workspace;

use crate::exit::Failure;
use crate::places::Places;
use finding::{Finding, Findings};
use licences::Policy;
use tree::Tree;
use workspace::Workspace;

/// What `--help` adds.
pub(crate) const HELP: &str = "\
Rules, checked over the files that git tracks:
  dependencies  A crate of the workspace depends on another only as the table
                of the architecture allows, also for its tests. It is in
                crates/xtask/src/tidy/dependencies.rs.
  unsafe        Unsafe code is in crates/sys alone, and there clippy asks for
                each block's SAFETY comment.
  length        No Rust file is longer than 500 lines, unless length.rs has it
                with a reason.
  top-level     At the top are only the names that the architecture has.
  licences      Each dependency is under a licence that deny.toml allows. That
                file allows none that no dependency needs, and an exception for
                one package has its reason above it.
  machine       No file has a path of the machine it was written on, or the
                host of a package registry.
  links         Links of the documents to files and headings of the repository
                lead somewhere.
  leftovers     No unfinished code, no note that something is wrong, no test
                that is switched off or cannot fail.
  crates        Each crate begins with what it is for, and takes the
                workspace's lints; who does not is in crates.rs with a reason.
  modules       Each Rust file is reached from something that cargo compiles.
  state         docs/state-format.md names the members that the types of the
                snapshot and the journal have.
  conformance   docs/conformance.md has a row for each section of the semantics
                that is followed, docs/traps.md for each trap, and the tests they
                name exist.

An exception that nothing needs any more is a finding, too.

Each finding is one line, `path:line: what is wrong (what to do)`; with --json
it is an object. All findings of all rules are printed, sorted by place.
Exit code 0 if there is none, else 1.";

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Print the findings as a JSON list of objects: path, line, rule, message, advice
    #[arg(long)]
    json: bool,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<u8, Failure> {
    let found = find(&Places::new())?;
    if options.json {
        let json = serde_json::to_string_pretty(&found)
            .map_err(|error| Failure::host("writing the findings as JSON", error))?;
        println!("{json}");
    } else {
        print(&found);
    }
    Ok(u8::from(!found.is_empty()))
}

/// Prints findings for people, one a line.
pub(crate) fn print(found: &[Finding]) {
    for finding in found {
        println!("{finding}");
    }
    if found.is_empty() {
        println!("all rules hold");
    } else {
        println!(
            "{} found; `cargo xtask tidy --help` explains the rules",
            found.len()
        );
    }
}

/// Everything that breaks a rule, sorted by place.
pub(crate) fn find(places: &Places) -> Result<Vec<Finding>, Failure> {
    let tree = Tree::read(&places.root)?;
    let policy = Policy::read(&tree);
    let platforms = policy.as_ref().map_or(&[][..], Policy::platforms);
    let workspace = Workspace::read(&places.root, platforms)?;
    let found = check(&tree, &workspace, &policy);
    let mut found: Vec<Finding> = found.into_iter().flat_map(|findings| findings.list).collect();
    found.sort();
    found.dedup();
    Ok(found)
}

/// All rules, with their tables.
fn check(tree: &Tree, workspace: &Workspace, policy: &Result<Policy, String>) -> [Findings; 12] {
    [
        dependencies::check(tree, workspace, dependencies::TABLE),
        unsafe_code::check(tree, unsafe_code::PLACES),
        length::check(tree, length::EXCEPTIONS),
        top_level::check(tree),
        licences::check(tree, workspace, policy),
        machine::check(tree),
        links::check(tree),
        leftovers::check(tree),
        crates::check(tree, workspace, crates::EXCEPTIONS),
        modules::check(tree, workspace),
        state::check(tree),
        conformance::check(tree),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_explains_every_rule_in_the_order_of_checking() {
        let rules = check(&Tree::of(&[]), &Workspace::default(), &Ok(Policy::default()));
        let names = rules.map(|findings| findings.rule);
        let explained: Vec<&str> = HELP
            .lines()
            .filter_map(|line| line.strip_prefix("  ")?.split_once("  "))
            .map(|(name, _)| name)
            .filter(|name| !name.is_empty())
            .collect();
        assert_eq!(explained, names);
    }
}
