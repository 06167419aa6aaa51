//! The fd store: what pushing, handing over and transferring descriptors costs, beside bare system calls.

mod handoff;
mod kinds;
mod memory;
mod push;
mod role;
mod size;
mod transfer;

pub use kinds::Kind;
pub use role::Role;

use std::path::PathBuf;

use crate::error::Error;
use crate::record::Record;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Numbers of descriptors.
    pub sizes: Vec<usize>,
    /// Kinds of descriptors.
    pub kinds: Vec<Kind>,
    /// How often.
    pub runs: usize,
    /// Where `hello-fdstore` and `hello-plain` are, to compare their sizes.
    pub programs: Option<PathBuf>,
}

/// Measures; `note` is told what is under way.
pub fn run(plan: &Plan, note: &mut dyn FnMut(&str)) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    for kind in &plan.kinds {
        let mut first = None;
        for size in &plan.sizes {
            note(&format!("push {size} x {kind}"));
            let record = push::measure(*kind, *size, plan.runs)?;
            let grown = Record::new(
                format!("push/{kind}/growth/{size}"),
                "time-per-descriptor-beside-smallest-size",
                "",
                &[record.value],
                &[*first.get_or_insert(record.value)],
            );
            records.push(record);
            if plan.sizes.first() != Some(size) {
                records.push(grown.aim(1.5));
            }
        }
        for size in &plan.sizes {
            note(&format!("handoff of {size} x {kind}"));
            records.extend(handoff::measure(*kind, *size, plan.runs)?);
        }
        for size in &plan.sizes {
            note(&format!("transfer of {size} x {kind}"));
            records.push(transfer::measure(*kind, *size, plan.runs)?);
        }
        for size in &plan.sizes {
            note(&format!("memory of {size} x {kind}"));
            records.push(memory::measure(*kind, *size, plan.runs)?);
        }
    }
    if let Some(programs) = &plan.programs {
        records.push(size::measure(programs)?);
    }
    Ok(records)
}
