//! The compressions of an initrd. Which of them a kernel can read is in its configuration (`CONFIG_RD_*`).

mod lz4;

use crate::cpio::{self, Record};
use std::io::{self, Read, Write};
use std::path::Path;

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// Not at all; every kernel with an initrd reads it.
    None,
    /// gzip, level 6.
    Gzip,
    /// Zstandard, level 3: higher ones save little and cost build time.
    Zstd,
    /// LZ4 in the "legacy" frame, the only one the kernel reads.
    Lz4,
}

/// What can go wrong with compression.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Compressing failed.
    #[error("cannot compress the initrd with {compression}: {source}")]
    Compress {
        /// With what.
        compression: Compression,
        /// The cause.
        source: io::Error,
    },
    /// Decompressing failed.
    #[error("cannot decompress the initrd, which looks like {compression}: {source}")]
    Decompress {
        /// With what.
        compression: Compression,
        /// The cause.
        source: io::Error,
    },
    /// The archive in it is damaged.
    #[error("the initrd is damaged: {0}")]
    Archive(#[from] cpio::ReadError),
    /// The configuration of the kernel could not be read.
    #[error("cannot read the kernel configuration {}: {source}", path.display())]
    Config {
        /// The file.
        path: std::path::PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl std::fmt::Display for Compression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
        })
    }
}

impl Compression {
    /// All, fastest to boot first, as measured: see docs/initrd.md.
    pub const ALL: [Self; 4] = [Self::Lz4, Self::None, Self::Zstd, Self::Gzip];

    /// The one to take when nobody says otherwise and the kernel reads it. Of a kernel whose configuration is not
    /// known take [`Compression::None`].
    pub const DEFAULT: Self = Self::Lz4;

    /// Those that a kernel with this configuration (the text of `/boot/config-*`) can read, fastest to boot first.
    #[must_use]
    pub fn supported_by(config: &str) -> Vec<Self> {
        Self::ALL
            .into_iter()
            .filter(|compression| {
                let option = match compression {
                    Self::None => return true,
                    Self::Gzip => "CONFIG_RD_GZIP=y",
                    Self::Zstd => "CONFIG_RD_ZSTD=y",
                    Self::Lz4 => "CONFIG_RD_LZ4=y",
                };
                config.lines().any(|line| line == option)
            })
            .collect()
    }

    /// As [`Compression::supported_by`], from the file.
    ///
    /// # Errors
    /// An unreadable file.
    pub fn supported_by_file(config: &Path) -> Result<Vec<Self>, Error> {
        let text = std::fs::read_to_string(config).map_err(|source| Error::Config {
            path: config.into(),
            source,
        })?;
        Ok(Self::supported_by(&text))
    }

    /// What these bytes are compressed with, by their first ones.
    #[must_use]
    pub fn detect(bytes: &[u8]) -> Self {
        match bytes {
            [0x1F, 0x8B, ..] => Self::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Self::Zstd,
            [0x02, 0x21, 0x4C, 0x18, ..] => Self::Lz4,
            _ => Self::None,
        }
    }

    /// Compresses; equal bytes come out equal.
    ///
    /// # Errors
    /// As the library below.
    pub fn compress(self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let fail = |source| Error::Compress {
            compression: self,
            source,
        };
        match self {
            Self::None => Ok(bytes.to_vec()),
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
                encoder.write_all(bytes).map_err(fail)?;
                encoder.finish().map_err(fail)
            }
            Self::Zstd => zstd::encode_all(bytes, 3).map_err(fail),
            Self::Lz4 => Ok(lz4::compress(bytes)),
        }
    }

    /// Decompresses what [`Compression::detect`] recognises.
    ///
    /// # Errors
    /// Damaged bytes.
    pub fn decompress(bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let compression = Self::detect(bytes);
        let fail = |source| Error::Decompress { compression, source };
        match compression {
            Self::None => Ok(bytes.to_vec()),
            Self::Gzip => {
                let mut out = Vec::new();
                flate2::read::GzDecoder::new(bytes)
                    .read_to_end(&mut out)
                    .map_err(fail)?;
                Ok(out)
            }
            Self::Zstd => zstd::decode_all(bytes).map_err(fail),
            Self::Lz4 => lz4::decompress(bytes).map_err(fail),
        }
    }
}

/// Reads the records of an archive, compressed or not.
///
/// # Errors
/// Damaged bytes.
pub fn read_archive(bytes: &[u8]) -> Result<Vec<Record>, Error> {
    Ok(cpio::read(&Compression::decompress(bytes)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_is_recognised_and_comes_back() {
        let mut data = b"070701".to_vec();
        data.extend((0..9_000_000u32).map(|number| (number / 1000) as u8));
        for compression in Compression::ALL {
            let packed = compression.compress(&data).unwrap();
            assert_eq!(Compression::detect(&packed), compression);
            assert!(Compression::decompress(&packed).unwrap() == data, "{compression}");
        }
    }

    #[test]
    fn cut_bytes_are_an_error() {
        for compression in [Compression::Gzip, Compression::Zstd, Compression::Lz4] {
            let packed = compression.compress(&[7; 5000]).unwrap();
            assert!(
                Compression::decompress(&packed[..packed.len() - 3]).is_err(),
                "{compression}"
            );
        }
    }

    #[test]
    fn the_kernel_says_what_it_reads() {
        let config = "CONFIG_RD_GZIP=y\n# CONFIG_RD_LZ4 is not set\nCONFIG_RD_ZSTD=y\n";
        assert_eq!(
            Compression::supported_by(config),
            [Compression::None, Compression::Zstd, Compression::Gzip]
        );
    }
}
