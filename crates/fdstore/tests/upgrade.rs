//! Next programs that do not take over: each leaves this one as it was, with no descriptor and no process of theirs.
//!
//! This program runs itself as the next one, in a role.

mod common;

use std::os::fd::AsRawFd as _;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use common::{Outcome, Test, exit, expect, open_now, run, text};
use fdstore::upgrade::{Successor, Upgrade, UpgradeError, Upgraded};
use fdstore::{FdName, FdStore, InsertOptions};

const ROLE: &str = "FDSTORE_TEST_SUCCESSOR";
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let tests: [(&str, Test); 8] = [
        ("one_that_is_ready_has_everything", ready),
        ("one_that_exits_is_told_by_its_status", exits),
        (
            "one_that_exits_without_taking_is_told_by_its_status",
            exits_at_once,
        ),
        ("one_that_says_why_is_heard", fails),
        ("one_that_hangs_is_ended_at_the_deadline", hangs),
        (
            "one_that_closes_its_end_and_lives_is_ended_at_the_deadline",
            closes,
        ),
        ("one_that_does_not_exist_is_an_error", missing),
        ("an_upgrade_that_is_given_up_leaves_nothing", given_up),
    ];
    match std::env::var(ROLE) {
        Ok(role) => exit(successor(&role)),
        Err(_) => run(&tests, || Ok((open_now()?, children()?))),
    }
}

/// Zombies are children, too.
fn children() -> Result<String, String> {
    std::fs::read_to_string("/proc/thread-self/children").map_err(text)
}

fn store() -> Result<FdStore, String> {
    let mut store = FdStore::new();
    for name in ["a", "b", "c"] {
        let fd = std::fs::File::open("/proc/self/exe").map_err(text)?.into();
        let name = FdName::new(name).map_err(text)?;
        store
            .insert("me", &name, fd, InsertOptions::default())
            .map_err(text)?;
    }
    Ok(store)
}

fn start(store: &FdStore, role: &str) -> Result<Upgrade, String> {
    let mut command = Command::new("/proc/self/exe");
    command.env(ROLE, role);
    Upgrade::start(command, store).map_err(text)
}

fn upgrade(role: &str, limit: Duration) -> Result<Result<Upgraded, UpgradeError>, String> {
    let store = store()?;
    let result = start(&store, role)?.wait(&store, Instant::now().checked_add(limit));
    expect(store.entries().count() == 3, || {
        "the store has changed".to_owned()
    })?;
    Ok(result)
}

/// The other program.
fn successor(role: &str) -> Outcome {
    if role == "exit-at-once" {
        std::process::exit(7);
    }
    let (inherited, line) = Successor::from_env(Instant::now().checked_add(LIMIT))
        .map_err(text)?
        .ok_or("nobody before this one")?;
    // A child of the new program is nobody's successor, though it has the same environment.
    if role == "ready" {
        let status = Command::new("/proc/self/exe")
            .env(ROLE, "grandchild")
            .status()
            .map_err(text)?;
        expect(status.code() == Some(1), || format!("the grandchild: {status}"))?;
    }
    let names: Vec<&str> = inherited
        .store
        .entries()
        .map(|entry| entry.name().as_str())
        .collect();
    expect(names == ["a", "b", "c"], || format!("{names:?}"))?;
    for entry in inherited.store.entries() {
        expect(entry.fd().as_raw_fd() > 2, || "a standard stream".to_owned())?;
    }
    match role {
        "ready" => line.ready().map_err(text),
        "exit" => std::process::exit(42),
        "fail" => {
            line.failed("the configuration has an error in line 7")
                .map_err(text)?;
            hang()
        }
        "close" => {
            drop(line);
            hang()
        }
        _ => hang(),
    }
}

/// Until somebody ends it, or long enough for that.
fn hang() -> Outcome {
    std::thread::sleep(LIMIT * 2);
    Ok(())
}

fn ready() -> Outcome {
    let mut upgraded = upgrade("ready", LIMIT)?.map_err(text)?;
    expect(upgraded.outcome.accepted.len() == 3, || {
        format!("{:?}", upgraded.outcome)
    })?;
    let status = upgraded.child.wait().map_err(text)?;
    expect(status.success(), || status.to_string())
}

fn exits() -> Outcome {
    match upgrade("exit", LIMIT)? {
        Err(UpgradeError::Exited(status)) => expect(status.code() == Some(42), || status.to_string()),
        other => Err(format!("{other:?}")),
    }
}

fn exits_at_once() -> Outcome {
    match upgrade("exit-at-once", LIMIT)? {
        Err(UpgradeError::Exited(status)) => expect(status.code() == Some(7), || status.to_string()),
        other => Err(format!("{other:?}")),
    }
}

fn fails() -> Outcome {
    match upgrade("fail", LIMIT)? {
        Err(UpgradeError::Failed(reason)) => expect(reason.ends_with("line 7"), || reason.clone()),
        other => Err(format!("{other:?}")),
    }
}

fn hangs() -> Outcome {
    let result = upgrade("hang", Duration::from_millis(300))?;
    expect(matches!(result, Err(UpgradeError::Deadline)), || {
        format!("{result:?}")
    })
}

fn closes() -> Outcome {
    let result = upgrade("close", Duration::from_millis(300))?;
    expect(matches!(result, Err(UpgradeError::Deadline)), || {
        format!("{result:?}")
    })
}

fn missing() -> Outcome {
    let result = Upgrade::start(Command::new("/nowhere/at/all"), &store()?);
    expect(matches!(result, Err(UpgradeError::Start(_))), || {
        format!("{result:?}")
    })
}

fn given_up() -> Outcome {
    let store = store()?;
    drop(start(&store, "hang")?);
    let mut begun = start(&store, "hang")?;
    begun.advance(&store).map_err(text)?;
    expect(begun.finish().is_err(), || {
        "it was done before it was ready".to_owned()
    })
}
