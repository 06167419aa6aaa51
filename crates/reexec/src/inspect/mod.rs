//! For people who look: what is in a file, whole or damaged.
//!
//! A copy on a disk is not sealed and may be cut short or spoilt. Nothing is refused here: what is wrong is said with the
//! place where it is, and what can be read is given.

mod repair;

use serde_json::Value;

use crate::{journal, snapshot};

/// Bytes before the payload of a snapshot or a manifest.
const HEADER: usize = 24;
const MANIFEST: [u8; 8] = *b"fdstore\0";

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A snapshot: the state at a handoff.
    Snapshot,
    /// A journal: what happened since.
    Journal,
    /// The exact copy that a journal begins with.
    Image,
    /// Unit definitions.
    Definitions,
    /// The fd store's manifest.
    Manifest,
}

impl Kind {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Snapshot => "snapshot",
            Kind::Journal => "journal",
            Kind::Image => "image",
            Kind::Definitions => "definitions",
            Kind::Manifest => "manifest",
        }
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, in bytes from the start of the file.
    pub at: usize,
    /// What.
    pub what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "byte {}: {}", self.at, self.what)
    }
}

/// What was found in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// Its format version, if it says one.
    pub format: Option<u32>,
    /// The CRC-32 it says its payload has.
    pub checksum: Option<u32>,
    /// Bytes in the file.
    pub bytes: usize,
    /// What is wrong, in the order of places.
    pub problems: Vec<Problem>,
    /// What could be read: the records of a journal; one value of anything else, and a second one if there is a second
    /// line.
    pub values: Vec<Value>,
}

/// It is none of the files that this crate knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no snapshot, journal, image, manifest or list of definitions: it begins with {0}")]
pub struct NotOurs(String);

/// Looks at the contents of a file.
pub fn look(bytes: &[u8]) -> Result<Found, NotOurs> {
    for (kind, magic, newest) in [
        (Kind::Snapshot, snapshot::MAGIC, snapshot::FORMAT),
        (Kind::Manifest, MANIFEST, u32::MAX),
    ] {
        if begins(bytes, &magic) {
            return Ok(enveloped(kind, bytes, newest));
        }
    }
    if begins(bytes, &journal::MAGIC) {
        return Ok(records(bytes));
    }
    match bytes.first() {
        Some(b'{') => Ok(lines(Kind::Image, bytes)),
        Some(b'[') => Ok(lines(Kind::Definitions, bytes)),
        Some(_) => Err(NotOurs(format!(
            "{:?}",
            String::from_utf8_lossy(bytes.get(..8).unwrap_or(bytes))
        ))),
        None => Err(NotOurs("nothing: it is empty".to_owned())),
    }
}

/// A snapshot whose envelope came apart from its payload.
pub fn snapshot_of(format: u32, checksum: u32, payload: &str) -> Found {
    let mut bytes = snapshot::MAGIC.to_vec();
    bytes.extend_from_slice(&format.to_le_bytes());
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.extend_from_slice(&u64::try_from(payload.len()).unwrap_or(u64::MAX).to_le_bytes());
    bytes.extend_from_slice(payload.as_bytes());
    enveloped(Kind::Snapshot, &bytes, snapshot::FORMAT)
}

/// A file that is cut within its magic begins with it all the same.
fn begins(bytes: &[u8], magic: &[u8]) -> bool {
    let length = bytes.len().min(magic.len());
    length > 0 && bytes.get(..length) == magic.get(..length)
}

fn enveloped(kind: Kind, bytes: &[u8], newest: u32) -> Found {
    let format = number(bytes, 8);
    let checksum = number(bytes, 12);
    let mut found = Found {
        kind,
        format,
        checksum,
        bytes: bytes.len(),
        problems: Vec::new(),
        values: Vec::new(),
    };
    let length = number(bytes, 16).zip(number(bytes, 20));
    let (Some(format), Some(checksum), Some((low, high))) = (format, checksum, length) else {
        found.problem(
            bytes.len(),
            format!("the header ends here; it has {HEADER} bytes"),
        );
        return found;
    };
    if format == 0 || format > newest {
        found.problem(
            8,
            format!("format {format}; this program knows formats up to {newest}"),
        );
    }
    let length = u64::from(high) << 32 | u64::from(low);
    let payload = bytes.get(HEADER..).unwrap_or(&[]);
    let have = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    let payload = match usize::try_from(length)
        .ok()
        .and_then(|length| payload.get(..length))
    {
        Some(whole) => {
            if have > length {
                let at = HEADER.saturating_add(whole.len());
                found.problem(at, format!("{} bytes more than the header says", have - length));
            }
            let own = crc32fast::hash(whole);
            if own != checksum {
                let what = format!("the checksum is {checksum:08x}, but that of the payload is {own:08x}");
                found.problem(12, what);
            }
            whole
        }
        None => {
            let what = format!("the payload ends here, after {have} of {length} bytes");
            found.problem(bytes.len(), what);
            payload
        }
    };
    found.read(payload, HEADER);
    found
}

fn records(bytes: &[u8]) -> Found {
    let mut found = Found {
        kind: Kind::Journal,
        format: number(bytes, 8),
        checksum: None,
        bytes: bytes.len(),
        problems: Vec::new(),
        values: Vec::new(),
    };
    match found.format {
        None => {
            let what = format!("the header ends here; it has {} bytes", journal::HEADER);
            found.problem(bytes.len(), what);
            return found;
        }
        Some(format) if format != journal::FORMAT => {
            let what = format!("format {format}; this program knows format {}", journal::FORMAT);
            found.problem(8, what);
        }
        Some(_) => {}
    }
    let mut at = usize::try_from(journal::HEADER).unwrap_or(usize::MAX);
    let mut rest = bytes.get(at..).unwrap_or(&[]);
    while let Some((record, after)) = journal::whole(rest) {
        found.read(record, at.saturating_add(journal::PREFIX));
        at = bytes.len().saturating_sub(after.len());
        rest = after;
    }
    if !rest.is_empty() {
        let what = format!(
            "the record that begins here is not whole, or its checksum is wrong; {} bytes are not read",
            rest.len()
        );
        found.problem(at, what);
    }
    found
}

/// JSON without an envelope, a value a line.
fn lines(kind: Kind, bytes: &[u8]) -> Found {
    let mut found = Found {
        kind,
        format: None,
        checksum: None,
        bytes: bytes.len(),
        problems: Vec::new(),
        values: Vec::new(),
    };
    let mut at = 0_usize;
    for line in bytes.split(|byte| *byte == b'\n') {
        found.read(line, at);
        at = at.saturating_add(line.len()).saturating_add(1);
    }
    found
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*four))
}

impl Found {
    /// Nothing is wrong with it.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, at: usize, what: String) {
        self.problems.push(Problem { at, what });
    }

    /// Adds what can be read of a JSON text that begins at `at`.
    fn read(&mut self, text: &[u8], at: usize) {
        match serde_json::from_slice(text) {
            Ok(value) => self.values.push(value),
            Err(error) => {
                // There is one line, so that the column is the place.
                let place = error.column().saturating_sub(1).min(text.len());
                self.problem(at.saturating_add(place), format!("no JSON from here on: {error}"));
                let readable = text.get(..place).unwrap_or(text);
                self.values.extend(repair::longest(readable));
            }
        }
    }
}

#[cfg(test)]
mod tests;
