//! Values: each function takes text and gives a typed value, or a sentence that says what was expected.

mod address;
mod data;
mod netlink;
mod number;
mod signal;
mod suggest;
mod words;

pub(crate) use address::{address, fifo_path};
pub(crate) use data::{base64, simple_path, unescape_text};
pub(crate) use netlink::{message_queue, netlink};
pub(crate) use number::{amount, boolean, integer, octal, percent, resource_limit, size, time};
pub use signal::signal_name;
pub(crate) use signal::{exit_statuses, signal};
pub(crate) use suggest::did_you_mean;
pub(crate) use words::{commands, split_words};
