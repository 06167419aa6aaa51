//! Names that come again and again: `shutdown.target` stands in the dependencies of nearly every unit, and a unit's own name
//! in several of its service's.

use std::cell::RefCell;
use std::fmt;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use serde::de::{Error, Visitor};

use super::{NameError, UnitName};

/// So many names that were made last are looked at for the next one: a power of two.
const PLACES: usize = 256;

thread_local! {
    /// Each name has one place and takes it from whatever was there. Nothing has to be emptied, and no thread waits for
    /// another one.
    static SEEN: RefCell<Vec<Option<UnitName>>> = const { RefCell::new(Vec::new()) };
}

/// A name with this text: one of the last, or a new one.
pub(super) fn name(text: &str) -> Result<UnitName, NameError> {
    // Without places, as while the thread ends, every name is a new one.
    let seen = SEEN.try_with(|seen| seen.try_borrow_mut().ok().map(|mut seen| find(&mut seen, text)));
    match seen {
        Ok(Some(found)) => found,
        _ => UnitName::unshared(text),
    }
}

fn find(seen: &mut Vec<Option<UnitName>>, text: &str) -> Result<UnitName, NameError> {
    if seen.is_empty() {
        seen.resize(PLACES, None);
    }
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(text);
    let place = usize::try_from(hash).unwrap_or(0) & PLACES.saturating_sub(1);
    let Some(known) = seen.get_mut(place) else {
        return UnitName::unshared(text);
    };
    if let Some(name) = known.as_ref().filter(|name| name.as_str() == text) {
        return Ok(name.clone());
    }
    let name = UnitName::unshared(text)?;
    *known = Some(name.clone());
    Ok(name)
}

/// Reads a name.
pub(super) struct Reader;

impl Visitor<'_> for Reader {
    type Value = UnitName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a unit")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<UnitName, E> {
        name(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::super::UnitName;

    #[test]
    fn names_that_are_read_share_their_text_and_what_is_none_is_refused() {
        let text = r#"["a.service","b.target","a.service"]"#;
        let names: Vec<UnitName> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&names).unwrap(), text);
        let [first, _, third] = &names[..] else {
            panic!("{names:?}")
        };
        assert!(std::ptr::eq(first.as_str(), third.as_str()));
        for wrong in [r#""a""#, r#""""#, "7", "null", r#""no name.service""#] {
            assert!(serde_json::from_str::<UnitName>(wrong).is_err(), "{wrong}");
        }
        // More of them than there are places.
        let many: Vec<String> = (0..5000).map(|number| format!("s{number}.service")).collect();
        let text = serde_json::to_string(&many).unwrap();
        let names: Vec<UnitName> = serde_json::from_str(&text).unwrap();
        assert!(many.iter().zip(&names).all(|(text, name)| text == name.as_str()));
    }
}
