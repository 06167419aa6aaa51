//! Reading, up to the last whole record.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::header::{Ending, Header};
use super::payload::{Context, Mark, Payload};
use super::{LONGEST, MAGIC, RecordError, VERSION, varint};
use crate::attempt::Attempt;

/// A whole record in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Where and how it was made.
    pub header: Header,
    /// By endpoint of the header: its attempts, in order of due time.
    pub attempts: Vec<Vec<Attempt>>,
    /// In the order in which they were written.
    pub marks: Vec<Mark>,
    /// What the probe said at its end; `None`: it had none.
    pub ending: Option<Ending>,
    /// How the file ends.
    pub tail: Tail,
    /// Records of a kind that this program does not know, which were passed over.
    pub unknown: u64,
}

/// How a file ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Tail {
    /// After a whole record.
    #[default]
    Whole,
    /// Inside a record: the probe, its machine or its disk stopped there.
    Torn {
        /// Bytes from the last whole record on.
        bytes: u64,
    },
    /// From a record on whose check is wrong, nothing was read.
    Damaged {
        /// Where that record is in the file.
        offset: u64,
        /// Bytes that were not read.
        bytes: u64,
    },
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, is no record, is of a later version, or ends inside its header.
    pub fn load(path: &Path) -> Result<Recording, RecordError> {
        Recording::read(&std::fs::read(path)?)
    }

    /// Reads the contents of a file.
    ///
    /// # Errors
    /// As [`load`](Recording::load).
    pub fn read(bytes: &[u8]) -> Result<Recording, RecordError> {
        let (header, mut rest, mut crc) = header(bytes)?;
        let intervals = header.endpoints.iter().map(|endpoint| endpoint.interval);
        let mut context = Context::new(header.started, intervals);
        let mut recording = Recording {
            attempts: vec![Vec::new(); header.endpoints.len()],
            header,
            marks: Vec::new(),
            ending: None,
            tail: Tail::Whole,
            unknown: 0,
        };
        while !rest.is_empty() {
            let left = rest.len() as u64;
            let payload = match next(&mut rest, &mut crc) {
                Step::Record(payload) => context.decode(payload),
                Step::Torn => {
                    recording.tail = Tail::Torn { bytes: left };
                    break;
                }
                Step::Damaged => None,
            };
            let Some(payload) = payload else {
                let offset = (bytes.len() as u64).saturating_sub(left);
                recording.tail = Tail::Damaged { offset, bytes: left };
                break;
            };
            recording.take(payload);
        }
        Ok(recording)
    }

    fn take(&mut self, payload: Payload) {
        match payload {
            Payload::Attempt(endpoint, attempt) => {
                // The context has refused every endpoint that the header does not have.
                if let Some(attempts) = self.attempts.get_mut(endpoint as usize) {
                    attempts.push(attempt);
                }
            }
            Payload::Mark(mark) => self.marks.push(mark),
            Payload::Ending(ending) => self.ending = Some(ending),
            Payload::Unknown => self.unknown = self.unknown.saturating_add(1),
        }
    }
}

enum Step<'a> {
    Record(&'a [u8]),
    Torn,
    Damaged,
}

fn next<'a>(rest: &mut &'a [u8], crc: &mut crc32fast::Hasher) -> Step<'a> {
    let all = *rest;
    let mut after = all;
    let length = match varint::take(&mut after) {
        Some(length) if length <= LONGEST => length as usize,
        // Ten bytes are enough for any number.
        None if all.len() < 10 => return Step::Torn,
        _ => return Step::Damaged,
    };
    let prefix = all.len().saturating_sub(after.len());
    let Some((payload, end)) = after.split_at_checked(length) else {
        return Step::Torn;
    };
    let Some((check, next)) = end.split_first_chunk::<4>() else {
        return Step::Torn;
    };
    crc.update(all.get(..prefix.saturating_add(length)).unwrap_or_default());
    if crc.clone().finalize() != u32::from_le_bytes(*check) {
        return Step::Damaged;
    }
    *rest = next;
    Step::Record(payload)
}

type Begun<'a> = (Header, &'a [u8], crc32fast::Hasher);

fn header(bytes: &[u8]) -> Result<Begun<'_>, RecordError> {
    let short = || RecordError::NoHeader { length: bytes.len() };
    let shown = bytes.get(..MAGIC.len()).unwrap_or(bytes);
    if !MAGIC.starts_with(shown) || bytes.is_empty() {
        return Err(RecordError::Magic {
            begins: if bytes.is_empty() {
                "nothing: the file is empty".to_owned()
            } else {
                format!("\"{}\"", shown.escape_ascii())
            },
        });
    }
    let rest = bytes.get(MAGIC.len()..).ok_or_else(short)?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
    let version = u16::from_le_bytes(*version);
    if version == 0 || version > VERSION {
        return Err(RecordError::Version { version });
    }
    let (_, rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    let length = u32::from_le_bytes(*length) as usize;
    let (json, rest) = rest.split_at_checked(length).ok_or_else(short)?;
    let (check, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    let mut crc = crc32fast::Hasher::new();
    let covered = MAGIC.len().saturating_add(8).saturating_add(length);
    crc.update(bytes.get(..covered).ok_or_else(short)?);
    if crc.clone().finalize() != u32::from_le_bytes(*check) {
        return Err(RecordError::Header {
            reason: "its checksum is wrong".to_owned(),
        });
    }
    let header = serde_json::from_slice(json).map_err(|error| RecordError::Header {
        reason: error.to_string(),
    })?;
    Ok((header, rest, crc))
}
