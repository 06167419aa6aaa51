//! Data in sealed memory: what was written is what is read, and nobody changes it in between.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, memfd_create};
use rustix::io::Errno;

/// Every seal that makes contents final (fcntl(2), "File Sealing").
const ALL: SealFlags = SealFlags::SEAL
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW)
    .union(SealFlags::WRITE);

/// Why a memfd was not read.
#[derive(Debug, thiserror::Error)]
pub enum MemfdError {
    /// Somebody could still change it.
    #[error("it is not sealed")]
    Unsealed,
    /// Larger than the caller allows; nothing was read.
    #[error("it has {size} bytes, more than the {max} allowed")]
    TooLarge {
        /// Its size.
        size: u64,
        /// What the caller allows.
        max: u64,
    },
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Makes a memfd with these contents and all seals. Closed on exec.
pub fn sealed_memfd(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let fd = empty(name)?;
    fill_and_seal(&fd, bytes)?;
    Ok(fd)
}

/// Makes an empty memfd that can be sealed. Closed on exec.
pub fn empty(name: &str) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // NOEXEC_SEAL is newer than our oldest kernel (6.3); without it the file is merely executable in theory.
    match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => Ok(memfd_create(name, flags)?),
        other => Ok(other?),
    }
}

/// Writes the contents of an empty memfd and makes them final.
pub fn fill_and_seal(fd: impl AsFd, bytes: &[u8]) -> io::Result<()> {
    let fd = fd.as_fd();
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::io::write(fd, rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => rest = rest.get(written..).unwrap_or(&[]),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(fcntl_add_seals(fd, ALL)?)
}

/// Reads a sealed memfd from its start, whatever its offset is, and leaves the offset alone.
pub fn read_sealed(fd: impl AsFd, max: u64) -> Result<Vec<u8>, MemfdError> {
    let fd = fd.as_fd();
    let seals = fcntl_get_seals(fd).map_err(|_| MemfdError::Unsealed)?;
    if !seals.contains(ALL) {
        return Err(MemfdError::Unsealed);
    }
    let size = u64::try_from(fstat(fd).map_err(io::Error::from)?.st_size).unwrap_or(0);
    if size > max {
        return Err(MemfdError::TooLarge { size, max });
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    let mut done = 0_usize;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match rustix::io::pread(fd, rest, u64::try_from(done).unwrap_or(u64::MAX)) {
            Ok(0) => break,
            Ok(read) => done = done.saturating_add(read),
            Err(Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
    bytes.truncate(done);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_cannot_be_changed() {
        let fd = sealed_memfd("test", b"contents").unwrap();
        assert_eq!(read_sealed(&fd, 100).unwrap(), b"contents");
        assert_eq!(read_sealed(&fd, 100).unwrap(), b"contents", "a second time, too");
        assert_eq!(rustix::io::pwrite(&fd, b"x", 0), Err(Errno::PERM));
    }

    #[test]
    fn what_is_not_sealed_is_not_read() {
        let fd = memfd_create("open", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        assert!(matches!(read_sealed(&fd, 100), Err(MemfdError::Unsealed)));
        assert!(matches!(
            read_sealed(tempfile::tempfile().unwrap(), 100),
            Err(MemfdError::Unsealed)
        ));
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let fd = sealed_memfd("test", &[0; 11]).unwrap();
        assert!(matches!(
            read_sealed(&fd, 10),
            Err(MemfdError::TooLarge { size: 11, max: 10 })
        ));
    }
}
