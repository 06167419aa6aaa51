//! Tables that fit a terminal of 80 columns.

/// What a line may have.
const WIDTH: usize = 80;
/// Between columns.
const GAP: &str = "  ";
/// The first column, which holds names, gives way first, down to this.
const LEAST_NAME: usize = 20;
/// Then the widest one, again and again, down to this.
const LEAST: usize = 8;

/// Lays out rows under a header, within [`WIDTH`].
pub(super) fn layout<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = header.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let gaps = GAP.len().saturating_mul(N.saturating_sub(1));
    while widths.iter().fold(gaps, |sum, width| sum.saturating_add(*width)) > WIDTH {
        if let Some(name) = widths.first_mut().filter(|name| **name > LEAST_NAME) {
            *name = name.saturating_sub(1);
            continue;
        }
        match widths.iter_mut().max() {
            Some(widest) if *widest > LEAST => *widest = widest.saturating_sub(1),
            _ => break,
        }
    }
    let mut lines = vec![line(&header.map(str::to_owned), &widths)];
    lines.extend(rows.iter().map(|row| line(row, &widths)));
    lines.join("\n")
}

fn line<const N: usize>(cells: &[String; N], widths: &[usize; N]) -> String {
    let cells: Vec<String> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{:width$}", shorten(cell, *width)))
        .collect();
    cells.join(GAP).trim_end().to_owned()
}

fn shorten(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    let kept: String = cell.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let rows = [
            [
                "x".repeat(255),
                "socket unix stream listening".to_owned(),
                "1".to_owned(),
            ],
            ["short".to_owned(), "file".to_owned(), "22".to_owned()],
        ];
        let text = layout(["NAME", "KIND", "ID"], &rows);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.lines().nth(1).unwrap().contains("…  socket unix"));
        assert!(text.lines().nth(2).unwrap().ends_with("22"));
    }
}
