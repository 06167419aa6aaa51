//! The notification protocol, from both sides (semantics 3; sd_notify(3)).

mod address;
mod message;
mod notifier;
mod receiver;

pub use message::{MAX_MESSAGE, Message, MessageError};
pub use notifier::{Notifier, NotifyError};
pub use receiver::{Datagram, Reason, Receiver, Rejected};

#[cfg(test)]
mod tests;
