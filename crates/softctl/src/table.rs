//! Tables that fit the terminal.

use crate::paint::{Paint, Tone};
use crate::text::{Cut, clean, columns as columns_of, truncate};
use crate::view::View;

/// Space between columns.
const GAP: usize = 2;
/// No column shrinks below this.
const LEAST: usize = 8;

/// A column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Its heading.
    pub(crate) title: &'static str,
    /// It may shrink to this width, and further only when that is not enough; `None`: it keeps its width. Columns
    /// further right shrink first.
    pub(crate) least: Option<usize>,
    /// Where its texts are cut.
    pub(crate) cut: Cut,
}

impl Column {
    /// One that keeps its width.
    pub(crate) const fn fixed(title: &'static str) -> Column {
        Column {
            title,
            least: None,
            cut: Cut::End,
        }
    }

    /// One that may shrink.
    pub(crate) const fn shrinking(title: &'static str, least: usize, cut: Cut) -> Column {
        Column {
            title,
            least: Some(least),
            cut,
        }
    }
}

/// A cell.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell with this text, cleaned.
    pub(crate) fn new(text: impl AsRef<str>, tone: Tone) -> Cell {
        Cell {
            text: clean(text.as_ref()),
            tone,
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::new(text, Tone::Plain)
    }
}

/// Rows under headings. `width` is in characters; `None` cuts nothing.
pub(crate) fn table(columns: &[Column], rows: &[Vec<Cell>], width: Option<usize>, paint: Paint) -> String {
    let mut out = String::new();
    let widths = widths(columns, rows, width);
    let heading: Vec<Cell> = columns
        .iter()
        .map(|column| Cell::new(column.title, Tone::Bold))
        .collect();
    for row in std::iter::once(&heading).chain(rows) {
        push_row(&mut out, columns, row, &widths, paint);
    }
    out
}

/// A list: rows under headings, and a line about all of them. Without its legend it is the rows alone.
pub(crate) fn list(columns: &[Column], rows: &[Vec<Cell>], footer: &str, view: View) -> String {
    let text = table(columns, rows, view.width, view.paint);
    if view.legend {
        return format!(
            "{text}{}",
            view.paint.tone(Tone::Faint, &format!("\n{footer}.\n"))
        );
    }
    text.split_once('\n')
        .map_or_else(String::new, |(_, rows)| rows.to_owned())
}

fn push_row(out: &mut String, columns: &[Column], row: &[Cell], widths: &[usize], paint: Paint) {
    let mut pending = 0;
    for ((cell, column), width) in row.iter().zip(columns).zip(widths) {
        let text = truncate(&cell.text, *width, column.cut);
        let length = columns_of(&text);
        if length > 0 {
            out.extend(std::iter::repeat_n(' ', pending));
            out.push_str(&paint.tone(cell.tone, &text));
            pending = 0;
        }
        // Space is written before the next text only, so that no line ends in spaces.
        pending += width - length + GAP;
    }
    out.push('\n');
}

fn widths(columns: &[Column], rows: &[Vec<Cell>], limit: Option<usize>) -> Vec<usize> {
    let longest = |index: usize| {
        let cells = rows.iter().filter_map(|row| row.get(index));
        cells.map(|cell| columns_of(&cell.text)).max().unwrap_or(0)
    };
    let natural = |(index, column): (usize, &Column)| columns_of(column.title).max(longest(index));
    let mut widths: Vec<usize> = columns.iter().enumerate().map(natural).collect();
    let Some(limit) = limit else { return widths };
    let total = widths.iter().sum::<usize>() + GAP * columns.len().saturating_sub(1);
    let mut excess = total.saturating_sub(limit);
    // Where the wished minimum is not enough, the same again down to the hard one.
    for hard in [usize::MAX, LEAST] {
        for (width, column) in widths.iter_mut().zip(columns).rev() {
            if let Some(least) = column.least {
                let less = excess.min(width.saturating_sub(least.min(hard)));
                *width -= less;
                excess -= less;
            }
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column::shrinking("UNIT", 10, Cut::Middle),
        Column::fixed("ACTIVE"),
        Column::shrinking("DESCRIPTION", 11, Cut::End),
    ];

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec![
                Cell::from("a.service"),
                Cell::from("active"),
                Cell::from("Something that takes a lot of room"),
            ],
            vec![
                Cell::from("quite-a-long-name.socket"),
                Cell::from("failed"),
                Cell::from(""),
            ],
        ]
    }

    #[test]
    fn the_right_column_shrinks_first_and_then_the_left() {
        assert_eq!(
            table(&COLUMNS, &rows(), Some(50), Paint::OFF),
            "UNIT                      ACTIVE  DESCRIPTION\n\
             a.service                 active  Something that …\n\
             quite-a-long-name.socket  failed\n",
        );
        let narrow = table(&COLUMNS, &rows(), Some(36), Paint::OFF);
        assert!(narrow.lines().all(|line| line.chars().count() <= 36), "{narrow}");
        assert!(narrow.contains("quite-a….socket"), "{narrow}");
    }

    #[test]
    fn a_table_that_is_too_wide_at_its_minimum_shrinks_further() {
        let text = table(&COLUMNS, &rows(), Some(28), Paint::OFF);
        assert!(text.lines().all(|line| line.chars().count() <= 28), "{text}");
        assert!(text.contains("quite…cket"), "{text}");
    }

    #[test]
    fn without_a_width_nothing_is_cut() {
        let full = table(&COLUMNS, &rows(), None, Paint::OFF);
        assert!(full.contains("Something that takes a lot of room") && !full.contains('…'));
    }

    #[test]
    fn a_cell_cannot_break_its_row() {
        let rows = vec![vec![Cell::from("a\nb"), Cell::from("\x1b[2J"), Cell::from("c")]];
        let text = table(&COLUMNS, &rows, None, Paint::OFF);
        assert_eq!(text.lines().count(), 2);
        assert!(!text.contains('\x1b'));
    }
}
