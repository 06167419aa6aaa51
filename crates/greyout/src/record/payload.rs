//! The payload of a record: a byte that says what it is, then numbers as differences to the ones before.

use serde::{Deserialize, Serialize};

use super::header::Ending;
use super::varint::{put, put_step, take, take_step};
use crate::attempt::{Attempt, Outcome};

const ATTEMPT: u8 = 1;
const MARK: u8 = 2;
const ENDING: u8 = 3;

/// Something that happened at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When: CLOCK_MONOTONIC nanoseconds.
    pub time: u64,
    /// What kind.
    pub kind: MarkKind,
    /// What: an event's name, or free text.
    pub name: String,
    /// The endpoint that it is about, by its place in the header; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<u32>,
}

/// What a mark means for the computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkKind {
    /// An event begins.
    Begin,
    /// The event that began last is over.
    End,
    /// Shown, and nothing else.
    Note,
}

/// A decoded payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    Attempt(u32, Attempt),
    Mark(Mark),
    Ending(Ending),
    /// Of a kind that a later minor version may add.
    Unknown,
}

/// What the differences refer to.
#[derive(Clone, Debug)]
pub(super) struct Context {
    /// By endpoint: the due time that comes next if the schedule is kept, and the interval.
    due: Vec<(u64, u64)>,
    mark: u64,
}

impl Context {
    pub(super) fn new(started: u64, intervals: impl Iterator<Item = u64>) -> Context {
        Context {
            due: intervals.map(|interval| (started, interval)).collect(),
            mark: started,
        }
    }

    /// `None` if there is no such endpoint.
    pub(super) fn attempt(&mut self, endpoint: u32, attempt: &Attempt) -> Option<Vec<u8>> {
        let (expected, interval) = self.due.get_mut(usize::try_from(endpoint).ok()?)?;
        let mut bytes = vec![ATTEMPT | attempt.outcome.code() << 4];
        put(&mut bytes, u64::from(endpoint));
        put_step(&mut bytes, *expected, attempt.due);
        put_step(&mut bytes, attempt.due, attempt.started);
        put_step(&mut bytes, attempt.started, attempt.finished);
        *expected = attempt.due.wrapping_add(*interval);
        Some(bytes)
    }

    pub(super) fn mark(&mut self, mark: &Mark) -> Vec<u8> {
        let kind = match mark.kind {
            MarkKind::Begin => 0,
            MarkKind::End => 1,
            MarkKind::Note => 2,
        };
        let mut bytes = vec![MARK | kind << 4];
        put_step(&mut bytes, self.mark, mark.time);
        put(
            &mut bytes,
            mark.endpoint.map_or(0, |endpoint| u64::from(endpoint) + 1),
        );
        bytes.extend_from_slice(mark.name.as_bytes());
        self.mark = mark.time;
        bytes
    }

    pub(super) fn ending(ending: &Ending) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = vec![ENDING];
        serde_json::to_writer(&mut bytes, ending)?;
        Ok(bytes)
    }

    /// `None`: the bytes are no payload, though their check is right. Whoever wrote them made a mistake.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Option<Payload> {
        let (&first, mut rest) = bytes.split_first()?;
        let high = first >> 4;
        match first & 0x0f {
            ATTEMPT => {
                let endpoint = u32::try_from(take(&mut rest)?).ok()?;
                let (expected, interval) = self.due.get_mut(usize::try_from(endpoint).ok()?)?;
                let due = take_step(&mut rest, *expected)?;
                let started = take_step(&mut rest, due)?;
                let finished = take_step(&mut rest, started)?;
                let outcome = Outcome::of_code(high)?;
                *expected = due.wrapping_add(*interval);
                Some(Payload::Attempt(
                    endpoint,
                    Attempt {
                        due,
                        started,
                        finished,
                        outcome,
                    },
                ))
            }
            MARK => {
                let kind = match high {
                    0 => MarkKind::Begin,
                    1 => MarkKind::End,
                    2 => MarkKind::Note,
                    _ => return None,
                };
                let time = take_step(&mut rest, self.mark)?;
                let endpoint = match take(&mut rest)? {
                    0 => None,
                    place => Some(u32::try_from(place - 1).ok()?),
                };
                self.mark = time;
                Some(Payload::Mark(Mark {
                    time,
                    kind,
                    name: String::from_utf8(rest.to_vec()).ok()?,
                    endpoint,
                }))
            }
            ENDING => serde_json::from_slice(rest).ok().map(Payload::Ending),
            _ => Some(Payload::Unknown),
        }
    }
}
