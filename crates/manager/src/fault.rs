//! Places at which a test makes PID 1 crash, or the kernel refuse. In a normal build a place is nothing.
//!
//! With the feature `fault-injection` each place looks at `FILE`, whose lines are `PLACE COUNT FAULT`. The program that passes PLACE
//! (or any, for `any`) for the COUNTth time removes the line, or the file with the last one, and breaks; see [`softboot_sys::fault::Fault`]. A place where
//! the kernel may refuse has the fault `no-memory`, and no other. With a number as the fourth word so many programs in a row
//! break there.

/// The order.
#[cfg(feature = "fault-injection")]
const FILE: &str = "/run/softboot/fault";

/// Nothing.
#[cfg(not(feature = "fault-injection"))]
pub(crate) fn place(_: &str) {}

/// A place in the code.
#[cfg(feature = "fault-injection")]
pub(crate) fn place(place: &str) {
    if let Some(fault) = due(place, true).and_then(|word| softboot_sys::fault::Fault::of(&word)) {
        tracing::warn!("breaking at {place}: {fault:?}");
        fault.happen();
    }
}

/// Nothing.
#[cfg(not(feature = "fault-injection"))]
pub(crate) fn kernel(_: &str) -> Result<(), String> {
    Ok(())
}

/// A place in the code at which the kernel is asked for memory.
#[cfg(feature = "fault-injection")]
pub(crate) fn kernel(place: &str) -> Result<(), String> {
    match due(place, false).as_deref() {
        Some("no-memory") => Err(format!("{place}: {}", rustix::io::Errno::NOMEM)),
        _ => Ok(()),
    }
}

/// The fault of an order, if it is for this place and this time. `breaks`: an order for any place is for this one, too.
#[cfg(feature = "fault-injection")]
fn due(place: &str, breaks: bool) -> Option<String> {
    let text = std::fs::read_to_string(FILE).ok()?;
    let mut orders: Vec<&str> = text.lines().collect();
    let (at, fault, programs) = orders.iter().enumerate().find_map(|(at, order)| {
        of_order(order, place, breaks).map(|(fault, programs)| (at, fault, programs))
    })?;
    let order = orders.remove(at);
    let rest = programs.saturating_sub(1);
    let again = order
        .split_whitespace()
        .take(3)
        .fold(String::new(), |line, word| line + word + " ");
    let again = format!("{again}{rest}");
    if rest > 0 {
        orders.insert(at, &again);
    }
    let _ = match orders.is_empty() {
        true => std::fs::remove_file(FILE),
        false => std::fs::write(FILE, orders.join("\n")),
    };
    Some(fault)
}

/// The fault of this order, if it is for this place and this time, and how many programs are to break.
#[cfg(feature = "fault-injection")]
fn of_order(order: &str, place: &str, breaks: bool) -> Option<(String, u32)> {
    use std::collections::HashMap;
    use std::sync::Mutex;
    static PASSED: Mutex<Option<HashMap<String, u64>>> = Mutex::new(None);

    let mut words = order.split_whitespace();
    let (wanted, count, fault) = (words.next()?, words.next()?, words.next()?);
    if wanted != place && !(breaks && wanted == "any") {
        return None;
    }
    let mut passed = PASSED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let passed = passed.get_or_insert_default();
    let times = passed.entry(order.to_owned()).or_default();
    *times += 1;
    if count.parse() != Ok(*times) {
        return None;
    }
    // The same order may be given again.
    passed.remove(order);
    let programs = words.next().and_then(|number| number.parse().ok());
    Some((fault.to_owned(), programs.unwrap_or(1)))
}
