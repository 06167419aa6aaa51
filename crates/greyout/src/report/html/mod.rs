//! The page.
use crate::result::Results;
/// The page.
pub fn page(_: &Results) -> String {
    String::new()
}
