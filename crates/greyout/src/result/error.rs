//! Why there is no result.

use super::{SCHEMA, VERSION};
use crate::record::RecordError;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// Reading the file.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A record that cannot be read.
    #[error("{0}")]
    Record(#[from] RecordError),
    /// JSON that is no result.
    #[error("the JSON does not fit: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON of something else.
    #[error("this JSON is no result of softboot-greyout: its member \"schema\" is not {SCHEMA:?}")]
    Schema,
    /// A version that this program does not know.
    #[error(
        "the result has version {version}, and this program reads versions 1 to {VERSION}: use a newer softboot-greyout"
    )]
    Version {
        /// The file's, 0 if it has none.
        version: u64,
    },
    /// A time line of another clock.
    #[error("the time line is of another boot than {file}: its times are not of the same clock")]
    Clock {
        /// The record.
        file: String,
    },
}
