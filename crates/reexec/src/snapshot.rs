//! The snapshot: a manager's state in a sealed memfd.
//!
//! The envelope is that of the fd store's manifest (magic, format version, CRC-32, length, payload; all numbers
//! little-endian) with the magic `sbstate\0`. The payload is JSON:
//!
//! ```json
//! { "writer": "0.1.0", "payload": … }
//! ```
//!
//! Members that this version does not know are ignored here; the payload itself is handed on as it is, so whoever
//! decodes it can keep what it does not know.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use fdstore::{EnvelopeHeader, ManifestError, fill_enveloped, read_enveloped};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub(crate) const MAGIC: [u8; 8] = *b"sbstate\0";
/// The newest format this program reads, and the one it writes.
pub const FORMAT: u32 = 1;
/// A snapshot of a manager with a million units; what is longer is not ours.
const MAX: u64 = 1 << 30;

/// Why a snapshot was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The state cannot be expressed as JSON.
    #[error("encoding the snapshot: {0}")]
    Encode(#[source] serde_json::Error),
    /// There is no memory for it.
    #[error("writing the snapshot: {0}")]
    Write(#[source] io::Error),
    /// What is there is no snapshot, or a damaged or newer one.
    #[error("reading the snapshot: {0}")]
    Read(#[from] ManifestError),
}

#[derive(Serialize)]
struct Outgoing<'a, T> {
    writer: &'a str,
    payload: &'a T,
}

#[derive(Deserialize)]
struct Incoming {
    #[serde(default)]
    writer: String,
    payload: Box<RawValue>,
}

#[derive(Deserialize)]
struct Own<T> {
    #[serde(default)]
    writer: String,
    payload: T,
}

/// A snapshot that was read.
#[derive(Debug)]
pub struct Envelope {
    /// Format version.
    pub format: u32,
    /// Version of the program that wrote it.
    pub writer: String,
    /// The state, as it was written.
    pub payload: Box<RawValue>,
}

/// Writes `payload`. `writer` is the version of this program.
pub fn write(writer: &str, payload: &impl Serialize) -> Result<OwnedFd, SnapshotError> {
    let fd = empty()?;
    fill(&fd, writer, payload)?;
    Ok(fd)
}

/// The file of a snapshot that is still to be written.
pub fn empty() -> Result<OwnedFd, SnapshotError> {
    fdstore::memfd::empty("softboot-snapshot").map_err(SnapshotError::Write)
}

/// Writes `payload` into an [`empty`] file, which cannot be changed any more then.
pub fn fill(fd: impl AsFd, writer: &str, payload: &impl Serialize) -> Result<(), SnapshotError> {
    let bytes = serde_json::to_vec(&Outgoing { writer, payload }).map_err(SnapshotError::Encode)?;
    fill_enveloped(fd, MAGIC, FORMAT, &bytes).map_err(SnapshotError::Write)
}

/// Reads a snapshot. Leaves the descriptor's offset alone, so any number of programs can read it at once.
pub fn read(fd: BorrowedFd<'_>) -> Result<Envelope, SnapshotError> {
    let (format, bytes) = read_enveloped(fd, MAGIC, FORMAT, MAX)?;
    undecoded(format, &bytes)
}

fn undecoded(format: u32, bytes: &[u8]) -> Result<Envelope, SnapshotError> {
    let Incoming { writer, payload } = serde_json::from_slice(bytes).map_err(ManifestError::Json)?;
    Ok(Envelope {
        format,
        writer,
        payload,
    })
}

/// The same for a program of this version, which decodes its own snapshots in one go: nobody is answered meanwhile.
/// Those of another version, and what cannot be decoded, are given as they are.
pub fn read_own<T: DeserializeOwned>(
    fd: BorrowedFd<'_>,
    writer: &str,
) -> Result<Result<T, Envelope>, SnapshotError> {
    let (format, bytes) = read_enveloped(fd, MAGIC, FORMAT, MAX)?;
    match serde_json::from_slice::<Own<T>>(&bytes) {
        Ok(own) if own.writer == writer => Ok(Ok(own.payload)),
        _ => undecoded(format, &bytes).map(Err),
    }
}

/// What the envelope says. The payload is not looked at.
pub fn peek(fd: BorrowedFd<'_>) -> Result<EnvelopeHeader, SnapshotError> {
    Ok(EnvelopeHeader::peek(fd, MAGIC)?)
}

#[cfg(test)]
mod tests {
    use fdstore::write_enveloped;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_written_is_read() {
        let state = serde_json::json!({"units": [1, "two", null], "deep": {"a": {"b": -1.5}}});
        let fd = write("1.2.3", &state).unwrap();
        let header = peek(fd.as_fd()).unwrap();
        let read = read(fd.as_fd()).unwrap();
        assert_eq!((read.format, read.writer.as_str()), (FORMAT, "1.2.3"));
        let text = fdstore::memfd::read_sealed(&fd, MAX).unwrap().split_off(24);
        assert_eq!(header.length, u64::try_from(text.len()).unwrap());
        assert_eq!((header.format, header.checksum), (FORMAT, crc32fast::hash(&text)));
        assert_eq!(read.payload.get(), state.to_string());
    }

    #[test]
    fn only_what_the_same_version_wrote_and_fits_is_decoded_at_once() {
        let fd = write("1.2.3", &[1, 2]).unwrap();
        assert_eq!(
            read_own::<Vec<i32>>(fd.as_fd(), "1.2.3").unwrap().unwrap(),
            [1, 2]
        );
        let other = read_own::<Vec<i32>>(fd.as_fd(), "1.2.4").unwrap().unwrap_err();
        assert_eq!((other.writer.as_str(), other.payload.get()), ("1.2.3", "[1,2]"));
        let unfit = read_own::<Vec<String>>(fd.as_fd(), "1.2.3").unwrap().unwrap_err();
        assert_eq!(unfit.payload.get(), "[1,2]");
        let manifest = fdstore::FdStore::new();
        assert!(read_own::<Vec<i32>>(manifest.handoff().unwrap().manifest(), "1.2.3").is_err());
    }

    #[test]
    fn a_manifest_of_the_fd_store_is_no_snapshot() {
        let store = fdstore::FdStore::new();
        let handoff = store.handoff().unwrap();
        assert!(matches!(
            read(handoff.manifest()),
            Err(SnapshotError::Read(ManifestError::Magic))
        ));
    }

    /// Every way in which an envelope can be wrong is told apart before its payload is looked at.
    #[test]
    fn a_snapshot_that_is_not_sound_is_refused_with_its_reason() {
        let good = fdstore::memfd::read_sealed(write("1", &[1, 2]).unwrap(), MAX).unwrap();
        let with = |at: usize, bytes: &[u8]| {
            let mut bad = good.clone();
            bad[at..at + bytes.len()].copy_from_slice(bytes);
            bad
        };
        let deep = |depth: usize| {
            let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            let text = format!("{{\"writer\":\"1\",\"payload\":{nested}}}");
            let fd = write_enveloped("t", MAGIC, FORMAT, text.as_bytes()).unwrap();
            fdstore::memfd::read_sealed(fd, MAX).unwrap()
        };
        let mut short = good.clone();
        short.pop();
        for (what, bytes, reason) in [
            ("another magic", with(0, b"x"), "magic"),
            ("a later format", with(8, &2_u32.to_le_bytes()), "2"),
            ("format 0", with(8, &0_u32.to_le_bytes()), "0"),
            ("a wrong checksum", with(12, &[0; 4]), "checksum"),
            (
                "a length beyond all memory",
                with(16, &u64::MAX.to_le_bytes()),
                "18446744073709551615",
            ),
            (
                "a length beyond the file",
                with(16, &1_000_u64.to_le_bytes()),
                "1024",
            ),
            ("one byte too few", short, ""),
            ("nothing", Vec::new(), "0"),
        ] {
            let fd = fdstore::memfd::sealed_memfd("t", &bytes).unwrap();
            let error = read(fd.as_fd()).unwrap_err().to_string();
            assert!(error.contains(reason), "{what}: {error}");
        }
        // How deep a payload is costs nothing before it is decoded, and then it is an error, not the end of the stack.
        let fd = fdstore::memfd::sealed_memfd("t", &deep(100_000)).unwrap();
        let payload = read(fd.as_fd()).unwrap().payload;
        let error = serde_json::from_str::<serde_json::Value>(payload.get()).unwrap_err();
        assert!(error.to_string().contains("recursion limit"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_snapshot_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let fd = fdstore::memfd::sealed_memfd("t", &bytes).unwrap();
            prop_assert!(read(fd.as_fd()).is_err());
        }
    }
}
