//! How a job comes to be wanted.

use std::collections::VecDeque;

use super::Key;
use super::explain::Reason;
use super::numbers::ByNumber;
use super::web::{Place, Web};

/// Jobs with what each of them is wanted for: from the anchor down.
pub(crate) type Path = Vec<(Key, Reason)>;

/// The shortest way up from `to`, told from `from` down; over pulls that matter, if there is such a way.
pub(super) fn path(web: &Web, from: Key, to: Key) -> Path {
    walk(web, from, to, true)
        .or_else(|| walk(web, from, to, false))
        .unwrap_or_else(|| vec![(to, Reason::Requested)])
}

fn walk(web: &Web, from: Key, to: Key, mattering: bool) -> Option<Path> {
    if from == to {
        return Some(vec![(from, Reason::Requested)]);
    }
    let (from, to) = (web.find(from)?, web.find(to)?);
    // Of each job seen: the next one on the way down, and why that is wanted.
    let mut below: ByNumber<Place, Option<(Place, Reason)>> = ByNumber::new();
    below.insert(to, None);
    let mut list = VecDeque::from([to]);
    while let Some(place) = list.pop_front() {
        if place == from {
            let mut path = vec![(web.former(from)?.key, Reason::Requested)];
            let mut at = from;
            while let Some(Some((next, reason))) = below.get(at) {
                path.push((web.former(*next)?.key, *reason));
                at = *next;
            }
            return Some(path);
        }
        for pull in web.pulls_of(place) {
            if let Some(by) = pull.by
                && (pull.matters || !mattering)
                && below.get(by).is_none()
            {
                below.insert(by, Some((place, pull.reason)));
                list.push_back(by);
            }
        }
    }
    None
}
