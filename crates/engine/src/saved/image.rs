//! An exact copy of an engine, for the same program after a crash.
//!
//! A snapshot ([`Engine::save`]) goes to other versions and other userspaces, so it names units and leaves out what
//! can be made again. An image is for the program that wrote it: every id and every queue is as it was, so events
//! that came after it have the same effect once more ([`Engine::step`] is a function of the engine, the clocks and
//! the event, and of nothing else).
//!
//! Most of it are the units, each a text of its own, so that several threads can read them: nobody is answered meanwhile.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::action::Action;
use crate::engine::Engine;
use crate::event::{Now, UnitId};
use crate::units::Unit;

/// One unit of an image.
#[derive(Deserialize)]
pub struct ImageUnit(UnitId, Unit);

impl ImageUnit {
    /// Reads what [`Engine::image_units`] gave, as JSON.
    pub fn read(text: &[u8]) -> serde_json::Result<ImageUnit> {
        // The program that reads it has written it, so sections can wait until somebody asks for them.
        softboot_unit::read_late(text)
    }
}

#[derive(Serialize)]
struct UnitRef<'a>(UnitId, &'a Unit);

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow)]
    rest: &'a RawValue,
    units: Vec<ImageUnit>,
}

impl Engine {
    /// Writes the image as one JSON value. Between two steps only.
    pub fn image(&self, mut out: impl Write) -> io::Result<()> {
        out.write_all(b"{\"rest\":")?;
        self.image_rest(&mut out)?;
        out.write_all(b",\"units\":[")?;
        for (place, unit) in self.image_units().enumerate() {
            if place > 0 {
                out.write_all(b",")?;
            }
            serde_json::to_writer(&mut out, &unit)?;
        }
        out.write_all(b"]}")
    }

    /// Writes everything of the image but the units.
    pub fn image_rest(&self, out: impl Write) -> io::Result<()> {
        serde_json::to_writer(out, self).map_err(io::Error::from)
    }

    /// The units of the image.
    pub fn image_units(&self) -> impl Iterator<Item = impl Serialize + '_> {
        self.units.iter().map(|(id, unit)| UnitRef(id, unit))
    }

    /// The engine of an image that is one value.
    pub fn from_image(image: &[u8]) -> io::Result<Engine> {
        let Whole { rest, units } = serde_json::from_slice(image)?;
        Engine::from_image_parts(rest.get().as_bytes(), units)
    }

    /// The engine of an image whose units were read apart.
    pub fn from_image_parts(rest: &[u8], units: Vec<ImageUnit>) -> io::Result<Engine> {
        let mut engine: Engine = serde_json::from_slice(rest)?;
        engine
            .units
            .put_back(units.into_iter().map(|ImageUnit(id, unit)| (id, unit)));
        Ok(engine)
    }

    /// The timers and watches that the manager has lost with its memory. Changes nothing that a later event sees.
    pub fn armed(&mut self, now: Now) -> Vec<Action> {
        self.now = now;
        self.rearm(None);
        self.take_actions()
    }
}
