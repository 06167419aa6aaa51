//! The "newc" cpio format, which the kernel unpacks into its first root file system
//! (Documentation/driver-api/early-userspace/buffer-format.rst in the kernel, cpio(5)).
//!
//! An archive is a sequence of records, ended by one named `TRAILER!!!`. A record is a header of 110 ASCII bytes
//! (the magic `070701`, then 13 numbers of eight hexadecimal digits), the name with its NUL, padding to four bytes,
//! the data, padding to four bytes. Names of one file (hard links) carry the same inode number and a link count
//! above one; the data is with the last of them, the others have size 0.

mod reader;
mod writer;

pub use reader::{ReadError, Record, read};
pub use writer::{Header, Writer};

/// Ends an archive.
const TRAILER: &str = "TRAILER!!!";
/// Magic of the format without checksums.
const MAGIC: &[u8] = b"070701";
/// Bytes of a header, the magic included.
const HEADER_LEN: usize = 110;

/// File type bits of a mode (inode(7)).
pub const S_IFMT: u32 = 0o170_000;
/// A directory.
pub const S_IFDIR: u32 = 0o040_000;
/// A regular file.
pub const S_IFREG: u32 = 0o100_000;
/// A symbolic link; the data is its target.
pub const S_IFLNK: u32 = 0o120_000;
/// A character device.
pub const S_IFCHR: u32 = 0o020_000;
/// A block device.
pub const S_IFBLK: u32 = 0o060_000;

/// Bytes from `len` to the next multiple of four.
const fn padding(len: usize) -> usize {
    len.wrapping_neg() % 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(name: &str, mode: u32) -> Header {
        Header {
            name: name.into(),
            ino: 1,
            mode,
            uid: 0,
            gid: 0,
            nlink: 1,
            mtime: 0,
            device: (0, 0),
        }
    }

    #[test]
    fn a_file_is_written_as_the_format_says() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.append(&header("a", S_IFREG | 0o644), b"hello").unwrap();
        writer.finish().unwrap();
        let want = concat!(
            "070701",
            "00000001",
            "000081A4",
            "00000000",
            "00000000",
            "00000001",
            "00000000",
            "00000005",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000002",
            "00000000",
            "a\0",
            "hello\0\0\0",
            "070701",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000001",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "0000000B",
            "00000000",
            "TRAILER!!!\0\0\0\0",
        );
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

    #[test]
    fn a_cut_archive_is_an_error_at_its_place() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.append(&header("a", S_IFREG | 0o644), b"hello").unwrap();
        writer.finish().unwrap();
        out.truncate(114);
        assert!(read(&out).unwrap_err().to_string().contains("byte 112"));
    }

    #[test]
    fn an_archive_without_trailer_is_an_error() {
        let mut out = Vec::new();
        Writer::new(&mut out)
            .append(&header("a", S_IFREG | 0o644), b"")
            .unwrap();
        assert!(matches!(read(&out), Err(ReadError::NoTrailer)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            records in proptest::collection::vec(
                ("[a-zA-Z0-9._/ -]{1,40}", any::<u32>(), any::<u32>(), any::<(u32, u32)>(),
                 proptest::collection::vec(any::<u8>(), 0..70)), 0..20)
        ) {
            let mut out = Vec::new();
            let mut writer = Writer::new(&mut out);
            let mut want = Vec::new();
            for (index, (name, mode, owner, device, data)) in records.into_iter().enumerate() {
                let header = Header { name, ino: index as u32, mode, uid: owner, gid: !owner, nlink: 1, mtime: owner, device };
                writer.append(&header, &data).unwrap();
                want.push(Record { header, data });
            }
            writer.finish().unwrap();
            prop_assert_eq!(read(&out).unwrap(), want);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
            let mut framed = b"070701".to_vec();
            framed.extend(std::iter::repeat_n(b'F', 104));
            framed.extend(&bytes);
            prop_assert!(read(&framed).is_err());
        }
    }
}
