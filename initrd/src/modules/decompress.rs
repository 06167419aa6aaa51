//! Module files as the kernel takes them: uncompressed. Which suffix a distribution uses is its choice at build time
//! (Debian 12: none, Debian 13: `.xz`, Ubuntu: `.zst`); decompressed here, the guest needs no code for it, and the
//! compression of the whole image does better than that of each part.

use super::Error;
use std::io::{Cursor, Read};
use std::path::Path;

/// The suffixes of module files.
pub(super) const SUFFIXES: [&str; 4] = [".ko", ".ko.xz", ".ko.zst", ".ko.gz"];

/// The module's name, if this is the file name of one: without suffix, `_` for `-`.
pub(super) fn module_name(file_name: &str) -> Option<String> {
    SUFFIXES
        .iter()
        .find_map(|suffix| file_name.strip_suffix(suffix))
        .map(|name| name.replace('-', "_"))
}

/// The contents of a module file, uncompressed.
pub(super) fn read_module(path: &Path) -> Result<Vec<u8>, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read {
        path: path.into(),
        source,
    })?;
    let bad = |what: String| Error::Bad {
        path: path.into(),
        what,
    };
    let mut out = Vec::new();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => lzma_rs::xz_decompress(&mut Cursor::new(bytes), &mut out)
            .map_err(|error| bad(format!("xz: {error:?}")))?,
        Some("zst") => {
            out = zstd::decode_all(Cursor::new(bytes)).map_err(|error| bad(format!("zstd: {error}")))?;
        }
        Some("gz") => {
            flate2::read::GzDecoder::new(Cursor::new(bytes))
                .read_to_end(&mut out)
                .map_err(|error| bad(format!("gzip: {error}")))?;
        }
        _ => out = bytes,
    }
    Ok(out)
}
