//! An exact copy of an engine, for the same program after a crash.
//!
//! A snapshot ([`Engine::save`]) goes to other versions and other userspaces, so it names units and leaves out what
//! can be made again. An image is for the program that wrote it: every id and every queue is as it was, so events
//! that came after it have the same effect once more ([`Engine::step`] is a function of the engine, the clocks and
//! the event, and of nothing else).

use std::io::{self, Write};

use crate::action::Action;
use crate::engine::Engine;
use crate::event::Now;

impl Engine {
    /// Writes the image as JSON. Between two steps only.
    pub fn image(&self, out: impl Write) -> io::Result<()> {
        serde_json::to_writer(out, self).map_err(io::Error::from)
    }

    /// The engine of an image.
    pub fn from_image(image: &[u8]) -> io::Result<Engine> {
        serde_json::from_slice(image).map_err(io::Error::from)
    }

    /// The timers and watches that the manager has lost with its memory. Changes nothing that a later event sees.
    pub fn armed(&mut self, now: Now) -> Vec<Action> {
        self.now = now;
        self.rearm();
        self.take_actions()
    }
}
