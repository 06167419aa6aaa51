//! The two programs: [`probe`] measures, [`report`] shows.

pub mod probe;
pub mod report;

use std::io::Write as _;

/// Tells people on standard error; nobody is left to tell when that fails too.
fn complain(program: &str, text: &str) {
    let _ = writeln!(std::io::stderr(), "{program}: {text}");
}

/// Reads `NAME=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is no NAME=VALUE")),
    }
}
