//! `cargo xtask tidy`: the repository's own rules, one file a rule.
//!
//! A rule is a pure function of the tracked files and of what cargo knows; it returns what it found.

mod crates;
mod dependencies;
mod finding;
mod leftovers;
mod length;
mod machine;
mod modules;
mod paths;
mod tokens;
mod top_level;
mod tree;
mod unsafe_code;
mod workspace;

use crate::exit::Failure;
use crate::places::Places;
use finding::Finding;
use tree::Tree;
use workspace::Workspace;

/// What `--help` adds.
pub(crate) const HELP: &str = "\
Rules:
  dependencies   a crate of the workspace depends on another only as the architecture's table allows

Exit code 0 if nothing was found, else 1.";

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
    if !found.is_empty() {
        println!(
            "{} found; `cargo xtask tidy --help` explains the rules",
            found.len()
        );
    }
}

/// Everything that breaks a rule, sorted by place.
pub(crate) fn find(places: &Places) -> Result<Vec<Finding>, Failure> {
    let tree = Tree::read(&places.root)?;
    let workspace = Workspace::read(&places.root, &[])?;
    let rules = [
        dependencies::check(&tree, &workspace, dependencies::TABLE),
        unsafe_code::check(&tree, unsafe_code::PLACES),
        length::check(&tree, length::EXCEPTIONS),
        top_level::check(&tree),
        leftovers::check(&tree),
        machine::check(&tree),
        crates::check(&tree, &workspace, crates::EXCEPTIONS),
        modules::check(&tree, &workspace),
    ];
    let mut found: Vec<Finding> = rules.into_iter().flat_map(|findings| findings.list).collect();
    found.sort();
    found.dedup();
    Ok(found)
}
