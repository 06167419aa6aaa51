//! Reading an archive: for listing one, and for the tests.

use super::{HEADER_LEN, Header, MAGIC, TRAILER, padding};

/// Why bytes are not an archive.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A record does not start with the magic number.
    #[error("no cpio record at byte {0}: it does not start with 070701; is the archive still compressed?")]
    Magic(usize),
    /// A number in a header is not hexadecimal.
    #[error("the cpio header at byte {0} has a field that is no hexadecimal number")]
    Number(usize),
    /// A name is not UTF-8 or not ended by NUL.
    #[error("the cpio record at byte {0} has a name that is not text ended by NUL")]
    Name(usize),
    /// A record ends after the bytes do.
    #[error("the cpio archive is cut: {wanted} bytes wanted at byte {at}")]
    Cut {
        /// Where.
        at: usize,
        /// How many bytes had to follow.
        wanted: usize,
    },
    /// The bytes end before the trailer.
    #[error("the cpio archive ends without its trailer; it was not written completely")]
    NoTrailer,
}

/// One record with its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The header.
    pub header: Header,
    /// The data: contents of a file, target of a symbolic link.
    pub data: Vec<u8>,
}

/// Reads all records up to the trailer. What follows it (padding, a second archive) is left alone.
///
/// # Errors
/// See [`ReadError`]; the place is the offset in `bytes`.
pub fn read(bytes: &[u8]) -> Result<Vec<Record>, ReadError> {
    let mut records = Vec::new();
    let mut at = 0;
    loop {
        if at >= bytes.len() {
            return Err(ReadError::NoTrailer);
        }
        let head = take(bytes, at, HEADER_LEN)?;
        if !head.starts_with(MAGIC) {
            return Err(ReadError::Magic(at));
        }
        let field = |index: usize| -> Result<u32, ReadError> {
            let start = MAGIC.len() + index * 8;
            let digits = head.get(start..start + 8).unwrap_or_default();
            let text = std::str::from_utf8(digits).map_err(|_| ReadError::Number(at))?;
            u32::from_str_radix(text, 16).map_err(|_| ReadError::Number(at))
        };
        let data_len = field(6)? as usize;
        let name_len = field(11)? as usize;
        let name_at = at + HEADER_LEN;
        let name = take(bytes, name_at, name_len)?;
        let name = name.strip_suffix(b"\0").ok_or(ReadError::Name(at))?;
        let name = std::str::from_utf8(name).map_err(|_| ReadError::Name(at))?;
        if name == TRAILER {
            return Ok(records);
        }
        let data_at = name_at + name_len + padding(HEADER_LEN + name_len);
        let data = take(bytes, data_at, data_len)?;
        records.push(Record {
            header: Header {
                name: name.to_owned(),
                ino: field(0)?,
                mode: field(1)?,
                uid: field(2)?,
                gid: field(3)?,
                nlink: field(4)?,
                mtime: field(5)?,
                device: (field(9)?, field(10)?),
            },
            data: data.to_vec(),
        });
        at = data_at + data_len + padding(data_len);
    }
}

fn take(bytes: &[u8], at: usize, wanted: usize) -> Result<&[u8], ReadError> {
    at.checked_add(wanted)
        .and_then(|end| bytes.get(at..end))
        .ok_or(ReadError::Cut { at, wanted })
}
