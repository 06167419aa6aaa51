//! Writing: append only, a record at a time.

use std::io::{self, Write};

use super::header::{Ending, Header};
use super::payload::{Context, Mark};
use super::varint;
use super::{LONGEST, MAGIC, RecordError, VERSION};
use crate::attempt::Attempt;

/// Writes a record. Give it a buffered file and [`flush`](Writer::flush) it as often as loss would hurt.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
    context: Context,
    crc: crc32fast::Hasher,
}

impl<W: Write> Writer<W> {
    /// Writes the beginning.
    ///
    /// # Errors
    /// What the file says; a header of more than 4 GiB.
    pub fn new(mut to: W, header: &Header) -> Result<Writer<W>, RecordError> {
        let reason = |error: &dyn std::error::Error| RecordError::Header {
            reason: error.to_string(),
        };
        let json = serde_json::to_vec(header).map_err(|error| reason(&error))?;
        let length = u32::try_from(json.len()).map_err(|error| reason(&error))?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&0_u16.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&json);
        let mut crc = crc32fast::Hasher::new();
        crc.update(&bytes);
        bytes.extend_from_slice(&crc.clone().finalize().to_le_bytes());
        to.write_all(&bytes)?;
        Ok(Writer {
            to,
            context: Context::new(
                header.started,
                header.endpoints.iter().map(|endpoint| endpoint.interval),
            ),
            crc,
        })
    }

    /// Appends an attempt on the endpoint at this place of the header.
    ///
    /// # Errors
    /// What the file says; `InvalidInput` if there is no such endpoint.
    pub fn attempt(&mut self, endpoint: u32, attempt: &Attempt) -> io::Result<()> {
        let payload = self.context.attempt(endpoint, attempt).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the record has no endpoint {endpoint}"),
            )
        })?;
        self.append(&payload)
    }

    /// Appends a mark.
    ///
    /// # Errors
    /// What the file says.
    pub fn mark(&mut self, mark: &Mark) -> io::Result<()> {
        let payload = self.context.mark(mark);
        self.append(&payload)
    }

    /// Appends what stands at the end, and hands out the file, flushed.
    ///
    /// # Errors
    /// What the file says.
    pub fn finish(mut self, ending: &Ending) -> io::Result<W> {
        self.append(&Context::ending(ending)?)?;
        self.to.flush()?;
        Ok(self.to)
    }

    /// Hands everything written so far to the kernel.
    ///
    /// # Errors
    /// What the file says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        let length = payload.len() as u64;
        if length > LONGEST {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("a record of {length} bytes is longer than a record may be"),
            ));
        }
        let mut bytes = Vec::with_capacity(payload.len().saturating_add(8));
        varint::put(&mut bytes, length);
        bytes.extend_from_slice(payload);
        self.crc.update(&bytes);
        let check = self.crc.clone().finalize();
        bytes.extend_from_slice(&check.to_le_bytes());
        self.to.write_all(&bytes)
    }
}
