//! A real execve: a store of many kinds of descriptors crosses it five times, and nothing leaks.
//!
//! This program runs itself as a child, which makes the store, executes itself, checks, executes itself again.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Command, ExitCode};

use fdstore::{FdName, FdStore, InsertOptions, Program, memfd};
use rustix::event::{EventfdFlags, eventfd};

const HOPS: &str = "FDSTORE_TEST_HOPS";
const EACH: usize = 20;

fn main() -> ExitCode {
    let outcome = match std::env::var(HOPS).ok().and_then(|hops| hops.parse::<u32>().ok()) {
        None => parent(),
        Some(0) => first(),
        Some(hops) => next(hops),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn parent() -> Result<(), String> {
    let own = std::env::current_exe().map_err(text)?;
    let status = Command::new(own).env(HOPS, "0").status().map_err(text)?;
    if !status.success() {
        return Err(format!("the child failed: {status}"));
    }
    println!(
        "test store_crosses_execve ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"
    );
    Ok(())
}

/// Makes 100 descriptors of five kinds in a known order.
fn first() -> Result<(), String> {
    // What this process was started with (a test runner's own pipes, perhaps) is none of the store's.
    drop(softboot_sys::inherited::take_all().map_err(text)?);
    let mut store = FdStore::new();
    for number in 0..EACH {
        for fd in kinds(number)? {
            let position = store.entries().count();
            let labels = BTreeMap::from([("position".to_owned(), position.to_string())]);
            let options = InsertOptions {
                labels,
                ..InsertOptions::default()
            };
            store
                .insert(owner(position), &name(position)?, fd, options)
                .map_err(text)?;
        }
    }
    hand_over(&store, 1)
}

fn kinds(number: usize) -> Result<[OwnedFd; 5], String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(text)?;
    let stream = TcpStream::connect(listener.local_addr().map_err(text)?).map_err(text)?;
    let memory = memfd::sealed_memfd("test", format!("contents {number}").as_bytes()).map_err(text)?;
    Ok([
        listener.into(),
        stream.into(),
        memory,
        UdpSocket::bind("127.0.0.1:0").map_err(text)?.into(),
        eventfd(0, EventfdFlags::CLOEXEC).map_err(text)?,
    ])
}

fn owner(position: usize) -> &'static str {
    if position.is_multiple_of(2) { "even" } else { "odd" }
}

fn name(position: usize) -> Result<FdName, String> {
    FdName::new(&format!("n{}", 1000 - position)).map_err(text)
}

/// Takes over, checks everything, goes on or ends.
fn next(hops: u32) -> Result<(), String> {
    // Both ways to take over have to agree.
    let (taken, open) = if hops.is_multiple_of(2) {
        let taken = FdStore::from_env()
            .map_err(text)?
            .ok_or("nothing was handed over")?;
        let open = std::fs::read_dir("/proc/self/fd").map_err(text)?.count();
        // Standard input, output and error, and the directory; the manifest is closed by now.
        (taken, open - 4 + 1)
    } else {
        let inherited = softboot_sys::inherited::take_all().map_err(text)?;
        let manifest: i32 = std::env::var("FDSTORE_HANDOFF")
            .map_err(text)?
            .parse()
            .map_err(text)?;
        let open = inherited.len();
        (FdStore::inherit(inherited, manifest).map_err(text)?, open)
    };
    let expect = |holds: bool, what: &str| {
        if holds {
            Ok(())
        } else {
            Err(format!("hop {hops}: {what}"))
        }
    };
    expect(taken.quarantined.is_empty(), "something was put aside")?;
    expect(taken.unclaimed.is_empty(), "something leaked")?;
    expect(open == 5 * EACH + 1, &format!("{open} descriptors are open"))?;
    for (position, entry) in taken.store.entries().enumerate() {
        expect(entry.name() == &name(position)?, "the order changed")?;
        expect(entry.owner() == owner(position), "an owner changed")?;
        expect(
            entry.labels().get("position") == Some(&position.to_string()),
            "a label changed",
        )?;
        if position % 5 == 2 {
            let contents = memfd::read_sealed(entry.fd(), 100).map_err(text)?;
            expect(
                contents == format!("contents {}", position / 5).as_bytes(),
                "contents changed",
            )?;
        }
    }
    if hops < 5 {
        hand_over(&taken.store, hops + 1)
    } else {
        Ok(())
    }
}

fn hand_over(store: &FdStore, hops: u32) -> Result<(), String> {
    let handoff = store.handoff().map_err(text)?;
    if hops.is_multiple_of(2) {
        let program = Program::current().map_err(text)?.env(HOPS, hops.to_string());
        return Err(text(handoff.exec_program(&program.env("LISTEN_FDS", "1"))));
    }
    let own = std::fs::File::open("/proc/self/exe").map_err(text)?;
    let (variable, value) = handoff.environment();
    let env: Vec<CString> = [format!("{variable}={value}"), format!("{HOPS}={hops}")]
        .into_iter()
        .map(|pair| CString::new(pair).map_err(text))
        .collect::<Result<_, _>>()?;
    // The program's own descriptor is closed by the exec: it is no part of the store.
    Err(handoff
        .exec(own.as_fd(), &[c"exec-test".to_owned()], &env)
        .to_string())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
