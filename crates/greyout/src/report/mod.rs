//! A result for people: on a terminal, and as one HTML page.

mod comparison;
mod html;
mod record;
mod spark;
mod terminal;
mod text;

pub use comparison::comparison;
pub use html::page;
pub use record::record;
pub use terminal::summary;
pub use text::Paint;
