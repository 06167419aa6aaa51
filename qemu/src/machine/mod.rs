//! machine
/// The name of the virtio port that carries the channel.
pub const EVENTS_PORT: &str = "org.softboot.events";
