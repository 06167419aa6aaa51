//! The image as an archive, equal byte for byte for equal images: order by path, one fixed time, inode numbers
//! counted in order.

use super::{Entry, Error, Image, Kind};
use crate::cpio::{self, Header, Writer};
use std::collections::BTreeMap;
use std::io::Write;

/// Modification time of every entry, in seconds since the epoch. Not zero, because some programs take a file of
/// time zero for one without a time.
pub(crate) const MTIME: u32 = 1;

impl Image {
    /// Writes the archive, uncompressed.
    ///
    /// # Errors
    /// As the writer below; names the entry at which it failed.
    pub fn write_cpio(&self, out: &mut impl Write) -> Result<(), Error> {
        // The names of each file, in order: all share one inode number, and the last one carries the data.
        let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for entry in self.entries() {
            names.entry(file_of(entry)).or_default().push(&entry.path);
        }
        let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
        let mut next = 1;
        let mut writer = Writer::new(&mut *out);
        for entry in self.entries() {
            let file = file_of(entry);
            let links = names.get(file).map_or(&[][..], Vec::as_slice);
            let ino = *numbers.entry(file).or_insert_with(|| {
                next += 1;
                next - 1
            });
            let carries_data = links.last() == Some(&entry.path.as_str());
            let (kind_bits, data, device): (u32, &[u8], (u32, u32)) = match &entry.kind {
                Kind::Directory { .. } => (cpio::S_IFDIR, &[], (0, 0)),
                Kind::File(_) | Kind::HardLink(_) => {
                    let data: &[u8] = match self.entries.get(file).map(|first| &first.kind) {
                        Some(Kind::File(data)) if carries_data => data,
                        _ => &[],
                    };
                    (cpio::S_IFREG, data, (0, 0))
                }
                Kind::Symlink(target) => (cpio::S_IFLNK, target.as_bytes(), (0, 0)),
                Kind::Device(device) => {
                    let bits = if device.block {
                        cpio::S_IFBLK
                    } else {
                        cpio::S_IFCHR
                    };
                    (bits, &[], (device.major, device.minor))
                }
            };
            let links = u32::try_from(links.len()).unwrap_or(u32::MAX);
            let header = Header {
                name: entry.path.clone(),
                ino,
                mode: kind_bits | entry.mode,
                uid: entry.uid,
                gid: entry.gid,
                nlink: if kind_bits == cpio::S_IFDIR { 2 } else { links },
                mtime: MTIME,
                device,
            };
            let fail = |source| Error::Write {
                path: format!("/{}", entry.path),
                source,
            };
            writer.append(&header, data).map_err(fail)?;
        }
        writer.finish().map_err(|source| Error::Write {
            path: "the trailer".into(),
            source,
        })?;
        Ok(())
    }
}

/// The path that holds the contents of an entry: its own, but for a hard link.
fn file_of(entry: &Entry) -> &str {
    match &entry.kind {
        Kind::HardLink(first) => first,
        _ => &entry.path,
    }
}
