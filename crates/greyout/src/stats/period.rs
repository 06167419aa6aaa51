//! Events of a record, and the quiet time around them.

use serde::{Deserialize, Serialize};

use crate::measure::Window;
use crate::record::{Mark, MarkKind};

/// More pseudo-events of one control period say nothing new.
const MOST: u64 = 10_000;

/// An event, with the time before and after it that is its own. The quiet time between two events is divided in
/// halves: the first belongs to what comes after the one, the second is the control period of the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its name, from the mark.
    pub name: String,
    /// From its mark to the mark of its end. Without one it goes on to nine tenths of the time to the next.
    pub window: Window,
    /// The control period.
    pub control: Window,
    /// What comes after it.
    pub after: Window,
}

/// The events of a record that goes from `record.begin` to `record.end`, in order of time.
pub fn events(marks: &[Mark], record: Window) -> Vec<Event> {
    let mut marks: Vec<&Mark> = marks.iter().filter(|mark| mark.kind != MarkKind::Note).collect();
    marks.sort_by_key(|mark| mark.time);
    let mut events: Vec<Event> = Vec::new();
    for (index, mark) in marks.iter().enumerate() {
        if mark.kind != MarkKind::Begin {
            continue;
        }
        let next = marks.get(index.saturating_add(1));
        let end = match next {
            Some(next) if next.kind == MarkKind::End => next.time,
            other => {
                let limit = other.map_or(record.end.max(mark.time), |next| next.time);
                mark.time.saturating_add(limit.saturating_sub(mark.time) / 10 * 9)
            }
        };
        events.push(Event {
            name: mark.name.clone(),
            window: Window {
                begin: mark.time,
                end,
            },
            ..Event::default()
        });
    }
    let middle = |from: u64, to: u64| from.saturating_add(to.saturating_sub(from) / 2);
    let mut quiet = record.begin;
    for event in &mut events {
        event.control = Window {
            begin: middle(quiet, event.window.begin),
            end: event.window.begin,
        };
        quiet = event.window.end;
    }
    let mut next = None;
    for event in events.iter_mut().rev() {
        let end = match next {
            Some(begin) => middle(event.window.end, begin),
            None => record.end.max(event.window.end),
        };
        event.after = Window {
            begin: event.window.end,
            end,
        };
        next = Some(event.window.begin);
    }
    events
}

/// Windows as long as the event, one after the other in its control period: the same computation on them says what a
/// grey-out of nothing looks like. `good` are the good replies of one endpoint in order of time, `interval` is its
/// interval.
///
/// The first begins with the first good reply of the control period, and the last ends before the last one: the pause
/// after that may be the event's.
pub fn pseudo_events(event: &Event, good: &[u64], interval: u64) -> Vec<Window> {
    let from = good.partition_point(|&time| time < event.control.begin);
    let to = good.partition_point(|&time| time <= event.control.end);
    let good = good.get(from..to).unwrap_or_default();
    let (Some(&first), Some(&last)) = (good.first(), good.last()) else {
        return Vec::new();
    };
    let mut windows = Vec::new();
    let length = event.window.length();
    let mut begin = first;
    // An event of no length would have as many as the control period has nanoseconds.
    let step = length.max(interval).max(last.saturating_sub(first) / MOST).max(1);
    while begin.saturating_add(length) < last {
        windows.push(Window {
            begin,
            end: begin.saturating_add(length),
        });
        begin = begin.saturating_add(step);
    }
    if windows.is_empty() && begin < last {
        // Shorter than the event: better one that is too short than none.
        windows.push(Window {
            begin,
            end: last.saturating_sub(1),
        });
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(time: u64, kind: MarkKind) -> Mark {
        Mark {
            time,
            kind,
            name: "e".to_owned(),
            endpoint: None,
        }
    }

    const RECORD: Window = Window { begin: 0, end: 1000 };

    fn window(begin: u64, end: u64) -> Window {
        Window { begin, end }
    }

    #[test]
    fn quiet_time_is_divided_between_the_events_on_its_sides() {
        let marks = [
            mark(500, MarkKind::Begin),
            mark(100, MarkKind::Begin),
            mark(140, MarkKind::End),
            mark(600, MarkKind::End),
            mark(550, MarkKind::Note),
        ];
        let events = events(&marks, RECORD);
        assert_eq!(events.len(), 2);
        assert_eq!(
            (events[0].control, events[0].window, events[0].after),
            (window(50, 100), window(100, 140), window(140, 320))
        );
        assert_eq!(
            (events[1].control, events[1].window, events[1].after),
            (window(320, 500), window(500, 600), window(600, 1000))
        );
    }

    #[test]
    fn an_event_without_an_end_goes_on_nearly_to_the_next() {
        let events = events(&[mark(100, MarkKind::Begin), mark(500, MarkKind::Begin)], RECORD);
        assert_eq!(
            (events[0].window, events[1].window),
            (window(100, 460), window(500, 950))
        );
    }

    #[test]
    fn pseudo_events_are_as_long_as_the_event_and_end_before_it() {
        let good: Vec<u64> = (0..50).map(|tick| tick * 10 + 1).collect();
        let event = Event {
            name: String::new(),
            window: window(480, 540),
            control: window(200, 480),
            after: window(540, 1000),
        };
        let windows = pseudo_events(&event, &good, 10);
        assert_eq!(
            windows,
            [
                window(201, 261),
                window(261, 321),
                window(321, 381),
                window(381, 441)
            ]
        );
        let long = Event {
            window: window(480, 2000),
            ..event
        };
        assert_eq!(pseudo_events(&long, &good, 10), [window(201, 470)]);
    }

    #[test]
    fn there_are_not_more_pseudo_events_than_are_of_use() {
        let event = Event {
            window: window(2_000_000_000, 2_000_000_000),
            control: window(0, 2_000_000_000),
            ..Event::default()
        };
        let windows = pseudo_events(&event, &[1, 1_000_000_000, 2_000_000_000], 1);
        assert!((5_000..=10_001).contains(&windows.len()), "{}", windows.len());
    }
}
