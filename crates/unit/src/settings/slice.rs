//! `[Slice]`.

use super::{Applied, Outcome, cgroup};
use crate::model::SliceSection;
use crate::value::integer;

pub(super) fn apply(slice: &mut SliceSection, key: &str, value: &str) -> Outcome {
    let count = || match value {
        "" | "infinity" => Ok(None),
        number => integer(number).map(Some),
    };
    match key {
        "ConcurrencyHardMax" => slice.concurrency_hard_max = count()?,
        "ConcurrencySoftMax" => slice.concurrency_soft_max = count()?,
        _ => return cgroup::apply(&mut slice.resources, key, value),
    }
    Ok(Applied::Done)
}
