//! The file of unit definitions that goes from one program to the next.
//!
//! Its first line is a JSON array, its second a JSON object that says who has written it, where in the first line each
//! definition ends, and, if it is a plan for the next userspace, what it was made from. The places are there so that
//! several threads can read: nobody is answered meanwhile. A reader that does not know the second line reads the first.

use std::os::fd::AsFd;
use std::thread;

use serde::{Deserialize, Serialize};
use softboot_engine::{Related, Table};
use softboot_unit::Definition;

use super::commit::WRITER;
use super::shares::{self, places, read_shares};
use crate::load::Sources;

/// The definitions of a very large manager; what is longer is not ours.
const DEFINITIONS_MAX: u64 = 1 << 30;
/// What a definition takes in memory, in bytes, as most are.
const DECODED: usize = 3 << 10;

/// The second line.
#[derive(Serialize, Deserialize)]
struct Trailer {
    /// Who wrote it.
    writer: String,
    /// Where each definition ends in the first line, in bytes from its start.
    #[serde(default)]
    ends: Vec<usize>,
    /// What the definitions were made from.
    #[serde(default)]
    sources: Option<Sources>,
    /// Of a re-exec: who is what to whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    related: Option<Related>,
}

/// What came over.
pub(super) struct Read {
    pub(super) definitions: Vec<Definition>,
    /// Who is what to whom, if this version has written it.
    pub(super) related: Option<Related>,
    /// They are for the next userspace: the verifying child has read them from the disk.
    pub(super) planned: bool,
    /// This program would read the same from the disk as it is now.
    pub(super) current: bool,
}

/// Both lines.
pub(super) fn encode<'a>(
    definitions: impl IntoIterator<Item = &'a Definition>,
    sources: Option<Sources>,
    related: Option<Related>,
) -> serde_json::Result<Vec<u8>> {
    let mut text = b"[".to_vec();
    let mut ends = Vec::new();
    for definition in definitions {
        if !ends.is_empty() {
            text.push(b',');
        }
        serde_json::to_writer(&mut text, definition)?;
        ends.push(text.len());
    }
    text.extend_from_slice(b"]\n");
    let writer = WRITER.to_owned();
    serde_json::to_writer(
        &mut text,
        &Trailer {
            writer,
            ends,
            sources,
            related,
        },
    )?;
    Ok(text)
}

/// Reads the sealed file, and looks whether it is still right. What a program of this version has written, this one can
/// read: then sections are read when they are first asked for.
pub(super) fn read(fd: impl AsFd) -> Result<Read, String> {
    read_how(fd, Definition::read_late)
}

/// The same, and all of it is read now, for who can still say no.
pub(super) fn read_wholly(fd: impl AsFd) -> Result<Read, String> {
    read_how(fd, at_once)
}

fn read_how(fd: impl AsFd, own_how: How) -> Result<Read, String> {
    let bytes = fdstore::memfd::read_sealed(fd, DEFINITIONS_MAX).map_err(|error| error.to_string())?;
    let (array, mut trailer) = lines(&bytes);
    let related = match &mut trailer {
        Some(trailer) if trailer.writer == WRITER => trailer.related.take(),
        _ => None,
    };
    let own = trailer.as_ref().filter(|trailer| trailer.writer == WRITER);
    let how = own.map_or(at_once as How, |_| own_how);
    let sources = own.and_then(|trailer| trailer.sources.as_ref());
    thread::scope(|scope| {
        let look = |sources: &'_ Sources| sources.are_unchanged();
        let thread = thread::Builder::new().name("sources".to_owned());
        let looking = sources.map(|sources| thread.spawn_scoped(scope, move || look(sources)));
        let definitions = decode(array, trailer.as_ref(), how)?;
        let current = match looking {
            Some(Ok(thread)) => thread.join().unwrap_or(false),
            // Without a thread it is done here.
            Some(Err(_)) => sources.is_some_and(look),
            None => false,
        };
        Ok(Read {
            definitions,
            related,
            planned: sources.is_some(),
            current,
        })
    })
}

/// What the verifying child has read for the next userspace, and from what. `None` unless a program of this version wrote it.
pub(super) fn read_plan(fd: impl AsFd) -> Option<(Vec<Definition>, Sources)> {
    let bytes = fdstore::memfd::read_sealed(fd, DEFINITIONS_MAX).ok()?;
    let (array, trailer) = lines(&bytes);
    let trailer = trailer.filter(|trailer| trailer.writer == WRITER)?;
    let definitions = decode(array, Some(&trailer), Definition::read_late).ok()?;
    Some((definitions, trailer.sources?))
}

/// The unit definitions in their sealed file, all of them at once.
pub(crate) fn decode_definitions(fd: impl AsFd) -> Result<Vec<Definition>, String> {
    let bytes = fdstore::memfd::read_sealed(fd, DEFINITIONS_MAX).map_err(|error| error.to_string())?;
    let (array, trailer) = lines(&bytes);
    decode(array, trailer.as_ref(), at_once)
}

/// The table of units of a re-exec, as the handoff has made it.
pub(crate) fn decode_table(fd: impl AsFd) -> Result<Table, String> {
    read(fd).map(Read::into_table)
}

impl Read {
    /// The table of units.
    pub(super) fn into_table(self) -> Table {
        match self.related {
            Some(related) => Table::of_related(self.definitions, &related),
            None => Table::new(self.definitions),
        }
    }
}

fn lines(bytes: &[u8]) -> (&[u8], Option<Trailer>) {
    // There is no line feed in what the first line is made of: JSON escapes it in texts.
    let line_feed = bytes.iter().rposition(|byte| *byte == b'\n');
    let (array, rest) = bytes.split_at(line_feed.unwrap_or(bytes.len()));
    (array, serde_json::from_slice(rest).ok())
}

fn decode(array: &[u8], trailer: Option<&Trailer>, how: How) -> Result<Vec<Definition>, String> {
    let definitions = match trailer.and_then(|trailer| places(array, &trailer.ends)) {
        Some(places) => read_shares("definitions", array, &places, DECODED, how),
        None => first_value(array),
    };
    definitions.map_err(|error| format!("unit definitions: {error}"))
}

/// An older program may have put something else behind it.
fn first_value(array: &[u8]) -> serde_json::Result<Vec<Definition>> {
    Vec::deserialize(&mut serde_json::Deserializer::from_slice(array))
}

/// How one definition is read.
type How = shares::How<Definition>;

/// Wholly, so that what is wrong is an error here.
fn at_once(text: &[u8]) -> serde_json::Result<Definition> {
    serde_json::from_slice(text)
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use softboot_unit::files::MemoryFiles;
    use softboot_unit::{Loader, Specifiers, UnitName};

    use super::super::shares::{SHARE, THREADS};
    use super::*;

    fn sealed(text: &[u8]) -> OwnedFd {
        fdstore::memfd::sealed_memfd("test", text).unwrap()
    }

    fn definitions(count: usize) -> Vec<Definition> {
        let mut files = MemoryFiles::new();
        for number in 0..count {
            let text = format!("[Unit]\nDescription=a, b\n[Service]\nExecStart=/bin/echo {number}\n");
            files = files.file(&format!("/u/s{number}.service"), &text);
        }
        let loader = Loader::new(&files, vec!["/u".to_owned()], Specifiers::default());
        let name = |number| UnitName::new(&format!("s{number}.service")).unwrap();
        (0..count).map(|number| loader.load(&name(number))).collect()
    }

    #[test]
    fn what_was_written_is_read_in_its_order_by_one_thread_or_several() {
        for count in [0, 1, 2, SHARE * 2 - 1, SHARE * 2, SHARE * THREADS * 2 + 7] {
            let written = definitions(count);
            let text = encode(&written, None, None).unwrap();
            for read in [read(sealed(&text)), read_wholly(sealed(&text))] {
                let read = read.unwrap();
                assert_eq!(read.definitions, written);
                assert!(!read.current, "nobody said from what they were made");
            }
        }
    }

    #[test]
    fn without_the_second_line_or_with_another_one_the_first_is_read() {
        let written = definitions(3);
        let text = encode(&written, None, None).unwrap();
        let line = text.iter().position(|byte| *byte == b'\n').unwrap();
        let array = text.get(..line).unwrap().to_vec();
        for more in [
            "",
            "{\"writer\":\"0.0.1\",\"other\":[]}",
            "\n{\"later\":1}",
            "\nno JSON",
        ] {
            let both = [&array, more.as_bytes()].concat();
            assert_eq!(decode_definitions(sealed(&both)).unwrap(), written, "{more:?}");
        }
    }

    #[test]
    fn who_verifies_notices_a_section_that_cannot_be_read() {
        let text = String::from_utf8(encode(&definitions(1), None, None).unwrap()).unwrap();
        // As long as before, so that the places are right.
        let broken = text.replace("\"/bin/echo\",\"argv\"", "\"/bin/echo\",\"argw\"");
        assert_ne!(text, broken);
        assert!(read_wholly(sealed(broken.as_bytes())).is_err());
        assert!(read(sealed(broken.as_bytes())).is_ok());
    }

    #[test]
    fn places_that_leave_anything_out_are_not_used() {
        let written = definitions(3);
        let text = encode(&written, None, None).unwrap();
        let line = text.iter().position(|byte| *byte == b'\n').unwrap();
        let (array, trailer) = text.split_at(line);
        let trailer: Trailer = serde_json::from_slice(trailer).unwrap();
        let ends = trailer.ends;
        assert_eq!(places(array, &ends).unwrap().len(), 3);
        for wrong in [
            vec![],
            ends.get(..2).unwrap().to_vec(),
            ends.get(1..).unwrap().to_vec(),
            ends.iter().map(|end| end + 1).collect(),
            vec![usize::MAX],
            ends.iter().rev().copied().collect(),
        ] {
            // The second and third as one text are no definition, and what is no definition is refused when it is read.
            let read = places(array, &wrong)
                .map(|places| read_shares("definitions", array, &places, DECODED, at_once));
            assert!(read.is_none_or(|read| read.is_err()), "{wrong:?}");
        }
    }

    #[test]
    fn a_plan_is_current_while_the_same_program_would_read_the_same() {
        let (written, sources) = crate::load::closure_with_sources(&[]);
        let text = encode(&written, Some(sources), None).unwrap();
        assert!(read(sealed(&text)).unwrap().current);
        let text = encode(&written, Some(Sources::default()), None).unwrap();
        assert!(!read(sealed(&text)).unwrap().current);
        let (_, sources) = crate::load::closure_with_sources(&[]);
        let text = String::from_utf8(encode(&written, Some(sources), None).unwrap()).unwrap();
        let other = text.replace(&format!("\"writer\":\"{WRITER}\""), "\"writer\":\"99.0.0\"");
        assert_ne!(text, other);
        assert!(!read(sealed(other.as_bytes())).unwrap().current);
    }
}
