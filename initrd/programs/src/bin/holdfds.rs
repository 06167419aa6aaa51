//! Keeps memory files with known contents in the fd store, and checks on each start that they came back intact.
//!
//! `holdfds COUNT`: at the first start it stores COUNT of them; at each start it writes what it found to
//! /run/softboot-demo/holdfds.json, and stays.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{MemfdFlags, fstat, memfd_create};
use rustix::io::{pread, pwrite};
use serde::Serialize;
use softboot_programs::error::{Context, Error, exit};
use softboot_programs::manager::{self, Manager};
use softboot_programs::report;

/// Contents are this long, so that each spans several pages.
const SIZE: usize = 20_000;

/// What was found and done at a start.
#[derive(Debug, Default, Serialize)]
struct Report {
    pid: u32,
    /// How many came back from the fd store.
    returned: usize,
    /// How many of those have their contents to the byte.
    intact: usize,
    /// How many were stored at this start.
    stored: usize,
    /// Inode numbers by name: the same memory file has the same one for ever.
    inodes: std::collections::BTreeMap<String, u64>,
    /// What was wrong.
    errors: Vec<String>,
}

fn main() -> std::process::ExitCode {
    exit("holdfds", run())
}

fn run() -> Result<(), Error> {
    let count: usize = match std::env::args().nth(1).map(|text| text.parse()) {
        Some(Ok(count)) => count,
        _ => return Err(Error::Usage("usage: holdfds COUNT".into())),
    };
    let manager = Manager::connect()?;
    let mut state = Report {
        pid: std::process::id(),
        ..Report::default()
    };
    let held = manager::passed()?;
    for (name, fd) in &held {
        check(&mut state, name, fd)?;
    }
    for index in 0..count {
        let name = format!("memory-{index}");
        if !held.iter().any(|(other, _)| *other == name) {
            let fd = make(&name)?;
            manager.store(&name, &fd)?;
            state
                .inodes
                .insert(name, fstat(&fd).doing("looking at a memory file")?.st_ino);
            state.stored += 1;
        }
    }
    report::write(&Path::new(report::DIRECTORY).join("holdfds.json"), &state)?;
    manager.ready(&format!(
        "{} returned, {} intact, {} stored",
        state.returned, state.intact, state.stored
    ))?;
    loop {
        std::thread::park();
    }
}

fn check(state: &mut Report, name: &str, fd: &OwnedFd) -> Result<(), Error> {
    state.returned += 1;
    state.inodes.insert(
        name.to_owned(),
        fstat(fd).doing(format!("looking at {name}"))?.st_ino,
    );
    let mut found = vec![0; SIZE + 1];
    let length = pread(fd, &mut found, 0).doing(format!("reading {name}"))?;
    found.truncate(length);
    if found == contents(name) {
        state.intact += 1;
    } else {
        state
            .errors
            .push(format!("{name}: {length} bytes, not the ones that were stored"));
    }
    Ok(())
}

fn make(name: &str) -> Result<OwnedFd, Error> {
    let fd = memfd_create(name, MemfdFlags::CLOEXEC).doing(format!("making {name}"))?;
    let contents = contents(name);
    let mut done = 0;
    while let Some(rest) = contents.get(done..).filter(|rest| !rest.is_empty()) {
        done += pwrite(&fd, rest, done as u64).doing(format!("filling {name}"))?;
    }
    Ok(fd)
}

/// The contents that belong to a name: a linear congruential sequence seeded by it.
fn contents(name: &str) -> Vec<u8> {
    let mut state = name.bytes().fold(17_u64, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    (0..SIZE)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_differ_by_name_and_repeat() {
        assert_eq!(contents("memory-1"), contents("memory-1"));
        assert_ne!(contents("memory-1"), contents("memory-2"));
        assert_eq!(contents("memory-1").len(), SIZE);
    }

    #[test]
    fn a_changed_byte_is_found() {
        let fd = make("memory-1").unwrap();
        let mut state = Report::default();
        check(&mut state, "memory-1", &fd).unwrap();
        pwrite(&fd, b"?!", 9_999).unwrap();
        check(&mut state, "memory-1", &fd).unwrap();
        assert_eq!((state.returned, state.intact, state.errors.len()), (2, 1, 1));
    }
}
