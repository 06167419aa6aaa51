//! A store over execve, verified on the other side, beside a bare execve and one fstat for each descriptor.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use fdstore::{FdName, FdStore, InsertOptions, Program};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::time::{ClockId, clock_gettime};

use super::{Kind, Role};
use crate::error::{Context as _, Error};
use crate::measure::in_turns;
use crate::record::Record;

/// When the handoff began, in nanoseconds of CLOCK_MONOTONIC.
const BEGUN: &str = "SOFTBOOT_BENCH_BEGUN";
/// The numbers that the bare program looks at.
const NUMBERS: &str = "SOFTBOOT_BENCH_NUMBERS";

pub(super) fn measure(kind: Kind, size: usize, runs: usize) -> Result<Vec<Record>, Error> {
    let results = in_turns(
        runs,
        &mut [
            Box::new(|| Role::Handoff.spawn(kind, size)),
            Box::new(|| Role::HandoffFloor.spawn(kind, size)),
            Box::new(|| Role::HandoffFloorCloexec.spawn(kind, size)),
        ],
    )?;
    let of = |position: usize| results.get(position).map_or(&[][..], Vec::as_slice);
    Ok(vec![
        Record::new(format!("handoff/{kind}/{size}"), "time", "us", of(0), of(1)).aim(2.0),
        // The same beside a floor that also has to let the descriptors through, as any program with descriptors that
        // are closed on exec has.
        Record::new(
            format!("handoff+cloexec/{kind}/{size}"),
            "time",
            "us",
            of(0),
            of(2),
        ),
    ])
}

fn nanos() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec)
        .unwrap_or(0)
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0))
}

fn since_begun() -> Option<f64> {
    let begun: u64 = std::env::var(BEGUN).ok()?.parse().ok()?;
    Some(nanos().saturating_sub(begun) as f64 / 1e3)
}

/// Before and after: the program after the exec finds the time in its environment.
pub(super) fn ours(kind: Kind, size: usize) -> Result<f64, Error> {
    if std::env::var_os(BEGUN).is_some() {
        let inherited = FdStore::from_env().context("taking over")?.context("a store")?;
        let time = since_begun().context("the time of the beginning")?;
        let whole = inherited.quarantined.is_empty() && inherited.store.count("unit") == size;
        // The time of giving it back to the kernel is no part of it.
        std::mem::forget(inherited);
        return whole.then_some(time).context("a descriptor");
    }
    let mut store = FdStore::new();
    let name = FdName::new("connection").context("naming")?;
    for fd in kind.make_many(size)? {
        store
            .insert("unit", &name, fd, InsertOptions::default())
            .context("inserting")?;
    }
    let program = Program::current().context("finding this program")?;
    let program = program.env(BEGUN, nanos().to_string());
    let handoff = store.handoff().context("preparing")?;
    Err(handoff.exec_program(&program)).context("handing over")
}

/// The kernel's part alone. `cloexec`: the descriptors are closed on exec and have to be let through first.
pub(super) fn floor(kind: Kind, size: usize, cloexec: bool) -> Result<f64, Error> {
    if std::env::var_os(BEGUN).is_some() {
        let numbers = std::env::var(NUMBERS).context("the numbers")?;
        let (first, last) = numbers.split_once('-').context("the numbers")?;
        let range = first.parse::<i32>().context("the first")?..=last.parse().context("the last")?;
        let mut seen = 0_usize;
        for number in range {
            // Looks and takes nothing: the number stays with the kernel.
            softboot_sys::inherited::claim(number, &mut |fd| {
                seen = seen.saturating_add(usize::from(rustix::fs::fstat(fd).is_ok()));
                false
            });
        }
        let time = since_begun().context("the time of the beginning")?;
        return (seen >= size).then_some(time).context("a descriptor");
    }
    let fds: Vec<OwnedFd> = kind.make_many(size)?;
    let open = |fds: &[OwnedFd]| {
        fds.iter()
            .try_for_each(|fd| fcntl_setfd(fd.as_fd(), FdFlags::empty()))
            .context("opening for exec")
    };
    if !cloexec {
        open(&fds)?;
    }
    let numbers = fds.iter().map(|fd| fd.as_raw_fd());
    let (first, last) = (numbers.clone().min().unwrap_or(0), numbers.max().unwrap_or(0));
    let program = Program::current()
        .context("finding this program")?
        .env(NUMBERS, format!("{first}-{last}"))
        .env(BEGUN, nanos().to_string());
    if cloexec {
        open(&fds)?;
    }
    let empty = FdStore::new();
    let handoff = empty.handoff().context("preparing")?;
    Err(handoff.exec_program(&program)).context("executing")
}
