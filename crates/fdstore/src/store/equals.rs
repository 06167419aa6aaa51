//! Entries that cannot be told apart by what fstat says: eventfds and other anonymous inodes share one, and a file may
//! be open more than once. They are kept in the order of kcmp(2), so that the one that is the same open file
//! description is found among n in about log2(n) comparisons.
//!
//! Sorting waits until it is needed: an entry that comes in without a question, as all do after a handoff, stands in
//! `fresh` until the first search, and a store in which nobody searches never compares anything.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use super::EntryId;

/// Almost always one; then nothing is allocated for it.
#[derive(Debug, Default)]
pub(super) enum Equals {
    #[default]
    None,
    One(EntryId),
    Many(Box<Many>),
}

#[derive(Debug, Default)]
pub(super) struct Many {
    /// Sorted; of several that are the same description the oldest stands first.
    ordered: Vec<EntryId>,
    /// Not sorted in yet, oldest first.
    fresh: VecDeque<EntryId>,
}

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The oldest entry that is the same description.
    Same(EntryId),
    /// None is; one that is new belongs here.
    Place(usize),
}

impl Equals {
    /// Adds an entry; `place` is what a search has just answered, if there was one.
    pub(super) fn add(&mut self, id: EntryId, place: Option<usize>) {
        match self {
            Equals::None => *self = Equals::One(id),
            Equals::One(first) => {
                let mut many = Many {
                    ordered: vec![*first],
                    fresh: VecDeque::new(),
                };
                many.add(id, place);
                *self = Equals::Many(Box::new(many));
            }
            Equals::Many(many) => many.add(id, place),
        }
    }

    pub(super) fn remove(&mut self, id: EntryId) {
        match self {
            Equals::One(only) if *only == id => *self = Equals::None,
            Equals::Many(many) => {
                many.remove(id);
                if many.is_empty() {
                    *self = Equals::None;
                }
            }
            _ => {}
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Equals::None)
    }

    /// The oldest, whichever it is.
    pub(super) fn oldest(&self) -> Option<EntryId> {
        match self {
            Equals::None => None,
            Equals::One(id) => Some(*id),
            Equals::Many(many) => many.oldest(),
        }
    }

    /// Looks for `fd`. `fd_of` gives the descriptor of an entry, `order` compares two (kcmp). An error of `order` ends
    /// the search and changes nothing for good.
    pub(super) fn search<'s>(
        &mut self,
        fd: BorrowedFd<'_>,
        fd_of: impl Fn(EntryId) -> Option<BorrowedFd<'s>>,
        mut order: impl FnMut(BorrowedFd<'_>, BorrowedFd<'_>) -> Result<Ordering, Errno>,
    ) -> Result<Found, Errno> {
        match self {
            Equals::None => Ok(Found::Place(0)),
            Equals::One(id) => Ok(match order(fd_of(*id).ok_or(Errno::BADF)?, fd)? {
                Ordering::Equal => Found::Same(*id),
                Ordering::Less => Found::Place(1),
                Ordering::Greater => Found::Place(0),
            }),
            Equals::Many(many) => many.search(fd, fd_of, order),
        }
    }
}

impl Many {
    fn add(&mut self, id: EntryId, place: Option<usize>) {
        match place {
            Some(place) if self.fresh.is_empty() && place <= self.ordered.len() => {
                self.ordered.insert(place, id)
            }
            _ => self.fresh.push_back(id),
        }
    }

    fn remove(&mut self, id: EntryId) {
        self.ordered.retain(|known| *known != id);
        self.fresh.retain(|known| *known != id);
    }

    fn is_empty(&self) -> bool {
        self.ordered.is_empty() && self.fresh.is_empty()
    }

    fn oldest(&self) -> Option<EntryId> {
        self.ordered.iter().chain(&self.fresh).min().copied()
    }

    fn search<'s>(
        &mut self,
        fd: BorrowedFd<'_>,
        fd_of: impl Fn(EntryId) -> Option<BorrowedFd<'s>>,
        mut order: impl FnMut(BorrowedFd<'_>, BorrowedFd<'_>) -> Result<Ordering, Errno>,
    ) -> Result<Found, Errno> {
        while let Some(&id) = self.fresh.front() {
            let own = fd_of(id).ok_or(Errno::BADF)?;
            let (place, _) = bound(&self.ordered, true, |known| {
                order(fd_of(known).ok_or(Errno::BADF)?, own)
            })?;
            self.ordered.insert(place, id);
            self.fresh.pop_front();
        }
        let (place, same) = bound(&self.ordered, false, |known| {
            order(fd_of(known).ok_or(Errno::BADF)?, fd)
        })?;
        Ok(match same.then(|| self.ordered.get(place).copied()).flatten() {
            Some(id) => Found::Same(id),
            None => Found::Place(place),
        })
    }
}

/// Where the equals begin, or end (`after`), and whether there is one.
fn bound(
    ordered: &[EntryId],
    after: bool,
    mut order: impl FnMut(EntryId) -> Result<Ordering, Errno>,
) -> Result<(usize, bool), Errno> {
    let (mut low, mut high, mut equal) = (0_usize, ordered.len(), false);
    while low < high {
        let middle = low.midpoint(high);
        let Some(&known) = ordered.get(middle) else { break };
        let order = order(known)?;
        equal |= order == Ordering::Equal;
        if order == Ordering::Less || (after && order == Ordering::Equal) {
            low = middle.saturating_add(1);
        } else {
            high = middle;
        }
    }
    Ok((low, equal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{EventfdFlags, eventfd};
    use softboot_sys::kcmp;
    use std::cell::Cell;
    use std::os::fd::{AsFd as _, OwnedFd};

    const MANY: usize = 2_000;
    /// ceil(log2(2000)) = 11, and one for the last comparison of a half-open bound.
    const EACH: usize = 12;

    fn eventfds() -> Vec<OwnedFd> {
        (0..MANY)
            .map(|_| eventfd(0, EventfdFlags::CLOEXEC).unwrap())
            .collect()
    }

    fn at<'f>(fds: &'f [OwnedFd]) -> impl Fn(EntryId) -> Option<BorrowedFd<'f>> {
        |id| fds.get(usize::try_from(id.0).unwrap()).map(|fd| fd.as_fd())
    }

    fn id(position: usize) -> EntryId {
        EntryId(u64::try_from(position).unwrap())
    }

    #[test]
    fn two_thousand_eventfds_cost_a_dozen_comparisons_each() {
        let fds = eventfds();
        let calls = Cell::new(0_usize);
        let order = |a: BorrowedFd<'_>, b: BorrowedFd<'_>| {
            calls.set(calls.get() + 1);
            kcmp::order(a, b)
        };
        let mut equals = Equals::default();
        for (position, fd) in fds.iter().enumerate() {
            let Ok(Found::Place(place)) = equals.search(fd.as_fd(), at(&fds), order) else {
                panic!("{position} was found before it was there")
            };
            equals.add(id(position), Some(place));
        }
        assert!(calls.get() <= MANY * EACH, "{} comparisons", calls.get());
        calls.set(0);
        for (position, fd) in fds.iter().enumerate() {
            let copy = fd.try_clone().unwrap();
            let found = equals.search(copy.as_fd(), at(&fds), order);
            assert_eq!(found, Ok(Found::Same(id(position))));
        }
        assert!(calls.get() <= MANY * EACH, "{} comparisons", calls.get());
    }

    #[test]
    fn what_came_unasked_is_sorted_at_the_first_question() {
        let fds = eventfds();
        let calls = Cell::new(0_usize);
        let order = |a: BorrowedFd<'_>, b: BorrowedFd<'_>| {
            calls.set(calls.get() + 1);
            kcmp::order(a, b)
        };
        let mut equals = Equals::default();
        (0..MANY).for_each(|position| equals.add(id(position), None));
        assert_eq!(calls.get(), 0);
        let wanted = fds.get(77).unwrap();
        assert_eq!(
            equals.search(wanted.as_fd(), at(&fds), order),
            Ok(Found::Same(id(77)))
        );
        assert!(calls.get() <= (MANY + 1) * EACH, "{} comparisons", calls.get());
    }

    #[test]
    fn of_several_that_are_one_the_oldest_is_found() {
        let one = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let fds: Vec<OwnedFd> = (0..9).map(|_| one.try_clone().unwrap()).collect();
        let mut equals = Equals::default();
        (0..9).for_each(|position| equals.add(id(position), None));
        let found = equals.search(one.as_fd(), at(&fds), kcmp::order);
        assert_eq!(found, Ok(Found::Same(id(0))));
        equals.remove(id(0));
        let found = equals.search(one.as_fd(), at(&fds), kcmp::order);
        assert_eq!(found, Ok(Found::Same(id(1))));
    }

    #[test]
    fn without_an_order_nothing_is_lost() {
        let fds = eventfds();
        let mut equals = Equals::default();
        (0..3).for_each(|position| equals.add(id(position), None));
        let wanted = fds.get(2).unwrap();
        let refused = equals.search(wanted.as_fd(), at(&fds), |_, _| Err(Errno::NOSYS));
        assert_eq!(refused, Err(Errno::NOSYS));
        assert_eq!(equals.oldest(), Some(id(0)));
        let found = equals.search(wanted.as_fd(), at(&fds), kcmp::order);
        assert_eq!(found, Ok(Found::Same(id(2))));
    }
}
