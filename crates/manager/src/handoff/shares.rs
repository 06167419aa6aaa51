//! Many texts, read by several threads at once: nobody is answered meanwhile.

use std::ops::Range;
use std::thread::{self, ScopedJoinHandle};

use rustix::thread::{CpuSet, sched_getaffinity};

/// Fewer texts than this are read sooner than a thread is started for them.
pub(super) const SHARE: usize = 100;
/// More threads than this have nothing left to gain.
pub(super) const THREADS: usize = 4;

/// How one text is read.
pub(crate) type How<T> = fn(&[u8]) -> serde_json::Result<T>;

/// Where the texts are in a JSON array of them, each of which ends there; `None` if that is not all there is in it.
pub(crate) fn places(array: &[u8], ends: &[usize]) -> Option<Vec<Range<usize>>> {
    let mut places = Vec::with_capacity(ends.len());
    let mut before = b'[';
    let mut at = 0_usize;
    for end in ends {
        if *array.get(at)? != before {
            return None;
        }
        let start = at.checked_add(1)?;
        array.get(start..*end)?;
        places.push(start..*end);
        (at, before) = (*end, b',');
    }
    let close = if places.is_empty() { b"[]" } else { &b"]"[..] };
    (array.get(at..)? == close).then_some(places)
}

/// Reads the texts at these places, each of which takes about `decoded` bytes then. `what` they are.
pub(crate) fn read_shares<T: Send>(
    what: &'static str,
    array: &[u8],
    places: &[Range<usize>],
    decoded: usize,
    how: How<T>,
) -> serde_json::Result<Vec<T>> {
    let text = |place: &Range<usize>| array.get(place.clone()).unwrap_or_default();
    in_shares(what, places, decoded, |share| {
        share.iter().map(text).map(how).collect()
    })
}

/// Each thread does its share of the work; this one is among them. What comes of each takes about `bytes`.
pub(crate) fn in_shares<I: Sync, T: Send>(
    what: &'static str,
    all: &[I],
    bytes: usize,
    work: impl Fn(&[I]) -> serde_json::Result<Vec<T>> + Sync,
) -> serde_json::Result<Vec<T>> {
    let processors = sched_getaffinity(None).map_or(1, |set: CpuSet| set.count() as usize);
    let threads = processors.min(THREADS).min(all.len() / SHARE).max(1);
    let share = all.len().div_ceil(threads).max(1);
    let work = |share: &[I]| {
        softboot_sys::memory::work_ahead(share.len().saturating_mul(bytes));
        work(share)
    };
    let (own, others) = all.split_at(share.min(all.len()));
    thread::scope(|scope| {
        let work = &work;
        let start = |share| {
            let thread = thread::Builder::new().name(what.to_owned());
            let spawned = thread.spawn_scoped(scope, move || {
                crate::fault::place(what);
                work(share)
            });
            // Without a thread it is read here.
            spawned.map_or_else(|_| Err(share), Ok)
        };
        let started: Vec<Result<ScopedJoinHandle<'_, _>, _>> = others.chunks(share).map(start).collect();
        crate::fault::place("share");
        let mut done = work(own)?;
        for share in started {
            let more = match share {
                Ok(thread) => thread.join().unwrap_or_else(|_| {
                    let reason = "the thread that read them panicked";
                    Err(<serde_json::Error as serde::de::Error>::custom(reason))
                })?,
                Err(share) => work(share)?,
            };
            done.extend(more);
        }
        Ok(done)
    })
}
