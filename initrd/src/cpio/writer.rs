//! Writing an archive.

use super::{MAGIC, TRAILER, padding};
use std::io::{self, Write};

/// The header of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Name without a leading slash.
    pub name: String,
    /// Inode number; equal for the names of one file.
    pub ino: u32,
    /// File type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names of this file in the archive.
    pub nlink: u32,
    /// Seconds since the epoch.
    pub mtime: u32,
    /// Major and minor number of a device node.
    pub device: (u32, u32),
}

/// Writes records to `W`. The order and the numbers are the caller's.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Starts an archive.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// Writes one record.
    ///
    /// # Errors
    /// As the writer below, and `InvalidInput` for a name or data that the 32-bit lengths cannot hold.
    pub fn append(&mut self, header: &Header, data: &[u8]) -> io::Result<()> {
        let too_long = |_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} is too long for a cpio archive", header.name),
            )
        };
        let name_len = u32::try_from(header.name.len() + 1).map_err(too_long)?;
        let data_len = u32::try_from(data.len()).map_err(too_long)?;
        self.out.write_all(MAGIC)?;
        let numbers = [
            header.ino,
            header.mode,
            header.uid,
            header.gid,
            header.nlink,
            header.mtime,
            data_len,
            // The device the file came from, which nobody reads.
            0,
            0,
            header.device.0,
            header.device.1,
            name_len,
            // The checksum, unused in this variant of the format.
            0,
        ];
        for number in numbers {
            write!(self.out, "{number:08X}")?;
        }
        self.out.write_all(header.name.as_bytes())?;
        self.out.write_all(b"\0")?;
        self.pad(super::HEADER_LEN + header.name.len() + 1)?;
        self.out.write_all(data)?;
        self.pad(data.len())
    }

    /// Writes the trailer and gives the writer below back.
    ///
    /// # Errors
    /// As the writer below.
    pub fn finish(mut self) -> io::Result<W> {
        let trailer = Header {
            name: TRAILER.into(),
            ino: 0,
            mode: 0,
            uid: 0,
            gid: 0,
            nlink: 1,
            mtime: 0,
            device: (0, 0),
        };
        self.append(&trailer, &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn pad(&mut self, len: usize) -> io::Result<()> {
        self.out
            .write_all(b"\0\0\0".get(..padding(len)).unwrap_or_default())
    }
}
