//! The journal: what happened since a snapshot, in a memfd that the next program finds after a crash.
//!
//! ```text
//! offset size
//!      0    8  magic "sbjournl"
//!      8    4  format version, little-endian
//!     12    …  records
//!
//! a record:
//!      0    4  length of the payload
//!      4    4  CRC-32 of the payload
//!      8    n  payload
//! ```
//!
//! A crash may come in the middle of a write: reading ends with the last record that is whole. What a record means is
//! the manager's business.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, fstat, memfd_create};
use rustix::io::Errno;

pub(crate) const MAGIC: [u8; 8] = *b"sbjournl";
pub(crate) const FORMAT: u32 = 1;
pub(crate) const HEADER: u64 = 12;
/// Of a record, before its payload.
pub(crate) const PREFIX: usize = 8;
/// A manager's journal is written anew long before.
const MAX: u64 = 1 << 30;

/// Why a journal was not read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system refused.
    #[error("reading the journal: {0}")]
    Io(#[from] io::Error),
    /// Something else.
    #[error("the journal does not begin as one")]
    Magic,
    /// Written by another version.
    #[error("the journal's format is version {0}; this program reads {FORMAT}")]
    Version(u32),
    /// Larger than any that this program writes.
    #[error("the journal has {0} bytes; at most {MAX} are read")]
    TooLarge(u64),
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    fd: OwnedFd,
    length: u64,
    record: Vec<u8>,
}

impl Journal {
    /// An empty one. Closed on exec until a crash.
    pub fn create() -> io::Result<Journal> {
        let fd = memfd_create("softboot-journal", MemfdFlags::CLOEXEC)?;
        let mut journal = Journal {
            fd,
            length: 0,
            record: Vec::new(),
        };
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&FORMAT.to_le_bytes());
        journal.write(&header)?;
        Ok(journal)
    }

    /// Adds a record. After an error the journal is as long as before, and the next record takes the place of the one
    /// that failed.
    pub fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut record = std::mem::take(&mut self.record);
        record.clear();
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
        record.extend_from_slice(payload);
        let written = self.write(&record);
        record.shrink_to(1 << 16);
        self.record = record;
        written
    }

    /// Goes on writing what another program has written, of which these are the records. What was torn behind them is cut off.
    pub fn go_on(fd: OwnedFd, records: &Records) -> io::Result<Journal> {
        let last = records.places.last().map(|place| place.end);
        let end = match last {
            Some(end) => u64::try_from(end).map_err(io::Error::other)?,
            None => HEADER,
        };
        rustix::fs::ftruncate(&fd, end)?;
        Ok(Journal {
            fd,
            length: end,
            record: Vec::new(),
        })
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let mut at = self.length;
        while !bytes.is_empty() {
            match rustix::io::pwrite(&self.fd, bytes, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = bytes.get(written..).unwrap_or(&[]);
                    at = at.saturating_add(u64::try_from(written).unwrap_or(0));
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.length = at;
        Ok(())
    }

    /// Bytes so far.
    pub fn length(&self) -> u64 {
        self.length
    }
}

impl AsFd for Journal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// All whole records of a journal, in order.
#[derive(Debug)]
pub struct Records {
    bytes: Vec<u8>,
    /// Where the payloads are.
    places: Vec<Range<usize>>,
}

impl Records {
    /// Their payloads.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let payload = |place: &Range<usize>| self.bytes.get(place.clone()).unwrap_or_default();
        self.places.iter().map(payload)
    }
}

/// The payloads of all whole records, in order.
pub fn read(fd: BorrowedFd<'_>) -> Result<Records, JournalError> {
    let size = u64::try_from(fstat(fd).map_err(io::Error::from)?.st_size).unwrap_or(0);
    if size > MAX {
        return Err(JournalError::TooLarge(size));
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    let mut done = 0_usize;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match rustix::io::pread(fd, rest, u64::try_from(done).unwrap_or(u64::MAX)) {
            Ok(0) => break,
            Ok(count) => done = done.saturating_add(count),
            Err(Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
    bytes.truncate(done);
    let places = decode(&bytes)?;
    Ok(Records { bytes, places })
}

fn decode(bytes: &[u8]) -> Result<Vec<Range<usize>>, JournalError> {
    let header = usize::try_from(HEADER).unwrap_or(usize::MAX);
    let (head, mut rest) = bytes.split_at_checked(header).ok_or(JournalError::Magic)?;
    let (magic, version) = head.split_at_checked(MAGIC.len()).ok_or(JournalError::Magic)?;
    if magic != MAGIC {
        return Err(JournalError::Magic);
    }
    let version = number(version).ok_or(JournalError::Magic)?;
    if version != FORMAT {
        return Err(JournalError::Version(version));
    }
    let mut places = Vec::new();
    while let Some((record, after)) = whole(rest) {
        let end = bytes.len().saturating_sub(after.len());
        places.push(end.saturating_sub(record.len())..end);
        rest = after;
    }
    Ok(places)
}

/// The first record, if all of it is there and as it was written, and what comes after it.
pub(crate) fn whole(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (prefix, rest) = bytes.split_at_checked(PREFIX)?;
    let (length, checksum) = prefix.split_at_checked(4)?;
    let (payload, after) = rest.split_at_checked(usize::try_from(number(length)?).ok()?)?;
    (crc32fast::hash(payload) == number(checksum)?).then_some((payload, after))
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn payloads(journal: &Journal) -> Vec<Vec<u8>> {
        read(journal.as_fd())
            .unwrap()
            .iter()
            .map(<[u8]>::to_vec)
            .collect()
    }

    fn decoded(bytes: &[u8]) -> Result<Vec<Vec<u8>>, JournalError> {
        Ok(decode(bytes)?
            .into_iter()
            .map(|place| bytes[place].to_vec())
            .collect())
    }

    proptest! {
        #[test]
        fn every_cut_leaves_the_records_before_it(
            records in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8),
            spoilt in any::<(u16, u8)>(),
        ) {
            let mut journal = Journal::create().unwrap();
            let mut ends = vec![journal.length()];
            for record in &records {
                journal.append(record).unwrap();
                ends.push(journal.length());
            }
            prop_assert_eq!(&payloads(&journal), &records);
            let mut bytes = vec![0; usize::try_from(journal.length()).unwrap()];
            rustix::io::pread(journal.as_fd(), &mut bytes[..], 0).unwrap();
            for cut in usize::try_from(HEADER).unwrap()..=bytes.len() {
                let whole = ends.iter().filter(|end| **end <= cut as u64).count() - 1;
                prop_assert_eq!(&decoded(&bytes[..cut]).unwrap(), &records[..whole]);
            }
            // One that was spoilt is not taken for what was written.
            let at = usize::from(spoilt.0) % bytes.len();
            bytes[at] ^= spoilt.1;
            if let Ok(read) = decoded(&bytes) {
                prop_assert!(records.starts_with(&read));
            }
        }

        #[test]
        fn another_program_goes_on_after_the_last_whole_record(
            records in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8),
            torn in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut journal = Journal::create().unwrap();
            for record in &records {
                journal.append(record).unwrap();
            }
            rustix::io::pwrite(journal.as_fd(), &torn, journal.length()).unwrap();
            let found = read(journal.as_fd()).unwrap();
            let mut expected = payloads(&journal);
            let mut next = Journal::go_on(journal.fd.try_clone().unwrap(), &found).unwrap();
            for more in [&b"a"[..], b"", b"more"] {
                next.append(more).unwrap();
                expected.push(more.to_vec());
                prop_assert_eq!(payloads(&next), expected.clone());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut bytes = bytes;
            let _ = decode(&bytes);
            bytes.splice(0..0, MAGIC.iter().chain(&FORMAT.to_le_bytes()).copied());
            prop_assert!(decode(&bytes).is_ok());
        }
    }
}
