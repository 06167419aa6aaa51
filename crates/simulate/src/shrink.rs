//! Delta debugging: the shortest script that still breaks a rule.

use crate::script::Input;

/// Leaves out ever smaller parts of the script as long as it still fails.
pub(crate) fn shrink(script: &[Input], fails: impl Fn(&[Input]) -> bool) -> Vec<Input> {
    let mut best = script.to_vec();
    let mut part = best.len().div_ceil(2);
    while part > 0 {
        let mut at = 0;
        while at < best.len() {
            let shorter: Vec<Input> = best
                .iter()
                .enumerate()
                .filter(|(place, _)| *place < at || *place >= at + part)
                .map(|(_, input)| *input)
                .collect();
            if fails(&shorter) {
                best = shorter;
            } else {
                at += part;
            }
        }
        part /= 2;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_is_left() {
        let mut script = crate::script::generate(1, 200);
        script.retain(|input| !matches!(input, Input::Cancel | Input::Reexec));
        script.insert(20, Input::Reexec);
        script.insert(150, Input::Cancel);
        let fails = |part: &[Input]| {
            let reexec = part.iter().position(|input| *input == Input::Reexec);
            let cancel = part.iter().position(|input| *input == Input::Cancel);
            matches!((reexec, cancel), (Some(a), Some(b)) if a < b)
        };
        assert_eq!(shrink(&script, fails), [Input::Reexec, Input::Cancel]);
    }
}
