//! Real children that say yes, say no, die, talk nonsense or cannot be started.

use std::ffi::CString;
use std::os::fd::AsFd as _;
use std::process::ExitCode;

use fdstore::{FdName, FdStore, InsertOptions};
use rustix::event::{PollFd, PollFlags, poll};
use softboot_reexec::verify::{Answer, VARIABLE, Verification, answer_no, answer_yes};

fn main() -> ExitCode {
    let mode = std::env::args().nth(1).filter(|mode| mode.starts_with("child-"));
    let outcome = match mode.as_deref() {
        Some(mode) => child(mode),
        None => parent(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn child(mode: &str) -> Result<(), String> {
    let mut inherited = softboot_sys::inherited::take_all().map_err(text)?;
    let number: i32 = std::env::var(VARIABLE).map_err(text)?.parse().map_err(text)?;
    let pipe = inherited.remove(&number).ok_or("no pipe to answer on")?;
    let manifest: i32 = std::env::var("FDSTORE_HANDOFF")
        .map_err(text)?
        .parse()
        .map_err(text)?;
    match mode {
        "child-yes" => {
            let taken = FdStore::inherit(inherited, manifest).map_err(text)?;
            let plan = serde_json::json!({
                "entries": taken.store.entries().count(),
                "put aside": taken.quarantined.len(),
                "leaked": taken.unclaimed.len(),
            });
            answer_yes(pipe.as_fd(), &plan).map_err(text)
        }
        "child-no" => answer_no(pipe.as_fd(), &["because".to_owned()]).map_err(text),
        "child-garbage" => rustix::io::write(&pipe, b"{\"answer\":").map(drop).map_err(text),
        "child-hang" => loop {
            rustix::event::pause();
        },
        _ => std::process::abort(),
    }
}

fn parent() -> Result<(), String> {
    let mut store = FdStore::new();
    for number in 0..10 {
        let fd = fdstore::memfd::sealed_memfd("m", b"x").map_err(text)?;
        let name = FdName::new(&format!("n{number}")).map_err(text)?;
        store
            .insert("o", &name, fd, InsertOptions::default())
            .map_err(text)?;
    }
    let own = std::fs::File::open("/proc/self/exe").map_err(text)?;
    let plan = serde_json::json!({"entries": 10, "put aside": 0, "leaked": 0});
    expect(
        "yes",
        &ask(&store, own.as_fd(), "child-yes", false)?,
        &Answer::Yes(plan),
    )?;
    expect(
        "no",
        &ask(&store, own.as_fd(), "child-no", false)?,
        &Answer::No(vec!["because".to_owned()]),
    )?;
    says_no(
        "garbage",
        &ask(&store, own.as_fd(), "child-garbage", false)?,
        "cannot be read",
    )?;
    expect(
        "death",
        &ask(&store, own.as_fd(), "child-abort", false)?,
        &Answer::Silent,
    )?;
    expect(
        "killed",
        &ask(&store, own.as_fd(), "child-hang", true)?,
        &Answer::Silent,
    )?;
    let passwd = std::fs::File::open("/etc/passwd").map_err(text)?;
    says_no(
        "no program",
        &ask(&store, passwd.as_fd(), "child-yes", false)?,
        "cannot be started",
    )?;
    println!("test result: ok. 6 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
    Ok(())
}

fn ask(
    store: &FdStore,
    program: rustix::fd::BorrowedFd<'_>,
    mode: &str,
    kill: bool,
) -> Result<Answer, String> {
    let handoff = store.handoff().map_err(text)?;
    let argv = [c"verify-test".to_owned(), CString::new(mode).map_err(text)?];
    let mut verification = Verification::start(program, &argv, &[], &handoff).map_err(text)?;
    if kill {
        if verification.read().map_err(text)? != Answer::Pending {
            return Err("an answer before there can be one".to_owned());
        }
        verification.kill();
    }
    loop {
        match verification.read().map_err(text)? {
            Answer::Pending => {
                poll(&mut [PollFd::new(&verification.as_fd(), PollFlags::IN)], None).map_err(text)?;
            }
            answer => return Ok(answer),
        }
    }
}

fn expect(what: &str, answer: &Answer, wanted: &Answer) -> Result<(), String> {
    println!(
        "test {what} ... {}",
        if answer == wanted { "ok" } else { "FAILED" }
    );
    if answer == wanted {
        Ok(())
    } else {
        Err(format!("{what}: {answer:?}"))
    }
}

fn says_no(what: &str, answer: &Answer, because: &str) -> Result<(), String> {
    let good = matches!(answer, Answer::No(reasons) if reasons.iter().any(|reason| reason.contains(because)));
    println!("test {what} ... {}", if good { "ok" } else { "FAILED" });
    if good {
        Ok(())
    } else {
        Err(format!("{what}: {answer:?}"))
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
