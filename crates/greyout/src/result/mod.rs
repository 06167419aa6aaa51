//! The result of a measurement: figures of one or more records, with what belongs to them, as JSON.
//!
//! `docs/greyout-format.md` describes the members. Readers ignore what they do not know; what they know does not change
//! its meaning within a version.

mod build;
mod cost;
mod error;
mod group;
mod schema;
mod shown;
mod timeline;

use std::path::Path;

pub use build::{Options, Source, build};
pub use cost::Kind;
pub use error::ResultError;
pub use group::between;
pub use schema::{
    EndpointResult, EventResult, Group, GroupComparison, Labels, Latency, Results, Run, SCHEMA, Shown,
    VERSION,
};
pub use timeline::{Lane, Span, Timeline};

impl Results {
    /// Reads a result.
    ///
    /// # Errors
    /// It is none, or of a later version.
    pub fn parse(text: &str) -> Result<Results, ResultError> {
        let value: serde_json::Value = serde_json::from_str(text)?;
        let schema = value.get("schema").and_then(serde_json::Value::as_str);
        if schema != Some(SCHEMA) {
            return Err(ResultError::Schema);
        }
        let version = value.get("version").and_then(serde_json::Value::as_u64);
        match version {
            Some(version) if version >= 1 && version <= u64::from(VERSION) => {}
            version => {
                return Err(ResultError::Version {
                    version: version.unwrap_or(0),
                });
            }
        }
        Ok(serde_json::from_value(value)?)
    }

    /// Reads a file, which may be a result or a record; a record gives the result of itself alone.
    ///
    /// # Errors
    /// The file cannot be read, or is neither.
    pub fn load(path: &Path) -> Result<Results, ResultError> {
        let bytes = std::fs::read(path)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) if text.trim_start().starts_with('{') => Results::parse(text),
            _ => {
                let source = Source::read(path, &bytes)?;
                build(vec![source], &Options::default())
            }
        }
    }

    /// As JSON.
    ///
    /// # Errors
    /// Never for a result that was made here.
    pub fn to_json(&self) -> Result<String, ResultError> {
        Ok(serde_json::to_string(self)? + "\n")
    }
}

#[cfg(test)]
pub(crate) mod tests;
