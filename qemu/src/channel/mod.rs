//! The structured channel between the host and the agent in the guest.
//!
//! Three layers, all of them pure (no descriptor, no clock), so that both ends and the tests use the same
//! code:
//!
//! - [`frame`]: one frame on the line, found again after garbage.
//! - [`link`]: a sequence of frames without loss: numbers, acknowledgements, resending.
//! - [`message`]: what the frames say.
//!
//! A frame on the line, all numbers little-endian:
//!
//! ```text
//! offset size
//!      0    4  magic F5 53 42 FA
//!      4    1  kind: 1 JSON message, 2 raw bytes, 3 acknowledgement, 4 resend request
//!      5    4  session, chosen by the agent when it starts; the host answers with the same
//!      9    4  sequence number of this frame (kinds 1 and 2; else 0)
//!     13    4  acknowledgement: the next sequence number the sender wants
//!     17    8  CLOCK_MONOTONIC of the sender when the frame was made, nanoseconds
//!     25    4  length of the payload, at most 64 KiB
//!     29    4  CRC-32 of bytes 0..29
//!     33    n  payload
//!   33+n    4  CRC-32 of the payload
//! ```
//!
//! The header has a checksum of its own so that a damaged length is noticed at once and not after 64 KiB.

pub mod frame;
pub mod link;
pub mod message;
