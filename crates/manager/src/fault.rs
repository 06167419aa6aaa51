//! Places at which a test makes PID 1 crash. In a normal build a place is nothing.
//!
//! With the feature `fault-injection` each place looks at `FILE`: `PLACE COUNT FAULT`. The program that passes PLACE
//! (or any, for `any`) for the COUNTth time removes the file and breaks; see [`softboot_sys::fault::Fault`].

/// The order.
#[cfg(feature = "fault-injection")]
const FILE: &str = "/run/softboot/fault";

/// Nothing.
#[cfg(not(feature = "fault-injection"))]
pub(crate) fn place(_: &str) {}

/// A place in the code.
#[cfg(feature = "fault-injection")]
pub(crate) fn place(place: &str) {
    use std::collections::HashMap;
    use std::sync::Mutex;
    static PASSED: Mutex<Option<HashMap<String, u64>>> = Mutex::new(None);

    let Ok(order) = std::fs::read_to_string(FILE) else {
        return;
    };
    let mut words = order.split_whitespace();
    let (Some(wanted), Some(count), Some(fault)) = (words.next(), words.next(), words.next()) else {
        return;
    };
    if wanted != "any" && wanted != place {
        return;
    }
    let due = {
        let mut passed = PASSED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let passed = passed.get_or_insert_default().entry(order.clone()).or_default();
        *passed += 1;
        count.parse() == Ok(*passed)
    };
    if let (true, Some(fault)) = (due, softboot_sys::fault::Fault::of(fault)) {
        let _ = std::fs::remove_file(FILE);
        tracing::warn!("breaking at {place}: {fault:?}");
        fault.happen();
    }
}
