//! `list-unit-files`.

use softboot_unit::install::UnitFileState;

use super::{View, count};
use crate::paint::Tone;
use crate::table::{Cell, Column, list};
use crate::text::Cut;

const FILES: [Column; 2] = [
    Column::shrinking("UNIT FILE", 20, Cut::Middle),
    Column::fixed("STATE"),
];

fn tone(state: UnitFileState) -> Tone {
    match state {
        UnitFileState::Enabled | UnitFileState::EnabledRuntime => Tone::Good,
        UnitFileState::Masked | UnitFileState::MaskedRuntime | UnitFileState::Bad => Tone::Bad,
        UnitFileState::Disabled => Tone::Notice,
        _ => Tone::Plain,
    }
}

/// A line for each file.
pub(crate) fn unit_files(files: &[(String, UnitFileState)], view: View) -> String {
    let row = |(name, state): &(String, UnitFileState)| {
        vec![Cell::from(name), Cell::new(state.word(), tone(*state))]
    };
    let rows: Vec<Vec<Cell>> = files.iter().map(row).collect();
    list(&FILES, &rows, &count(files.len(), "unit file"), view)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::VIEW;
    use super::*;

    #[test]
    fn each_file_has_its_state() {
        let files = [
            ("a.service".to_owned(), UnitFileState::Enabled),
            ("longer-name.socket".to_owned(), UnitFileState::MaskedRuntime),
        ];
        assert_eq!(
            unit_files(&files, VIEW),
            "UNIT FILE           STATE\n\
             a.service           enabled\n\
             longer-name.socket  masked-runtime\n\
             \n2 unit files.\n"
        );
    }
}
