//! Which attempts a result keeps for drawing: those around one event.

use super::schema::Shown;
use crate::attempt::Attempt;
use crate::measure::Greyout;
use crate::stats::Event;

/// Shown before and after an event at least and at most, in nanoseconds.
const MARGIN: (u64, u64) = (20_000_000, 500_000_000);

/// The attempts from a margin before the event to a margin after event and grey-out, within the time that is its own.
pub(super) fn shown(
    run: usize,
    index: usize,
    event: &Event,
    greyout: &Greyout,
    attempts: &[Attempt],
) -> Shown {
    let end = event
        .window
        .end
        .max(greyout.first_good.unwrap_or(event.window.end));
    let taken = end.saturating_sub(event.window.begin);
    let margin = (taken / 2).clamp(MARGIN.0, MARGIN.1);
    let from = event.window.begin.saturating_sub(margin).max(event.control.begin);
    let to = end.saturating_add(margin).min(event.after.end);
    let mut shown = Shown {
        run,
        event: index,
        ..Shown::default()
    };
    for attempt in attempts
        .iter()
        .filter(|attempt| (from..=to).contains(&attempt.due))
    {
        shown
            .due
            .push(attempt.due.wrapping_sub(event.window.begin) as i64);
        shown.latency.push(attempt.latency());
        shown.outcome.push(attempt.outcome.code());
    }
    shown
}
