//! The exact copy that a journal begins with.
//!
//! Its first line is a JSON object, its second says where the parts of the first are, so that several threads can read
//! the units, which are most of it: nobody is answered meanwhile.

use std::io::{self, Write};
use std::ops::Range;
use std::os::fd::{AsFd as _, OwnedFd};

use serde::{Deserialize, Serialize};
use softboot_engine::{Engine, ImageUnit};

use super::record::Unfinished;
use crate::handoff::{ManagerState, places, read_shares};
use crate::run::Manager;

/// More than a manager with a million units.
const MAX: u64 = 4 << 30;
/// What a unit takes in memory, in bytes, as most do.
const DECODED: usize = 4 << 10;

/// What is read back.
pub(crate) struct Image {
    pub(crate) engine: Engine,
    pub(crate) manager: ManagerState,
    pub(crate) unfinished: Unfinished,
}

#[derive(Serialize)]
struct Outgoing<'a, M> {
    manager: M,
    unfinished: &'a Unfinished,
}

#[derive(Deserialize)]
struct Rest {
    manager: ManagerState,
    unfinished: Unfinished,
}

/// The second line: places in bytes from the start of the first.
#[derive(Serialize, Deserialize)]
struct Places {
    rest: Range<usize>,
    engine: Range<usize>,
    units: Range<usize>,
    /// Where each unit ends, from the start of the units.
    ends: Vec<usize>,
}

/// Counts what is written.
struct Counted<W> {
    out: W,
    bytes: usize,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes = self.bytes.saturating_add(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> Counted<W> {
    /// Writes something, and says where it is.
    fn part(&mut self, write: impl FnOnce(&mut Counted<W>) -> io::Result<()>) -> io::Result<Range<usize>> {
        let begin = self.bytes;
        write(self)?;
        Ok(begin..self.bytes)
    }
}

impl Manager {
    /// Writes the copy, piece by piece: there may be little memory.
    pub(super) fn write_image(&self, unfinished: &Unfinished) -> io::Result<(OwnedFd, u64)> {
        let fd = rustix::fs::memfd_create("softboot-image", rustix::fs::MemfdFlags::CLOEXEC)?;
        let out = io::BufWriter::with_capacity(1 << 16, std::fs::File::from(fd));
        let mut out = Counted { out, bytes: 0 };
        let rest = Outgoing {
            manager: self.state(),
            unfinished,
        };
        write(&mut out, &rest, &self.engine)?;
        let file = out.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        let length = file.metadata()?.len();
        Ok((file.into(), length))
    }
}

fn write<W: Write>(out: &mut Counted<W>, rest: &impl Serialize, engine: &Engine) -> io::Result<()> {
    out.write_all(b"{\"rest\":")?;
    let rest = out.part(|out| Ok(serde_json::to_writer(out, rest)?))?;
    out.write_all(b",\"engine\":")?;
    let engine_at = out.part(|out| engine.image_rest(out))?;
    out.write_all(b",\"units\":")?;
    let mut ends = Vec::new();
    let units = out.part(|out| {
        let begin = out.bytes;
        out.write_all(b"[")?;
        for unit in engine.image_units() {
            if !ends.is_empty() {
                out.write_all(b",")?;
            }
            serde_json::to_writer(&mut *out, &unit)?;
            ends.push(out.bytes.saturating_sub(begin));
        }
        out.write_all(b"]")
    })?;
    out.write_all(b"}\n")?;
    let places = Places {
        rest,
        engine: engine_at,
        units,
        ends,
    };
    Ok(serde_json::to_writer(out, &places)?)
}

impl Image {
    /// Reads it back.
    pub(super) fn read(fd: &OwnedFd) -> io::Result<Image> {
        let size = u64::try_from(rustix::fs::fstat(fd)?.st_size).unwrap_or(0);
        if size > MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        let file = std::fs::File::from(fd.as_fd().try_clone_to_owned()?);
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 0)?;
        Image::decode(&bytes)
    }

    fn decode(bytes: &[u8]) -> io::Result<Image> {
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "its parts are not where it says");
        // There is no line feed in what the first line is made of: JSON escapes it in texts.
        let line_feed = bytes.iter().rposition(|byte| *byte == b'\n').ok_or_else(wrong)?;
        let (line, second) = bytes.split_at(line_feed);
        let at: Places = serde_json::from_slice(second)?;
        let part = |place: Range<usize>| line.get(place).ok_or_else(wrong);
        let array = part(at.units)?;
        let units = places(array, &at.ends).ok_or_else(wrong)?;
        let units = read_shares("image", array, &units, DECODED, ImageUnit::read)?;
        let Rest { manager, unfinished } = serde_json::from_slice(part(at.rest)?)?;
        Ok(Image {
            engine: Engine::from_image_parts(part(at.engine)?, units)?,
            manager,
            unfinished,
        })
    }
}

#[cfg(test)]
mod tests {
    use softboot_engine::{Event, Now};
    use softboot_unit::files::MemoryFiles;
    use softboot_unit::{Loader, Specifiers, UnitName, Usec};

    use super::*;

    fn engine(units: usize) -> Engine {
        let mut files = MemoryFiles::new();
        for number in 0..units {
            let text = format!("[Unit]\nDescription=a\\nb\n[Service]\nExecStart=/bin/echo {number}\n");
            files = files.file(&format!("/u/s{number}.service"), &text);
        }
        let loader = Loader::new(&files, vec!["/u".to_owned()], Specifiers::default());
        let name = |number| UnitName::new(&format!("s{number}.service")).unwrap();
        let definitions = (0..units).map(|number| loader.load(&name(number))).collect();
        let mut engine = Engine::new();
        let now = Now {
            monotonic: Usec(1),
            boottime: Usec(2),
            realtime: Usec(3),
        };
        engine.step(now, Event::Loaded(definitions));
        engine
    }

    fn written(engine: &Engine) -> Vec<u8> {
        let unfinished = Unfinished::default();
        let rest = Outgoing {
            manager: ManagerState::default(),
            unfinished: &unfinished,
        };
        let mut out = Counted {
            out: Vec::new(),
            bytes: 0,
        };
        write(&mut out, &rest, engine).unwrap();
        out.out
    }

    #[test]
    fn one_thread_or_several_read_what_was_written() {
        for units in [0, 1, 450] {
            let first = written(&engine(units));
            let line = first.iter().position(|byte| *byte == b'\n').unwrap();
            let value: serde_json::Value = serde_json::from_slice(&first[..line]).unwrap();
            // Default dependencies come with them.
            assert!(value["units"].as_array().unwrap().len() >= units);
            let read = Image::decode(&first).unwrap();
            assert!(
                written(&read.engine) == first,
                "{units} units: an image changes on its way"
            );
        }
    }

    #[test]
    fn an_image_that_is_cut_or_says_other_places_is_refused() {
        let whole = written(&engine(2));
        assert!(Image::decode(&whole).is_ok());
        for cut in 0..whole.len() {
            assert!(Image::decode(&whole[..cut]).is_err(), "{cut} of {}", whole.len());
        }
        let text = String::from_utf8(whole).unwrap();
        let (line, second) = text.rsplit_once('\n').unwrap();
        let places: Places = serde_json::from_str(second).unwrap();
        let other = |change: fn(&mut Places)| {
            let mut places: Places = serde_json::from_str(&serde_json::to_string(&places).unwrap()).unwrap();
            change(&mut places);
            let text = format!("{line}\n{}", serde_json::to_string(&places).unwrap());
            Image::decode(text.as_bytes()).map(drop)
        };
        assert!(other(|_| {}).is_ok());
        assert!(other(|places| places.rest = 0..usize::MAX).is_err());
        assert!(other(|places| places.engine.end += 1).is_err());
        assert!(other(|places| places.units.start += 1).is_err());
        assert!(other(|places| places.ends.truncate(1)).is_err());
        assert!(other(|places| places.ends.push(usize::MAX)).is_err());
    }
}
