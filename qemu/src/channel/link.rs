//! Loss-free delivery in order, over a line that may lose or damage bytes.
//!
//! A virtio port loses nothing, but an emulated 16550 drops bytes when the host does not read for a while,
//! so the link does not trust the line. It is go-back-N:
//!
//! | event                              | answer                                                       |
//! |------------------------------------|--------------------------------------------------------------|
//! | frame with the wanted number       | deliver, want the next, acknowledge soon                     |
//! | frame with an older number         | drop (was delivered), acknowledge soon                       |
//! | frame with a later number          | drop, ask to resend from the wanted one, once per wanted one |
//! | acknowledgement                    | forget what is acknowledged                                  |
//! | resend request                     | send again all that is not acknowledged                      |
//! | no acknowledgement for the timeout | the same; the timeout doubles, up to its limit               |
//!
//! At most `WINDOW` bytes (or one frame) are on the way at a time: a line that loses something then costs
//! little, and a slow line is not filled with what would have to be sent again.
//!
//! The caller sends what [`Link::take_output`] returns, and calls [`Link::tick`] from time to time.

use super::frame::{Decoder, Frame, Kind, MAX_PAYLOAD};
use std::collections::VecDeque;
use std::time::Duration;

/// Silence after which unacknowledged frames are sent again. A busy emulator can need this long.
const FIRST_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest pause between two tries.
const LAST_TIMEOUT: Duration = Duration::from_secs(16);
/// Payload bytes on the way, sent and not acknowledged.
const WINDOW: usize = 64 * 1024;
/// Payload bytes received before an acknowledgement is sent without waiting for the next tick. Well below
/// the window, so that a sender never waits for the tick.
const ACK_BYTES: usize = 16 * 1024;
/// Frames received before an acknowledgement is sent without waiting for the next tick.
const ACK_EVERY: u32 = 16;

/// A message that arrived, in order and once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// [`Kind::Json`] or [`Kind::Raw`].
    pub kind: Kind,
    /// The sender's CLOCK_MONOTONIC.
    pub stamp: Duration,
    /// The content.
    pub payload: Vec<u8>,
}

/// One end of the link, for one session.
#[derive(Debug)]
pub struct Link {
    session: u32,
    next_seq: u32,
    wanted: u32,
    unacked: VecDeque<Frame>,
    unacked_bytes: usize,
    /// How many frames at the front of `unacked` are on the way, and their payload bytes.
    on_the_way: usize,
    on_the_way_bytes: usize,
    output: Vec<u8>,
    decoder: Decoder,
    /// Frames received since the last acknowledgement went out.
    owed: u32,
    owed_bytes: usize,
    /// The number that a resend was last asked for.
    asked: Option<u32>,
    last_ack_at: Duration,
    timeout: Duration,
}

impl Link {
    /// A fresh end. The agent draws a new `session` whenever it starts; the host takes the agent's.
    #[must_use]
    pub fn new(session: u32) -> Self {
        Self {
            session,
            next_seq: 0,
            wanted: 0,
            unacked: VecDeque::new(),
            unacked_bytes: 0,
            on_the_way: 0,
            on_the_way_bytes: 0,
            output: Vec::new(),
            decoder: Decoder::default(),
            owed: 0,
            owed_bytes: 0,
            asked: None,
            last_ack_at: Duration::ZERO,
            timeout: FIRST_TIMEOUT,
        }
    }

    /// The session this end belongs to.
    #[must_use]
    pub fn session(&self) -> u32 {
        self.session
    }

    /// Bytes sent and not yet acknowledged. A sender that can wait should, above some limit.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.unacked_bytes
    }

    /// Takes a message for sending. `now` is this side's CLOCK_MONOTONIC.
    /// A payload above [`MAX_PAYLOAD`] is refused and given back: the caller knows how to split it.
    ///
    /// # Errors
    /// The payload itself when it is too long.
    pub fn send(&mut self, kind: Kind, payload: Vec<u8>, now: Duration) -> Result<(), Vec<u8>> {
        if payload.len() > MAX_PAYLOAD || !kind.is_sequenced() {
            return Err(payload);
        }
        if self.unacked.is_empty() {
            self.last_ack_at = now;
        }
        let seq = self.next_seq;
        self.next_seq = self.next_seq.wrapping_add(1);
        let frame = Frame {
            kind,
            session: self.session,
            seq,
            ack: self.wanted,
            stamp: now,
            payload,
        };
        self.unacked_bytes += frame.payload.len();
        self.unacked.push_back(frame);
        self.transmit();
        Ok(())
    }

    /// The bytes to write to the line now.
    #[must_use]
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Takes bytes read from the line and returns the messages that are complete and in order.
    pub fn receive(&mut self, bytes: &[u8], now: Duration) -> Vec<Delivered> {
        self.decoder.push(bytes);
        let frames: Vec<Frame> = self.decoder.by_ref().collect();
        frames
            .into_iter()
            .filter_map(|frame| self.accept(frame, now))
            .collect()
    }

    /// Takes one frame that a decoder outside found.
    pub fn accept(&mut self, frame: Frame, now: Duration) -> Option<Delivered> {
        if frame.session != self.session {
            return None;
        }
        self.acknowledged(frame.ack, now);
        if frame.kind == Kind::Resend {
            self.resend();
        }
        if !frame.kind.is_sequenced() {
            return None;
        }
        self.owed += 1;
        if frame.seq != self.wanted {
            let ahead = frame.seq.wrapping_sub(self.wanted) < u32::MAX / 2;
            if ahead && self.asked != Some(self.wanted) {
                self.asked = Some(self.wanted);
                self.control(Kind::Resend, now);
            }
            return None;
        }
        self.wanted = self.wanted.wrapping_add(1);
        self.owed_bytes += frame.payload.len();
        if self.owed >= ACK_EVERY || self.owed_bytes >= ACK_BYTES {
            self.control(Kind::Ack, now);
        }
        Some(Delivered {
            kind: frame.kind,
            stamp: frame.stamp,
            payload: frame.payload,
        })
    }

    /// Sends the acknowledgement that is due, and what was not acknowledged in time.
    pub fn tick(&mut self, now: Duration) {
        if self.owed > 0 {
            self.control(Kind::Ack, now);
        }
        self.asked = None;
        if !self.unacked.is_empty() && now.saturating_sub(self.last_ack_at) >= self.timeout {
            self.last_ack_at = now;
            self.timeout = (self.timeout * 2).min(LAST_TIMEOUT);
            self.resend();
        }
    }

    /// Sends an acknowledgement even when none is due, as proof of life.
    pub fn heartbeat(&mut self, now: Duration) {
        self.control(Kind::Ack, now);
    }

    fn control(&mut self, kind: Kind, now: Duration) {
        (self.owed, self.owed_bytes) = (0, 0);
        let frame = Frame {
            kind,
            session: self.session,
            seq: 0,
            ack: self.wanted,
            stamp: now,
            payload: Vec::new(),
        };
        self.output.extend(frame.encode());
    }

    /// Sends what the window has room for.
    fn transmit(&mut self) {
        for frame in self.unacked.iter_mut().skip(self.on_the_way) {
            let bytes = self.on_the_way_bytes + frame.payload.len();
            if self.on_the_way > 0 && bytes > WINDOW {
                break;
            }
            frame.ack = self.wanted;
            self.output.extend(frame.encode());
            self.on_the_way += 1;
            self.on_the_way_bytes = bytes;
            (self.owed, self.owed_bytes) = (0, 0);
        }
    }

    fn resend(&mut self) {
        (self.on_the_way, self.on_the_way_bytes) = (0, 0);
        self.transmit();
    }

    fn acknowledged(&mut self, ack: u32, now: Duration) {
        while let Some(first) = self.unacked.front() {
            // Numbers wrap, so "older than" is the sign of the difference.
            if ack.wrapping_sub(first.seq).wrapping_sub(1) >= u32::MAX / 2 {
                break;
            }
            let length = first.payload.len();
            self.unacked_bytes = self.unacked_bytes.saturating_sub(length);
            if self.on_the_way > 0 {
                self.on_the_way -= 1;
                self.on_the_way_bytes = self.on_the_way_bytes.saturating_sub(length);
            }
            self.unacked.pop_front();
            self.last_ack_at = now;
            self.timeout = FIRST_TIMEOUT;
        }
        self.transmit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STEP: Duration = Duration::from_millis(500);

    fn payloads(delivered: Vec<Delivered>) -> Vec<Vec<u8>> {
        delivered.into_iter().map(|message| message.payload).collect()
    }

    proptest! {
        #[test]
        fn all_arrives_once_and_in_order_whatever_the_line_loses(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..30),
            losses in proptest::collection::vec((any::<usize>(), 1usize..50), 0..25),
        ) {
            let (mut guest, mut host) = (Link::new(7), Link::new(7));
            let mut now = Duration::ZERO;
            let mut got = Vec::new();
            let mut losses = losses.into_iter();
            for message in &messages {
                guest.send(Kind::Raw, message.clone(), now).unwrap();
            }
            // Once the losses are used up the line is clean, and all must have come soon after.
            for _ in 0..losses.len() * 40 + 80 {
                for (from, to) in [(true, false), (false, true)] {
                    let mut line = if from { guest.take_output() } else { host.take_output() };
                    if !line.is_empty() && let Some((place, length)) = losses.next() {
                        let at = place % line.len();
                        let end = (at + length).min(line.len());
                        line.drain(at..end);
                    }
                    if to { guest.receive(&line, now); } else { got.extend(payloads(host.receive(&line, now))); }
                }
                now += STEP;
                guest.tick(now);
                host.tick(now);
            }
            prop_assert_eq!(&got, &messages);
            prop_assert_eq!(guest.backlog(), 0);
        }
    }

    #[test]
    fn frames_of_another_session_are_not_taken() {
        let (mut old, mut new) = (Link::new(1), Link::new(2));
        old.send(Kind::Json, b"x".to_vec(), STEP).unwrap();
        assert_eq!(new.receive(&old.take_output(), STEP), []);
    }

    #[test]
    fn a_gap_is_asked_for_once_and_filled() {
        let (mut guest, mut host) = (Link::new(1), Link::new(1));
        guest.send(Kind::Json, b"lost".to_vec(), STEP).unwrap();
        let _ = guest.take_output();
        for text in ["b", "c"] {
            guest.send(Kind::Json, text.into(), STEP).unwrap();
        }
        assert_eq!(host.receive(&guest.take_output(), STEP), []);
        guest.receive(&host.take_output(), STEP);
        let all = payloads(host.receive(&guest.take_output(), STEP));
        assert_eq!(all, [b"lost".to_vec(), b"b".to_vec(), b"c".to_vec()]);
    }

    #[test]
    fn numbers_wrap_around() {
        let (mut guest, mut host) = (Link::new(1), Link::new(1));
        (guest.next_seq, host.wanted) = (u32::MAX, u32::MAX);
        for text in ["a", "b"] {
            guest.send(Kind::Json, text.into(), STEP).unwrap();
        }
        assert_eq!(
            payloads(host.receive(&guest.take_output(), STEP)),
            [b"a".to_vec(), b"b".to_vec()]
        );
        host.tick(STEP);
        guest.receive(&host.take_output(), STEP);
        assert_eq!(guest.backlog(), 0);
        assert!(guest.unacked.is_empty());
    }

    #[test]
    fn more_than_the_window_waits_for_acknowledgement_and_then_goes() {
        let (mut guest, mut host) = (Link::new(1), Link::new(1));
        let piece = vec![7; WINDOW / 2];
        for _ in 0..4 {
            guest.send(Kind::Raw, piece.clone(), STEP).unwrap();
        }
        assert_eq!(host.receive(&guest.take_output(), STEP).len(), 2);
        // Acknowledged by its size, without a tick.
        guest.receive(&host.take_output(), STEP);
        assert_eq!(host.receive(&guest.take_output(), STEP).len(), 2);
    }

    #[test]
    fn a_payload_too_long_is_given_back() {
        let long = vec![0; MAX_PAYLOAD + 1];
        assert_eq!(Link::new(1).send(Kind::Raw, long.clone(), STEP), Err(long));
    }
}
