//! The "legacy" LZ4 frame, the one that the kernel's decompressor reads (lib/decompress_unlz4.c in the kernel,
//! "Legacy frame" in the LZ4 frame format): the magic number, then blocks of up to 8 MiB of data, each with its
//! compressed size as 32 bits, little endian. It has no end mark: the end of the bytes is the end.

use std::io;

const MAGIC: u32 = 0x184C_2102;
/// Bytes of data of each block but the last.
const BLOCK: usize = 8 << 20;

pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut out = MAGIC.to_le_bytes().to_vec();
    for block in bytes.chunks(BLOCK) {
        let packed = lz4_flex::block::compress(block);
        // A block is at most 8 MiB, and LZ4 expands by less than a half percent.
        out.extend(u32::try_from(packed.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(packed);
    }
    out
}

pub(super) fn decompress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, "the last block is cut");
    let mut rest = bytes.get(4..).ok_or_else(cut)?;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let (size, after) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let size = usize::try_from(u32::from_le_bytes(*size)).map_err(io::Error::other)?;
        let (block, after) = after.split_at_checked(size).ok_or_else(cut)?;
        out.extend(lz4_flex::block::decompress(block, BLOCK).map_err(io::Error::other)?);
        rest = after;
    }
    Ok(out)
}
