//! What is in a record.

use std::fmt::Write as _;

use super::text::{Paint, Tone, clean, fit, wrap};
use crate::attempt::Outcome;
use crate::duration::show;
use crate::record::{MarkKind, Recording, Tail};

/// What a record file holds, for `show`.
pub fn record(file: &str, recording: &Recording, paint: Paint) -> String {
    let header = &recording.header;
    let mut text = format!("{}\n", paint.tone(Tone::Bold, &clean(file)));
    let _ = writeln!(text, "  by           {}", clean(&header.program));
    text.push_str(&wrap(&format!("command {}", header.command.join(" ")), 2, 15));
    for (name, value) in &header.labels {
        let _ = writeln!(text, "  {} {}", fit(name, 12), clean(value));
    }
    let end = match &recording.ending {
        Some(ending) => format!(
            "{}, after {}",
            clean(&ending.reason),
            show(ending.cost.wall as f64)
        ),
        None => "none: the probe was killed, or its disk was full".to_owned(),
    };
    let _ = writeln!(text, "  end          {end}");
    match recording.tail {
        Tail::Whole => {}
        Tail::Torn { bytes } => {
            let _ = writeln!(
                text,
                "  torn         {bytes} bytes of a last record that is not whole"
            );
        }
        Tail::Damaged { offset, bytes } => {
            let _ = writeln!(
                text,
                "  damaged      at byte {offset}; {bytes} bytes are not read"
            );
        }
    }
    for (endpoint, attempts) in header.endpoints.iter().zip(&recording.attempts) {
        let _ = writeln!(
            text,
            "{}  {}",
            paint.tone(Tone::Bold, &fit(&endpoint.name, 18)),
            clean(&endpoint.address)
        );
        let counts = Outcome::ALL.iter().map(|&outcome| {
            let count = attempts
                .iter()
                .filter(|attempt| attempt.outcome == outcome)
                .count();
            (count, outcome.name())
        });
        let counts: Vec<String> = counts
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        let counts = if counts.is_empty() {
            "no attempt".to_owned()
        } else {
            counts.join(", ")
        };
        let every = show(endpoint.interval as f64);
        text.push_str(&wrap(&format!("every {every}: {counts}"), 2, 4));
    }
    for mark in &recording.marks {
        let kind = match mark.kind {
            MarkKind::Begin => "begin",
            MarkKind::End => "end",
            MarkKind::Note => "note",
        };
        let at = show(mark.time.saturating_sub(header.started) as f64);
        let endpoint = mark
            .endpoint
            .and_then(|place| header.endpoints.get(usize::try_from(place).ok()?));
        let of = endpoint.map_or(String::new(), |endpoint| format!(" ({})", clean(&endpoint.name)));
        let line = format!("  {at:>9}  {kind:<5} {}{of}", clean(&mark.name));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
