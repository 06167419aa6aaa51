//! One frame on the line, and a decoder that finds frames in a stream with garbage in it.

use std::time::Duration;

/// The first bytes of each frame. Neither ASCII text nor UTF-8 can hold them in this order.
const MAGIC: [u8; 4] = [0xF5, b'S', b'B', 0xFA];
/// Size of everything before the payload, in bytes.
const HEADER: usize = 33;
/// Size of the header that its own checksum covers, in bytes.
const CHECKED: usize = 29;
/// Size of the checksum after the payload, in bytes.
const TRAILER: usize = 4;
/// The longest payload of one frame, in bytes. Longer content is split by the sender.
pub const MAX_PAYLOAD: usize = 64 * 1024;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A message in JSON, sequenced.
    Json,
    /// Bytes of a program's input or output, sequenced.
    Raw,
    /// Only an acknowledgement; proof of life.
    Ack,
    /// An acknowledgement whose sender missed something and wants it again.
    Resend,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Json => 1,
            Self::Raw => 2,
            Self::Ack => 3,
            Self::Resend => 4,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Json,
            2 => Self::Raw,
            3 => Self::Ack,
            4 => Self::Resend,
            _ => return None,
        })
    }

    /// Whether frames of this kind are numbered, and so never lost.
    #[must_use]
    pub fn is_sequenced(self) -> bool {
        matches!(self, Self::Json | Self::Raw)
    }
}

/// One frame, see the module above for its form on the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What the payload is.
    pub kind: Kind,
    /// The agent's life this frame belongs to.
    pub session: u32,
    /// Number of this frame within its direction and session.
    pub seq: u32,
    /// The next number that the sender of this frame wants to receive.
    pub ack: u32,
    /// The sender's CLOCK_MONOTONIC when it made the frame.
    pub stamp: Duration,
    /// The content, at most [`MAX_PAYLOAD`] bytes.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The frame's bytes on the line. A payload above [`MAX_PAYLOAD`] is cut: `Link` splits before.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let payload = self.payload.get(..MAX_PAYLOAD).unwrap_or(&self.payload);
        let mut out = Vec::with_capacity(HEADER + payload.len() + TRAILER);
        out.extend_from_slice(&MAGIC);
        out.push(self.kind.code());
        out.extend_from_slice(&self.session.to_le_bytes());
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&self.ack.to_le_bytes());
        let nanos = u64::try_from(self.stamp.as_nanos()).unwrap_or(u64::MAX);
        out.extend_from_slice(&nanos.to_le_bytes());
        out.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        let sum = crc32fast::hash(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out.extend_from_slice(payload);
        out.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
        out
    }
}

/// Takes the fields of a frame off the front of a byte string.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
}

/// Why no frame starts at a place.
enum Reject {
    /// Not enough bytes yet to say.
    Incomplete,
    /// Garbage, or a frame damaged on the way.
    Damaged,
}

/// Reads the frame at the start of `bytes`; also returns how many bytes it takes.
fn parse(bytes: &[u8]) -> Result<(Frame, usize), Reject> {
    let header = bytes.get(..HEADER).ok_or(Reject::Incomplete)?;
    let checked = header.get(..CHECKED).ok_or(Reject::Incomplete)?;
    let mut reader = Reader(header);
    let fields = (|| {
        let magic = reader.array::<4>()?;
        let [kind] = reader.array::<1>()?;
        let (session, seq, ack) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let stamp = u64::from_le_bytes(reader.array()?);
        let length = usize::try_from(reader.u32()?).ok()?;
        let sum = reader.u32()?;
        let valid = magic == MAGIC && sum == crc32fast::hash(checked) && length <= MAX_PAYLOAD;
        let kind = Kind::from_code(kind)?;
        let stamp = Duration::from_nanos(stamp);
        valid.then_some((
            Frame {
                kind,
                session,
                seq,
                ack,
                stamp,
                payload: Vec::new(),
            },
            length,
        ))
    })();
    let (mut frame, length) = fields.ok_or(Reject::Damaged)?;
    let end = HEADER + length;
    let payload = bytes.get(HEADER..end).ok_or(Reject::Incomplete)?;
    let sum = bytes.get(end..end + TRAILER).ok_or(Reject::Incomplete)?;
    if sum != crc32fast::hash(payload).to_le_bytes() {
        return Err(Reject::Damaged);
    }
    frame.payload = payload.to_vec();
    Ok((frame, end + TRAILER))
}

/// Finds frames in a stream that arrives in pieces of any size and may have garbage in it.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Bytes at the front of `buffer` that are done with; removed in one go, not frame by frame.
    start: usize,
    skipped: u64,
}

impl Decoder {
    /// Adds bytes as they were read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// How many bytes were thrown away so far because no frame was in them.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    fn skip(&mut self, count: usize) {
        self.start += count;
        self.skipped += u64::try_from(count).unwrap_or(u64::MAX);
    }
}

impl Iterator for Decoder {
    type Item = Frame;

    /// The next whole frame, or `None` until more bytes are pushed.
    fn next(&mut self) -> Option<Frame> {
        loop {
            let rest = self.buffer.get(self.start..)?;
            match rest.iter().position(|byte| Some(byte) == MAGIC.first()) {
                None => {
                    let all = rest.len();
                    self.skip(all);
                    return None;
                }
                Some(0) => {}
                Some(garbage) => {
                    self.skip(garbage);
                    continue;
                }
            }
            match parse(rest) {
                Ok((frame, length)) => {
                    self.start += length;
                    return Some(frame);
                }
                // One byte only: the true start of the next frame may lie inside the damaged one.
                Err(Reject::Damaged) => self.skip(1),
                Err(Reject::Incomplete) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_frame() -> impl Strategy<Value = Frame> {
        let kind = prop_oneof![
            Just(Kind::Json),
            Just(Kind::Raw),
            Just(Kind::Ack),
            Just(Kind::Resend)
        ];
        let payload = proptest::collection::vec(any::<u8>(), 0..300);
        (
            kind,
            any::<u32>(),
            any::<u32>(),
            any::<u32>(),
            any::<u64>(),
            payload,
        )
            .prop_map(|(kind, session, seq, ack, stamp, payload)| Frame {
                kind,
                session,
                seq,
                ack,
                stamp: Duration::from_nanos(stamp),
                payload,
            })
    }

    proptest! {
        #[test]
        fn frames_come_back_however_the_reads_are_split(
            frames in proptest::collection::vec(any_frame(), 0..6),
            cut in 1usize..64,
        ) {
            let line: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
            let mut decoder = Decoder::default();
            let mut seen = Vec::new();
            for piece in line.chunks(cut) {
                decoder.push(piece);
                seen.extend(decoder.by_ref());
            }
            prop_assert_eq!(seen, frames);
            prop_assert_eq!(decoder.skipped(), 0);
        }

        #[test]
        fn a_frame_after_garbage_is_found(
            garbage in proptest::collection::vec(any::<u8>(), 0..200),
            frame in any_frame(),
        ) {
            let mut decoder = Decoder::default();
            decoder.push(&garbage);
            prop_assert_eq!(decoder.by_ref().count(), 0);
            decoder.push(&frame.encode());
            prop_assert_eq!(decoder.next(), Some(frame));
        }

        #[test]
        fn one_flipped_bit_never_yields_another_frame(frame in any_frame(), place in any::<usize>(), bit in 0u8..8) {
            let mut line = frame.encode();
            let at = place % line.len();
            line[at] ^= 1 << bit;
            let mut decoder = Decoder::default();
            decoder.push(&line);
            prop_assert_eq!(decoder.next(), None);
        }
    }

    #[test]
    fn a_damaged_length_does_not_hold_up_the_next_frame() {
        let frame = Frame {
            kind: Kind::Ack,
            session: 1,
            seq: 0,
            ack: 7,
            stamp: Duration::from_nanos(5),
            payload: Vec::new(),
        };
        let mut line = frame.encode();
        line[26] = 0x7F; // length now claims 32 KiB that never come
        line.extend(frame.encode());
        let mut decoder = Decoder::default();
        decoder.push(&line);
        assert_eq!(decoder.next(), Some(frame));
    }
}
