//! A record file: every attempt of a probe, and what happened meanwhile, without loss.
//!
//! ```text
//! 89 'G' 'R' 'E' 'Y' 0d 0a 1a            magic
//! u16 version, u16 0                     all fixed numbers have the low byte first
//! u32 length of the header, then the header: JSON
//! u32 CRC-32 of everything so far
//! then records, each:  varint length | payload | u32 check
//! ```
//!
//! The check is the CRC-32 of all bytes of the file so far, without the checks themselves: what was
//! changed, left out or put in is noticed, not only what was damaged. A record is written with one call and nothing is
//! ever written again, so a file that ends early (a full disk, a killed probe) is good up to its last whole record.
//! `docs/greyout-format.md` describes the payloads.

mod error;
mod header;
mod payload;
mod read;
mod varint;
mod write;

pub use error::RecordError;
pub use header::{Cost, Ending, EndpointCost, EndpointHeader, Header, InFlight, Machine};
pub use payload::{Mark, MarkKind};
pub use read::{Recording, Tail};
pub use write::Writer;

/// The first bytes: a byte that is no text, and line ends that a transfer as text would change.
pub const MAGIC: [u8; 8] = *b"\x89GREY\r\n\x1a";

/// What this program writes, and the newest that it reads.
pub const VERSION: u16 = 1;

/// No record is longer: a length beyond it is damage.
const LONGEST: u64 = 1 << 20;

#[cfg(test)]
mod tests;
