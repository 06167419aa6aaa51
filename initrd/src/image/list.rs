//! The image as a table for people.

use super::{Image, Kind};
use crate::cpio::{self, Record};
use serde::Serialize;
use std::collections::BTreeMap;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Path with a leading slash; of a link with ` -> target`.
    pub path: String,
    /// As `ls -l` writes it.
    pub mode: String,
    /// Owner and group.
    pub owner: String,
    /// Bytes of contents; a hard link has none of its own.
    pub size: u64,
    /// Who wanted it; empty where it is read from an archive, which does not say.
    pub reason: String,
}

/// All rows and what they add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// In the order of the archive.
    pub rows: Vec<Row>,
    /// Bytes of all contents.
    pub total: u64,
    /// Remarks, as of optional parts left out.
    pub notes: Vec<String>,
}

impl Image {
    /// What is in the image, and why.
    #[must_use]
    pub fn list(&self) -> Listing {
        let mut listing = Listing {
            notes: self.notes().to_vec(),
            ..Listing::default()
        };
        for entry in self.entries() {
            let (letter, size, arrow) = match &entry.kind {
                Kind::Directory { .. } => ('d', 0, String::new()),
                Kind::File(data) => ('-', data.len() as u64, String::new()),
                Kind::Symlink(target) => ('l', 0, format!(" -> {target}")),
                Kind::Device(device) => (
                    if device.block { 'b' } else { 'c' },
                    0,
                    format!(" ({}:{})", device.major, device.minor),
                ),
                Kind::HardLink(first) => ('-', 0, format!(" = /{first}")),
            };
            listing.push(Row {
                path: format!("/{}{arrow}", entry.path),
                mode: mode_text(letter, entry.mode),
                owner: format!("{}:{}", entry.uid, entry.gid),
                size,
                reason: entry.reason.clone(),
            });
        }
        listing
    }
}

impl Listing {
    /// What is in an archive that was read.
    #[must_use]
    pub fn of_archive(records: &[Record]) -> Self {
        let mut listing = Self::default();
        let mut first_names: BTreeMap<u32, &str> = BTreeMap::new();
        for Record { header, data } in records {
            let (letter, arrow) = match header.mode & cpio::S_IFMT {
                cpio::S_IFDIR => ('d', String::new()),
                cpio::S_IFLNK => ('l', format!(" -> {}", String::from_utf8_lossy(data))),
                cpio::S_IFCHR => ('c', format!(" ({}:{})", header.device.0, header.device.1)),
                cpio::S_IFBLK => ('b', format!(" ({}:{})", header.device.0, header.device.1)),
                _ if header.nlink > 1 => match first_names.get(&header.ino) {
                    Some(first) => ('-', format!(" = /{first}")),
                    None => {
                        first_names.insert(header.ino, &header.name);
                        ('-', String::new())
                    }
                },
                _ => ('-', String::new()),
            };
            listing.push(Row {
                path: format!("/{}{arrow}", header.name),
                mode: mode_text(letter, header.mode & 0o7777),
                owner: format!("{}:{}", header.uid, header.gid),
                size: if letter == '-' { data.len() as u64 } else { 0 },
                reason: String::new(),
            });
        }
        listing
    }

    fn push(&mut self, row: Row) {
        self.total += row.size;
        self.rows.push(row);
    }
}

/// A mode as `ls -l` writes it.
fn mode_text(letter: char, mode: u32) -> String {
    let mut text = String::from(letter);
    for (shift, special, with, without) in [
        (6, 0o4000, 's', 'S'),
        (3, 0o2000, 's', 'S'),
        (0, 0o1000, 't', 'T'),
    ] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, true) => with,
            (false, true) => without,
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_as_in_ls() {
        assert_eq!(mode_text('d', 0o1777), "drwxrwxrwt");
        assert_eq!(mode_text('-', 0o4755), "-rwsr-xr-x");
        assert_eq!(mode_text('-', 0o640), "-rw-r-----");
    }
}
